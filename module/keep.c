// SPDX-License-Identifier: GPL-2.0
/*
 * fragment/keep: hold a node at a degree of fragmentation while another program is
 * measured.
 *
 * One thread, bound to chosen CPUs and by default at the lowest priority, reads the
 * index once a tick and then does as much as its rate allows: below the target it
 * plants, at or above it frees the page kept longest, so that the fragmentation also
 * moves through memory. It never reclaims, compacts or drains the per-cpu lists of
 * other CPUs, because that would disturb the measurement.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/mutex.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/topology.h>

#include "fragbed.h"

#define RATE_MAX 100000000ULL	/* pages per second */

enum {
	KEEP_ORDER,
	KEEP_INDEX,
	KEEP_UNMOVABLE,
	KEEP_RATE,
	KEEP_CPUS,
	KEEP_SEED,
	KEEP_NODE,
	KEEP_NICE,
	KEEP_FORCE,
};

static const struct fragbed_key keep_keys[] = {
	[KEEP_ORDER] = { "order", FRAGBED_NUMBER, 1, MAX_PAGE_ORDER, .required = true },
	[KEEP_INDEX] = { "index", FRAGBED_NUMBER, 1, 1000, .required = true },
	[KEEP_UNMOVABLE] = FRAGBED_UNMOVABLE_KEY,
	[KEEP_RATE] = { "rate", FRAGBED_NUMBER, 1, RATE_MAX, .required = true },
	[KEEP_CPUS] = { "cpus", FRAGBED_TEXT, .required = true },
	[KEEP_SEED] = FRAGBED_SEED_KEY,
	[KEEP_NODE] = FRAGBED_NODE_KEY,
	[KEEP_NICE] = { "nice", FRAGBED_NUMBER, 0, MAX_NICE, .preset = MAX_NICE },
	[KEEP_FORCE] = FRAGBED_FORCE_KEY,
	{ }
};

/* The request. */
struct keep_plan {
	unsigned int order;
	unsigned int target;		/* permille */
	unsigned int share;		/* percent of the kept pages that are unmovable */
	u64 rate;			/* pages per second */
	u64 seed;
	int nid;
	int nice;
	bool force;
	struct cpumask cpus;
};

/* The result; written by the thread, may be read any time. */
struct keep_stats {
	u64 planted;			/* chunks split */
	u64 unplanted;			/* chunks freed */
	u64 failed;			/* attempts when the node could spare no chunk */
	u64 looks;			/* at the index since it reached the target */
	u64 sum;			/* permille, of all looks */
	unsigned int now;		/* permille */
	unsigned int least;		/* permille, of all looks */
	u64 reached_ns;			/* time until the target was reached, 0: not yet */
	u64 cpu_ns;			/* run time of the thread */
};

struct keeper {
	struct task_struct *task;
	struct fragbed_planter planter;
	struct keep_stats stats;
	u64 started_ns;
	u64 done;			/* pages of the rate that are used up */
};

static DEFINE_MUTEX(keep_lock);
static struct keep_plan plan;		/* keep_lock to write, no thread runs then */
static struct keeper *keeper;		/* keep_lock */
static struct keep_stats last;		/* keep_lock, of the last keeper */
static struct fragbed_planted last_planted;	/* keep_lock */
static u64 ran_ns;			/* keep_lock */
static bool yielded;			/* READ_ONCE/WRITE_ONCE */
static atomic_long_t keep_held;		/* pages */

static void look(struct keeper *k)
{
	struct keep_stats *s = &k->stats;

	s->now = fragbed_unusable_index(plan.nid, plan.order);
	if (!s->reached_ns && s->now >= plan.target) {
		s->reached_ns = ktime_get_ns() - k->started_ns;
		s->least = s->now;
	}
	if (s->reached_ns) {
		s->looks++;
		s->sum += s->now;
		s->least = min(s->least, s->now);
	}
}

static void count_held(struct keeper *k)
{
	const struct fragbed_planted *p = &k->planter.stats;

	atomic_long_set(&keep_held, p->kept_unmovable + p->kept_movable);
}

static void unplant_all(struct keeper *k)
{
	while (fragbed_unplant(&k->planter)) {
		count_held(k);
		cond_resched();
	}
	count_held(k);
}

/* Return: false if there is nothing to do for now. */
static bool keep_once(struct keeper *k)
{
	bool done;

	if (fragbed_unusable_index(plan.nid, plan.order) >= plan.target) {
		done = fragbed_unplant(&k->planter);
		k->stats.unplanted += done;
		return done;
	}
	done = !fragbed_plant(&k->planter);
	k->stats.planted += done;
	k->stats.failed += !done;
	return done;
}

/*
 * Bursts disturb a measurement, too: the thread works for one tick and sleeps for the
 * next one, and drops work that is overdue by more than a tenth of a second.
 */
static void work_off(struct keeper *k)
{
	u64 chunk = 1ULL << plan.order;
	u64 due = mul_u64_u64_div_u64(ktime_get_ns() - k->started_ns, plan.rate,
				      NSEC_PER_SEC);
	u64 most = max(plan.rate / 10, chunk);
	unsigned long end = jiffies + 1;

	if (due > k->done + most)
		k->done = due - most;
	while (k->done + chunk <= due && time_before_eq(jiffies, end) &&
	       !kthread_should_stop() && !READ_ONCE(yielded)) {
		k->done += chunk;
		if (!keep_once(k))
			break;
		cond_resched();
	}
	count_held(k);
}

static int keep_thread_fn(void *data)
{
	struct keeper *k = data;

	/* Not at creation, since the first start of a thread gives it the CPUs of its node. */
	set_cpus_allowed_ptr(current, &plan.cpus);
	while (!kthread_should_stop()) {
		look(k);
		if (READ_ONCE(yielded))
			unplant_all(k);
		else
			work_off(k);
		k->stats.cpu_ns = current->se.sum_exec_runtime;
		schedule_timeout_interruptible(1);
	}
	return 0;
}

/* Caller holds keep_lock. */
static void stop_locked(void)
{
	if (!keeper)
		return;
	if (keeper->task) {
		kthread_stop(keeper->task);
		put_task_struct(keeper->task);
	}
	ran_ns = ktime_get_ns() - keeper->started_ns;
	last = keeper->stats;
	last_planted = keeper->planter.stats;
	fragbed_set_destroy(keeper->planter.set);
	atomic_long_set(&keep_held, 0);
	kfree(keeper);
	keeper = NULL;
}

/**
 * fragbed_keep_stop() - stop the keeper and free its pages
 *
 * Context: may sleep, takes keep_lock.
 */
void fragbed_keep_stop(void)
{
	mutex_lock(&keep_lock);
	stop_locked();
	mutex_unlock(&keep_lock);
}

/* At low priority the thread may not run for seconds on a busy CPU. */
static void hurry_thread(void)
{
	if (!mutex_trylock(&keep_lock))
		return;
	if (keeper && keeper->task)
		set_user_nice(keeper->task, 0);
	mutex_unlock(&keep_lock);
}

/**
 * fragbed_keep_yield() - on OOM make the thread free everything
 *
 * Does not wait: the thread sees it within a tick, and stays idle until stopped.
 *
 * Context: process. Only tries keep_lock, whose holder may be the reclaiming task.
 * Return: pages that are not freed yet.
 */
unsigned long fragbed_keep_yield(void)
{
	WRITE_ONCE(yielded, true);
	hurry_thread();
	return atomic_long_read(&keep_held);
}

/* The new thread sleeps until it is woken; from here on kthread_stop() stops it. */
static int create_thread(struct keeper *k)
{
	struct task_struct *task;

	task = kthread_create_on_node(keep_thread_fn, k, plan.nid,
				      "fragbed_keep");
	if (IS_ERR(task))
		return PTR_ERR(task);
	k->task = get_task_struct(task);
	set_user_nice(task, plan.nice);
	return 0;
}

static void prepare_planter(struct fragbed_planter *planter,
			    struct fragbed_set *set)
{
	planter->path = fragbed_knob_fragment_keep.path;
	planter->nid = plan.nid;
	planter->order = plan.order;
	planter->share = plan.share;
	planter->force = plan.force;
	planter->set = set;
	prandom_seed_state(&planter->rnd, plan.seed);
}

static int create_keeper(void)
{
	struct keeper *k = kzalloc(sizeof(*k), GFP_KERNEL);
	struct fragbed_set *set;

	if (!k)
		return -ENOMEM;
	set = fragbed_set_new("keep", FRAGBED_MOVABLE, 0, plan.nid);
	if (IS_ERR(set)) {
		kfree(k);
		return PTR_ERR(set);
	}
	prepare_planter(&k->planter, set);
	k->started_ns = ktime_get_ns();
	keeper = k;
	return create_thread(k);
}

static int start_keeping(const char *path, const struct keep_plan *asked)
{
	int ret;

	mutex_lock(&keep_lock);
	if (keeper) {
		mutex_unlock(&keep_lock);
		pr_warn("%s: already running, write stop first\n", path);
		return -EBUSY;
	}
	plan = *asked;
	WRITE_ONCE(yielded, false);
	ret = create_keeper();
	if (ret)
		stop_locked();
	else
		wake_up_process(keeper->task);
	mutex_unlock(&keep_lock);
	return ret;
}

/* Movable pages come from the node on which the thread runs. */
static int check_movable(const struct fragbed_write *w, const struct keep_plan *asked)
{
	int cpu;

	if (asked->share == 100)
		return 0;
	for_each_cpu(cpu, &asked->cpus) {
		if (cpu_to_mem(cpu) != asked->nid)
			return fragbed_refuse(w, KEEP_CPUS, -EINVAL,
					      "CPU %d is not of node %d: movable pages are only kept on the node of the CPUs; write unmovable=100 or other CPUs",
					      cpu, asked->nid);
	}
	return 0;
}

static int read_values(const struct fragbed_write *w, struct keep_plan *asked)
{
	const struct fragbed_value *values = w->values;
	int ret = fragbed_cpus_check(w, KEEP_CPUS, &asked->cpus);

	if (!ret)
		ret = fragbed_node_check(w, KEEP_NODE, &asked->nid);
	if (ret)
		return ret;
	if (!values[KEEP_NODE].given)
		asked->nid = cpu_to_mem(cpumask_first(&asked->cpus));
	asked->order = values[KEEP_ORDER].number;
	asked->target = values[KEEP_INDEX].number;
	asked->share = values[KEEP_UNMOVABLE].number;
	asked->rate = values[KEEP_RATE].number;
	asked->seed = values[KEEP_SEED].number;
	asked->nice = values[KEEP_NICE].number;
	asked->force = values[KEEP_FORCE].number;
	return check_movable(w, asked);
}

static int check_and_start(const struct fragbed_write *w)
{
	struct keep_plan *asked = kzalloc(sizeof(*asked), GFP_KERNEL);
	int ret;

	if (!asked)
		return -ENOMEM;
	ret = read_values(w, asked);
	if (!ret)
		ret = start_keeping(w->knob->path, asked);
	kfree(asked);
	return ret;
}

/*
 * Stopping when nothing runs is fine.
 *
 * Context: may sleep, takes keep_lock.
 * Return: 0, -EINVAL malformed or out of range, -ENXIO CPU not online or no such
 * node, -EBUSY already running, -ENOMEM, -EAGAIN the kernel cannot create a thread.
 */
static int keep_run(const struct fragbed_write *w)
{
	if (w->lead == FRAGBED_START)
		return check_and_start(w);
	fragbed_keep_stop();
	return 0;
}

struct fragbed_knob fragbed_knob_fragment_keep = {
	.path = "fragment/keep",
	.file = FRAGBED_COMMAND,
	.leads = fragbed_start_or_stop,
	.keys = keep_keys,
	.run = keep_run,
};

static void show_plan(struct seq_file *m)
{
	seq_printf(m, "order %u\nnode %d\ncpus %*pbl\nnice %d\nunmovable_percent %u\nseed %llu\n",
		   plan.order, plan.nid, cpumask_pr_args(&plan.cpus), plan.nice,
		   plan.share, plan.seed);
}

static void show_index(struct seq_file *m, const struct keep_stats *s)
{
	seq_printf(m, "index_target %u\nindex_now %u\nindex_min %u\nindex_mean %llu\nlooks %llu\n",
		   plan.target, s->now, s->least,
		   s->looks ? div64_u64(s->sum, s->looks) : 0, s->looks);
	seq_printf(m, "reached %s\nreached_ms %llu\n",
		   s->reached_ns ? "yes" : "no",
		   div_u64(s->reached_ns, NSEC_PER_MSEC));
}

static void show_work(struct seq_file *m, const struct keep_stats *s,
		      const struct fragbed_planted *p, u64 ns)
{
	u64 pages = (s->planted + s->unplanted) << plan.order;

	seq_printf(m, "rate_asked %llu\nrate_achieved %llu\n", plan.rate,
		   ns ? mul_u64_u64_div_u64(pages, NSEC_PER_SEC, ns) : 0);
	seq_printf(m, "planted %llu\nunplanted %llu\nfailed %llu\n", s->planted,
		   s->unplanted, s->failed);
	seq_printf(m, "kept_unmovable %lu\nkept_movable %lu\nfallbacks %lu\nmisses %lu\n",
		   p->kept_unmovable, p->kept_movable, p->fallbacks, p->misses);
	seq_printf(m, "cpu_ns %llu\ncost_permille %llu\nns %llu\n", s->cpu_ns,
		   ns ? div64_u64(s->cpu_ns * 1000, ns) : 0, ns);
}

/*
 * The keeper that runs, or the last one. cost_permille is the share of one CPU that
 * the thread used.
 *
 * Context: may sleep, takes keep_lock.
 */
static int keep_status_show(struct seq_file *m, void *unused)
{
	const struct fragbed_planted *planted;
	const struct keep_stats *stats;
	u64 ns;

	mutex_lock(&keep_lock);
	stats = keeper ? &keeper->stats : &last;
	planted = keeper ? &keeper->planter.stats : &last_planted;
	ns = keeper ? ktime_get_ns() - keeper->started_ns : ran_ns;
	seq_printf(m, "running %s\nyielded %s\n", keeper ? "yes" : "no",
		   READ_ONCE(yielded) ? "yes" : "no");
	show_plan(m);
	show_index(m, stats);
	show_work(m, stats, planted, ns);
	seq_printf(m, "pages_held %ld\n", atomic_long_read(&keep_held));
	mutex_unlock(&keep_lock);
	return 0;
}

struct fragbed_knob fragbed_knob_fragment_keep_status = {
	.path = "fragment/keep_status",
	.file = FRAGBED_READ_ONLY,
	.show = keep_status_show,
};

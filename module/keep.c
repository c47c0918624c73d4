// SPDX-License-Identifier: GPL-2.0
/*
 * fragment/keep: hold a node at a degree of fragmentation while something else
 * runs and is measured.
 *
 * One thread, bound to chosen CPUs and by default at the lowest priority, looks
 * at the index once a tick and then works off what its rate allows: below the
 * target it plants, else it gives back the page kept longest, so that what is
 * fragmented also moves about. It never reclaims, compacts or drains the lists
 * of other CPUs: that would be felt by whoever is measured.
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

#define KEEP_KNOB "fragment/keep"
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
	NR_KEEP_KEYS,
};

/* What was asked. */
struct keep_plan {
	unsigned int order;
	unsigned int target;		/* permille */
	unsigned int share;		/* percent of unmovable pages kept */
	u64 rate;			/* pages per second */
	u64 seed;
	int nid;
	int nice;
	bool force;
	struct cpumask cpus;
};

/* What came of it; written by the thread, may be read any time. */
struct keep_stats {
	u64 planted;			/* chunks broken */
	u64 unplanted;			/* chunks given back */
	u64 failed;			/* the node could spare no chunk */
	u64 looks;			/* at the index, since it was reached */
	u64 sum;			/* permille, of all looks */
	unsigned int now;		/* permille */
	unsigned int least;		/* permille, of all looks */
	u64 reached_ns;			/* how long it took, 0: not yet */
	u64 cpu_ns;			/* run time of the thread */
};

struct keeper {
	struct task_struct *task;
	struct fragbed_planter planter;
	struct keep_stats stats;
	u64 started_ns;
	u64 done;			/* pages the rate has paid for */
};

static DEFINE_MUTEX(keep_lock);
static struct keep_plan plan;		/* keep_lock to write, none runs then */
static struct keeper *keeper;		/* keep_lock */
static struct keep_stats last;		/* keep_lock, of the one that ended */
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

/* Returns false if there is nothing to do for now. */
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
 * A burst is felt, too: a tick at work is followed by one asleep, and what was not
 * worked off in a tenth of a second is forgotten.
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

	/* Here, as its first start gives a thread the CPUs of its node. */
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
 * fragbed_keep_stop() - end the keeping and give its pages back
 *
 * Context: may sleep, takes keep_lock.
 */
void fragbed_keep_stop(void)
{
	mutex_lock(&keep_lock);
	stop_locked();
	mutex_unlock(&keep_lock);
}

/* At low priority it does not run for seconds where many want the CPU. */
static void hurry_thread(void)
{
	if (!mutex_trylock(&keep_lock))
		return;
	if (keeper && keeper->task)
		set_user_nice(keeper->task, 0);
	mutex_unlock(&keep_lock);
}

/**
 * fragbed_keep_yield() - memory is short: give everything back
 *
 * Does not wait: the thread sees it within a tick, and stays idle until stopped.
 *
 * Context: process. Only tries keep_lock, whose holder may be the one who reclaims.
 * Return: pages that are not back yet.
 */
unsigned long fragbed_keep_yield(void)
{
	WRITE_ONCE(yielded, true);
	hurry_thread();
	return atomic_long_read(&keep_held);
}

/* Ends with the thread asleep until woken; kthread_stop() works from here. */
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
	planter->knob = KEEP_KNOB;
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

static int start_keeping(const struct keep_plan *asked)
{
	int ret;

	mutex_lock(&keep_lock);
	if (keeper) {
		mutex_unlock(&keep_lock);
		pr_warn("%s: already running, write stop first\n", KEEP_KNOB);
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

/* A movable page is taken where the thread runs. */
static int check_movable(const struct fragbed_key *keys,
			 const struct keep_plan *asked)
{
	int cpu;

	if (asked->share == 100)
		return 0;
	for_each_cpu(cpu, &asked->cpus) {
		if (cpu_to_mem(cpu) == asked->nid)
			continue;
		pr_warn("%s: cpus=%s: CPU %d is not of node %d: movable pages are only kept on the node of the CPUs; write unmovable=100 or other CPUs\n",
			KEEP_KNOB, keys[KEEP_CPUS].text, cpu, asked->nid);
		return -EINVAL;
	}
	return 0;
}

static int parse_start(char *line, struct keep_plan *asked)
{
	struct fragbed_key keys[NR_KEEP_KEYS] = {
		[KEEP_ORDER] = { "order", FRAGBED_NUMBER, 1, MAX_PAGE_ORDER,
				 .required = true },
		[KEEP_INDEX] = { "index", FRAGBED_NUMBER, 1, 1000,
				 .required = true },
		[KEEP_UNMOVABLE] = { "unmovable", FRAGBED_NUMBER, 0, 100,
				     .required = true },
		[KEEP_RATE] = { "rate", FRAGBED_NUMBER, 1, RATE_MAX,
				.required = true },
		[KEEP_CPUS] = { "cpus", FRAGBED_TEXT, .required = true },
		[KEEP_SEED] = { "seed", FRAGBED_NUMBER, 0, U64_MAX,
				.required = true },
		[KEEP_NODE] = { "node", FRAGBED_NUMBER, 0, INT_MAX },
		[KEEP_NICE] = { "nice", FRAGBED_NUMBER, 0, MAX_NICE,
				.value = MAX_NICE },
		[KEEP_FORCE] = { "force", FRAGBED_NUMBER, 0, 1 },
	};
	int ret = fragbed_keys_parse(KEEP_KNOB, line, keys, NR_KEEP_KEYS);

	if (!ret)
		ret = fragbed_cpus_check(KEEP_KNOB, &keys[KEEP_CPUS],
					 &asked->cpus);
	if (!ret)
		ret = fragbed_node_check(KEEP_KNOB, &keys[KEEP_NODE]);
	if (ret)
		return ret;
	asked->order = keys[KEEP_ORDER].value;
	asked->target = keys[KEEP_INDEX].value;
	asked->share = keys[KEEP_UNMOVABLE].value;
	asked->rate = keys[KEEP_RATE].value;
	asked->seed = keys[KEEP_SEED].value;
	asked->nice = keys[KEEP_NICE].value;
	asked->force = keys[KEEP_FORCE].value;
	asked->nid = keys[KEEP_NODE].given ? keys[KEEP_NODE].value :
		     cpu_to_mem(cpumask_first(&asked->cpus));
	return check_movable(keys, asked);
}

static int parse_and_start(char *line)
{
	struct keep_plan *asked = kzalloc(sizeof(*asked), GFP_KERNEL);
	int ret;

	if (!asked)
		return -ENOMEM;
	ret = parse_start(line, asked);
	if (!ret)
		ret = start_keeping(asked);
	kfree(asked);
	return ret;
}

/**
 * fragbed_keep() - the verb fragment/keep
 * @line: start order= index= unmovable= rate= cpus= seed= [node=] [nice=]
 * [force=], or stop
 *
 * Stopping when nothing runs is fine.
 *
 * Context: may sleep, takes keep_lock.
 * Return: 0, -EINVAL malformed or out of range, -ENXIO CPU not online or no such
 * node, -EBUSY already running, -ENOMEM, -EAGAIN no thread can be made.
 */
int fragbed_keep(char *line)
{
	return fragbed_start_or_stop(KEEP_KNOB, line, parse_and_start, fragbed_keep_stop);
}

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

/**
 * fragbed_keep_status_show() - the keeping that runs, or the last one
 * @m: where to
 * @unused: none
 *
 * cost_permille is the share of one CPU that the thread took.
 *
 * Context: may sleep, takes keep_lock.
 * Return: 0.
 */
int fragbed_keep_status_show(struct seq_file *m, void *unused)
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

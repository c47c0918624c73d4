// SPDX-License-Identifier: GPL-2.0
/*
 * fragment/churn: keep allocating and freeing at a bounded rate on chosen CPUs.
 *
 * Each thread owns a table of slots. At its rate it picks a random slot and empties
 * or fills it, so about half of the slots are full. No allocation may reclaim: the
 * measured workload must not pay for the churn.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/cpumask.h>
#include <linux/err.h>
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
#define LIMIT_SHIFT 4		/* without limit_kb=: 1/16 of the node */

enum {
	CHURN_RATE,
	CHURN_ORDER,
	CHURN_UNMOVABLE,
	CHURN_CPUS,
	CHURN_SEED,
	CHURN_LIMIT,
	CHURN_FORCE,
};

static const struct fragbed_key churn_keys[] = {
	[CHURN_RATE] = { "rate", FRAGBED_NUMBER, 1, RATE_MAX, .required = true },
	[CHURN_ORDER] = { "order", FRAGBED_NUMBER, 0, MAX_PAGE_ORDER, .required = true },
	[CHURN_UNMOVABLE] = FRAGBED_UNMOVABLE_KEY,
	[CHURN_CPUS] = { "cpus", FRAGBED_TEXT, .required = true },
	[CHURN_SEED] = FRAGBED_SEED_KEY,
	[CHURN_LIMIT] = { "limit_kb", FRAGBED_NUMBER, 1, U32_MAX, .preset = FRAGBED_COMPUTED },
	[CHURN_FORCE] = FRAGBED_FORCE_KEY,
	{ }
};

/* Empty, a raw chunk, or 2^order shmem pages at the slot's own indexes. */
struct churn_slot {
	struct page *page;
	bool shmem;
};

/* Owned by its thread; the counters may be read any time. */
struct churn_thread {
	struct task_struct *task;
	int nid;
	u64 rate;			/* pages per second */
	u64 done;			/* pages, failed attempts included */
	struct rnd_state rnd;
	struct file *file;
	struct churn_slot *slots;
	u32 nr_slots;
	unsigned long allocated;	/* chunks */
	unsigned long freed;		/* chunks */
	unsigned long failed;		/* chunks the node could not spare */
};

/* The request; the same for all threads. */
struct churn_plan {
	u64 rate;
	unsigned int order;
	unsigned int share;		/* percent of unmovable chunks */
	u64 seed;
	u64 limit_kb;
	bool force;			/* down to the watermarks */
	struct cpumask cpus;
};

static DEFINE_MUTEX(churn_lock);
static struct churn_plan plan;			/* churn_lock to write */
static struct churn_thread *threads;		/* churn_lock */
static unsigned int nr_threads;			/* churn_lock */
static struct churn_thread totals;		/* churn_lock, of the last churn */
static u64 started_ns, ran_ns;			/* churn_lock */
static bool yielded;				/* READ_ONCE/WRITE_ONCE */
static atomic_long_t churn_held;		/* pages in slots */

static bool slot_full(const struct churn_slot *slot)
{
	return slot->page || slot->shmem;
}

static pgoff_t slot_index(const struct churn_thread *t,
			  const struct churn_slot *slot)
{
	return (pgoff_t)(slot - t->slots) << plan.order;
}

static bool fill_shmem(struct churn_thread *t, struct churn_slot *slot)
{
	gfp_t gfp = fragbed_gfp(FRAGBED_MOVABLE) & ~__GFP_RECLAIM;
	unsigned long i, nr = 1UL << plan.order;
	pgoff_t first = slot_index(t, slot);
	struct page *page;

	if (fragbed_spare_pages(t->nid, gfp, plan.force) < nr)
		return false;
	for (i = 0; i < nr; i++) {
		if (fragbed_shmem_alloc(t->file, first + i, gfp, &page)) {
			fragbed_shmem_drop(t->file, first, nr);
			return false;
		}
	}
	slot->shmem = true;
	return true;
}

static bool fill_raw(struct churn_thread *t, struct churn_slot *slot)
{
	gfp_t gfp = fragbed_gfp(FRAGBED_UNMOVABLE) & ~__GFP_RECLAIM;

	slot->page = fragbed_chunk_alloc(t->nid, gfp, plan.order, plan.force);
	return slot->page;
}

static void fill_slot(struct churn_thread *t, struct churn_slot *slot)
{
	bool unmovable = prandom_u32_state(&t->rnd) % 100 < plan.share;

	if (!(unmovable ? fill_raw(t, slot) : fill_shmem(t, slot))) {
		t->failed++;
		return;
	}
	t->allocated++;
	atomic_long_add(1L << plan.order, &churn_held);
}

static void empty_slot(struct churn_thread *t, struct churn_slot *slot)
{
	if (slot->shmem)
		fragbed_shmem_drop(t->file, slot_index(t, slot),
				   1UL << plan.order);
	else
		fragbed_chunk_free(slot->page, plan.order);
	slot->page = NULL;
	slot->shmem = false;
	t->freed++;
	atomic_long_sub(1L << plan.order, &churn_held);
}

static void empty_all_slots(struct churn_thread *t)
{
	u32 i;

	for (i = 0; i < t->nr_slots; i++) {
		if (slot_full(&t->slots[i]))
			empty_slot(t, &t->slots[i]);
		cond_resched();
	}
}

static void churn_once(struct churn_thread *t)
{
	struct churn_slot *slot;

	slot = &t->slots[prandom_u32_state(&t->rnd) % t->nr_slots];
	if (slot_full(slot))
		empty_slot(t, slot);
	else
		fill_slot(t, slot);
	t->done += 1ULL << plan.order;
}

/*
 * Allocate and free what the rate has made due. A thread that could not run drops all
 * but a tenth of a second of it: the rate limits bursts, too.
 */
static void churn_due(struct churn_thread *t, u64 start)
{
	u64 due = mul_u64_u64_div_u64(ktime_get_ns() - start, t->rate,
				      NSEC_PER_SEC);
	u64 most = max(t->rate / 10, 1ULL << plan.order);
	u64 backlog = due > t->done ? due - t->done : 0;

	if (backlog > most) {
		t->done = due - most;
		backlog = most;
	}
	while (backlog >= 1ULL << plan.order) {
		if (kthread_should_stop() || READ_ONCE(yielded))
			return;
		churn_once(t);
		backlog -= 1ULL << plan.order;
		cond_resched();
	}
}

static int churn_thread_fn(void *data)
{
	struct churn_thread *t = data;
	u64 start = ktime_get_ns();

	while (!kthread_should_stop()) {
		if (READ_ONCE(yielded))
			empty_all_slots(t);
		else
			churn_due(t, start);
		schedule_timeout_interruptible(1);
	}
	empty_all_slots(t);
	return 0;
}

static void stop_thread(struct churn_thread *t)
{
	if (t->task) {
		kthread_stop(t->task);
		put_task_struct(t->task);
		/* A thread that is stopped before it first runs empties no slots. */
		empty_all_slots(t);
	}
	totals.allocated += t->allocated;
	totals.freed += t->freed;
	totals.failed += t->failed;
	if (t->file)
		fragbed_shmem_close(t->file);
	kvfree(t->slots);
}

/* Caller holds churn_lock. */
static void stop_locked(void)
{
	unsigned int i;

	if (!threads)
		return;
	for (i = 0; i < nr_threads; i++)
		stop_thread(&threads[i]);
	ran_ns = ktime_get_ns() - started_ns;
	kfree(threads);
	threads = NULL;
	nr_threads = 0;
}

/**
 * fragbed_churn_stop() - stop the churn and free its pages
 *
 * Context: may sleep, takes churn_lock.
 */
void fragbed_churn_stop(void)
{
	mutex_lock(&churn_lock);
	stop_locked();
	mutex_unlock(&churn_lock);
}

/**
 * fragbed_churn_yield() - on OOM make the threads free everything
 *
 * Does not wait: the threads see it within a tick, and stay idle until stopped.
 *
 * Context: any.
 * Return: pages that are not freed yet.
 */
unsigned long fragbed_churn_yield(void)
{
	WRITE_ONCE(yielded, true);
	return atomic_long_read(&churn_held);
}

static int prepare_thread(struct churn_thread *t, int cpu, u32 nr_slots)
{
	struct file *file;

	t->nid = cpu_to_mem(cpu);
	t->nr_slots = nr_slots;
	t->slots = kvcalloc(nr_slots, sizeof(*t->slots), GFP_KERNEL);
	if (!t->slots)
		return -ENOMEM;
	file = fragbed_shmem_open();
	if (IS_ERR(file))
		return PTR_ERR(file);
	t->file = file;
	return 0;
}

/* The new thread sleeps until it is woken; from here on kthread_stop() stops it. */
static int create_thread(struct churn_thread *t, int cpu, u32 nr_slots)
{
	struct task_struct *task;
	int ret = prepare_thread(t, cpu, nr_slots);

	if (ret)
		return ret;
	task = kthread_create_on_node(churn_thread_fn, t, cpu_to_node(cpu),
				      "fragbed_churn/%d", cpu);
	if (IS_ERR(task))
		return PTR_ERR(task);
	kthread_bind(task, cpu);
	t->task = get_task_struct(task);
	return 0;
}

static u32 slots_per_thread(void)
{
	unsigned int kb_shift = PAGE_SHIFT - 10 + plan.order;

	return (plan.limit_kb >> kb_shift) / cpumask_weight(&plan.cpus);
}

static int create_threads(void)
{
	unsigned int nr = cpumask_weight(&plan.cpus), i = 0;
	int cpu;

	threads = kcalloc(nr, sizeof(*threads), GFP_KERNEL);
	if (!threads)
		return -ENOMEM;
	nr_threads = nr;
	for_each_cpu(cpu, &plan.cpus) {
		struct churn_thread *t = &threads[i];
		int ret;

		t->rate = plan.rate / nr + (i < plan.rate % nr);
		prandom_seed_state(&t->rnd, plan.seed + i);
		ret = create_thread(t, cpu, slots_per_thread());
		if (ret)
			return ret;
		i++;
	}
	return 0;
}

static int start_churn(const char *path, const struct churn_plan *asked)
{
	unsigned int i;
	int ret;

	mutex_lock(&churn_lock);
	if (threads) {
		mutex_unlock(&churn_lock);
		pr_warn("%s: already running, write stop first\n", path);
		return -EBUSY;
	}
	plan = *asked;
	memset(&totals, 0, sizeof(totals));
	WRITE_ONCE(yielded, false);
	started_ns = ktime_get_ns();
	ret = create_threads();
	if (ret)
		stop_locked();
	for (i = 0; i < nr_threads; i++)
		wake_up_process(threads[i].task);
	mutex_unlock(&churn_lock);
	return ret;
}

/* Every thread needs two slots, or it has no choice at random. */
static int check_limit(const struct fragbed_write *w, struct churn_plan *asked)
{
	u64 chunk_kb = 1ULL << (PAGE_SHIFT - 10 + asked->order);
	u64 least = 2 * chunk_kb * cpumask_weight(&asked->cpus);
	u64 most = fragbed_node_pages(numa_mem_id()) << (PAGE_SHIFT - 10);
	const struct fragbed_value *limit = &w->values[CHURN_LIMIT];

	asked->limit_kb = limit->given ? limit->number : max(most >> LIMIT_SHIFT, least);
	if (asked->limit_kb >= least && asked->limit_kb <= most)
		return 0;
	pr_warn("%s: limit_kb=%llu: must be %llu to %llu for this order and these CPUs\n",
		w->knob->path, asked->limit_kb, least, most);
	return -EINVAL;
}

static int read_values(const struct fragbed_write *w, struct churn_plan *asked)
{
	const struct fragbed_value *values = w->values;
	int ret = fragbed_cpus_check(w, CHURN_CPUS, &asked->cpus);

	asked->rate = values[CHURN_RATE].number;
	asked->order = values[CHURN_ORDER].number;
	asked->share = values[CHURN_UNMOVABLE].number;
	asked->seed = values[CHURN_SEED].number;
	asked->force = values[CHURN_FORCE].number;
	return ret ? ret : check_limit(w, asked);
}

static int check_and_start(const struct fragbed_write *w)
{
	struct churn_plan *asked = kzalloc(sizeof(*asked), GFP_KERNEL);
	int ret;

	if (!asked)
		return -ENOMEM;
	ret = read_values(w, asked);
	if (!ret)
		ret = start_churn(w->knob->path, asked);
	kfree(asked);
	return ret;
}

/*
 * Stopping when nothing runs is fine.
 *
 * Context: may sleep, takes churn_lock.
 * Return: 0, -EINVAL malformed or out of range, -ENXIO CPU not online, -EBUSY
 * already running, -ENOMEM, -EAGAIN the kernel cannot create a thread.
 */
static int churn_run(const struct fragbed_write *w)
{
	if (w->lead == FRAGBED_START)
		return check_and_start(w);
	fragbed_churn_stop();
	return 0;
}

struct fragbed_knob fragbed_knob_fragment_churn = {
	.path = "fragment/churn",
	.file = FRAGBED_COMMAND,
	.leads = fragbed_start_or_stop,
	.keys = churn_keys,
	.run = churn_run,
};

/* Caller holds churn_lock. */
static void sum_threads(struct churn_thread *sum)
{
	unsigned int i;

	*sum = totals;
	for (i = 0; i < nr_threads; i++) {
		sum->allocated += READ_ONCE(threads[i].allocated);
		sum->freed += READ_ONCE(threads[i].freed);
		sum->failed += READ_ONCE(threads[i].failed);
	}
}

/* The churn that runs, or the last one. Context: may sleep, takes churn_lock. */
static int churn_status_show(struct seq_file *m, void *unused)
{
	struct churn_thread sum;
	u64 ns, pages;

	mutex_lock(&churn_lock);
	sum_threads(&sum);
	ns = threads ? ktime_get_ns() - started_ns : ran_ns;
	pages = (u64)(sum.allocated + sum.freed) << plan.order;
	seq_printf(m, "running %s\nyielded %s\n", threads ? "yes" : "no",
		   READ_ONCE(yielded) ? "yes" : "no");
	seq_printf(m, "rate_asked %llu\nrate_achieved %llu\n", plan.rate,
		   ns ? mul_u64_u64_div_u64(pages, NSEC_PER_SEC, ns) : 0);
	seq_printf(m, "order %u\nunmovable_percent %u\ncpus %*pbl\nseed %llu\nlimit_kb %llu\n",
		   plan.order, plan.share, cpumask_pr_args(&plan.cpus),
		   plan.seed, plan.limit_kb);
	seq_printf(m, "pages_held %ld\nallocated %lu\nfreed %lu\nfailed %lu\nns %llu\n",
		   atomic_long_read(&churn_held), sum.allocated, sum.freed,
		   sum.failed, ns);
	mutex_unlock(&churn_lock);
	return 0;
}

struct fragbed_knob fragbed_knob_fragment_churn_status = {
	.path = "fragment/churn_status",
	.file = FRAGBED_READ_ONLY,
	.show = churn_status_show,
};

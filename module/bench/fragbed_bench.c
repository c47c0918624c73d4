// SPDX-License-Identifier: GPL-2.0
/*
 * Measures the cost of an allocation and of a free. Loading the module measures on the
 * first "cpus" CPUs at once, and writes a row for each case and CPU to the kernel log:
 *
 *   fragbed_bench: case=pcp-0-movable cpu=0 rounds=41 ops=64 alloc=212.00 alloc_max=...
 *
 * A figure is the median of all rounds, per page or block, in units of get_cycles():
 * instructions if QEMU runs with -icount shift=0, cycles if not. The module also logs the
 * cost of a thousand instructions. A timer tick makes a round an outlier, which the median
 * ignores.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/completion.h>
#include <linux/gfp.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sort.h>
#include <linux/timex.h>
#include <linux/vmalloc.h>

#define ROUNDS 41
#define WARM 3
#define MOST 2048
#define BALLAST 65536
#define MOST_CPUS 16
#define BULK 64

static uint cpus = 1;
module_param(cpus, uint, 0444);
MODULE_PARM_DESC(cpus, "number of CPUs that measure at the same time");

static bool short_lists;
module_param(short_lists, bool, 0444);
MODULE_PARM_DESC(short_lists, "run the cases that need short per-cpu lists");

/*
 * ops: number allocated before the first is freed. A few of order 0 only use the per-cpu
 * list; thousands take the zone lock in batches if the lists are short
 * (vm.percpu_pagelist_high_fraction); orders 4 and 10 take it each time.
 */
struct bench_case {
	const char *name;
	unsigned int order;
	unsigned int ops;
	bool bulk;
	bool short_lists;
};

/* Each is measured twice: with unmovable pages, and with movable ones. */
static const struct bench_case cases[] = {
	{ .name = "pcp-0", .order = 0, .ops = 64 },
	{ .name = "zone-0", .order = 0, .ops = MOST, .short_lists = true },
	{ .name = "bulk-0", .order = 0, .ops = BULK, .bulk = true },
	{ .name = "order-3", .order = 3, .ops = 64 },
	{ .name = "order-4", .order = 4, .ops = 64 },
	{ .name = "order-9", .order = 9, .ops = 32 },
	{ .name = "order-10", .order = 10, .ops = 32 },
};

#define NR_MEASURED (2 * ARRAY_SIZE(cases))

static const struct bench_case *case_of(unsigned int i)
{
	return &cases[i / 2];
}

static gfp_t gfp_of(unsigned int i)
{
	return (i % 2 ? GFP_HIGHUSER_MOVABLE : GFP_KERNEL) | __GFP_NOWARN;
}

static bool is_selected(unsigned int i)
{
	return case_of(i)->short_lists == short_lists;
}

struct result {
	u64 alloc[ROUNDS];
	u64 free[ROUNDS];
};

struct worker {
	unsigned int cpu;
	struct task_struct *task;
	struct page **pages;
	struct page **ballast;
	struct result results[NR_MEASURED];
	bool failed[NR_MEASURED];
	struct completion done;
};

static struct worker *workers[MOST_CPUS];
static atomic_t arrived;

static unsigned int alloc_ops(const struct bench_case *c, gfp_t gfp, struct page **pages)
{
	unsigned int nr;

	if (c->bulk)
		return alloc_pages_bulk(gfp, c->ops, pages);
	for (nr = 0; nr < c->ops; nr++) {
		pages[nr] = alloc_pages(gfp, c->order);
		if (!pages[nr])
			break;
	}
	return nr;
}

static void free_ops(const struct bench_case *c, struct page **pages, unsigned int nr)
{
	while (nr)
		__free_pages(pages[--nr], c->order);
}

/*
 * The amount of free memory in small blocks differs between boots. So allocate pages
 * until the small blocks are used up; each round then splits the same large blocks.
 */
static unsigned int alloc_ballast(unsigned int i, struct page **pages)
{
	unsigned int nr;

	if (!short_lists)
		return 0;
	for (nr = 0; nr < BALLAST; nr++) {
		pages[nr] = alloc_pages(gfp_of(i), 0);
		if (!pages[nr])
			break;
	}
	return nr;
}

/* Return: true if all could be allocated. */
static bool measure_round(unsigned int i, struct page **pages, u64 *alloc, u64 *free)
{
	const struct bench_case *c = case_of(i);
	cycles_t start, between, end;
	unsigned int nr;

	/* Bulk allocation fills only entries that are NULL. */
	memset(pages, 0, c->ops * sizeof(*pages));
	start = get_cycles();
	nr = alloc_ops(c, gfp_of(i), pages);
	between = get_cycles();
	free_ops(c, pages, nr);
	end = get_cycles();
	*alloc = between - start;
	*free = end - between;
	cond_resched();
	return nr == c->ops;
}

/* All CPUs start a case together, so that they do contend. */
static void wait_for_all(unsigned int number)
{
	atomic_inc(&arrived);
	while (atomic_read(&arrived) < (number + 1) * cpus)
		cond_resched();
}

static void measure_case(struct worker *worker, unsigned int i)
{
	static const struct bench_case page;
	struct result *result = &worker->results[i];
	unsigned int ballast = alloc_ballast(i, worker->ballast);
	u64 alloc, free;
	int round;

	for (round = -WARM; round < ROUNDS; round++) {
		if (!measure_round(i, worker->pages, &alloc, &free))
			worker->failed[i] = true;
		if (round < 0)
			continue;
		result->alloc[round] = alloc;
		result->free[round] = free;
	}
	free_ops(&page, worker->ballast, ballast);
}

static int measure(void *data)
{
	struct worker *worker = data;
	unsigned int i;

	for (i = 0; i < NR_MEASURED; i++) {
		wait_for_all(i);
		if (is_selected(i))
			measure_case(worker, i);
	}
	complete(&worker->done);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static int compare_u64(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

/* In hundredths per page or block. */
static u64 hundredths(u64 sum, unsigned int ops)
{
	return div_u64(sum * 100, ops);
}

static void report(const struct worker *worker, unsigned int i, struct result *result)
{
	const struct bench_case *c = case_of(i);
	u64 alloc, free, alloc_max, free_max;

	sort(result->alloc, ROUNDS, sizeof(u64), compare_u64, NULL);
	sort(result->free, ROUNDS, sizeof(u64), compare_u64, NULL);
	alloc = hundredths(result->alloc[ROUNDS / 2], c->ops);
	free = hundredths(result->free[ROUNDS / 2], c->ops);
	alloc_max = hundredths(result->alloc[ROUNDS - 1], c->ops);
	free_max = hundredths(result->free[ROUNDS - 1], c->ops);
	pr_info("case=%s-%s cpu=%u rounds=%d ops=%u alloc=%llu.%02llu alloc_max=%llu.%02llu free=%llu.%02llu free_max=%llu.%02llu failed=%d\n",
		c->name, i % 2 ? "movable" : "unmovable", worker->cpu, ROUNDS, c->ops,
		alloc / 100, alloc % 100,
		alloc_max / 100, alloc_max % 100, free / 100, free % 100,
		free_max / 100, free_max % 100, worker->failed[i]);
}

static void free_worker(struct worker *worker)
{
	if (!worker)
		return;
	if (worker->task)
		kthread_stop(worker->task);
	vfree(worker->ballast);
	vfree(worker->pages);
	vfree(worker);
}

static struct worker *make_worker(unsigned int cpu)
{
	struct worker *worker = vzalloc(sizeof(*worker));
	struct task_struct *task;

	if (!worker)
		return NULL;
	worker->cpu = cpu;
	init_completion(&worker->done);
	worker->pages = vzalloc(MOST * sizeof(*worker->pages));
	worker->ballast = vzalloc(BALLAST * sizeof(*worker->ballast));
	task = worker->pages && worker->ballast ?
		kthread_create(measure, worker, "fragbed_bench/%u", cpu) : NULL;
	if (IS_ERR_OR_NULL(task)) {
		free_worker(worker);
		return NULL;
	}
	kthread_bind(task, cpu);
	worker->task = task;
	return worker;
}

static void free_workers(void)
{
	unsigned int cpu;

	for (cpu = 0; cpu < cpus; cpu++)
		free_worker(workers[cpu]);
}

static void report_unit(void)
{
	cycles_t start, end;

	start = get_cycles();
	asm volatile(".rept 1000\n\tnop\n\t.endr");
	end = get_cycles();
	pr_info("nops=1000 took=%llu\n", (u64)(end - start));
}

static int __init bench_init(void)
{
	unsigned int cpu, i;

	if (!cpus || cpus > min(num_online_cpus(), MOST_CPUS)) {
		pr_warn("cpus=%u: must be 1 to %u\n", cpus, min(num_online_cpus(), MOST_CPUS));
		return -EINVAL;
	}
	for (cpu = 0; cpu < cpus; cpu++) {
		workers[cpu] = make_worker(cpu);
		if (!workers[cpu]) {
			free_workers();
			return -ENOMEM;
		}
	}
	for (cpu = 0; cpu < cpus; cpu++)
		wake_up_process(workers[cpu]->task);
	for (cpu = 0; cpu < cpus; cpu++)
		wait_for_completion(&workers[cpu]->done);
	report_unit();
	for (cpu = 0; cpu < cpus; cpu++)
		for (i = 0; i < NR_MEASURED; i++)
			if (is_selected(i))
				report(workers[cpu], i, &workers[cpu]->results[i]);
	free_workers();
	return 0;
}

static void __exit bench_exit(void)
{
}

module_init(bench_init);
module_exit(bench_exit);
MODULE_DESCRIPTION("Cost of allocating and freeing pages");
MODULE_LICENSE("GPL");

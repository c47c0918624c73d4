// SPDX-License-Identifier: GPL-2.0
/*
 * Freeing pages leaves the preemption count as it was: purged vmalloc areas, pages that
 * another CPU allocated, whole blocks, pages freed by an interrupt, and all of these
 * while another task drains the per-cpu lists between two batches.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/irqflags.h>
#include <linux/kthread.h>
#include <linux/llist.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/pageblock-flags.h>
#include <linux/panic.h>
#include <linux/preempt.h>
#include <linux/prandom.h>
#include <linux/vmalloc.h>

#include "../fragbed/allocator_kunit.h"

#define LOAD_MS		150
#define BULK		4096	/* pages; the allocator frees so many in batches */
#define HANDED		64	/* pages passed to another CPU, or to an interrupt */
#define AREA_PAGES	1024	/* KASAN frees no shadow of a small area */
#define GFP_LOAD	(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN)

struct worker {
	struct task_struct *task;
	void (*act)(struct worker *worker);
	struct completion began;
	struct rnd_state rnd;
	unsigned long rounds;
	int unbalanced;		/* the preemption count after the round, 0 if right */
	bool irqs_off;
	struct llist_head handed;
	struct hrtimer timer;
	struct completion freed;
	struct page *pages[BULK];
};

/* Pages for any worker to free. */
static LLIST_HEAD(shared);

static unsigned int below(struct worker *worker, unsigned int limit)
{
	return prandom_u32_state(&worker->rnd) % limit;
}

static gfp_t any_type(struct worker *worker)
{
	static const gfp_t types[] = { 0, __GFP_MOVABLE, __GFP_RECLAIMABLE };

	return GFP_LOAD | types[below(worker, ARRAY_SIZE(types))];
}

static void hand_over(struct worker *worker, struct llist_head *to)
{
	unsigned int i, order;
	struct page *page;

	for (i = 0; i < HANDED; i++) {
		order = below(worker, PAGE_ALLOC_COSTLY_ORDER + 2);
		page = alloc_pages(any_type(worker), order);
		if (!page)
			return;
		set_page_private(page, order);
		llist_add(&page->pcp_llist, to);
	}
}

static void free_handed(struct llist_head *from)
{
	struct page *page, *next;
	unsigned int order;

	llist_for_each_entry_safe(page, next, llist_del_all(from), pcp_llist) {
		order = page_private(page);
		set_page_private(page, 0);
		__free_pages(page, order);
	}
}

/* --- One round of a worker --------------------------------------------------- */

static void purge_areas(struct worker *worker)
{
	void *area = vmalloc((1 + below(worker, AREA_PAGES)) * PAGE_SIZE);

	if (area)
		*(char *)area = 1;
	vfree(area);
	vm_unmap_aliases();
}

static void free_in_bulk(struct worker *worker)
{
	unsigned int nr = 0;

	while (nr < BULK) {
		worker->pages[nr] = alloc_pages(any_type(worker), 0);
		if (!worker->pages[nr])
			break;
		nr++;
	}
	release_pages(worker->pages, nr);
}

static void free_blocks(struct worker *worker)
{
	unsigned int order = min_t(unsigned int, pageblock_order + below(worker, 2),
				   MAX_PAGE_ORDER);
	struct page *page = alloc_pages(any_type(worker), order);

	if (page)
		__free_pages(page, order);
}

static void alloc_shared(struct worker *worker)
{
	hand_over(worker, &shared);
	/* The other workers may be slower, or may not free any. */
	if (below(worker, 16) == 0)
		free_handed(&shared);
}

static void free_shared(struct worker *worker)
{
	free_handed(&shared);
}

static void drain(struct worker *worker)
{
	reach_drain_free_pages();
}

static enum hrtimer_restart free_in_timer(struct hrtimer *timer)
{
	struct worker *worker = container_of(timer, struct worker, timer);

	free_handed(&worker->handed);
	complete(&worker->freed);
	return HRTIMER_NORESTART;
}

/* The timer fires on this CPU while the worker frees a bulk. */
static void free_in_interrupt(struct worker *worker)
{
	hand_over(worker, &worker->handed);
	hrtimer_start(&worker->timer, ns_to_ktime(below(worker, 200) * NSEC_PER_USEC),
		      HRTIMER_MODE_REL_PINNED);
	free_in_bulk(worker);
	wait_for_completion(&worker->freed);
}

/* --- Workers ------------------------------------------------------------------- */

/* A wrong count is recorded for the case and corrected, so that the kernel can go on. */
static bool balanced(struct worker *worker)
{
	worker->unbalanced = preempt_count();
	worker->irqs_off = irqs_disabled();
	if (!worker->unbalanced && !worker->irqs_off)
		return true;
	preempt_count_set(0);
	local_irq_enable();
	return false;
}

static int work(void *data)
{
	struct worker *worker = data;

	do {
		worker->act(worker);
		worker->rounds++;
		if (!balanced(worker))
			break;
		complete(&worker->began);
		cond_resched();
	} while (!kthread_should_stop());
	complete(&worker->began);
	while (!kthread_should_stop())
		msleep(20);
	return 0;
}

static void stop_worker(void *data)
{
	struct worker *worker = data;

	if (!worker->task)
		return;
	kthread_stop(worker->task);
	worker->task = NULL;
}

static struct worker *start_worker(struct kunit *test, unsigned int cpu, unsigned int nr,
				   void (*act)(struct worker *worker))
{
	struct worker *worker = kunit_kzalloc(test, sizeof(*worker), GFP_KERNEL);
	struct task_struct *task;

	KUNIT_ASSERT_NOT_NULL(test, worker);
	worker->act = act;
	prandom_seed_state(&worker->rnd, nr + 1);
	init_completion(&worker->began);
	init_completion(&worker->freed);
	init_llist_head(&worker->handed);
	hrtimer_setup(&worker->timer, free_in_timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED);
	task = kthread_create_on_cpu(work, worker, cpu, "fragbed-free/%u");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	worker->task = task;
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, stop_worker, worker));
	wake_up_process(task);
	return worker;
}

/* Two workers for each CPU, which alternate there. */
static unsigned int start_workers(struct kunit *test, struct worker **workers,
				  void (*const acts[2])(struct worker *worker))
{
	unsigned int cpu, i, nr = 0;

	for_each_online_cpu(cpu) {
		for (i = 0; i < 2; i++, nr++)
			workers[nr] = start_worker(test, cpu, nr, acts[i]);
	}
	return nr;
}

/* --- Cases --------------------------------------------------------------------- */

struct load_row {
	const char *name;
	void (*acts[2])(struct worker *worker);
};

static const struct load_row loads[] = {
	{ "areas are purged", { purge_areas, purge_areas } },
	{ "areas are purged while others drain", { purge_areas, drain } },
	{ "a bulk is freed while others drain", { free_in_bulk, drain } },
	{ "a bulk is freed while areas are purged", { free_in_bulk, purge_areas } },
	{ "what another CPU took is freed", { alloc_shared, free_shared } },
	{ "what another CPU took is freed while others drain", { alloc_shared, drain } },
	{ "an interrupt frees", { free_in_interrupt, free_in_interrupt } },
	{ "an interrupt frees while others drain", { free_in_interrupt, drain } },
	{ "whole blocks are freed", { free_blocks, free_in_bulk } },
};

KUNIT_ARRAY_PARAM_DESC(load, loads, name);

static void free_paths_balanced(struct kunit *test)
{
	const struct load_row *row = test->param_value;
	struct worker **workers;
	unsigned int i, nr;
	int warned = test_taint(TAINT_WARN);

	workers = kunit_kcalloc(test, 2 * num_online_cpus(), sizeof(*workers), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, workers);
	nr = start_workers(test, workers, row->acts);
	for (i = 0; i < nr; i++)
		wait_for_completion(&workers[i]->began);
	msleep(LOAD_MS);
	for (i = 0; i < nr; i++)
		stop_worker(workers[i]);
	free_handed(&shared);
	for (i = 0; i < nr; i++) {
		KUNIT_EXPECT_EQ_MSG(test, workers[i]->unbalanced, 0,
				    "worker %u, round %lu", i, workers[i]->rounds);
		KUNIT_EXPECT_FALSE(test, workers[i]->irqs_off);
	}
	KUNIT_EXPECT_EQ(test, warned, test_taint(TAINT_WARN));
}

static struct kunit_case free_paths_cases[] = {
	KUNIT_CASE_PARAM(free_paths_balanced, load_gen_params),
	{}
};

static struct kunit_suite free_paths_suite = {
	.name = "fragbed_free_paths",
	.test_cases = free_paths_cases,
};

kunit_test_suite(free_paths_suite);

MODULE_DESCRIPTION("KUnit tests for the preemption count when pages are freed");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");

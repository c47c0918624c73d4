// SPDX-License-Identifier: GPL-2.0
/* Scenes of a whole zone: a compaction or reclaim run, and the memory it finds. */
#include <kunit/test.h>
#include <kunit/visibility.h>
#include <linux/module.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>

#include "scene.h"

/* Allocates only what is free now: no reclaim, no compaction. */
#define SCENE_GFP_FREE	(__GFP_MOVABLE | __GFP_NOWARN | __GFP_NORETRY | \
			 __GFP_NOMEMALLOC)

static int compact_watched(void *data)
{
	struct scene_run *run = data;
	int err;

	err = watch_start(run->watch);
	if (err)
		return err;
	run->page = reach_direct_compact(&run->req, &run->result);
	run->still_published = current->capture_control;
	run->still_annotated = reach_fs_reclaim_held();
	watch_stop();
	return 0;
}

static int reclaim_watched(void *data)
{
	struct scene_run *run = data;
	int err;

	err = watch_start(run->watch);
	if (err)
		return err;
	run->page = reach_direct_reclaim(&run->req, &run->progress);
	run->still_annotated = reach_fs_reclaim_held();
	watch_stop();
	return 0;
}

/* The run itself may be on the stack of the case. */
struct run_leftovers {
	struct page *page;
	unsigned int order;
	struct watch *watch;
};

static void release_run(void *data)
{
	struct run_leftovers *left = data;

	if (left->page)
		__free_pages(left->page, left->order);
	kvfree(left->watch);
}

static void run_in_user_task(struct kunit *test, struct scene_run *run,
			     int (*fn)(void *data))
{
	struct run_leftovers *left = kunit_kzalloc(test, sizeof(*left), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, left);
	left->watch = kvzalloc_obj(*left->watch);
	KUNIT_ASSERT_NOT_NULL(test, left->watch);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, release_run, left));
	run->watch = left->watch;
	run->watch->hook = run->hook;
	run->watch->hook_data = run->hook_data;
	run->page = NULL;
	scene_in_user_task(test, fn, run);
	left->page = run->page;
	left->order = run->req.order;
	KUNIT_ASSERT_EQ_MSG(test, 0, run->watch->dropped, "watch is too small");
}

/**
 * scene_direct_compact() - run __alloc_pages_direct_compact() in a user task
 * @test: case
 * @run: the request; the result is filled in
 */
void scene_direct_compact(struct kunit *test, struct scene_run *run)
{
	run_in_user_task(test, run, compact_watched);
}
EXPORT_SYMBOL_IF_KUNIT(scene_direct_compact);

/**
 * scene_direct_reclaim() - run __alloc_pages_direct_reclaim() in a user task
 * @test: case
 * @run: the request; the result is filled in
 */
void scene_direct_reclaim(struct kunit *test, struct scene_run *run)
{
	run_in_user_task(test, run, reclaim_watched);
}
EXPORT_SYMBOL_IF_KUNIT(scene_direct_reclaim);

struct held_pages {
	struct list_head list;
	unsigned int order;
};

static void release_held(void *data)
{
	struct held_pages *held = data;
	struct page *page, *next;

	list_for_each_entry_safe(page, next, &held->list, lru) {
		list_del(&page->lru);
		__free_pages(page, held->order);
	}
	reach_drain_free_pages();
}

static struct held_pages *hold_pages(struct kunit *test, unsigned int order)
{
	struct held_pages *held = kunit_kzalloc(test, sizeof(*held), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, held);
	INIT_LIST_HEAD(&held->list);
	held->order = order;
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, release_held, held));
	return held;
}

/*
 * Allocate all free pages of the request's migratetype. With defrag_mode, and
 * without the reclaim bits, a request does not fall back to another migratetype.
 */
static bool alloc_pages_of_type(struct scene_run *run)
{
	gfp_t gfp = run->req.gfp & (__GFP_MOVABLE | __GFP_RECLAIMABLE);
	struct page *page;
	bool any = false;

	while ((page = alloc_pages_node(run->req.nid,
					gfp | __GFP_NOWARN | __GFP_THISNODE,
					run->req.order))) {
		list_add(&page->lru, &run->held->list);
		any = true;
		cond_resched();
	}
	return any;
}

/* The per-cpu lists of other CPUs hold free pages, too. */
static void exhaust_type(struct scene_run *run)
{
	int tries = 10;

	while (alloc_pages_of_type(run) && --tries)
		reach_drain_free_pages();
}

static bool served_without_compaction(const struct scene_run *run)
{
	return run->defrag_mode && run->page &&
	       !watch_first(run->watch, WATCH_TRY_TO_COMPACT);
}

/* Other tasks free pages meanwhile, and direct reclaim, which comes first, frees some. */
static void alloc_until_compaction(struct scene_run *run)
{
	int left = 1024;

	run->page = alloc_pages_node(run->req.nid, run->req.gfp, run->req.order);
	while (served_without_compaction(run) && --left) {
		list_add(&run->page->lru, &run->held->list);
		run->watch->nr = 0;
		run->page = alloc_pages_node(run->req.nid, run->req.gfp, run->req.order);
	}
}

static int alloc_exhausted_watched(void *data)
{
	struct scene_run *run = data;
	int err;

	set_cpus_allowed_ptr(current, cpumask_of(raw_smp_processor_id()));
	exhaust_type(run);
	err = watch_start(run->watch);
	if (err)
		return err;
	WRITE_ONCE(*reach_defrag_mode(), run->defrag_mode);
	alloc_until_compaction(run);
	watch_stop();
	return 0;
}

/**
 * scene_alloc_exhausted() - run alloc_pages() in a user task with empty free lists
 * @test: case
 * @run: the request, of which @gfp, @nid and @order count; the page is filled in
 *
 * All free pages of the request's migratetype are allocated first, so that the
 * request has to fall back or to free a whole block. One task does both, since
 * other tasks need pages of that migratetype as well.
 */
void scene_alloc_exhausted(struct kunit *test, struct scene_run *run)
{
	run->held = hold_pages(test, run->req.order);
	scene_set_int(test, reach_defrag_mode(), 1);
	run_in_user_task(test, run, alloc_exhausted_watched);
}
EXPORT_SYMBOL_IF_KUNIT(scene_alloc_exhausted);

/**
 * scene_end_exhaustion() - free what scene_alloc_exhausted() allocated first
 * @test: case
 * @run: the request, run or not
 *
 * Call it before the scene is played again. The end of the case does the same.
 */
void scene_end_exhaustion(struct kunit *test, struct scene_run *run)
{
	if (run->held)
		kunit_release_action(test, release_held, run->held);
	run->held = NULL;
}
EXPORT_SYMBOL_IF_KUNIT(scene_end_exhaustion);

/* A part of a page that was not split: only the head of that page has a reference. */
static void free_tail_chunk(struct page *page, unsigned int order)
{
	set_page_refcounted(page);
	__free_pages(page, order);
}

/* Keep one page of each free block: '........' -> '#.......'. */
static unsigned long pin_free_blocks(struct zone *zone, struct list_head *pins)
{
	gfp_t gfp = SCENE_GFP_FREE | __GFP_THISNODE;
	unsigned long nr = 0;
	unsigned int order;
	struct page *page;

	if (zone_idx(zone) == ZONE_MOVABLE)
		gfp |= __GFP_HIGHMEM;
	while ((page = alloc_pages_node(zone_to_nid(zone), gfp,
					pageblock_order))) {
		list_add(&page->lru, pins);
		for (order = 0; order < pageblock_order; order++)
			free_tail_chunk(page + (1UL << order), order);
		nr++;
		cond_resched();
	}
	return nr;
}

/**
 * scene_fragment_zone() - leave no free block in a zone until the case ends
 * @test: case; skipped if free blocks remain
 * @zone: the zone; fragment lower zones first
 *
 * Nearly all memory stays free, but no free page has pageblock_order or more.
 */
void scene_fragment_zone(struct kunit *test, struct zone *zone)
{
	struct held_pages *pins = hold_pages(test, 0);
	unsigned int order;

	reach_drain_free_pages();
	while (pin_free_blocks(zone, &pins->list))
		reach_drain_free_pages();
	for (order = pageblock_order; order < NR_PAGE_ORDERS; order++)
		if (zone->free_area[order].nr_free)
			kunit_skip(test, "a free page of order %u cannot be split",
				   order);
}
EXPORT_SYMBOL_IF_KUNIT(scene_fragment_zone);

/**
 * scene_compact_fragmented() - scene_direct_compact() in a fragmented zone
 * @test: case; skipped if the zone cannot be kept fragmented
 * @zone: the zone to fragment
 * @pfn: where the migration scanner starts, see scene_place_scanner()
 * @run: the request; the result is filled in
 *
 * If a block becomes free just before the request, that block serves it without
 * compaction: try again then.
 */
void scene_compact_fragmented(struct kunit *test, struct zone *zone,
			      unsigned long pfn, struct scene_run *run)
{
	int tries;

	for (tries = 0; tries < 3; tries++) {
		scene_fragment_zone(test, zone);
		scene_place_scanner(zone, pfn);
		scene_direct_compact(test, run);
		if (watch_first(run->watch, WATCH_SUITABLE))
			return;
	}
	kunit_skip(test, "free blocks keep appearing");
}
EXPORT_SYMBOL_IF_KUNIT(scene_compact_fragmented);

struct planted {
	struct scene_block *block;
	struct file *file;
	unsigned long offset;
	unsigned int nr;
	unsigned int done;
};

static void uproot(void *data)
{
	struct planted *planted = data;

	fput(planted->file);
	flush_delayed_fput();
}

/* A CPU allocates the page it freed last: '#' -> 'm'. */
static bool plant_one(struct planted *p, unsigned long pfn)
{
	struct page *page;

	migrate_disable();
	__free_page(pfn_to_page(pfn));
	page = shmem_read_mapping_page_gfp(p->file->f_mapping, p->done,
					   GFP_KERNEL | __GFP_MOVABLE);
	migrate_enable();
	if (IS_ERR(page))
		return false;
	put_page(page);
	return page_to_pfn(page) == pfn;
}

static void plant_all(struct planted *p)
{
	unsigned long offset;

	for (p->done = 0; p->done < p->nr; p->done++) {
		offset = p->offset + p->done;
		clear_bit(offset, p->block->owned);
		if (!plant_one(p, p->block->pfn + offset))
			return;
	}
}

/* A CPU of another node would allocate pages of its own node. */
static void plant_on_own_node(struct planted *p)
{
	int nid = zone_to_nid(p->block->zone);

	set_cpus_allowed_ptr(current, cpumask_of_node(nid));
	plant_all(p);
	set_cpus_allowed_ptr(current, cpu_possible_mask);
}

/**
 * scene_plant_movable() - put movable pages into a block: '####' -> '#mm#'
 * @test: case; skipped if another task allocates the pages first
 * @block: the block, of MIGRATE_MOVABLE
 * @offset: first page, owned by the case
 * @nr: number of pages
 *
 * The pages are page cache of a shmem file, which can migrate.
 */
void scene_plant_movable(struct kunit *test, struct scene_block *block,
			 unsigned long offset, unsigned int nr)
{
	struct planted *p = kunit_kzalloc(test, sizeof(*p), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	p->block = block;
	p->offset = offset;
	p->nr = nr;
	p->file = shmem_file_setup("fragbed", nr << PAGE_SHIFT,
				   mk_vma_flags(VMA_NORESERVE_BIT));
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, p->file);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, uproot, p));
	reach_drain_free_pages();
	plant_on_own_node(p);
	if (p->done < nr)
		kunit_skip(test, "another task allocated page %u of %u",
			   p->done, nr);
	reach_drain_lru_pages();
}
EXPORT_SYMBOL_IF_KUNIT(scene_plant_movable);

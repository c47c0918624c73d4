// SPDX-License-Identifier: GPL-2.0
/* Stages: see stage.h. */
#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <kunit/visibility.h>
#include <linux/bitmap.h>
#include <linux/ctype.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "../../internal.h"
#include "stage.h"

#define SPB_PAGES BIT(SPB_ORDER)
#define VAIN_TRIES 1000

/**
 * spb_stage_pfn() - first pfn of a pageblock of the stage
 * @stage: the stage
 * @at: SPB of the stage
 * @block: pageblock of that SPB
 *
 * Return: the pfn.
 */
unsigned long spb_stage_pfn(const struct spb_stage *stage, unsigned int at,
			    unsigned int block)
{
	return ((stage->zone->spb->first + stage->spb[at]) << SPB_ORDER) +
	       block * pageblock_nr_pages;
}
EXPORT_SYMBOL_IF_KUNIT(spb_stage_pfn);

/**
 * spb_stage_expect_true() - expect that a zone's records match its pages
 * @test: case
 * @zone: the zone
 * @when: for the failure message
 */
void spb_stage_expect_true(struct kunit *test, struct zone *zone, const char *when)
{
	struct spb_verdict verdict;
	int ret = spb_check(zone, &verdict);

	KUNIT_EXPECT_EQ_MSG(test, ret, 0, "%s: broken %lu times, first in SPB %u at pfn %lu: %s",
			    when, verdict.broken, verdict.spb, verdict.pfn,
			    verdict.rule ?: "nothing");
}
EXPORT_SYMBOL_IF_KUNIT(spb_stage_expect_true);

static void set_block_type(struct spb_stage *stage, unsigned long pfn, int type)
{
	reach_set_pageblock_type(stage->zone, pfn_to_page(pfn), type);
}

/* The record assumes movable pages in a block whose migratetype changed: it has none. */
static void draw_unmixed(struct spb_stage *stage, unsigned long pfn)
{
	guard(spinlock_irqsave)(&stage->zone->lock);
	__spb_mixed(pfn_to_page(pfn), false);
}

static void free_owned(struct spb_stage *stage, unsigned int at,
		       unsigned long first, unsigned long nr)
{
	unsigned long start = spb_stage_pfn(stage, at, 0);
	unsigned long i;

	for (i = first; i < first + nr; i++) {
		if (__test_and_clear_bit(i, stage->owned[at]))
			__free_page(pfn_to_page(start + i));
	}
}

static void strike_stage(void *data)
{
	struct spb_stage *stage = data;
	unsigned int at, block;

	for (at = 0; at < stage->nr; at++) {
		for (block = 0; block < SPB_BLOCKS; block++)
			set_block_type(stage, spb_stage_pfn(stage, at, block), MIGRATE_MOVABLE);
		free_owned(stage, at, 0, SPB_PAGES);
	}
	reach_drain_free_pages();
}

/* Allocates a whole empty SPB, with a lower index than @below. */
static int alloc_spb(struct spb_stage *stage, unsigned int at, unsigned int below)
{
	struct spb_info info;
	unsigned int nr;

	for (nr = below; nr--;) {
		spb_get_info(stage->zone, nr, &info);
		if (info.category != SPB_EMPTY || info.claimable < info.blocks)
			continue;
		if (alloc_contig_range(info.pfn, info.pfn + SPB_PAGES, ACR_FLAGS_NONE,
				       GFP_KERNEL | __GFP_MOVABLE | __GFP_NOWARN))
			continue;
		stage->spb[at] = nr;
		return nr;
	}
	return -1;
}

/* Their indices ascend in the order of the drawings. */
static int alloc_spbs(struct spb_stage *stage, unsigned int nr)
{
	unsigned int below = stage->zone->spb->index.nr;
	unsigned int at = nr;

	while (at--) {
		int got = alloc_spb(stage, at, below);

		if (got < 0)
			goto free_spbs;
		below = got;
	}
	stage->nr = nr;
	return 0;
free_spbs:
	while (++at < nr)
		free_contig_range(spb_stage_pfn(stage, at, 0), SPB_PAGES);
	return -ENOSPC;
}

static int type_of(char letter)
{
	switch (tolower(letter)) {
	case 'u':
	case 'v':
	case 'x':
		return MIGRATE_UNMOVABLE;
	case 'r':
		return MIGRATE_RECLAIMABLE;
	case 'h':
		return MIGRATE_HIGHATOMIC;
	default:
		return MIGRATE_MOVABLE;
	}
}

static unsigned long pages_free(char letter)
{
	switch (letter) {
	case '.':
		return pageblock_nr_pages;
	case 'v':
		return pageblock_nr_pages / 2;
	case 'x':
		return 0;
	default:
		return islower(letter) ? 1UL << STAGE_HOLE : 0;
	}
}

KUNIT_DEFINE_ACTION_WRAPPER(free_rest, scene_free_rest, struct scene_block *);

/* Turns a block, from page @first on, into one of a scene, which owns it from now on. */
static struct scene_block *scene_of_block(struct kunit *test, struct spb_stage *stage,
					  unsigned int at, unsigned int block,
					  unsigned long first)
{
	struct scene_block *scene = kunit_kzalloc(test, sizeof(*scene), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, scene);
	scene->pfn = spb_stage_pfn(stage, at, block);
	scene->page = pfn_to_page(scene->pfn);
	scene->order = pageblock_order;
	scene->zone = stage->zone;
	bitmap_set(scene->owned, first, pageblock_nr_pages - first);
	bitmap_clear(stage->owned[at], block * pageblock_nr_pages, pageblock_nr_pages);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, free_rest, scene));
	return scene;
}

static void draw_movable(struct kunit *test, struct spb_stage *stage,
			 unsigned int at, unsigned int block, unsigned long hole)
{
	free_owned(stage, at, block * pageblock_nr_pages, hole);
	scene_plant_movable(test, scene_of_block(test, stage, at, block, hole), hole,
			    pageblock_nr_pages - hole);
}

static void draw_block(struct kunit *test, struct spb_stage *stage, unsigned int at,
		       unsigned int block, char letter)
{
	unsigned long pfn = spb_stage_pfn(stage, at, block);

	if (letter == 'n')
		set_block_type(stage, pfn, MIGRATE_UNMOVABLE);
	set_block_type(stage, pfn, type_of(letter));
	draw_unmixed(stage, pfn);
	if (strchr("lLyz", letter))
		draw_movable(test, stage, at, block, pages_free(letter));
	else
		free_owned(stage, at, block * pageblock_nr_pages, pages_free(letter));
}

/* Full blocks first: free pages of a tainted SPB move to the other free list at once. */
static void draw_spb(struct kunit *test, struct spb_stage *stage, unsigned int at,
		     const char *drawing, bool holes)
{
	unsigned int block;
	char letter = '.';

	for (block = 0; block < SPB_BLOCKS; block++) {
		if (*drawing)
			letter = *drawing++;
		if (holes == (pages_free(letter) > 0))
			draw_block(test, stage, at, block, letter);
		if (holes && strchr("yz", letter))
			set_block_type(stage, spb_stage_pfn(stage, at, block),
				       letter == 'y' ? MIGRATE_UNMOVABLE : MIGRATE_RECLAIMABLE);
	}
}

static void clear_pending(struct spb_stage *stage)
{
	unsigned int at;

	lockdep_assert_held(&stage->zone->lock);
	for (at = 0; at < stage->nr; at++)
		__clear_bit(stage->spb[at], stage->zone->spb->wanted);
}

/* Other requests may have left pending work and a backoff while the stage was drawn. */
static void settle(struct spb_stage *stage)
{
	unsigned int at;

	flush_work(&stage->zone->spb->defrag);
	guard(spinlock_irqsave)(&stage->zone->lock);
	clear_pending(stage);
	for (at = 0; at < stage->nr; at++)
		spb_stage_spb(stage, at)->rest_until = 0;
}

static void free_last(struct spb_stage *stage, unsigned int at, const char *drawing)
{
	unsigned int block;

	for (block = 0; block < SPB_BLOCKS && drawing[block]; block++)
		if (drawing[block] == 'x')
			free_owned(stage, at, block * pageblock_nr_pages, pageblock_nr_pages);
}

/* With all the memory that is needed later. */
static struct spb_stage *new_stage(struct kunit *test, unsigned int nr)
{
	struct spb_stage *stage = kunit_kzalloc(test, sizeof(*stage), GFP_KERNEL);
	unsigned int at;

	KUNIT_ASSERT_NOT_NULL(test, stage);
	stage->zone = scene_zone();
	KUNIT_ASSERT_NOT_NULL(test, stage->zone->spb);
	for (at = 0; at < nr; at++) {
		stage->owned[at] = kunit_kmalloc_array(test, BITS_TO_LONGS(SPB_PAGES),
						       sizeof(long), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, stage->owned[at]);
		bitmap_fill(stage->owned[at], SPB_PAGES);
	}
	stage->buckets = kunit_kzalloc(test, stage->zone->spb->index.nr, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, stage->buckets);
	return stage;
}

/**
 * spb_stage() - allocate superpageblocks and bring them into a drawn state
 * @test: case; skipped if too few superpageblocks are empty
 * @drawings: a drawing for each
 * @nr: their number, at most STAGE_SPBS
 *
 * They are freed when the case ends.
 *
 * Return: the stage.
 */
struct spb_stage *spb_stage(struct kunit *test, const char *const *drawings,
			    unsigned int nr)
{
	struct spb_stage *stage = new_stage(test, nr);
	unsigned int at;

	scene_without_defrag(test);	/* work stays pending, for the case to check */
	if (alloc_spbs(stage, nr))
		kunit_skip(test, "fewer than %u empty superpageblocks", nr);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, strike_stage, stage));
	for (at = 0; at < nr; at++) {
		draw_spb(test, stage, at, drawings[at], false);
		draw_spb(test, stage, at, drawings[at], true);
	}
	reach_drain_free_pages();
	for (at = 0; at < nr; at++)
		free_last(stage, at, drawings[at]);
	reach_drain_free_pages();
	settle(stage);
	return stage;
}
EXPORT_SYMBOL_IF_KUNIT(spb_stage);

static int at_of(const struct spb_stage *stage, unsigned long pfn)
{
	unsigned long nr = (pfn >> SPB_ORDER) - stage->zone->spb->first;
	unsigned int at;

	for (at = 0; at < stage->nr; at++)
		if (stage->spb[at] == nr)
			return at;
	return -1;
}

static void hide_list(struct spb_stage *stage, unsigned int order, int list)
{
	struct list_head *from = &stage->zone->free_area[order].free_list[list];
	struct list_head *to = &stage->hidden[order][list];
	struct page *page, *next;

	INIT_LIST_HEAD(to);
	list_for_each_entry_safe(page, next, from, buddy_list)
		if (at_of(stage, page_to_pfn(page)) < 0)
			list_move_tail(&page->buddy_list, to);
}

/*
 * Take the free pages and superpageblocks outside the stage off the zone's lists:
 * while the lock is held, the allocator sees only the stage.
 */
static void hide_rest(struct spb_stage *stage)
{
	struct spb_zone *spbs = stage->zone->spb;
	unsigned int order, nr;
	int list;

	for (order = 0; order < NR_PAGE_ORDERS; order++)
		for (list = 0; list < NR_FREE_LISTS; list++)
			hide_list(stage, order, list);
	for (nr = 0; nr < spbs->index.nr; nr++) {
		stage->buckets[nr] = SPB_BUCKET_NONE;
		if (at_of(stage, (spbs->first + nr) << SPB_ORDER) >= 0)
			continue;
		stage->buckets[nr] = spbs->spb[nr].bucket;
		spb_index_move(&spbs->index, nr, stage->buckets[nr], SPB_BUCKET_NONE);
	}
}

static void show_rest(struct spb_stage *stage)
{
	struct spb_zone *spbs = stage->zone->spb;
	unsigned int order, nr;
	int list;

	for (nr = 0; nr < spbs->index.nr; nr++)
		spb_index_move(&spbs->index, nr, SPB_BUCKET_NONE, stage->buckets[nr]);
	for (order = 0; order < NR_PAGE_ORDERS; order++)
		for (list = 0; list < NR_FREE_LISTS; list++)
			list_splice_tail(&stage->hidden[order][list],
					 &stage->zone->free_area[order].free_list[list]);
}

/**
 * spb_stage_free_block() - free the pages that the stage owns of a pageblock
 * @stage: the stage
 * @at: SPB of the stage
 * @block: pageblock of that SPB
 */
void spb_stage_free_block(struct spb_stage *stage, unsigned int at, unsigned int block)
{
	free_owned(stage, at, block * pageblock_nr_pages, pageblock_nr_pages);
	reach_drain_free_pages();
}
EXPORT_SYMBOL_IF_KUNIT(spb_stage_free_block);

/**
 * spb_stage_of() - find the SPB of the stage that contains a page
 * @stage: the stage
 * @page: the page
 *
 * Return: its place on the stage, -1 if no SPB of the stage contains it.
 */
int spb_stage_of(const struct spb_stage *stage, const struct page *page)
{
	return page_zone(page) == stage->zone ? at_of(stage, page_to_pfn(page)) : -1;
}
EXPORT_SYMBOL_IF_KUNIT(spb_stage_of);

/**
 * spb_stage_spb() - the record of an SPB of the stage
 * @stage: the stage
 * @at: SPB of the stage
 *
 * Return: the record.
 */
struct superpageblock *spb_stage_spb(const struct spb_stage *stage, unsigned int at)
{
	return &stage->zone->spb->spb[stage->spb[at]];
}
EXPORT_SYMBOL_IF_KUNIT(spb_stage_spb);

/**
 * spb_stage_alone() - call a function while the allocator sees only the stage
 * @stage: the stage
 * @act: the function, called with zone->lock held
 * @data: passed to @act
 */
void spb_stage_alone(struct spb_stage *stage, void (*act)(struct spb_stage *stage, void *data),
		     void *data)
{
	unsigned long flags;

	spin_lock_irqsave(&stage->zone->lock, flags);
	hide_rest(stage);
	act(stage, data);
	show_rest(stage);
	spin_unlock_irqrestore(&stage->zone->lock, flags);
}
EXPORT_SYMBOL_IF_KUNIT(spb_stage_alone);

/**
 * spb_no_target() - stub for spb_alloc_target() that finds no page
 * @zone: ignored
 * @order: ignored
 * @from_tainted: ignored
 *
 * Return: NULL.
 */
struct page *spb_no_target(struct zone *zone, unsigned int order, bool from_tainted)
{
	return NULL;
}
EXPORT_SYMBOL_IF_KUNIT(spb_no_target);

static unsigned long stopped_at;

static unsigned long stopped_now(void)
{
	return stopped_at;
}

/**
 * spb_stop_clock() - stop the clock of defragmentation until the case ends
 * @test: case
 *
 * No run times out then, however slow the machine.
 */
void spb_stop_clock(struct kunit *test)
{
	stopped_at = jiffies;
	kunit_activate_static_stub(test, spb_now, stopped_now);
}
EXPORT_SYMBOL_IF_KUNIT(spb_stop_clock);

static void put_pinned(void *page)
{
	put_page(page);
}

/**
 * spb_pin() - take a reference until the case ends: the page cannot migrate
 * @test: case
 * @page: the page
 */
void spb_pin(struct kunit *test, struct page *page)
{
	get_page(page);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, put_pinned, page));
}
EXPORT_SYMBOL_IF_KUNIT(spb_pin);

/**
 * spb_unpin() - drop the reference of spb_pin() before the case ends
 * @test: case
 * @page: the page
 */
void spb_unpin(struct kunit *test, struct page *page)
{
	kunit_release_action(test, put_pinned, page);
}
EXPORT_SYMBOL_IF_KUNIT(spb_unpin);

static unsigned int evacuable(const struct spb_stage *stage)
{
	unsigned int at, nr = 0;

	for (at = 0; at < stage->nr; at++)
		nr += spb_is_evacuable(spb_stage_spb(stage, at));
	return nr;
}

static void note_answer(struct spb_stage *stage, struct stage_request *request,
			struct page *page)
{
	unsigned long pfn = page_to_pfn(page);

	request->at = at_of(stage, pfn);
	request->block = (pfn >> pageblock_order) & (SPB_BLOCKS - 1);
	request->block_type = reach_pageblock_type(page);
	request->foreign = get_pageblock_foreign(page);
	request->tainted = spb_of(stage->zone, page)->tainted;
}

/* Saves and restores the zone's pending work; the request's own is counted and dropped. */
static void ask(struct spb_stage *stage, void *data)
{
	struct stage_request *request = data;
	struct spb_zone *spbs = stage->zone->spb;
	bool want_all = spbs->want_all, want_shrink = spbs->want_shrink;
	unsigned long credit = spbs->credit;
	unsigned int rest_evacuable = spbs->nr_evacuable - evacuable(stage);
	unsigned long before[NR_SPB_EVENTS];
	struct page *page;
	int i;

	clear_pending(stage);
	spbs->want_all = false;
	spbs->want_shrink = false;
	spbs->credit = request->credit;
	spbs->nr_evacuable -= rest_evacuable;
	memcpy(before, spbs->events, sizeof(before));
	page = reach_rmqueue(stage->zone, request->order, request->type,
			     request->alloc_flags);
	for (i = 0; i < NR_SPB_EVENTS; i++)
		request->events[i] = spbs->events[i] - before[i];
	request->credit = spbs->credit;
	request->want_all = spbs->want_all;
	if (page) {
		note_answer(stage, request, page);
		reach_free_one_page(page, stage->zone, request->order,
				    reach_pageblock_type(page));
	}
	spbs->nr_evacuable += rest_evacuable;
	spbs->want_all = want_all;
	spbs->want_shrink = want_shrink;
	spbs->credit = credit;
	clear_pending(stage);
}

/**
 * spb_stage_ask() - allocate a page while the allocator sees only the stage
 * @stage: the stage
 * @request: the request; the result is filled in
 *
 * The page is freed at once.
 */
void spb_stage_ask(struct spb_stage *stage, struct stage_request *request)
{
	*request = (struct stage_request) { .type = request->type,
		.order = request->order, .alloc_flags = request->alloc_flags,
		.credit = request->credit, .at = -1, .block = -1, .block_type = -1 };
	spb_stage_alone(stage, ask, request);
}
EXPORT_SYMBOL_IF_KUNIT(spb_stage_ask);

/**
 * spb_stage_free() - free the first pageblock in a user task that may capture it
 * @test: case
 * @stage: the stage
 * @capc: capture control of the task
 */
void spb_stage_free(struct kunit *test, struct spb_stage *stage,
		    struct capture_control *capc)
{
	struct scene_free f = { .block = scene_of_block(test, stage, 0, 0, 0),
		.order = pageblock_order, .capc = capc };

	scene_free(test, &f);
}
EXPORT_SYMBOL_IF_KUNIT(spb_stage_free);

static void relieve(void *data)
{
	struct spb_pressure *pressure = data;
	struct page *page, *next;

	list_for_each_entry_safe(page, next, &pressure->taken, lru)
		__free_page(page);
	reach_drain_free_pages();
}

/* alloc_pages_nolock() also fails while another task holds the lock: try again then. */
static void use_up(struct spb_pressure *pressure)
{
	unsigned int vain = 0;
	unsigned long blocked;
	struct page *page;

	do {
		blocked = spb_grown(pressure, SPB_HELD_BACK);
		page = alloc_pages_nolock(0, zone_to_nid(pressure->stage->zone), 0);
		if (page)
			list_add(&page->lru, &pressure->taken);
		else
			cond_resched();
		vain = page ? 0 : vain + 1;
	} while (page || (blocked == spb_grown(pressure, SPB_HELD_BACK) && vain < VAIN_TRIES));
}

/* The kernel has to run on the superpageblocks that are not tainted. */
static void need_untainted(struct kunit *test)
{
	const struct spb_zone *spbs = scene_zone()->spb;
	unsigned long tainted;

	KUNIT_ASSERT_NOT_NULL(test, spbs);
	tainted = spbs->events[SPB_TAINT] - spbs->events[SPB_UNTAINT];
	if (tainted > spbs->index.nr - spbs->index.nr / 4)
		kunit_skip(test, "of %u SPBs %lu are tainted", spbs->index.nr, tainted);
}

/**
 * spb_press_all() - allocate all pages that non-movable requests get without tainting
 * @test: case; skipped if there are other nodes
 * @drawings: a drawing for each SPB of the stage
 * @nr: their number
 *
 * alloc_pages_nolock() does that: it never taints. The pages are freed when the case
 * ends.
 *
 * Return: the stage and the pages.
 */
struct spb_pressure *spb_press_all(struct kunit *test, const char *const *drawings,
				   unsigned int nr)
{
	struct spb_pressure *pressure = kunit_kzalloc(test, sizeof(*pressure), GFP_KERNEL);

	if (num_node_state(N_MEMORY) > 1)
		kunit_skip(test, "requests would go to another node");
	need_untainted(test);
	KUNIT_ASSERT_NOT_NULL(test, pressure);
	INIT_LIST_HEAD(&pressure->taken);
	pressure->stage = spb_stage(test, drawings, nr);
	pressure->spbs = pressure->stage->zone->spb;
	memcpy(pressure->before, pressure->spbs->events, sizeof(pressure->before));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, relieve, pressure));
	use_up(pressure);
	KUNIT_EXPECT_EQ_MSG(test, spb_grown(pressure, SPB_TAINT), 0,
			    "alloc_pages_nolock() must not taint");
	KUNIT_ASSERT_GT_MSG(test, spb_grown(pressure, SPB_HELD_BACK), 0,
			    "no request was blocked by ALLOC_NOFRAGMENT");
	memcpy(pressure->before, pressure->spbs->events, sizeof(pressure->before));
	return pressure;
}
EXPORT_SYMBOL_IF_KUNIT(spb_press_all);

/**
 * spb_press() - spb_press_all() with one SPB on the stage
 * @test: case; skipped if there are other nodes
 * @drawing: its drawing
 *
 * Return: the stage and the pages.
 */
struct spb_pressure *spb_press(struct kunit *test, const char *drawing)
{
	return spb_press_all(test, &drawing, 1);
}
EXPORT_SYMBOL_IF_KUNIT(spb_press);

/**
 * spb_relieve() - free the pages of spb_press() before the case ends
 * @test: case
 * @pressure: from spb_press()
 */
void spb_relieve(struct kunit *test, struct spb_pressure *pressure)
{
	kunit_release_action(test, relieve, pressure);
}
EXPORT_SYMBOL_IF_KUNIT(spb_relieve);

/**
 * spb_grown() - how often an event happened since spb_press()
 * @pressure: from spb_press()
 * @event: the event
 *
 * Return: the number of events.
 */
unsigned long spb_grown(const struct spb_pressure *pressure, enum spb_event event)
{
	return pressure->spbs->events[event] - pressure->before[event];
}
EXPORT_SYMBOL_IF_KUNIT(spb_grown);

/**
 * spb_take_back() - remove one of the pages of spb_press(), for the case to free
 * @test: case
 * @pressure: from spb_press()
 *
 * Return: a page of an unmovable block in the zone of the stage.
 */
struct page *spb_take_back(struct kunit *test, struct spb_pressure *pressure)
{
	struct page *page;

	list_for_each_entry(page, &pressure->taken, lru) {
		if (reach_pageblock_type(page) != MIGRATE_UNMOVABLE ||
		    page_zone(page) != pressure->stage->zone)
			continue;
		list_del(&page->lru);
		return page;
	}
	KUNIT_FAIL_AND_ABORT(test, "no page is from an unmovable block");
	return NULL;
}
EXPORT_SYMBOL_IF_KUNIT(spb_take_back);

MODULE_DESCRIPTION("stages for the KUnit suites of superpageblocks");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");

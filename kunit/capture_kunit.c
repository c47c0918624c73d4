// SPDX-License-Identifier: GPL-2.0
/*
 * Compaction capture: which freed page a compacting task gets directly, past the
 * free lists. The rules are those of task_capc(), compaction_capture() and
 * __free_one_page() in mm/page_alloc.c.
 */
#include <kunit/test.h>
#include <linux/module.h>

#include "scene.h"

static struct capture_control capture_for(struct zone *zone, int order,
					  int migratetype)
{
	return (struct capture_control){
		.zone = zone,
		.order = order,
		.migratetype = migratetype,
	};
}

#define NEEDS_SMALL_BLOCKS \
	"needs CONFIG_PAGE_BLOCK_MAX_ORDER well below MAX_PAGE_ORDER"

/* A page of a block is freed while a request of some order may capture it. */
struct decision {
	const char *name;
	int block_type;
	int request_type;
	int freed_order;
	int request_order;
	bool captured;
};

#define UNMOV	MIGRATE_UNMOVABLE
#define MOV	MIGRATE_MOVABLE
#define RECL	MIGRATE_RECLAIMABLE
#define HIGH	MIGRATE_HIGHATOMIC

static const struct decision decisions[] = {
	/* only a page of exactly the request's order is captured */
	{ .name = "order 0 for 0", .block_type = UNMOV, .request_type = UNMOV,
	  .freed_order = 0, .request_order = 0, .captured = true },
	{ .name = "order 3 for 3", .block_type = UNMOV, .request_type = UNMOV,
	  .freed_order = 3, .request_order = 3, .captured = true },
	{ .name = "order 4 for 3", .block_type = UNMOV, .request_type = UNMOV,
	  .freed_order = 4, .request_order = 3 },
	{ .name = "order 2 for 3", .block_type = UNMOV, .request_type = UNMOV,
	  .freed_order = 2, .request_order = 3 },
	{ .name = "order 1 for 0", .block_type = UNMOV, .request_type = UNMOV,
	  .freed_order = 1, .request_order = 0 },
	{ .name = "order 0 for 1", .block_type = UNMOV, .request_type = UNMOV,
	  .freed_order = 0, .request_order = 1 },
	{ .name = "order 5 for 0", .block_type = MOV, .request_type = MOV,
	  .freed_order = 5, .request_order = 0 },
	{ .name = "block for order 3", .block_type = UNMOV,
	  .request_type = UNMOV, .freed_order = SCENE_PB(0),
	  .request_order = 3 },
	{ .name = "order 3 for block", .block_type = UNMOV,
	  .request_type = UNMOV, .freed_order = 3,
	  .request_order = SCENE_PB(0) },
	/* no page of a CMA or isolated block is captured */
	{ .name = "cma, order 0", .block_type = MIGRATE_CMA,
	  .request_type = MOV, .freed_order = 0, .request_order = 0 },
	{ .name = "cma, order 3", .block_type = MIGRATE_CMA,
	  .request_type = MOV, .freed_order = 3, .request_order = 3 },
	{ .name = "cma, unmovable", .block_type = MIGRATE_CMA,
	  .request_type = UNMOV, .freed_order = 3, .request_order = 3 },
	{ .name = "cma, reclaimable", .block_type = MIGRATE_CMA,
	  .request_type = RECL, .freed_order = 1, .request_order = 1 },
	{ .name = "cma, whole block", .block_type = MIGRATE_CMA,
	  .request_type = MOV, .freed_order = SCENE_PB(0),
	  .request_order = SCENE_PB(0) },
	{ .name = "isolated, order 0", .block_type = MIGRATE_ISOLATE,
	  .request_type = MOV, .freed_order = 0, .request_order = 0 },
	{ .name = "isolated, order 3", .block_type = MIGRATE_ISOLATE,
	  .request_type = MOV, .freed_order = 3, .request_order = 3 },
	{ .name = "isolated, unmovable", .block_type = MIGRATE_ISOLATE,
	  .request_type = UNMOV, .freed_order = 3, .request_order = 3 },
	{ .name = "isolated, reclaimable", .block_type = MIGRATE_ISOLATE,
	  .request_type = RECL, .freed_order = 2, .request_order = 2 },
	{ .name = "isolated, whole block", .block_type = MIGRATE_ISOLATE,
	  .request_type = UNMOV, .freed_order = SCENE_PB(0),
	  .request_order = SCENE_PB(0) },
	/* below pageblock_order, only movable requests capture from a movable block */
	{ .name = "movable block, movable", .block_type = MOV,
	  .request_type = MOV, .freed_order = 0, .request_order = 0,
	  .captured = true },
	{ .name = "movable block, movable, order 3", .block_type = MOV,
	  .request_type = MOV, .freed_order = 3, .request_order = 3,
	  .captured = true },
	{ .name = "movable block, unmovable", .block_type = MOV,
	  .request_type = UNMOV, .freed_order = 3, .request_order = 3 },
	{ .name = "movable block, unmovable, order 0", .block_type = MOV,
	  .request_type = UNMOV, .freed_order = 0, .request_order = 0 },
	{ .name = "movable block, reclaimable", .block_type = MOV,
	  .request_type = RECL, .freed_order = 3, .request_order = 3 },
	{ .name = "movable block, unmovable, below block", .block_type = MOV,
	  .request_type = UNMOV, .freed_order = SCENE_PB(-1),
	  .request_order = SCENE_PB(-1) },
	{ .name = "movable block, reclaimable, below block", .block_type = MOV,
	  .request_type = RECL, .freed_order = SCENE_PB(-1),
	  .request_order = SCENE_PB(-1) },
	{ .name = "movable block, movable, below block", .block_type = MOV,
	  .request_type = MOV, .freed_order = SCENE_PB(-1),
	  .request_order = SCENE_PB(-1), .captured = true },
	{ .name = "movable block, unmovable, whole block", .block_type = MOV,
	  .request_type = UNMOV, .freed_order = SCENE_PB(0),
	  .request_order = SCENE_PB(0), .captured = true },
	{ .name = "movable block, reclaimable, whole block", .block_type = MOV,
	  .request_type = RECL, .freed_order = SCENE_PB(0),
	  .request_order = SCENE_PB(0), .captured = true },
	{ .name = "movable block, movable, whole block", .block_type = MOV,
	  .request_type = MOV, .freed_order = SCENE_PB(0),
	  .request_order = SCENE_PB(0), .captured = true },
	{ .name = "movable blocks, unmovable, two blocks", .block_type = MOV,
	  .request_type = UNMOV, .freed_order = SCENE_PB(1),
	  .request_order = SCENE_PB(1), .captured = true },
	/* unmovable and reclaimable capture from each other, movable from both */
	{ .name = "reclaimable block, unmovable", .block_type = RECL,
	  .request_type = UNMOV, .freed_order = 2, .request_order = 2,
	  .captured = true },
	{ .name = "unmovable block, reclaimable", .block_type = UNMOV,
	  .request_type = RECL, .freed_order = 2, .request_order = 2,
	  .captured = true },
	{ .name = "unmovable block, movable", .block_type = UNMOV,
	  .request_type = MOV, .freed_order = 2, .request_order = 2,
	  .captured = true },
	{ .name = "reclaimable block, movable", .block_type = RECL,
	  .request_type = MOV, .freed_order = 2, .request_order = 2,
	  .captured = true },
	{ .name = "reclaimable block, reclaimable", .block_type = RECL,
	  .request_type = RECL, .freed_order = 0, .request_order = 0,
	  .captured = true },
	{ .name = "reclaimable block, unmovable, whole block",
	  .block_type = RECL, .request_type = UNMOV, .freed_order = SCENE_PB(0),
	  .request_order = SCENE_PB(0), .captured = true },
	{ .name = "highatomic block, unmovable", .block_type = HIGH,
	  .request_type = UNMOV, .freed_order = 2, .request_order = 2,
	  .captured = true },
	{ .name = "highatomic block, movable", .block_type = HIGH,
	  .request_type = MOV, .freed_order = 2, .request_order = 2,
	  .captured = true },
};

static void decision_desc(const struct decision *d, char *desc)
{
	strscpy(desc, d->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(decision, decisions, decision_desc);

static void check_account(struct kunit *test, const struct scene_free *f,
			  long pages, const char *what)
{
	long free = f->after.free - f->before.free;
	long listed = f->after.listed - f->before.listed;

	KUNIT_EXPECT_EQ_MSG(test, free, pages, "%s: NR_FREE_PAGES", what);
	KUNIT_EXPECT_EQ_MSG(test, listed, pages, "%s: pages on the free lists", what);
}

static struct scene_block *typed_block(struct kunit *test, unsigned int order,
				       int type)
{
	struct scene_block *block;

	if (type != MIGRATE_ISOLATE)
		return scene_block(test, max(order, pageblock_order), type);
	block = scene_block(test, max(order, pageblock_order), MIGRATE_MOVABLE);
	scene_isolate(test, block);
	return block;
}

/* With superpageblocks one more rule applies: fragbed_spb_steering tests it. */
static void skip_if_it_would_taint(struct kunit *test, int block_type, int request_type)
{
	if (IS_ENABLED(CONFIG_SUPERPAGEBLOCK) && is_migrate_movable(block_type) &&
	    request_type != MOV)
		kunit_skip(test, "would taint a superpageblock; needs CONFIG_SUPERPAGEBLOCK=n");
}

/* '########' -> '##..####' on a free list, or '##CC####' captured */
static void capture_decision(struct kunit *test)
{
	const struct decision *d = test->param_value;
	int freed = scene_order(d->freed_order);
	struct scene_free f = { .order = freed };
	struct capture_control capc;
	bool isolated = d->block_type == MIGRATE_ISOLATE;

	if (d->captured && freed >= MAX_PAGE_ORDER)
		kunit_skip(test, "pages of order %d are never captured; " NEEDS_SMALL_BLOCKS,
			   freed);
	if (d->captured)
		skip_if_it_would_taint(test, d->block_type, d->request_type);
	f.block = typed_block(test, freed, d->block_type);
	capc = capture_for(f.block->zone, scene_order(d->request_order),
			   d->request_type);
	f.capc = &capc;
	scene_free(test, &f);

	KUNIT_EXPECT_EQ_MSG(test, !!capc.page, d->captured,
			    "%s: %s block, %s request, freed order %d, requested %d",
			    d->name, reach_type_name(d->block_type),
			    reach_type_name(d->request_type), freed, capc.order);
	if (capc.page)
		KUNIT_EXPECT_PTR_EQ(test, capc.page, f.block->page);
	if (!isolated)
		check_account(test, &f, d->captured ? 0 : 1L << freed, d->name);
	else
		KUNIT_EXPECT_EQ(test, f.after.free, f.before.free);
	KUNIT_EXPECT_EQ(test, f.extfrag,
			d->captured && d->block_type != d->request_type);
	if (f.extfrag)
		KUNIT_EXPECT_EQ(test, f.extfrag_value,
				16 * d->request_type + d->block_type);
	scene_return_captured(test, f.block->zone, &capc);
}

/* Without a capture control nothing is captured, and none is dereferenced. */
static void capture_without_control(struct kunit *test)
{
	struct scene_block *block = scene_block(test, pageblock_order, UNMOV);
	struct scene_free f = { .block = block, .order = 3 };

	KUNIT_EXPECT_FALSE(test, reach_compaction_capture(NULL, block->page, 3, UNMOV));
	scene_free(test, &f);
	check_account(test, &f, 8, "no capture control");
	KUNIT_EXPECT_EQ(test, f.extfrag, 0);
}

/* '.#######' + the second page -> 'CC######' for a request of order 1 */
static void capture_while_merging(struct kunit *test)
{
	struct scene_block *block = scene_block(test, pageblock_order, UNMOV);
	struct capture_control capc = capture_for(block->zone, 1, UNMOV);
	struct scene_free first = { .block = block, .offset = 8 };
	struct scene_free second = { .block = block, .offset = 9, .capc = &capc,
				     .prior = &first };

	scene_free(test, &second);
	check_account(test, &first, 1, "first page");
	KUNIT_EXPECT_PTR_EQ(test, capc.page, block->page + 8);
	check_account(test, &second, -1, "second page, captured with its buddy");
	scene_return_captured(test, block->zone, &capc);
}

/* Two freed pages of order 2 merge to order 3: the requested order 1 never exists. */
static void capture_not_past_the_order(struct kunit *test)
{
	struct scene_block *block = scene_block(test, pageblock_order, UNMOV);
	struct capture_control capc = capture_for(block->zone, 1, UNMOV);
	struct scene_free first = { .block = block, .offset = 8, .order = 2 };
	struct scene_free second = { .block = block, .offset = 12, .order = 2,
				     .capc = &capc, .prior = &first };

	scene_free(test, &second);
	KUNIT_EXPECT_NULL(test, capc.page);
	check_account(test, &second, 4, "merged beyond the requested order");
	scene_return_captured(test, block->zone, &capc);
}

/* Two free blocks merge and are captured: NR_FREE_PAGES_BLOCKS drops by the first. */
static void capture_merged_blocks(struct kunit *test)
{
	const long nr = pageblock_nr_pages;
	struct capture_control capc;
	struct scene_free first = { .order = pageblock_order };
	struct scene_free second = { .order = pageblock_order,
				     .offset = pageblock_nr_pages };

	if (pageblock_order + 1 >= MAX_PAGE_ORDER)
		kunit_skip(test, "two blocks have MAX_PAGE_ORDER or more; " NEEDS_SMALL_BLOCKS);
	skip_if_it_would_taint(test, MOV, UNMOV);
	first.block = scene_block(test, pageblock_order + 1, MOV);
	second.block = first.block;
	capc = capture_for(first.block->zone, pageblock_order + 1, UNMOV);
	second.capc = &capc;
	second.prior = &first;
	scene_free(test, &second);
	KUNIT_EXPECT_EQ(test, first.after.blocks - first.before.blocks, nr);
	KUNIT_EXPECT_PTR_EQ(test, capc.page, first.block->page);
	KUNIT_EXPECT_EQ(test, second.after.blocks - second.before.blocks, -nr);
	check_account(test, &second, -nr, "two blocks");
	scene_return_captured(test, first.block->zone, &capc);
}

/* A page of MAX_PAGE_ORDER goes to its free list: no task captures it. */
static void capture_not_at_max_order(struct kunit *test)
{
	struct scene_block *block = scene_block(test, MAX_PAGE_ORDER, MOV);
	struct capture_control capc = capture_for(block->zone, MAX_PAGE_ORDER, MOV);
	struct scene_free half = { .block = block, .order = MAX_PAGE_ORDER - 1 };
	struct scene_free other = { .block = block, .order = MAX_PAGE_ORDER - 1,
				    .offset = 1UL << (MAX_PAGE_ORDER - 1),
				    .capc = &capc, .prior = &half };

	scene_free(test, &other);
	KUNIT_EXPECT_NULL_MSG(test, capc.page, "captured at MAX_PAGE_ORDER");
	check_account(test, &other, 1L << (MAX_PAGE_ORDER - 1), "the last merge");
	scene_return_captured(test, block->zone, &capc);
}

/* The highatomic free counter, when a page is captured and when not. */
static void capture_account_highatomic(struct kunit *test)
{
	struct scene_block *block = scene_block(test, pageblock_order, HIGH);
	struct capture_control capc = capture_for(block->zone, 2, UNMOV);
	struct scene_free captured = { .block = block, .order = 2, .capc = &capc };
	struct scene_free listed = { .block = block, .order = 2, .offset = 8 };

	scene_free(test, &captured);
	KUNIT_EXPECT_EQ(test, captured.after.highatomic, captured.before.highatomic);
	check_account(test, &captured, 0, "highatomic, captured");
	scene_free(test, &listed);
	KUNIT_EXPECT_EQ(test, listed.after.highatomic - listed.before.highatomic, 4);
	scene_return_captured(test, block->zone, &capc);
}

static void capture_account_cma(struct kunit *test)
{
	struct scene_block *block = scene_block(test, pageblock_order, MIGRATE_CMA);
	struct capture_control capc = capture_for(block->zone, 2, MOV);
	struct scene_free f = { .block = block, .order = 2, .capc = &capc };

	scene_free(test, &f);
	KUNIT_EXPECT_EQ(test, f.after.cma - f.before.cma, 4);
	check_account(test, &f, 4, "cma, not captured");
	KUNIT_EXPECT_NULL(test, capc.page);
}

/* Which tasks capture, and pages of which zone. */
struct place {
	const char *name;
	bool no_zone;
	bool other_zone;
	bool by_kthread;
	bool holds_one;
	bool captured;
};

static const struct place places[] = {
	{ .name = "user task, this zone", .captured = true },
	{ .name = "no zone is being compacted", .no_zone = true },
	{ .name = "another zone is being compacted", .other_zone = true },
	{ .name = "kernel thread", .by_kthread = true },
	{ .name = "a page is held already", .holds_one = true },
};

static void place_desc(const struct place *p, char *desc)
{
	strscpy(desc, p->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(place, places, place_desc);

static void capture_place(struct kunit *test)
{
	const struct place *p = test->param_value;
	struct scene_block *block = scene_block(test, pageblock_order, UNMOV);
	struct page *held = p->holds_one ? block->page + 32 : NULL;
	struct capture_control capc = capture_for(block->zone, 2, UNMOV);
	struct scene_free f = { .block = block, .order = 2, .capc = &capc,
				.by_kthread = p->by_kthread };

	if (p->no_zone)
		capc.zone = NULL;
	if (p->other_zone)
		capc.zone = &block->zone->zone_pgdat->node_zones[MAX_NR_ZONES - 1];
	KUNIT_ASSERT_PTR_NE(test, p->other_zone ? block->zone : NULL, capc.zone ?: ERR_PTR(-1));
	capc.page = held;
	scene_free(test, &f);
	KUNIT_EXPECT_PTR_EQ_MSG(test, capc.page, p->captured ? block->page : held, "%s", p->name);
	check_account(test, &f, p->captured ? 0 : 4, p->name);
	if (p->captured)
		scene_return_captured(test, block->zone, &capc);
}

/* Frees a page at an event of the running compaction. */
struct free_at {
	enum watch_kind kind;
	struct page *page;
	unsigned int order;
	bool done;
};

static void free_at_event(struct watch *w, const struct watch_event *event)
{
	struct free_at *at = w->hook_data;
	struct zone *zone = page_zone(at->page);

	if (at->done || event->kind != at->kind)
		return;
	at->done = true;
	guard(spinlock_irqsave)(&zone->lock);
	reach_free_one_page(at->page, zone, at->order, reach_pageblock_type(at->page));
}

static struct free_at prepare_free_at(struct kunit *test, enum watch_kind kind,
				      struct scene_block *block,
				      unsigned int order)
{
	KUNIT_ASSERT_TRUE(test, reach_prepare_free(block->page, order));
	bitmap_clear(block->owned, 0, 1U << order);
	return (struct free_at){ .kind = kind, .page = block->page, .order = order };
}

/* The capture control is complete when the task publishes it, and unpublished at the end. */
static void capture_published_complete(struct kunit *test)
{
	struct scene_block *block = scene_block(test, pageblock_order, UNMOV);
	struct free_at at = prepare_free_at(test, WATCH_TRY_TO_COMPACT, block, 3);
	struct scene_run run = {
		.req = { .gfp = GFP_KERNEL | __GFP_COMP, .order = 3,
			 .prio = COMPACT_PRIO_SYNC_LIGHT,
			 .set_flags = ALLOC_NOFRAGMENT },
		.hook = free_at_event, .hook_data = &at,
	};
	const struct watch_event *try, *reset;

	scene_direct_compact(test, &run);
	try = watch_first(run.watch, WATCH_TRY_TO_COMPACT);
	KUNIT_ASSERT_NOT_NULL(test, try);
	KUNIT_EXPECT_TRUE(test, at.done);
	KUNIT_EXPECT_TRUE(test, try->published);
	KUNIT_EXPECT_EQ(test, try->capc.order, 3);
	KUNIT_EXPECT_EQ(test, try->capc.migratetype, MIGRATE_UNMOVABLE);
	KUNIT_EXPECT_NULL(test, try->capc.page);
	KUNIT_EXPECT_NULL_MSG(test, try->capc.zone, "no zone is being compacted yet");
	KUNIT_EXPECT_FALSE_MSG(test, run.still_published, "capture control left published");
	reset = watch_first(run.watch, WATCH_DEFER_RESET);
	KUNIT_ASSERT_NOT_NULL(test, reset);
	KUNIT_EXPECT_NULL_MSG(test, reset->capc.page,
			      "captured before any zone was being compacted");
}

/* Compaction skips the zone, but an interrupt frees a page that the task captures. */
static void capture_though_skipped(struct kunit *test)
{
	struct scene_block *block = scene_block(test, pageblock_order, UNMOV);
	struct free_at at;
	struct scene_run run = {
		.req = { .gfp = GFP_KERNEL | __GFP_COMP | __GFP_ZERO, .order = 4,
			 .prio = COMPACT_PRIO_SYNC_LIGHT,
			 .set_flags = ALLOC_NOFRAGMENT },
		.hook = free_at_event, .hook_data = &at,
	};
	const struct watch_event *suitable;

	/* Before prepare_free_at(): the case does not own the page afterwards. */
	memset(page_address(block->page), 0xa5, PAGE_SIZE << 4);
	at = prepare_free_at(test, WATCH_SUITABLE, block, 4);
	scene_save_defer_state(test, block->zone);
	scene_set_int(test, reach_extfrag_threshold(), 1000);
	scene_compact_fragmented(test, block->zone, block->pfn, &run);

	suitable = watch_first(run.watch, WATCH_SUITABLE);
	KUNIT_ASSERT_NOT_NULL(test, suitable);
	KUNIT_EXPECT_EQ_MSG(test, suitable->value, COMPACT_NOT_SUITABLE_ZONE,
			    "the scene must make compaction skip the zone");
	KUNIT_EXPECT_PTR_EQ(test, suitable->capc.zone, block->zone);
	KUNIT_EXPECT_PTR_EQ(test, run.page, block->page);
	KUNIT_EXPECT_EQ(test, run.result, COMPACT_SUCCESS);
	KUNIT_ASSERT_NOT_NULL(test, run.page);
	KUNIT_EXPECT_EQ_MSG(test, compound_order(run.page), 4,
			    "not prepared for the request's order");
	KUNIT_EXPECT_NULL_MSG(test, memchr_inv(page_address(run.page), 0, PAGE_SIZE << 4),
			      "__GFP_ZERO, but not zeroed");
	KUNIT_EXPECT_EQ(test, watch_count(run.watch, WATCH_BEGIN), 0);
}

/* try_to_compact_pages() alone: its result, and whether it clears the zone. */
struct bare_try {
	struct reach_request req;
	struct capture_control capc;
	enum compact_result result;
	struct watch *watch;
};

static int bare_try_task(void *data)
{
	struct bare_try *bare = data;
	int err;

	err = watch_start(bare->watch);
	if (err)
		return err;
	bare->result = reach_try_to_compact(&bare->req, pageblock_order, &bare->capc);
	watch_stop();
	return 0;
}

/* Try again if a block became free meanwhile: compaction has nothing to do then. */
static void bare_try_fragmented(struct kunit *test, struct zone *zone, struct bare_try *bare)
{
	int tries;

	for (tries = 0; tries < 3; tries++) {
		bare->watch->nr = 0;
		scene_fragment_zone(test, zone);
		scene_in_user_task(test, bare_try_task, bare);
		if (watch_first(bare->watch, WATCH_SUITABLE))
			return;
	}
	kunit_skip(test, "free blocks keep appearing");
}

static void capture_makes_success(struct kunit *test)
{
	struct scene_block *block = scene_block(test, pageblock_order, UNMOV);
	struct free_at at = prepare_free_at(test, WATCH_SUITABLE, block, 4);
	struct bare_try bare = {
		.req = { .gfp = GFP_KERNEL, .order = 4,
			 .prio = COMPACT_PRIO_SYNC_LIGHT },
		.capc = { .order = 4, .migratetype = UNMOV },
		.watch = kunit_kzalloc(test, sizeof(*bare.watch), GFP_KERNEL),
	};

	KUNIT_ASSERT_NOT_NULL(test, bare.watch);
	bare.watch->hook = free_at_event;
	bare.watch->hook_data = &at;
	scene_save_defer_state(test, block->zone);
	scene_set_int(test, reach_extfrag_threshold(), 1000);
	bare_try_fragmented(test, block->zone, &bare);

	KUNIT_EXPECT_PTR_EQ(test, bare.capc.page, block->page);
	KUNIT_EXPECT_EQ(test, bare.result, COMPACT_SUCCESS);
	KUNIT_EXPECT_NULL_MSG(test, bare.capc.zone, "still set after the zone was compacted");
	KUNIT_EXPECT_EQ(test, watch_count(bare.watch, WATCH_DEFER), 0);
	scene_return_captured(test, block->zone, &bare.capc);
}

/* Migration may write pages back: a request without __GFP_IO does not compact. */
static void capture_without_io(struct kunit *test)
{
	struct reach_request req = { .gfp = GFP_NOIO, .order = 4,
				     .prio = COMPACT_PRIO_SYNC_LIGHT };
	struct capture_control capc = { .order = 4, .migratetype = UNMOV };

	KUNIT_EXPECT_EQ(test, reach_try_to_compact(&req, pageblock_order, &capc),
			COMPACT_SKIPPED);
	KUNIT_EXPECT_NULL(test, capc.page);
}

/*
 * A whole compaction. The block has movable pages among unmovable ones,
 * '####mmmm####'. When they are migrated, the freed pages merge to the requested
 * order, '####CCCC####', in the middle of a compaction for whole blocks. The order is
 * larger than that of any other page the task may free: slabs, and with KASAN the
 * stack depot's spare pages.
 */
#define PLANTED_ORDER	4
#define PLANTED		BIT(PLANTED_ORDER)

struct whole {
	const char *name;
	unsigned int order;
	int block_type;
	int request_type;
	bool captured;
};

static const struct whole wholes[] = {
	{ .name = "unmovable from unmovable block", .order = PLANTED_ORDER,
	  .block_type = UNMOV, .request_type = UNMOV, .captured = true },
	{ .name = "unmovable from reclaimable block", .order = PLANTED_ORDER,
	  .block_type = RECL, .request_type = UNMOV, .captured = true },
	{ .name = "reclaimable from unmovable block", .order = PLANTED_ORDER,
	  .block_type = UNMOV, .request_type = RECL, .captured = true },
	{ .name = "another order than the one freed", .order = PLANTED_ORDER + 1,
	  .block_type = UNMOV, .request_type = UNMOV },
	{ .name = "unmovable from movable block", .order = PLANTED_ORDER,
	  .block_type = MOV, .request_type = UNMOV },
};

static void whole_desc(const struct whole *w, char *desc)
{
	strscpy(desc, w->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(whole, wholes, whole_desc);

static bool in_block(const struct page *page, const struct scene_block *block)
{
	return page && page_to_pfn(page) - block->pfn < 1UL << block->order;
}

static void read_account_locked(struct zone *zone, struct scene_account *account)
{
	guard(spinlock_irqsave)(&zone->lock);
	scene_read_account(zone, account);
}

struct whole_run {
	const struct whole *w;
	struct scene_run run;
};

/* An interrupt may free the last page instead, even after the compaction's end. */
static bool captured_by_then(const struct whole_run *wr, const struct scene_block *block)
{
	const struct watch_event *end = watch_last(wr->run.watch, WATCH_END);

	return end && in_block(end->capc.page, block);
}

/*
 * Compaction starts at the planted pages. An interrupt may still free another page
 * while the task compacts, and the task captures that one.
 */
static bool compact_planted(struct kunit *test, struct scene_block *block, void *arg)
{
	struct whole_run *wr = arg;

	scene_save_defer_state(test, block->zone);
	scene_plant_movable(test, block, PLANTED, PLANTED);
	scene_set_type(block, wr->w->block_type);
	scene_compact_fragmented(test, block->zone, block->pfn + PLANTED, &wr->run);
	/* With superpageblocks another task may migrate the pages just before. */
	if (IS_ENABLED(CONFIG_SUPERPAGEBLOCK) && wr->run.watch->moved < PLANTED)
		return false;
	return !wr->w->captured || (in_block(wr->run.page, block) && captured_by_then(wr, block));
}

static void capture_end_to_end(struct kunit *test)
{
	const struct whole *w = test->param_value;
	struct scene_block *block;
	struct scene_account account;
	struct whole_run wr = {
		.w = w,
		.run.req = { .gfp = SCENE_GFP(w->request_type) | __GFP_COMP,
			     .order = w->order, .prio = COMPACT_PRIO_SYNC_LIGHT,
			     .set_flags = ALLOC_NOFRAGMENT },
	};
	const struct watch_event *end;

	if (!ALLOC_NOFRAGMENT)
		kunit_skip(test, "ALLOC_NOFRAGMENT is 0 without CONFIG_ZONE_DMA32");
	scene_without_defrag(test);
	block = scene_retry(test, compact_planted, &wr);
	KUNIT_ASSERT_NOT_NULL(test, watch_first(wr.run.watch, WATCH_TRY_TO_COMPACT));
	KUNIT_EXPECT_EQ_MSG(test, watch_first(wr.run.watch, WATCH_TRY_TO_COMPACT)->order,
			    pageblock_order, "compaction is for a whole block");
	end = watch_last(wr.run.watch, WATCH_END);
	KUNIT_ASSERT_NOT_NULL_MSG(test, end, "compaction did not run");
	KUNIT_EXPECT_GE_MSG(test, wr.run.watch->moved, PLANTED, "the planted pages did not move");
	KUNIT_EXPECT_EQ(test, end->capc.order, w->order);
	KUNIT_EXPECT_EQ_MSG(test, in_block(end->capc.page, block), w->captured, "%s", w->name);
	KUNIT_EXPECT_EQ_MSG(test, in_block(wr.run.page, block), w->captured, "%s", w->name);
	if (w->captured) {
		KUNIT_EXPECT_PTR_EQ(test, wr.run.page, block->page + PLANTED);
		KUNIT_EXPECT_EQ(test, compound_order(wr.run.page), w->order);
		KUNIT_EXPECT_EQ(test, wr.run.result, COMPACT_SUCCESS);
	}
	read_account_locked(block->zone, &account);
	KUNIT_EXPECT_EQ_MSG(test, account.free, account.listed,
			    "NR_FREE_PAGES is not the number of pages on the free lists");
	KUNIT_EXPECT_FALSE(test, wr.run.still_published);
}

/* The capture control names each zone while that one is compacted. */
static void capture_zone_by_zone(struct kunit *test)
{
	struct zone *zone = scene_zone();
	struct scene_run run = {
		.req = { .gfp = GFP_HIGHUSER_MOVABLE, .order = pageblock_order,
			 .prio = COMPACT_PRIO_SYNC_LIGHT },
	};
	struct zone *movable = &zone->zone_pgdat->node_zones[ZONE_MOVABLE];
	unsigned int i, zones = 0;

	if (!populated_zone(movable))
		kunit_skip(test, "only one populated zone; needs movablecore=");
	scene_save_defer_state(test, zone);
	scene_save_defer_state(test, movable);
	scene_set_int(test, reach_extfrag_threshold(), 1000);
	scene_fragment_zone(test, zone);
	scene_compact_fragmented(test, movable, movable->zone_start_pfn, &run);

	for (i = 0; i < run.watch->nr; i++) {
		const struct watch_event *event = &run.watch->events[i];

		if (event->kind != WATCH_SUITABLE)
			continue;
		zones++;
		KUNIT_EXPECT_PTR_EQ(test, event->capc.zone, event->zone);
	}
	KUNIT_EXPECT_EQ_MSG(test, zones, 2, "zones that compaction checked");
}

static struct kunit_case capture_cases[] = {
	KUNIT_CASE_PARAM(capture_decision, decision_gen_params),
	KUNIT_CASE(capture_without_control),
	KUNIT_CASE(capture_while_merging),
	KUNIT_CASE(capture_not_past_the_order),
	KUNIT_CASE(capture_merged_blocks),
	KUNIT_CASE(capture_not_at_max_order),
	KUNIT_CASE(capture_account_highatomic),
	KUNIT_CASE(capture_account_cma),
	KUNIT_CASE_PARAM(capture_place, place_gen_params),
	KUNIT_CASE(capture_published_complete),
	KUNIT_CASE(capture_though_skipped),
	KUNIT_CASE(capture_makes_success),
	KUNIT_CASE(capture_without_io),
	KUNIT_CASE_PARAM(capture_end_to_end, whole_gen_params),
	KUNIT_CASE(capture_zone_by_zone),
	{}
};

static struct kunit_suite capture_suite = {
	.name = "fragbed_capture",
	.suite_init = scene_suite_init,
	.suite_exit = scene_suite_exit,
	.test_cases = capture_cases,
};

kunit_test_suite(capture_suite);

MODULE_DESCRIPTION("KUnit tests for compaction capture");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");

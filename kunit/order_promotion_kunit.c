// SPDX-License-Identifier: GPL-2.0
/*
 * Order promotion under vm.defrag_mode: when direct compaction and direct reclaim
 * work for a whole pageblock instead of the requested order. The rules are those of
 * __alloc_pages_direct_compact() and __alloc_pages_direct_reclaim() in
 * mm/page_alloc.c.
 */
#include <kunit/test.h>
#include <linux/module.h>

#include "scene.h"

#define UNMOV	MIGRATE_UNMOVABLE
#define MOV	MIGRATE_MOVABLE
#define RECL	MIGRATE_RECLAIMABLE

#define NOT_ENTERED	-1

struct promotion {
	const char *name;
	int request_type;
	int order;
	bool nofragment;
	int worked_for;		/* order of compaction, or NOT_ENTERED */
};

static const struct promotion promotions[] = {
	{ .name = "unmovable, order 0", .request_type = UNMOV, .order = 0,
	  .nofragment = true, .worked_for = SCENE_PB(0) },
	{ .name = "unmovable, order 3", .request_type = UNMOV, .order = 3,
	  .nofragment = true, .worked_for = SCENE_PB(0) },
	{ .name = "unmovable, below block", .request_type = UNMOV,
	  .order = SCENE_PB(-1), .nofragment = true,
	  .worked_for = SCENE_PB(0) },
	{ .name = "unmovable, block", .request_type = UNMOV,
	  .order = SCENE_PB(0), .nofragment = true, .worked_for = SCENE_PB(0) },
	{ .name = "unmovable, largest", .request_type = UNMOV,
	  .order = SCENE_MAX, .nofragment = true, .worked_for = SCENE_MAX },
	{ .name = "reclaimable, order 0", .request_type = RECL, .order = 0,
	  .nofragment = true, .worked_for = SCENE_PB(0) },
	{ .name = "reclaimable, order 2", .request_type = RECL, .order = 2,
	  .nofragment = true, .worked_for = SCENE_PB(0) },
	{ .name = "reclaimable, largest", .request_type = RECL,
	  .order = SCENE_MAX, .nofragment = true, .worked_for = SCENE_MAX },
	{ .name = "movable, order 0", .request_type = MOV, .order = 0,
	  .nofragment = true, .worked_for = NOT_ENTERED },
	{ .name = "movable, order 1", .request_type = MOV, .order = 1,
	  .nofragment = true, .worked_for = 1 },
	{ .name = "movable, order 3", .request_type = MOV, .order = 3,
	  .nofragment = true, .worked_for = 3 },
	{ .name = "movable, block", .request_type = MOV, .order = SCENE_PB(0),
	  .nofragment = true, .worked_for = SCENE_PB(0) },
	{ .name = "fallback allowed, unmovable, order 0", .request_type = UNMOV,
	  .order = 0, .worked_for = NOT_ENTERED },
	{ .name = "fallback allowed, unmovable, order 1", .request_type = UNMOV,
	  .order = 1, .worked_for = 1 },
	{ .name = "fallback allowed, unmovable, order 3", .request_type = UNMOV,
	  .order = 3, .worked_for = 3 },
	{ .name = "fallback allowed, reclaimable, order 2",
	  .request_type = RECL, .order = 2, .worked_for = 2 },
	{ .name = "fallback allowed, reclaimable, order 0",
	  .request_type = RECL, .order = 0, .worked_for = NOT_ENTERED },
	{ .name = "fallback allowed, movable, order 0", .request_type = MOV,
	  .order = 0, .worked_for = NOT_ENTERED },
	{ .name = "fallback allowed, movable, order 3", .request_type = MOV,
	  .order = 3, .worked_for = 3 },
	{ .name = "fallback allowed, unmovable, largest", .request_type = UNMOV,
	  .order = SCENE_MAX, .worked_for = SCENE_MAX },
};

static void promotion_desc(const struct promotion *p, char *desc)
{
	strscpy(desc, p->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(promotion, promotions, promotion_desc);

static void require_nofragment(struct kunit *test)
{
	if (!ALLOC_NOFRAGMENT)
		kunit_skip(test, "ALLOC_NOFRAGMENT is 0 without CONFIG_ZONE_DMA32");
}

static struct scene_run request(const struct promotion *p)
{
	struct scene_run run = {
		.req = { .gfp = SCENE_GFP(p->request_type) | __GFP_COMP |
				__GFP_NOWARN,
			 .order = scene_order(p->order),
			 .prio = COMPACT_PRIO_SYNC_LIGHT },
	};

	if (p->nofragment)
		run.req.set_flags = ALLOC_NOFRAGMENT;
	else
		run.req.clear_flags = ALLOC_NOFRAGMENT;
	return run;
}

static void promotion_compact(struct kunit *test)
{
	const struct promotion *p = test->param_value;
	struct scene_run run = request(p);
	const struct watch_event *try;

	if (p->nofragment)
		require_nofragment(test);
	scene_save_defer_state(test, scene_zone());
	scene_direct_compact(test, &run);
	try = watch_first(run.watch, WATCH_TRY_TO_COMPACT);

	if (p->worked_for == NOT_ENTERED) {
		KUNIT_EXPECT_NULL_MSG(test, try, "%s: compaction entered for order %d",
				      p->name, try ? try->order : -1);
		KUNIT_EXPECT_NULL(test, run.page);
		KUNIT_EXPECT_EQ(test, run.watch->nr, 0);
		return;
	}
	KUNIT_ASSERT_NOT_NULL_MSG(test, try, "%s: compaction not entered", p->name);
	KUNIT_EXPECT_EQ_MSG(test, try->order, scene_order(p->worked_for),
			    "%s: %s request of order %u, %sfragment", p->name,
			    reach_type_name(p->request_type), run.req.order,
			    p->nofragment ? "no" : "");
	KUNIT_EXPECT_EQ_MSG(test, try->capc.order, run.req.order,
			    "capture is for the request's order");
	KUNIT_EXPECT_EQ(test, try->capc.migratetype, p->request_type);
	KUNIT_EXPECT_EQ(test, try->value, COMPACT_PRIO_SYNC_LIGHT);
}

/* The allocated page has the requested order, not the promoted one. */
static void promotion_page_order(struct kunit *test)
{
	const struct promotion *p = test->param_value;
	struct scene_run run = request(p);

	if (p->nofragment)
		require_nofragment(test);
	scene_save_defer_state(test, scene_zone());
	scene_direct_compact(test, &run);
	if (p->worked_for == NOT_ENTERED) {
		KUNIT_EXPECT_NULL(test, run.page);
		return;
	}
	if (!run.page)
		kunit_skip(test, "%s: no page of order %u was free", p->name, run.req.order);
	KUNIT_EXPECT_EQ_MSG(test, compound_order(run.page), run.req.order, "%s", p->name);
	KUNIT_EXPECT_EQ(test, page_count(run.page), 1);
}

static void promotion_reclaim(struct kunit *test)
{
	const struct promotion *p = test->param_value;
	struct scene_run run = request(p);
	const struct watch_event *reclaim;
	int order = p->worked_for == NOT_ENTERED ? 0 : scene_order(p->worked_for);

	if (p->nofragment)
		require_nofragment(test);
	scene_direct_reclaim(test, &run);
	reclaim = watch_first(run.watch, WATCH_RECLAIM);
	KUNIT_ASSERT_NOT_NULL_MSG(test, reclaim, "%s: reclaim not entered", p->name);
	KUNIT_EXPECT_EQ_MSG(test, reclaim->order, order, "%s: %s request of order %u",
			    p->name, reach_type_name(p->request_type), run.req.order);
	if (run.page)
		KUNIT_EXPECT_EQ(test, run.req.order ? compound_order(run.page) : 0, run.req.order);
}

/* For which order a success resets the zone's compaction deferral. */
static void promotion_defer_reset(struct kunit *test)
{
	const struct promotion *p = test->param_value;
	struct scene_run run = request(p);
	struct zone *zone = scene_zone();
	unsigned int i;

	if (p->worked_for == NOT_ENTERED)
		return;
	if (p->nofragment)
		require_nofragment(test);
	scene_save_defer_state(test, zone);
	zone->compact_defer_shift = 3;
	zone->compact_considered = 8;
	scene_direct_compact(test, &run);
	if (!run.page)
		kunit_skip(test, "%s: no page of order %u was free", p->name, run.req.order);
	for (i = 0; i < run.watch->nr; i++)
		if (run.watch->events[i].kind == WATCH_DEFER_RESET)
			KUNIT_EXPECT_EQ_MSG(test, run.watch->events[i].order,
					    scene_order(p->worked_for), "%s", p->name);
	KUNIT_EXPECT_EQ_MSG(test, watch_count(run.watch, WATCH_DEFER_RESET), 2,
			    "once for the zone, once for the page");
	KUNIT_EXPECT_EQ_MSG(test, zone->compact_order_failed,
			    scene_order(p->worked_for) + 1, "%s", p->name);
	KUNIT_EXPECT_EQ(test, zone->compact_defer_shift, 0);
	KUNIT_EXPECT_EQ(test, zone->compact_considered, 0);
}

/*
 * Compaction of pageblock_order is deferred in the zone: a promoted request does not
 * compact, a request that compacts for its own order does.
 */
static void promotion_deferred(struct kunit *test)
{
	const struct promotion *p = test->param_value;
	struct scene_run run = request(p);
	struct zone *zone = scene_zone();
	bool deferred = p->worked_for == NOT_ENTERED ? false :
			scene_order(p->worked_for) >= pageblock_order;

	if (p->nofragment)
		require_nofragment(test);
	scene_save_defer_state(test, zone);
	zone->compact_order_failed = pageblock_order;
	zone->compact_defer_shift = 3;
	scene_direct_compact(test, &run);
	KUNIT_EXPECT_EQ_MSG(test, watch_count(run.watch, WATCH_DEFERRED), deferred,
			    "%s: %s request of order %u", p->name,
			    reach_type_name(p->request_type), run.req.order);
	/* With superpageblocks the request may be served from a tainted one. */
	if (deferred && !IS_ENABLED(CONFIG_SUPERPAGEBLOCK)) {
		KUNIT_EXPECT_EQ(test, run.result, COMPACT_DEFERRED);
		KUNIT_EXPECT_NULL(test, run.page);
	}
}

/* '#.......' in every block: compaction fails. For which order is it deferred? */
static void promotion_failure(struct kunit *test)
{
	static const struct promotion unmovable = {
		.request_type = UNMOV, .order = 3, .nofragment = true,
	};
	struct scene_run run = request(&unmovable);
	const struct watch_event *begin = NULL, *defer = NULL;
	struct zone *zone = scene_zone();
	int tries;

	require_nofragment(test);
	scene_save_defer_state(test, zone);
	/* If a page becomes free during the scan, compaction may succeed. */
	for (tries = 0; tries < 3 && !defer; tries++) {
		zone->compact_order_failed = MAX_PAGE_ORDER + 1;
		scene_compact_fragmented(test, zone, zone->zone_start_pfn, &run);
		begin = watch_first(run.watch, WATCH_BEGIN);
		defer = watch_first(run.watch, WATCH_DEFER);
	}
	KUNIT_ASSERT_NOT_NULL_MSG(test, begin, "compaction did not run");
	KUNIT_ASSERT_NOT_NULL_MSG(test, defer, "compaction did not fail");
	KUNIT_EXPECT_EQ(test, begin->order, pageblock_order);
	KUNIT_EXPECT_EQ(test, defer->order, pageblock_order);
}

/*
 * alloc_pages() itself. No page of the request's migratetype is free, and compaction
 * can free one block only, '....mmmm....'. With defrag_mode the request waits for
 * that block; without, it allocates from another movable block at once.
 */
struct slow {
	const char *name;
	int request_type;
	int order;
	int defrag_mode;
};

static const struct slow slows[] = {
	{ .name = "defrag_mode, unmovable, order 0", .request_type = UNMOV,
	  .order = 0, .defrag_mode = 1 },
	{ .name = "defrag_mode, unmovable, below block", .request_type = UNMOV,
	  .order = SCENE_PB(-1), .defrag_mode = 1 },
	{ .name = "defrag_mode, reclaimable, order 0", .request_type = RECL,
	  .order = 0, .defrag_mode = 1 },
	{ .name = "unmovable, order 0", .request_type = UNMOV, .order = 0 },
	{ .name = "reclaimable, order 0", .request_type = RECL, .order = 0 },
};

static void slow_desc(const struct slow *s, char *desc)
{
	strscpy(desc, s->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(slow, slows, slow_desc);

static bool is_from(const struct page *page, const struct scene_block *block)
{
	return page && page_to_pfn(page) >> pageblock_order ==
		       block->pfn >> pageblock_order;
}

/*
 * Compaction can free one block of the zone. Another task may allocate it first, or
 * kcompactd may free it before the request has to.
 */
static bool alloc_slowly(struct kunit *test, struct scene_block *block, void *arg)
{
	struct scene_run *run = arg;

	scene_end_exhaustion(test, run);
	scene_save_defer_state(test, block->zone);
	scene_plant_movable(test, block, 4, 4);
	scene_free_rest(block);
	scene_fragment_zone(test, block->zone);
	scene_place_scanner(block->zone, block->pfn + 4);
	scene_alloc_exhausted(test, run);
	return !run->defrag_mode ||
	       (is_from(run->page, block) &&
		watch_first(run->watch, WATCH_TRY_TO_COMPACT));
}

static void promotion_end_to_end(struct kunit *test)
{
	const struct slow *s = test->param_value;
	struct scene_run run = {
		.req = { .gfp = SCENE_GFP(s->request_type) | __GFP_NORETRY | __GFP_NOWARN,
			 .nid = zone_to_nid(scene_zone()),
			 .order = scene_order(s->order) },
		.defrag_mode = s->defrag_mode,
	};
	const struct watch_event *try, *reclaim;
	struct scene_block *block;

	require_nofragment(test);
	if (IS_ENABLED(CONFIG_SUPERPAGEBLOCK))
		kunit_skip(test, "steering serves the request; needs CONFIG_SUPERPAGEBLOCK=n");
	block = scene_retry(test, alloc_slowly, &run);
	try = watch_first(run.watch, WATCH_TRY_TO_COMPACT);
	reclaim = watch_first(run.watch, WATCH_RECLAIM);
	if (!s->defrag_mode) {
		KUNIT_EXPECT_NOT_NULL_MSG(test, run.page, "%s", s->name);
		KUNIT_EXPECT_NULL_MSG(test, try, "%s: compaction entered", s->name);
		return;
	}
	KUNIT_ASSERT_NOT_NULL_MSG(test, try, "%s: compaction not entered", s->name);
	KUNIT_EXPECT_EQ_MSG(test, try->order, pageblock_order, "%s", s->name);
	KUNIT_EXPECT_EQ(test, try->capc.order, run.req.order);
	if (reclaim)
		KUNIT_EXPECT_EQ(test, reclaim->order, pageblock_order);
	KUNIT_EXPECT_TRUE_MSG(test, is_from(run.page, block),
			      "%s: not from the block that compaction freed", s->name);
	KUNIT_EXPECT_EQ_MSG(test, reach_pageblock_type(block->page), s->request_type,
			    "%s: the block was not converted", s->name);
}

/* Lockdep treats compaction as fs reclaim if the request has __GFP_FS. */
struct annotation {
	const char *name;
	gfp_t gfp;
	unsigned int order;
	bool held;
};

static const struct annotation annotations[] = {
	{ .name = "GFP_KERNEL, order 0", .gfp = GFP_KERNEL, .order = 0,
	  .held = true },
	{ .name = "GFP_KERNEL, order 3", .gfp = GFP_KERNEL, .order = 3,
	  .held = true },
	{ .name = "GFP_NOFS, order 3", .gfp = GFP_NOFS, .order = 3 },
};

static void annotation_desc(const struct annotation *a, char *desc)
{
	strscpy(desc, a->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(annotation, annotations, annotation_desc);

static void promotion_lockdep(struct kunit *test)
{
	const struct annotation *a = test->param_value;
	struct scene_run run = {
		.req = { .gfp = a->gfp | __GFP_NOWARN, .order = a->order,
			 .prio = COMPACT_PRIO_SYNC_LIGHT,
			 .set_flags = ALLOC_NOFRAGMENT },
	};
	const struct watch_event *try;

	require_nofragment(test);
	if (!IS_ENABLED(CONFIG_LOCKDEP) || !debug_locks)
		kunit_skip(test, "lockdep is off; needs CONFIG_PROVE_LOCKING");
	scene_save_defer_state(test, scene_zone());
	scene_direct_compact(test, &run);
	try = watch_first(run.watch, WATCH_TRY_TO_COMPACT);
	KUNIT_ASSERT_NOT_NULL_MSG(test, try, "%s: compaction not entered", a->name);
	KUNIT_EXPECT_EQ_MSG(test, try->fs_reclaim, a->held, "%s", a->name);
	KUNIT_EXPECT_FALSE_MSG(test, run.still_annotated, "%s: annotation left behind", a->name);
}

static struct kunit_case promotion_cases[] = {
	KUNIT_CASE_PARAM(promotion_compact, promotion_gen_params),
	KUNIT_CASE_PARAM(promotion_page_order, promotion_gen_params),
	KUNIT_CASE_PARAM(promotion_reclaim, promotion_gen_params),
	KUNIT_CASE_PARAM(promotion_defer_reset, promotion_gen_params),
	KUNIT_CASE_PARAM(promotion_deferred, promotion_gen_params),
	KUNIT_CASE(promotion_failure),
	KUNIT_CASE_PARAM(promotion_end_to_end, slow_gen_params),
	KUNIT_CASE_PARAM(promotion_lockdep, annotation_gen_params),
	{}
};

static struct kunit_suite promotion_suite = {
	.name = "fragbed_order_promotion",
	.suite_init = scene_suite_init,
	.suite_exit = scene_suite_exit,
	.test_cases = promotion_cases,
};

kunit_test_suite(promotion_suite);

MODULE_DESCRIPTION("KUnit tests for order promotion under defrag_mode");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");

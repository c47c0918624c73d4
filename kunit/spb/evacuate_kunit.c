// SPDX-License-Identifier: GPL-2.0
/*
 * Evacuation: a request that would taint a superpageblock frees up space in a tainted
 * one first, and on demand a clean one is emptied. The drawings are those of stage.h.
 */
#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/compaction.h>
#include <linux/gfp.h>
#include <linux/module.h>

#include "../../internal.h"
#include "stage.h"

#define UNMOV	MIGRATE_UNMOVABLE
#define MOV	MIGRATE_MOVABLE
#define RECL	MIGRATE_RECLAIMABLE

#define NOFRAG	ALLOC_NOFRAGMENT
#define HOLE	BIT(STAGE_HOLE)
#define BLOCK	pageblock_nr_pages

/* Number of blocks of each kind that a request tries. */
#define TRIES	8

/* --- Space for a request ---------------------------------------------------- */

struct room_row {
	const char *name;
	const char *scene;	/* afterwards all free pages are allocated, by claiming blocks */
	gfp_t gfp;
	unsigned int order;
	unsigned int alloc_flags;
	bool served;		/* space was freed up */
	unsigned int mixed;	/* non-movable blocks out of which pages were migrated */
	unsigned int blocks;	/* movable blocks out of which pages were migrated */
	bool in_vain;
	const char *beside;	/* another SPB, or NULL */
	unsigned int unmixed;	/* first blocks, wrongly recorded to have movable pages */
};

static const struct room_row rooms[] = {
	{ "a whole block", "ULLM", GFP_KERNEL, 0, NOFRAG, true, 0, 1 },
	{ "reclaimable: as well", "RLLM", GFP_KERNEL | __GFP_RECLAIMABLE, 0, NOFRAG, true, 0, 1 },
	{ "a claimed block: a page of it will do", "UylLM", GFP_KERNEL, 0, NOFRAG, true, 1, 0 },
	{ "reclaimable: a page of its own", "UzlLM", GFP_KERNEL | __GFP_RECLAIMABLE, 0, NOFRAG,
	  true, 1, 0 },
	{ "it was claimed for the other type", "UyLM", GFP_KERNEL | __GFP_RECLAIMABLE, 0, NOFRAG,
	  true, 0, 1 },
	{ "last of all, a page of the other type to borrow", "UzM", GFP_KERNEL, 0, NOFRAG,
	  true, 1, 0 },
	{ "reclaimable: of an unmovable one", "UyM", GFP_KERNEL | __GFP_RECLAIMABLE, 0, NOFRAG,
	  true, 1, 0 },
	{ "order 3 to borrow", "UzM", GFP_KERNEL, 3, NOFRAG, true, 1, 0 },
	{ "one that would not move is passed over", "UMMLM", GFP_KERNEL, 0, NOFRAG, true, 0, 1 },
	{ "order 3", "ULLM", GFP_KERNEL, 3, NOFRAG, true, 0, 1 },
	{ "a whole block is wanted", "UyLM", GFP_KERNEL, SCENE_PB(0), NOFRAG, true, 1, 1 },
	{ "nothing moves", "UM", GFP_KERNEL, 0, NOFRAG, false, 0, 0, true },
	{ "nothing is movable", "U", GFP_KERNEL, 0, NOFRAG, false, 0, 0, true },
	{ "what is in a clean one is of no use", "U", GFP_KERNEL, 0, NOFRAG, false, 0, 0, true,
	  "L." },
	{ "one that may taint", "ULLM", GFP_KERNEL, 0, 0, false },
	{ "a movable request", "ULLM", GFP_KERNEL | __GFP_MOVABLE, 0, NOFRAG, false },
	{ "one that may not enter file systems", "ULLM", GFP_NOFS, 0, NOFRAG, false, 0, 0, true },
	{ "one that may not start I/O", "ULLM", GFP_NOIO, 0, NOFRAG, false },
};

KUNIT_ARRAY_PARAM_DESC(room, rooms, name);

static struct alloc_context context_of(gfp_t gfp)
{
	struct alloc_context ac = {
		.migratetype = gfp_migratetype(gfp),
		.highest_zoneidx = gfp_zone(gfp),
		.zonelist = node_zonelist(zone_to_nid(scene_zone()), gfp),
	};

	ac.preferred_zoneref = first_zones_zonelist(ac.zonelist, ac.highest_zoneidx, NULL);
	return ac;
}

/* The next request starts its search at the stage. */
static void start_at_stage(struct spb_stage *stage)
{
	guard(spinlock_irqsave)(&stage->zone->lock);
	stage->zone->spb->room_from = (unsigned long)stage->spb[0] * SPB_BLOCKS;
}

#define PLAYS 8

/* Another task freed a page after all were allocated: the request found that one. */
static bool had_page(const struct spb_pressure *pressure, enum compact_result result)
{
	return result == COMPACT_SUCCESS && !spb_grown(pressure, SPB_MADE_ROOM_MIXED) &&
	       !spb_grown(pressure, SPB_MADE_ROOM_BLOCK);
}

/* Or another task claimed the block that was emptied, and the request emptied another. */
static bool is_disturbed(const struct spb_pressure *pressure, const struct room_row *row,
			 enum compact_result result)
{
	return had_page(pressure, result) ||
	       spb_grown(pressure, SPB_MADE_ROOM_BLOCK) > row->blocks;
}

/* Wrongly record that the first blocks of the stage have movable pages. */
static void note_mixed(struct spb_stage *stage, unsigned int blocks)
{
	unsigned int block;

	guard(spinlock_irqsave)(&stage->zone->lock);
	for (block = 0; block < blocks; block++)
		__spb_mixed(pfn_to_page(spb_stage_pfn(stage, 0, block)), true);
}

static struct spb_pressure *play(struct kunit *test, const struct room_row *row,
				 enum compact_result *result)
{
	const struct alloc_context ac = context_of(row->gfp);
	const char *const scene[] = { row->scene, row->beside };
	struct spb_pressure *pressure = NULL;
	int i;

	for (i = 0; i < PLAYS; i++) {
		if (pressure)
			spb_relieve(test, pressure);
		pressure = spb_press_all(test, scene, row->beside ? 2 : 1);
		note_mixed(pressure->stage, row->unmixed);
		start_at_stage(pressure->stage);
		*result = COMPACT_SKIPPED;
		spb_stop_clock(test);
		spb_make_room(row->gfp, scene_order(row->order), row->alloc_flags, &ac, result);
		if (!is_disturbed(pressure, row, *result))
			break;
	}
	return pressure;
}

static void make_room(struct kunit *test)
{
	const struct room_row *row = test->param_value;
	enum compact_result result;
	struct spb_pressure *pressure = play(test, row, &result);

	KUNIT_EXPECT_EQ_MSG(test, result, row->served ? COMPACT_SUCCESS : COMPACT_SKIPPED,
			    "%s: served", row->name);
	KUNIT_EXPECT_EQ_MSG(test, spb_grown(pressure, SPB_MADE_ROOM_MIXED), row->mixed,
			    "%s: mixed", row->name);
	KUNIT_EXPECT_EQ_MSG(test, spb_grown(pressure, SPB_MADE_ROOM_BLOCK), row->blocks,
			    "%s: blocks", row->name);
	KUNIT_EXPECT_EQ_MSG(test, spb_grown(pressure, SPB_MADE_NO_ROOM) > 0, row->in_vain,
			    "%s: in vain", row->name);
	KUNIT_EXPECT_EQ(test, spb_grown(pressure, SPB_TO_TAINTED), 0);
	KUNIT_EXPECT_EQ(test, spb_grown(pressure, SPB_TAINT), 0);
	spb_stage_expect_true(test, pressure->stage->zone, row->name);
}

/* A request tries a bounded number of blocks; the next one goes on behind them. */
static void make_room_tries(struct kunit *test)
{
	static const struct room_row row = { "", "UM", GFP_KERNEL, 0, NOFRAG };
	enum compact_result result;
	struct spb_pressure *pressure = play(test, &row, &result);
	unsigned long from = (unsigned long)pressure->stage->spb[0] * SPB_BLOCKS;
	const struct alloc_context ac = context_of(GFP_KERNEL);

	/* The first block is unmovable and has no movable pages. */
	KUNIT_EXPECT_EQ(test, pressure->spbs->room_from - from, TRIES + 1);
	KUNIT_EXPECT_EQ(test, spb_grown(pressure, SPB_MADE_NO_ROOM), 1);
	spb_make_room(GFP_KERNEL, 0, NOFRAG, &ac, &result);
	if (had_page(pressure, result))
		kunit_skip(test, "another task freed a page");
	KUNIT_EXPECT_EQ(test, pressure->spbs->room_from - from, 2 * TRIES + 1);
	KUNIT_EXPECT_EQ(test, spb_grown(pressure, SPB_MADE_NO_ROOM), 2);
}

/* Blocks that no longer have movable pages are skipped and do not count as tries. */
static void make_room_past_unmixed(struct kunit *test)
{
	static const struct room_row row = { "", "UUUUUUUUUUUUyU", GFP_KERNEL, 0, NOFRAG,
					     .unmixed = 12 };
	enum compact_result result;
	struct spb_pressure *pressure = play(test, &row, &result);

	KUNIT_EXPECT_EQ(test, result, COMPACT_SUCCESS);
	KUNIT_EXPECT_EQ(test, spb_grown(pressure, SPB_MADE_ROOM_MIXED), 1);
}

/* If a page is free already, nothing is migrated. */
static void make_room_where_there_is(struct kunit *test)
{
	struct spb_pressure *pressure = spb_press(test, "ULLM");
	const struct alloc_context ac = context_of(GFP_KERNEL);
	enum compact_result result = COMPACT_SKIPPED;

	start_at_stage(pressure->stage);
	__free_page(spb_take_back(test, pressure));
	reach_drain_free_pages();
	spb_make_room(GFP_KERNEL, 0, NOFRAG, &ac, &result);
	KUNIT_EXPECT_EQ(test, result, COMPACT_SUCCESS);
	KUNIT_EXPECT_EQ(test, spb_grown(pressure, SPB_MADE_ROOM_BLOCK), 0);
	KUNIT_EXPECT_EQ(test, spb_grown(pressure, SPB_MOVED), 0);
}

struct plain_row {
	const char *name;
	const char *scene;
	gfp_t gfp;
	unsigned int order;
};

static const struct plain_row plains[] = {
	{ "plain", "ULLLLM", GFP_KERNEL, 0 },
	{ "reclaimable", "ULLLLM", GFP_KERNEL | __GFP_RECLAIMABLE, 0 },
	{ "order 3", "ULLLLM", GFP_KERNEL, 3 },
	{ "a page that may fail", "ULLLLM", GFP_KERNEL | __GFP_NORETRY, 0 },
	{ "a page to borrow", "UzzM", GFP_KERNEL, 0 },
};

KUNIT_ARRAY_PARAM_DESC(plain, plains, name);

/* A whole request does not taint while a tainted SPB has memory that can migrate. */
static void plain_request(struct kunit *test)
{
	const struct plain_row *row = test->param_value;
	struct spb_pressure *pressure = spb_press(test, row->scene);
	struct page *page;

	start_at_stage(pressure->stage);
	page = alloc_pages(row->gfp, row->order);
	KUNIT_EXPECT_NOT_NULL(test, page);
	KUNIT_EXPECT_EQ_MSG(test, spb_grown(pressure, SPB_TAINT), 0, "%s: tainted", row->name);
	if (page)
		__free_pages(page, row->order);
}

/* --- On demand -------------------------------------------------------------- */

struct empty_row {
	const char *name;
	const char *scene[2];	/* the first one is emptied */
	int ret;
	enum spb_stop stop;
	unsigned int blocks;	/* blocks whose pages were all migrated */
};

static const struct empty_row empties[] = {
	{ "some blocks", { "lll.", "M." }, 0, SPB_STOP_EMPTY, 3 },
	{ "the last block", { "...............................l", "M." }, 0, SPB_STOP_EMPTY, 1 },
	{ "empty already", { "." }, 0, SPB_STOP_EMPTY, 0 },
	{ "room in a tainted one above its reserve", { "ll.", "U.......U" }, 0,
	  SPB_STOP_EMPTY, 2 },
	{ "what does not move is in the way", { "lM.", "M." }, -EBUSY, SPB_STOP_STUCK, 0 },
	{ "a tainted one", { "lU." }, -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(empty, empties, name);

/* No block is still isolated. */
static void expect_not_isolated(struct kunit *test, struct spb_stage *stage)
{
	unsigned int block;

	for (block = 0; block < SPB_BLOCKS; block++) {
		struct page *page = pfn_to_page(spb_stage_pfn(stage, 0, block));

		KUNIT_EXPECT_NE_MSG(test, get_pageblock_migratetype(page), MIGRATE_ISOLATE,
				    "block %u", block);
	}
	spb_stage_expect_true(test, stage->zone, "evacuated");
}

static void empty(struct kunit *test)
{
	const struct empty_row *row = test->param_value;
	struct spb_stage *stage = spb_stage(test, row->scene, row->scene[1] ? 2 : 1);
	const struct spb_limits limits = spb_limits_soon(ULONG_MAX);
	struct spb_moved moved;
	struct spb_info info;

	KUNIT_EXPECT_EQ_MSG(test, spb_evacuate(stage->zone, stage->spb[0], &limits, &moved),
			    row->ret, "%s", row->name);
	KUNIT_EXPECT_EQ_MSG(test, moved.pages, row->blocks * (BLOCK - HOLE), "%s: pages",
			    row->name);
	if (row->ret != -EINVAL)
		KUNIT_EXPECT_EQ_MSG(test, moved.stop, row->stop, "%s: stop", row->name);
	spb_get_info(stage->zone, stage->spb[0], &info);
	if (!row->ret) {
		KUNIT_EXPECT_EQ_MSG(test, info.category, SPB_EMPTY, "%s", row->name);
		KUNIT_EXPECT_EQ_MSG(test, info.claimable, info.blocks, "%s: claimable", row->name);
		KUNIT_EXPECT_EQ(test, moved.fixed, 0);
	}
	if (row->ret == -EBUSY)
		KUNIT_EXPECT_EQ_MSG(test, moved.fixed, BLOCK, "%s: fixed", row->name);
	expect_not_isolated(test, stage);
}

static void empty_pinned(struct kunit *test)
{
	static const char *const scene[] = { "ll.", "M." };
	struct spb_stage *stage = spb_stage(test, scene, 2);
	struct page *page = pfn_to_page(spb_stage_pfn(stage, 0, 1) + HOLE + 50);
	const struct spb_limits limits = spb_limits_soon(ULONG_MAX);
	struct spb_moved moved;

	spb_pin(test, page);
	KUNIT_EXPECT_EQ(test, spb_evacuate(stage->zone, stage->spb[0], &limits, &moved), -EBUSY);
	KUNIT_EXPECT_EQ(test, moved.pages, 2 * (BLOCK - HOLE) - 1);
	KUNIT_EXPECT_EQ(test, moved.pinned, 1);
	KUNIT_EXPECT_EQ(test, moved.busy + moved.no_target + moved.fixed, 0);
	KUNIT_EXPECT_EQ(test, moved.stop, SPB_STOP_STUCK);
	KUNIT_EXPECT_FALSE(test, spb_stage_spb(stage, 0)->tainted);
	expect_not_isolated(test, stage);
	spb_unpin(test, page);
	KUNIT_EXPECT_EQ(test, spb_evacuate(stage->zone, stage->spb[0], &limits, &moved), 0);
	KUNIT_EXPECT_EQ(test, moved.pages, 1);
}

static void empty_no_target(struct kunit *test)
{
	static const char *const scene[] = { "ll.", "M." };
	struct spb_stage *stage = spb_stage(test, scene, 2);
	const struct spb_limits limits = spb_limits_soon(ULONG_MAX);
	struct spb_moved moved;

	kunit_activate_static_stub(test, spb_alloc_target, spb_no_target);
	KUNIT_EXPECT_EQ(test, spb_evacuate(stage->zone, stage->spb[0], &limits, &moved), -EBUSY);
	KUNIT_EXPECT_EQ(test, moved.stop, SPB_STOP_NO_TARGET);
	KUNIT_EXPECT_GT(test, moved.no_target, 0);
	KUNIT_EXPECT_EQ(test, moved.pages, 0);
	expect_not_isolated(test, stage);
}

static void empty_limits(struct kunit *test)
{
	static const char *const scene[] = { "ll.", "M." };
	struct spb_stage *stage = spb_stage(test, scene, 2);
	struct spb_limits limits = spb_limits_soon(1);
	struct spb_moved moved;

	KUNIT_EXPECT_EQ(test, spb_evacuate(stage->zone, stage->spb[0], &limits, &moved), -EBUSY);
	KUNIT_EXPECT_EQ(test, moved.stop, SPB_STOP_PAGES);
	limits = (struct spb_limits) { ULONG_MAX, jiffies };
	KUNIT_EXPECT_EQ(test, spb_evacuate(stage->zone, stage->spb[0], &limits, &moved), -EBUSY);
	KUNIT_EXPECT_EQ(test, moved.stop, SPB_STOP_TIME);
	expect_not_isolated(test, stage);
}

/* Pages are migrated neither to the SPB that is emptied nor to an empty one. */
static void empty_targets(struct kunit *test)
{
	static const char *const scene[] = { "llll.", "M." };
	struct spb_stage *stage = spb_stage(test, scene, 2);
	const struct spb_limits limits = spb_limits_soon(ULONG_MAX);
	unsigned int before = 0, after = 0, nr;
	struct spb_moved moved;
	struct spb_info info;

	for (nr = 0; !spb_get_info(stage->zone, nr, &info); nr++)
		before += info.category == SPB_EMPTY;
	KUNIT_EXPECT_EQ(test, spb_evacuate(stage->zone, stage->spb[0], &limits, &moved), 0);
	for (nr = 0; !spb_get_info(stage->zone, nr, &info); nr++)
		after += info.category == SPB_EMPTY;
	KUNIT_EXPECT_EQ(test, after, before + 1);
}

static struct kunit_case spb_evacuate_cases[] = {
	KUNIT_CASE_PARAM(make_room, room_gen_params),
	KUNIT_CASE(make_room_tries),
	KUNIT_CASE(make_room_past_unmixed),
	KUNIT_CASE(make_room_where_there_is),
	KUNIT_CASE_PARAM(plain_request, plain_gen_params),
	KUNIT_CASE_PARAM(empty, empty_gen_params),
	KUNIT_CASE(empty_pinned),
	KUNIT_CASE(empty_no_target),
	KUNIT_CASE(empty_limits),
	KUNIT_CASE(empty_targets),
	{ }
};

static struct kunit_suite spb_evacuate_suite = {
	.name = "fragbed_spb_evacuate",
	.suite_init = scene_suite_init,
	.suite_exit = scene_suite_exit,
	.test_cases = spb_evacuate_cases,
};

kunit_test_suite(spb_evacuate_suite);

MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
MODULE_DESCRIPTION("KUnit tests for evacuation of superpageblocks");
MODULE_LICENSE("GPL");

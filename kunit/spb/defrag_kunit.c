// SPDX-License-Identifier: GPL-2.0
/*
 * Defragmentation of tainted superpageblocks: what triggers it, when a run starts and
 * stops, where pages are migrated to, and what compaction skips. The drawings are
 * those of stage.h.
 */
#include <kunit/static_stub.h>
#include <kunit/test-bug.h>
#include <kunit/test.h>
#include <linux/compaction.h>
#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <trace/events/superpageblock.h>

#include "../../internal.h"
#include "../defrag.h"
#include "stage.h"

#define UNMOV	MIGRATE_UNMOVABLE
#define MOV	MIGRATE_MOVABLE
#define RECL	MIGRATE_RECLAIMABLE

#define NOFRAG	ALLOC_NOFRAGMENT
#define HOLE	BIT(STAGE_HOLE)
#define BLOCK	pageblock_nr_pages

/* --- Start and stop, with synthetic counts ---------------------------------- */

struct room_row {
	const char *name;
	struct spb_room room;
	bool starts;
	bool stops;
};

static const struct room_row rooms[] = {
	{ "full", { true, 1, 0, 0, 512 }, true, false },
	{ "one block free", { true, 1, 1, 512, 512 }, true, false },
	{ "two blocks free", { true, 1, 2, 1024, 512 }, false, true },
	{ "three blocks free", { true, 1, 3, 1536, 512 }, false, true },
	{ "a page less than two blocks' worth", { true, 1, 2, 1023, 512 }, true, true },
	{ "two blocks' worth, one block free", { true, 1, 1, 1024, 512 }, true, false },
	{ "a page less than three blocks' worth", { true, 1, 1, 1535, 512 }, true, false },
	{ "three blocks' worth", { true, 1, 1, 1536, 512 }, true, true },
	{ "three blocks' worth, no block free", { true, 1, 0, 1536, 512 }, true, true },
	{ "nothing movable", { true, 0, 0, 0, 512 }, false, true },
	{ "not tainted", { false, 1, 0, 0, 512 }, false, true },
	{ "small blocks, a page less", { true, 9, 1, 383, 128 }, true, false },
	{ "small blocks, three blocks' worth", { true, 9, 1, 384, 128 }, true, true },
};

KUNIT_ARRAY_PARAM_DESC(room, rooms, name);

static void start_and_stop(struct kunit *test)
{
	const struct room_row *row = test->param_value;

	KUNIT_EXPECT_EQ_MSG(test, spb_defrag_starts(&row->room), row->starts,
			    "%s: starts", row->name);
	KUNIT_EXPECT_EQ_MSG(test, spb_defrag_stops(&row->room), row->stops,
			    "%s: stops", row->name);
}

/* --- Triggers, one at a time ------------------------------------------------ */

enum trigger { BY_CHANGE = 1, BY_USE = 2, BY_ALL = 4 };

#define ANY (BY_CHANGE | BY_USE | BY_ALL)

struct want_row {
	const char *name;
	const char *scene[STAGE_SPBS];
	int type;
	unsigned int alloc_flags;
	enum trigger enabled;
	enum trigger wants;
	bool wakes;	/* wanted_kicks() uses this row */
};

static const struct want_row wants[] = {
	/* a tainted SPB serves a page from its own free list: its record does not change */
	{ "use: full", { "uM" }, UNMOV, NOFRAG, BY_USE, BY_USE, .wakes = true },
	{ "use: one block free", { "u.M" }, UNMOV, NOFRAG, BY_USE, BY_USE },
	{ "use: two blocks free", { "u..M" }, UNMOV, NOFRAG, BY_USE, 0 },
	{ "use: nothing movable", { "uU" }, UNMOV, NOFRAG, BY_USE, 0 },
	{ "use: reclaimable", { "rM" }, RECL, NOFRAG, BY_USE, BY_USE },
	{ "use: what was mixed can move", { "uyU" }, UNMOV, NOFRAG, BY_USE, BY_USE },
	{ "use: movable requests do not count", { "UmM" }, MOV, NOFRAG, BY_USE, 0 },
	{ "use: nothing else reacts to it", { "uM" }, UNMOV, NOFRAG, BY_CHANGE | BY_ALL, 0 },
	/* its record changes: the last free block but one is allocated, or the last one */
	{ "change: one block left", { "U..M" }, UNMOV, NOFRAG, BY_CHANGE, BY_CHANGE,
	  .wakes = true },
	{ "change: none left", { "U.M" }, UNMOV, NOFRAG, BY_CHANGE, BY_CHANGE },
	{ "change: two left", { "U...M" }, UNMOV, NOFRAG, BY_CHANGE, 0 },
	{ "change: a block of it is claimed", { "UmM" }, UNMOV, NOFRAG, BY_CHANGE, BY_CHANGE },
	{ "change: a clean one", { "M.M" }, MOV, NOFRAG, BY_CHANGE, 0 },
	{ "change: a clean one is tainted", { "M.M" }, UNMOV, 0, BY_CHANGE, BY_CHANGE },
	{ "change: nothing else reacts to it", { "U.M" }, UNMOV, NOFRAG, BY_ALL, 0 },
	/* the request is blocked by ALLOC_NOFRAGMENT */
	{ "held back", { "UM" }, UNMOV, NOFRAG, BY_ALL, BY_ALL, .wakes = true },
	{ "held back: reclaimable", { "UM" }, RECL, NOFRAG, BY_ALL, BY_ALL },
	{ "held back: nothing movable", { "U" }, UNMOV, NOFRAG, BY_ALL, 0 },
	{ "held back: a movable request", { "UM" }, MOV, NOFRAG, BY_ALL, 0 },
	{ "held back: nothing else reacts to it", { "UM" }, UNMOV, NOFRAG,
	  BY_CHANGE | BY_USE, 0 },
	/* with all triggers enabled the SPB is marked once */
	{ "all enabled: one wish for one SPB", { "u.M" }, UNMOV, NOFRAG, ANY, BY_USE },
};

KUNIT_ARRAY_PARAM_DESC(want, wants, name);

static void no_change(struct zone *zone, struct superpageblock *spb) { }
static void no_use(struct zone *zone, const struct page *page, unsigned int order) { }
static void no_all(struct zone *zone) { }

static void enable_only(struct kunit *test, enum trigger enabled)
{
	if (!(enabled & BY_CHANGE))
		kunit_activate_static_stub(test, spb_trigger_change, no_change);
	if (!(enabled & BY_USE))
		kunit_activate_static_stub(test, spb_trigger_use, no_use);
	if (!(enabled & BY_ALL))
		kunit_activate_static_stub(test, spb_trigger_all, no_all);
}

static void wanted(struct kunit *test)
{
	const struct want_row *row = test->param_value;
	struct stage_request request = { .type = row->type, .alloc_flags = row->alloc_flags };
	struct spb_stage *stage;

	/* Before the stage: its allocations could use the free pages of the stage. */
	enable_only(test, row->enabled);
	stage = spb_stage(test, row->scene, spb_scene_size(row->scene));
	spb_stage_ask(stage, &request);
	KUNIT_EXPECT_EQ_MSG(test, request.events[SPB_WANT_CHANGE], !!(row->wants & BY_CHANGE),
			    "%s: by change", row->name);
	KUNIT_EXPECT_EQ_MSG(test, request.events[SPB_WANT_USE], !!(row->wants & BY_USE),
			    "%s: by use", row->name);
	KUNIT_EXPECT_EQ_MSG(test, request.events[SPB_WANT_ALL], !!(row->wants & BY_ALL),
			    "%s: by a blocked request", row->name);
	KUNIT_EXPECT_EQ_MSG(test, request.want_all, !!(row->wants & BY_ALL),
			    "%s: all marked", row->name);
}

struct wanted_twice {
	struct page *page;
	unsigned long first;
	unsigned long second;
};

static void use_twice(struct spb_stage *stage, void *data)
{
	struct spb_zone *spbs = stage->zone->spb;
	unsigned long before = spbs->events[SPB_WANT_USE];
	struct wanted_twice *twice = data;

	spb_trigger_use(stage->zone, twice->page, 0);
	twice->first = spbs->events[SPB_WANT_USE] - before;
	spb_trigger_use(stage->zone, twice->page, 0);
	twice->second = spbs->events[SPB_WANT_USE] - before;
	__clear_bit(stage->spb[0], spbs->wanted);
}

static void wanted_once(struct kunit *test)
{
	static const char *const scene = "uM";
	struct spb_stage *stage = spb_stage(test, &scene, 1);
	struct wanted_twice twice = { pfn_to_page(spb_stage_pfn(stage, 0, 0)) };

	spb_stage_alone(stage, use_twice, &twice);
	KUNIT_EXPECT_EQ(test, twice.first, 1);
	KUNIT_EXPECT_EQ(test, twice.second, 1);
}

static int wakeups;

static void count_wakeup(struct spb_zone *spbs)
{
	wakeups++;
}

static void expect_wakeup(struct kunit *test, const struct want_row *row)
{
	struct spb_stage *stage = spb_stage(test, row->scene, spb_scene_size(row->scene));
	struct stage_request request = { .type = row->type, .alloc_flags = row->alloc_flags };

	kunit_activate_static_stub(test, spb_kick, count_wakeup);
	wakeups = 0;
	spb_stage_ask(stage, &request);
	KUNIT_EXPECT_GT_MSG(test, wakeups, 0, "%s", row->name);
}

/* Each trigger wakes up the work item: pending work does not wait for the next trigger. */
static void wanted_kicks(struct kunit *test)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(wants); i++)
		if (wants[i].wakes)
			expect_wakeup(test, &wants[i]);
}

/* Whether the first SPB of the stage is pending. The work item would take it. */
static bool is_wanted(struct spb_stage *stage)
{
	bool ours = false;
	int nr;

	while ((nr = spb_take_wanted(stage->zone)) >= 0)
		ours |= nr == stage->spb[0];
	return ours;
}

static void want_first(struct spb_stage *stage, void *unused)
{
	__set_bit(stage->spb[0], stage->zone->spb->wanted);
}

/*
 * While a block changes its migratetype it may count as movable for a moment: the SPB
 * is pending without reason then, and is dropped.
 */
static void wanted_in_vain(struct kunit *test)
{
	static const char *const scenes[] = { "U", "M", "UM..", "UM" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(scenes); i++) {
		struct spb_stage *stage = spb_stage(test, &scenes[i], 1);

		spb_stage_alone(stage, want_first, NULL);
		KUNIT_EXPECT_EQ_MSG(test, is_wanted(stage), i == 3, "%s", scenes[i]);
		KUNIT_EXPECT_FALSE(test, is_wanted(stage));
	}
}

static void want_all_now(struct spb_stage *stage, void *data)
{
	stage->zone->spb->want_all = true;
}

/* After a blocked request: all SPBs below their threshold that have movable memory. */
static void wanted_all(struct kunit *test)
{
	static const char *const scene[] = { "UM", "U..M", "M", "uyU" };
	static const bool want[] = { true, false, false, true };
	struct spb_stage *stage = spb_stage(test, scene, 4);
	bool got[4] = { };
	unsigned int at;
	int nr;

	spb_stage_alone(stage, want_all_now, NULL);
	while ((nr = spb_take_wanted(stage->zone)) >= 0)
		for (at = 0; at < 4; at++)
			got[at] |= stage->spb[at] == nr;
	for (at = 0; at < 4; at++)
		KUNIT_EXPECT_EQ_MSG(test, got[at], want[at], "%s", scene[at]);
	KUNIT_EXPECT_FALSE(test, stage->zone->spb->want_all);
}

/* The work item does pending work soon. */
static void wanted_is_done(struct kunit *test)
{
	static const char *const scene = "UullM";
	struct spb_stage *stage = spb_stage(test, &scene, 1);
	struct superpageblock *spb = spb_stage_spb(stage, 0);
	struct stage_request request = { .type = UNMOV, .alloc_flags = NOFRAG };
	int i;

	spb_stage_ask(stage, &request);
	spb_stage_alone(stage, want_first, NULL);
	kunit_deactivate_static_stub(test, spb_kick);
	spb_kick(stage->zone->spb);
	for (i = 0; i < 250 && READ_ONCE(spb->nr[SPB_CLAIMABLE]) < 2; i++)
		msleep(20);
	KUNIT_EXPECT_GE(test, READ_ONCE(spb->nr[SPB_CLAIMABLE]), 2);
	spb_stage_expect_true(test, stage->zone, "done in the background");
}

struct early_row {
	const char *name;
	const char *scene[STAGE_SPBS];
	bool early;
};

static const struct early_row earlies[] = {
	{ "nothing could have been moved", { "U", "." }, false },
	{ "another one has something to move", { "UM", "." }, true },
	{ "another one has a mixed block", { "yU", "." }, true },
	{ "only the one that is tainted has", { "U", "M.M" }, false },
};

KUNIT_ARRAY_PARAM_DESC(early, earlies, name);

/* An event counts SPBs tainted while another tainted SPB has movable memory. */
static void tainted_early(struct kunit *test)
{
	const struct early_row *row = test->param_value;
	struct spb_stage *stage = spb_stage(test, row->scene, spb_scene_size(row->scene));
	/* Larger than a hole. */
	struct stage_request request = { .type = UNMOV, .order = STAGE_HOLE + 1 };

	spb_stage_ask(stage, &request);
	KUNIT_EXPECT_EQ_MSG(test, request.events[SPB_TAINT], 1, "%s", row->name);
	KUNIT_EXPECT_EQ_MSG(test, request.events[SPB_TAINT_EARLY], row->early, "%s", row->name);
}

/* A block with movable pages is still known as such after another change of migratetype. */
static void mixed_stays(struct kunit *test)
{
	static const char *const scene = "yU";
	struct spb_stage *stage = spb_stage(test, &scene, 1);
	struct page *page = pfn_to_page(spb_stage_pfn(stage, 0, 0));

	KUNIT_EXPECT_TRUE(test, test_bit(0, spb_stage_spb(stage, 0)->map[SPB_MIXED]));
	reach_set_pageblock_type(stage->zone, page, RECL);
	KUNIT_EXPECT_TRUE(test, test_bit(0, spb_stage_spb(stage, 0)->map[SPB_MIXED]));
	spb_stage_expect_true(test, stage->zone, "after the change");
}

struct pages_row {
	const char *name;
	const char *scene;
	unsigned long blocks;
	unsigned long pages;
};

static const struct pages_row pageses[] = {
	{ "nothing", "U", 0, 0 },
	{ "a block", ".U", 1, 0 },
	{ "all", ".", 32, 0 },
	{ "pages of all types", "urmU", 0, 3 * HOLE },
	{ "half a block", "v.U", 1, BLOCK / 2 },
	{ "not those of the highatomic reserve", "huU", 0, HOLE },
};

KUNIT_ARRAY_PARAM_DESC(pages, pageses, name);

static void free_pages_counted(struct kunit *test)
{
	const struct pages_row *row = test->param_value;
	struct spb_stage *stage = spb_stage(test, &row->scene, 1);
	unsigned long want = row->blocks * BLOCK + row->pages;

	KUNIT_EXPECT_EQ_MSG(test, spb_free_pages(stage->zone, stage->spb[0], ULONG_MAX), want,
			    "%s", row->name);
	KUNIT_EXPECT_GE(test, spb_free_pages(stage->zone, stage->spb[0], want), want);
}

/* As on a PC, where the first page belongs to the firmware and not to the zone. */
static void zone_begins_in_block(struct kunit *test)
{
	struct zone *zone = scene_zone();
	unsigned long start = zone->zone_start_pfn;
	struct spb_verdict verdict;

	if (!pageblock_aligned(start) || !PageReserved(pfn_to_page(start)))
		kunit_skip(test, "the zone's first page is in use, or within a block");
	zone->zone_start_pfn++;
	KUNIT_EXPECT_LE(test, spb_free_pages(zone, 0, ULONG_MAX), 1UL << SPB_ORDER);
	KUNIT_EXPECT_EQ_MSG(test, spb_check(zone, &verdict), 0, "%s", verdict.rule);
	zone->zone_start_pfn--;
}

static unsigned long events_of(const struct spb_stage *stage, enum spb_event event)
{
	return READ_ONCE(stage->zone->spb->events[event]);
}

/* The other cases, by topic. */
#include "defrag_run_kunit.h"
#include "defrag_demand_kunit.h"
#include "defrag_target_kunit.h"

static struct kunit_case spb_defrag_cases[] = {
	KUNIT_CASE_PARAM(start_and_stop, room_gen_params),
	KUNIT_CASE_PARAM(wanted, want_gen_params),
	KUNIT_CASE(wanted_once),
	KUNIT_CASE(wanted_kicks),
	KUNIT_CASE(wanted_in_vain),
	KUNIT_CASE(wanted_all),
	KUNIT_CASE(wanted_is_done),
	KUNIT_CASE_PARAM(tainted_early, early_gen_params),
	KUNIT_CASE(mixed_stays),
	KUNIT_CASE_PARAM(free_pages_counted, pages_gen_params),
	KUNIT_CASE(zone_begins_in_block),
	KUNIT_CASE_PARAM(run, run_gen_params),
	KUNIT_CASE(run_targets),
	KUNIT_CASE(run_past_hints),
	KUNIT_CASE(run_out_of_time),
	KUNIT_CASE(run_goes_on_later),
	KUNIT_CASE(run_adopts_foreign),
	KUNIT_CASE(run_leaves_isolated),
	KUNIT_CASE(run_becomes_clean),
	KUNIT_CASE(rest_lasts),
	KUNIT_CASE(rest_ends_with_category),
	KUNIT_CASE(rest_is_followed_by_nothing),
	KUNIT_CASE(rest_is_followed_by_use),
	KUNIT_CASE(rest_is_followed_by_all),
	KUNIT_CASE_PARAM(demand, demand_gen_params),
	KUNIT_CASE(demand_limits),
	KUNIT_CASE(demand_signal),
	KUNIT_CASE(demand_of_none),
	KUNIT_CASE(demand_pinned),
	KUNIT_CASE(demand_busy),
	KUNIT_CASE(demand_batched),
	KUNIT_CASE(demand_no_target),
	KUNIT_CASE(demand_racing),
	KUNIT_CASE_PARAM(target, target_gen_params),
	KUNIT_CASE_PARAM(target_of_mover, mover_gen_params),
	KUNIT_CASE_PARAM(mover_is_traced, mover_gen_params),
	KUNIT_CASE_PARAM(compaction, compaction_gen_params),
	KUNIT_CASE(compaction_asks),
	KUNIT_CASE(compaction_asks_no),
	KUNIT_CASE(compaction_asks_for_lists),
	{ }
};

static struct kunit_suite spb_defrag_suite = {
	.name = "fragbed_spb_defrag",
	.suite_init = scene_suite_init,
	.suite_exit = scene_suite_exit,
	.test_cases = spb_defrag_cases,
};

kunit_test_suite(spb_defrag_suite);

MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
MODULE_DESCRIPTION("KUnit tests for defragmentation of superpageblocks");
MODULE_LICENSE("GPL");

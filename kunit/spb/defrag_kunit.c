// SPDX-License-Identifier: GPL-2.0
/*
 * Defragmentation of tainted superpageblocks: when it is wanted and by whom, where it
 * starts and stops, where things are moved to, and what compaction leaves alone. The
 * drawings are those of stage.h.
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

/* --- Start and stop, on made-up counts -------------------------------------- */

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

/* --- Triggers, each alone --------------------------------------------------- */

enum trigger { BY_CHANGE = 1, BY_USE = 2, BY_ALL = 4 };

#define ANY (BY_CHANGE | BY_USE | BY_ALL)

struct want_row {
	const char *name;
	const char *scene[STAGE_SPBS];
	int type;
	unsigned int alloc_flags;
	enum trigger enabled;
	enum trigger wants;
};

static const struct want_row wants[] = {
	/* served from a tainted SPB: its own page, so that its record does not change */
	{ "use: full", { "uM" }, UNMOV, NOFRAG, BY_USE, BY_USE },
	{ "use: one block free", { "u.M" }, UNMOV, NOFRAG, BY_USE, BY_USE },
	{ "use: two blocks free", { "u..M" }, UNMOV, NOFRAG, BY_USE, 0 },
	{ "use: nothing movable", { "uU" }, UNMOV, NOFRAG, BY_USE, 0 },
	{ "use: reclaimable", { "rM" }, RECL, NOFRAG, BY_USE, BY_USE },
	{ "use: what was mixed can move", { "uyU" }, UNMOV, NOFRAG, BY_USE, BY_USE },
	{ "use: movable requests do not count", { "UmM" }, MOV, NOFRAG, BY_USE, 0 },
	{ "use: nothing else reacts to it", { "uM" }, UNMOV, NOFRAG, BY_CHANGE | BY_ALL, 0 },
	/* its record changes: the last but one block goes, or the last */
	{ "change: one block left", { "U..M" }, UNMOV, NOFRAG, BY_CHANGE, BY_CHANGE },
	{ "change: none left", { "U.M" }, UNMOV, NOFRAG, BY_CHANGE, BY_CHANGE },
	{ "change: two left", { "U...M" }, UNMOV, NOFRAG, BY_CHANGE, 0 },
	{ "change: a block of it is claimed", { "UmM" }, UNMOV, NOFRAG, BY_CHANGE, BY_CHANGE },
	{ "change: a clean one", { "M.M" }, MOV, NOFRAG, BY_CHANGE, 0 },
	{ "change: a clean one is tainted", { "M.M" }, UNMOV, 0, BY_CHANGE, BY_CHANGE },
	{ "change: nothing else reacts to it", { "U.M" }, UNMOV, NOFRAG, BY_ALL, 0 },
	/* the last call */
	{ "held back", { "UM" }, UNMOV, NOFRAG, BY_ALL, BY_ALL },
	{ "held back: reclaimable", { "UM" }, RECL, NOFRAG, BY_ALL, BY_ALL },
	{ "held back: nothing movable", { "U" }, UNMOV, NOFRAG, BY_ALL, 0 },
	{ "held back: a movable request", { "UM" }, MOV, NOFRAG, BY_ALL, 0 },
	{ "held back: nothing else reacts to it", { "UM" }, UNMOV, NOFRAG,
	  BY_CHANGE | BY_USE, 0 },
	/* once is enough */
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

	/* First: what it allocates would be the first to take what the stage has free. */
	enable_only(test, row->enabled);
	stage = spb_stage(test, row->scene, spb_scene_size(row->scene));
	spb_stage_ask(stage, &request);
	KUNIT_EXPECT_EQ_MSG(test, request.events[SPB_WANT_CHANGE], !!(row->wants & BY_CHANGE),
			    "%s: by change", row->name);
	KUNIT_EXPECT_EQ_MSG(test, request.events[SPB_WANT_USE], !!(row->wants & BY_USE),
			    "%s: by use", row->name);
	KUNIT_EXPECT_EQ_MSG(test, request.events[SPB_WANT_ALL], !!(row->wants & BY_ALL),
			    "%s: by a request held back", row->name);
	KUNIT_EXPECT_EQ_MSG(test, request.want_all, !!(row->wants & BY_ALL),
			    "%s: of all", row->name);
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

static int kicks;

static void count_kick(struct spb_zone *spbs)
{
	kicks++;
}

/* A wish that nobody is told of would wait for the next one. */
static void wanted_kicks(struct kunit *test)
{
	const struct want_row *rows[] = { &wants[0], &wants[8], &wants[15] };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct spb_stage *stage = spb_stage(test, rows[i]->scene, 1);
		struct stage_request request = { .type = UNMOV, .alloc_flags = NOFRAG };

		kunit_activate_static_stub(test, spb_kick, count_kick);
		kicks = 0;
		spb_stage_ask(stage, &request);
		KUNIT_EXPECT_GT_MSG(test, kicks, 0, "%s", rows[i]->name);
	}
}

/* Whether the work item would find the first SPB of the stage wanted. */
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

/* Between two labels a block may pass for movable: wanted, but for no good reason. */
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

/* After the last call: those that are too full and have something to move. */
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

/* Nobody has to ask: the work item does it soon. */
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

/* It is counted when one is tainted while another one could have been emptied. */
static void tainted_early(struct kunit *test)
{
	const struct early_row *row = test->param_value;
	struct spb_stage *stage = spb_stage(test, row->scene, spb_scene_size(row->scene));
	/* More than a hole. */
	struct stage_request request = { .type = UNMOV, .order = STAGE_HOLE + 1 };

	spb_stage_ask(stage, &request);
	KUNIT_EXPECT_EQ_MSG(test, request.events[SPB_TAINT], 1, "%s", row->name);
	KUNIT_EXPECT_EQ_MSG(test, request.events[SPB_TAINT_EARLY], row->early, "%s", row->name);
}

/* What is mixed stays so when the block goes to the other type. */
static void mixed_stays(struct kunit *test)
{
	static const char *const scene = "yU";
	struct spb_stage *stage = spb_stage(test, &scene, 1);
	struct page *page = pfn_to_page(spb_stage_pfn(stage, 0, 0));

	KUNIT_EXPECT_TRUE(test, test_bit(0, spb_stage_spb(stage, 0)->map[SPB_MIXED]));
	reach_set_pageblock_type(stage->zone, page, RECL);
	KUNIT_EXPECT_TRUE(test, test_bit(0, spb_stage_spb(stage, 0)->map[SPB_MIXED]));
	spb_stage_expect_true(test, stage->zone, "relabelled");
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

/* As on a PC, whose zones begin behind the page that the firmware keeps for itself. */
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

/* --- A run ------------------------------------------------------------------ */

/* Pages moved out of the blocks of a scene that can be emptied. */
struct run_row {
	const char *name;
	const char *scene;
	bool runs;
	enum spb_stop stop;
	unsigned int blocks;	/* emptied: their pages but for the hole were moved */
	bool rests;		/* afterwards */
	bool again;		/* it goes on */
};

static const struct run_row runs[] = {
	{ "until two blocks are free", "UlllM", true, SPB_STOP_ROOM, 2 },
	{ "one is free already", "U.llM", true, SPB_STOP_ROOM, 1 },
	{ "two are free", "U..llM", false },
	{ "until nothing is left that can move", "UlU", true, SPB_STOP_EMPTY, 1 },
	{ "what was claimed with movable pages in it", "yU", true, SPB_STOP_EMPTY, 1 },
	{ "whole blocks first", "yyllU", true, SPB_STOP_ROOM, 2 },
	{ "nothing would move", "UM", true, SPB_STOP_STUCK, 0, true },
	{ "what moves, in spite of what does not", "UMlMMlM", true, SPB_STOP_ROOM, 2 },
	{ "not enough", "UMlM", true, SPB_STOP_STUCK, 1, false, true },
	{ "nothing that can move", "U", false },
	{ "a clean one", "lM", false },
	{ "three blocks' worth is free in pages", "vvvvvvvlU", true, SPB_STOP_ROOM, 0, true },
	{ "what hosts foreign pages only is no longer movable", "nlU", true, SPB_STOP_EMPTY, 1 },
	{ "less than that", "vvvvvllU", true, SPB_STOP_ROOM, 1, false, true },
};

KUNIT_ARRAY_PARAM_DESC(run, runs, name);

static unsigned long events_of(const struct spb_stage *stage, enum spb_event event)
{
	return READ_ONCE(stage->zone->spb->events[event]);
}

static void run(struct kunit *test)
{
	const struct run_row *row = test->param_value;
	struct spb_stage *stage = spb_stage(test, &row->scene, 1);
	const struct superpageblock *spb = spb_stage_spb(stage, 0);
	unsigned long began = events_of(stage, SPB_RUN), moved = events_of(stage, SPB_MOVED);
	unsigned long ended = events_of(stage, SPB_ENDED + row->stop);

	spb_stop_clock(test);
	spb_defrag_some(stage->zone, stage->spb[0]);
	KUNIT_EXPECT_EQ_MSG(test, events_of(stage, SPB_RUN) - began, row->runs,
			    "%s: runs", row->name);
	KUNIT_EXPECT_EQ_MSG(test, events_of(stage, SPB_MOVED) - moved,
			    row->blocks * (BLOCK - HOLE), "%s: pages", row->name);
	KUNIT_EXPECT_EQ_MSG(test, events_of(stage, SPB_ENDED + row->stop) - ended, row->runs,
			    "%s: counted by how it ended", row->name);
	KUNIT_EXPECT_EQ_MSG(test, !!spb->rest_until, row->rests, "%s: rests", row->name);
	if (row->runs)
		KUNIT_EXPECT_EQ_MSG(test, spb->stop, row->stop, "%s: how it ended", row->name);
	KUNIT_EXPECT_EQ_MSG(test, is_wanted(stage), row->again, "%s: goes on", row->name);
	spb_stage_expect_true(test, stage->zone, row->name);
}

/* What was moved is not in a tainted SPB now, or it would only be in the way again. */
static void run_targets(struct kunit *test)
{
	static const char *const scene = "UllM";
	struct spb_stage *stage = spb_stage(test, &scene, 1);
	unsigned long tainted = events_of(stage, SPB_TO_TAINTED);
	unsigned long fragments = events_of(stage, SPB_TO_FRAGMENT);
	unsigned long blocks = events_of(stage, SPB_TO_BLOCK);

	spb_stop_clock(test);
	spb_defrag_some(stage->zone, stage->spb[0]);
	KUNIT_EXPECT_EQ(test, events_of(stage, SPB_TO_TAINTED), tainted);
	KUNIT_EXPECT_GE(test, events_of(stage, SPB_TO_FRAGMENT) - fragments +
			events_of(stage, SPB_TO_BLOCK) - blocks, 2 * (BLOCK - HOLE));
}

/* Compaction's hints say where it found nothing; a run neither follows nor leaves any. */
static void run_past_hints(struct kunit *test)
{
	static const char *const scene = "UMllM";
	struct spb_stage *stage = spb_stage(test, &scene, 1);
	struct page *stuck = pfn_to_page(spb_stage_pfn(stage, 0, 1));
	struct page *hinted = pfn_to_page(spb_stage_pfn(stage, 0, 2));
	unsigned long moved = events_of(stage, SPB_MOVED);

	clear_pageblock_skip(stuck);
	set_pageblock_skip(hinted);
	spb_stop_clock(test);
	spb_defrag_some(stage->zone, stage->spb[0]);
	clear_pageblock_skip(hinted);
	KUNIT_EXPECT_EQ(test, events_of(stage, SPB_MOVED) - moved, 2 * (BLOCK - HOLE));
	KUNIT_EXPECT_FALSE(test, get_pageblock_skip(stuck));
}

/* Each look at the clock takes a second. */
static unsigned long slow_now(void)
{
	static unsigned long now;

	now = max(now, jiffies) + HZ;
	return now;
}

/* What has no end in time goes on later, if it brought anything. */
static void run_out_of_time(struct kunit *test)
{
	static const char *const scene = "UlllM";
	struct spb_stage *stage = spb_stage(test, &scene, 1);

	kunit_activate_static_stub(test, spb_now, slow_now);
	spb_defrag_some(stage->zone, stage->spb[0]);
	KUNIT_EXPECT_EQ(test, spb_stage_spb(stage, 0)->stop, SPB_STOP_TIME);
	kunit_deactivate_static_stub(test, spb_now);
}

/* Three looks at the clock are within the time of a run, then a second has passed. */
static int looks;

static unsigned long later_now(void)
{
	return jiffies + (looks++ < 8 ? 0 : HZ);
}

static void run_goes_on_later(struct kunit *test)
{
	static const char *const scene = "UlllM";
	struct spb_stage *stage = spb_stage(test, &scene, 1);
	unsigned long moved = events_of(stage, SPB_MOVED);

	looks = 0;
	kunit_activate_static_stub(test, spb_now, later_now);
	spb_defrag_some(stage->zone, stage->spb[0]);
	kunit_deactivate_static_stub(test, spb_now);
	KUNIT_EXPECT_EQ(test, spb_stage_spb(stage, 0)->stop, SPB_STOP_TIME);
	KUNIT_EXPECT_GT(test, events_of(stage, SPB_MOVED), moved);
	KUNIT_EXPECT_TRUE(test, is_wanted(stage));
	KUNIT_EXPECT_EQ(test, spb_stage_spb(stage, 0)->rest_until, 0);
}

/* --- The rest after a run that brought nothing ------------------------------ */

static long time_passed;

static unsigned long passed_now(void)
{
	return jiffies + time_passed;
}

static unsigned long ask_for_wishes(struct spb_stage *stage, long after)
{
	struct stage_request request = { .type = UNMOV, .alloc_flags = NOFRAG };
	unsigned long wishes = 0;
	int i;

	time_passed = after;
	for (i = 0; i < 3; i++) {
		spb_stage_ask(stage, &request);
		wishes += request.events[SPB_WANT_CHANGE] + request.events[SPB_WANT_USE];
	}
	return wishes;
}

static struct spb_stage *stage_at_rest(struct kunit *test, enum trigger enabled)
{
	static const char *const scene = "uM";
	struct spb_stage *stage;

	time_passed = 0;
	enable_only(test, enabled);
	kunit_activate_static_stub(test, spb_now, passed_now);
	stage = spb_stage(test, &scene, 1);
	spb_defrag_some(stage->zone, stage->spb[0]);
	KUNIT_ASSERT_EQ(test, spb_stage_spb(stage, 0)->stop, SPB_STOP_STUCK);
	return stage;
}

static void rest_lasts(struct kunit *test)
{
	struct spb_stage *stage = stage_at_rest(test, ANY);

	KUNIT_EXPECT_EQ(test, ask_for_wishes(stage, 0), 0);
	/* A second for what happens meanwhile. */
	KUNIT_EXPECT_EQ(test, ask_for_wishes(stage, 4 * HZ), 0);
	KUNIT_EXPECT_EQ(test, ask_for_wishes(stage, 5 * HZ + 1), 3);
}

/* Another category, another case. */
static void rest_ends_with_category(struct kunit *test)
{
	struct spb_stage *stage = stage_at_rest(test, ANY);

	KUNIT_EXPECT_NE(test, spb_stage_spb(stage, 0)->rest_until, 0);
	reach_set_pageblock_type(stage->zone, pfn_to_page(spb_stage_pfn(stage, 0, 0)), MOV);
	spb_stage_free_block(stage, 0, 0);
	KUNIT_EXPECT_FALSE(test, spb_stage_spb(stage, 0)->tainted);
	KUNIT_EXPECT_EQ(test, spb_stage_spb(stage, 0)->rest_until, 0);
}

/* With the first trigger alone a full SPB is never looked at again. */
static void rest_is_followed_by_nothing(struct kunit *test)
{
	struct spb_stage *stage = stage_at_rest(test, BY_CHANGE);

	KUNIT_EXPECT_EQ(test, ask_for_wishes(stage, 6 * HZ), 0);
	KUNIT_EXPECT_EQ(test, ask_for_wishes(stage, 600 * HZ), 0);
}

static void rest_is_followed_by_use(struct kunit *test)
{
	struct spb_stage *stage = stage_at_rest(test, BY_USE);

	KUNIT_EXPECT_GT(test, ask_for_wishes(stage, 6 * HZ), 0);
}

static void rest_is_followed_by_all(struct kunit *test)
{
	struct spb_stage *stage = stage_at_rest(test, BY_ALL);

	spb_stage_alone(stage, want_all_now, NULL);
	KUNIT_EXPECT_FALSE_MSG(test, is_wanted(stage), "during its rest");
	time_passed = 6 * HZ;
	spb_stage_alone(stage, want_all_now, NULL);
	KUNIT_EXPECT_TRUE_MSG(test, is_wanted(stage), "after it");
}

/* --- On demand -------------------------------------------------------------- */

struct demand_row {
	const char *name;
	const char *scene;
	int ret;
	enum spb_stop stop;
	unsigned int blocks;
	unsigned int fixed;	/* blocks whose pages do not move */
};

static const struct demand_row demands[] = {
	{ "all that can move", "Ulllll.....U", 0, SPB_STOP_EMPTY, 5, 22 },
	{ "of mixed blocks, too", "lyU", 0, SPB_STOP_EMPTY, 2, 30 },
	{ "nothing that can move", "U", 0, SPB_STOP_EMPTY, 0, 32 },
	{ "a clean one", "l.", -EINVAL },
	{ "an empty one", ".", -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(demand, demands, name);

static void demand(struct kunit *test)
{
	const struct demand_row *row = test->param_value;
	struct spb_stage *stage = spb_stage(test, &row->scene, 1);
	const struct spb_limits limits = spb_limits_soon(ULONG_MAX);
	unsigned long began = events_of(stage, SPB_RUN), pages = events_of(stage, SPB_MOVED);
	unsigned long ended = events_of(stage, SPB_ENDED + row->stop);
	struct spb_moved moved;

	KUNIT_EXPECT_EQ(test, spb_defrag(stage->zone, stage->spb[0], &limits, &moved), row->ret);
	KUNIT_EXPECT_EQ_MSG(test, moved.pages, row->blocks * (BLOCK - HOLE), "%s", row->name);
	KUNIT_EXPECT_EQ_MSG(test, events_of(stage, SPB_RUN) - began, !row->ret,
			    "%s: counted", row->name);
	KUNIT_EXPECT_EQ_MSG(test, events_of(stage, SPB_ENDED + row->stop) - ended, !row->ret,
			    "%s: counted by how it ended", row->name);
	KUNIT_EXPECT_EQ_MSG(test, events_of(stage, SPB_MOVED) - pages, moved.pages,
			    "%s: pages counted", row->name);
	KUNIT_EXPECT_EQ_MSG(test, moved.fixed, row->fixed * BLOCK, "%s: fixed", row->name);
	KUNIT_EXPECT_EQ(test, moved.pinned + moved.busy + moved.no_target, 0);
	if (!row->ret)
		KUNIT_EXPECT_EQ_MSG(test, moved.stop, row->stop, "%s: stop", row->name);
	KUNIT_EXPECT_EQ(test, spb_stage_spb(stage, 0)->rest_until, 0);
	spb_stage_expect_true(test, stage->zone, row->name);
}

static void demand_limits(struct kunit *test)
{
	static const char *const scene = "UlllU";
	struct spb_stage *stage = spb_stage(test, &scene, 1);
	struct spb_limits limits = spb_limits_soon(COMPACT_CLUSTER_MAX);
	struct spb_moved moved;

	KUNIT_EXPECT_EQ(test, spb_defrag(stage->zone, stage->spb[0], &limits, &moved), 0);
	KUNIT_EXPECT_EQ(test, moved.stop, SPB_STOP_PAGES);
	KUNIT_EXPECT_EQ(test, moved.pages, COMPACT_CLUSTER_MAX);
	limits = (struct spb_limits) { ULONG_MAX, jiffies };
	KUNIT_EXPECT_EQ(test, spb_defrag(stage->zone, stage->spb[0], &limits, &moved), 0);
	KUNIT_EXPECT_EQ(test, moved.stop, SPB_STOP_TIME);
	KUNIT_EXPECT_EQ(test, moved.pages, 0);
}

/* A signal ends what somebody waits for, but not what is done in the background. */
static void demand_signal(struct kunit *test)
{
	static const char *const scene = "UllU";
	struct spb_stage *stage = spb_stage(test, &scene, 1);
	const struct spb_limits limits = spb_limits_soon(ULONG_MAX);
	unsigned long before = events_of(stage, SPB_MOVED);
	struct spb_moved moved;
	int ret;

	spb_stop_clock(test);
	set_thread_flag(TIF_SIGPENDING);
	ret = spb_defrag(stage->zone, stage->spb[0], &limits, &moved);
	spb_defrag_some(stage->zone, stage->spb[0]);
	clear_thread_flag(TIF_SIGPENDING);
	KUNIT_EXPECT_EQ(test, ret, -EINTR);
	KUNIT_EXPECT_EQ(test, moved.stop, SPB_STOP_SIGNAL);
	KUNIT_EXPECT_EQ(test, moved.pages, 0);
	KUNIT_EXPECT_EQ(test, events_of(stage, SPB_MOVED) - before, 2 * (BLOCK - HOLE));
}

static void demand_of_none(struct kunit *test)
{
	struct zone *zone = scene_zone();
	const struct spb_limits limits = spb_limits_soon(ULONG_MAX);
	struct zone *other;
	struct spb_moved moved;

	KUNIT_EXPECT_EQ(test, spb_defrag(zone, zone->spb->index.nr, &limits, &moved), -ENXIO);
	KUNIT_EXPECT_EQ(test, spb_evacuate(zone, zone->spb->index.nr, &limits, &moved), -ENXIO);
	for_each_zone(other) {
		if (other->spb)
			continue;
		KUNIT_EXPECT_EQ(test, spb_defrag(other, 0, &limits, &moved), -EOPNOTSUPP);
		KUNIT_EXPECT_EQ(test, spb_evacuate(other, 0, &limits, &moved), -EOPNOTSUPP);
	}
}

/* Somebody holds a reference: the rest of the block is moved, and it is told. */
static void demand_pinned(struct kunit *test)
{
	static const char *const scene = "UlyyU";
	struct spb_stage *stage = spb_stage(test, &scene, 1);
	const struct spb_limits limits = spb_limits_soon(ULONG_MAX);
	struct spb_moved moved;
	int i;

	for (i = 0; i < 3; i++)
		spb_pin(test, pfn_to_page(spb_stage_pfn(stage, 0, 1) + HOLE + 40 * i));
	spb_pin(test, pfn_to_page(spb_stage_pfn(stage, 0, 2) + HOLE));
	/* The last of its block: it is not back on the LRU when the block is done. */
	spb_pin(test, pfn_to_page(spb_stage_pfn(stage, 0, 4) - 1));
	KUNIT_EXPECT_EQ(test, spb_defrag(stage->zone, stage->spb[0], &limits, &moved), 0);
	KUNIT_EXPECT_EQ(test, moved.pinned, 5);
	KUNIT_EXPECT_EQ(test, moved.pages, 3 * (BLOCK - HOLE) - 5);
	KUNIT_EXPECT_TRUE(test, test_bit(2, spb_stage_spb(stage, 0)->map[SPB_MIXED]));
	KUNIT_EXPECT_TRUE(test, test_bit(3, spb_stage_spb(stage, 0)->map[SPB_MIXED]));
	KUNIT_EXPECT_EQ(test, moved.busy + moved.no_target, 0);
	KUNIT_EXPECT_EQ(test, moved.stop, SPB_STOP_STUCK);
}

static void unlock(void *folio)
{
	folio_unlock(folio);
}

/* Somebody works on it: that is no reference too many, and not waited for. */
static void demand_busy(struct kunit *test)
{
	static const char *const scene = "UlU";
	struct spb_stage *stage = spb_stage(test, &scene, 1);
	struct folio *folio = page_folio(pfn_to_page(spb_stage_pfn(stage, 0, 1) + HOLE));
	const struct spb_limits limits = spb_limits_soon(ULONG_MAX);
	struct spb_moved moved;

	folio_lock(folio);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, unlock, folio));
	KUNIT_EXPECT_EQ(test, spb_defrag(stage->zone, stage->spb[0], &limits, &moved), 0);
	KUNIT_EXPECT_EQ(test, moved.busy, 1);
	KUNIT_EXPECT_EQ(test, moved.pages, BLOCK - HOLE - 1);
	KUNIT_EXPECT_EQ(test, moved.pinned + moved.no_target, 0);
	KUNIT_EXPECT_EQ(test, moved.stop, SPB_STOP_STUCK);
}

/* What is on its way to the LRU is not there yet: it is brought there before all else. */
static void demand_batched(struct kunit *test)
{
	static const char *const scene = "lU";
	struct spb_stage *stage = spb_stage(test, &scene, 1);
	struct folio *folio = page_folio(pfn_to_page(spb_stage_pfn(stage, 0, 0) + HOLE));
	const struct spb_limits limits = spb_limits_soon(ULONG_MAX);
	struct spb_moved moved;

	KUNIT_ASSERT_TRUE(test, folio_isolate_lru(folio));
	folio_putback_lru(folio);
	KUNIT_EXPECT_EQ(test, spb_defrag(stage->zone, stage->spb[0], &limits, &moved), 0);
	KUNIT_EXPECT_EQ(test, moved.pages, BLOCK - HOLE);
	KUNIT_EXPECT_EQ(test, moved.stop, SPB_STOP_EMPTY);
}

static void demand_no_target(struct kunit *test)
{
	static const char *const scene = "UlU";
	struct spb_stage *stage = spb_stage(test, &scene, 1);
	const struct spb_limits limits = spb_limits_soon(ULONG_MAX);
	struct spb_moved moved;

	kunit_activate_static_stub(test, spb_alloc_target, spb_no_target);
	KUNIT_EXPECT_EQ(test, spb_defrag(stage->zone, stage->spb[0], &limits, &moved), 0);
	KUNIT_EXPECT_EQ(test, moved.stop, SPB_STOP_NO_TARGET);
	KUNIT_EXPECT_EQ(test, moved.pages, 0);
	KUNIT_EXPECT_GT(test, moved.no_target, 0);
	KUNIT_EXPECT_EQ(test, moved.pinned + moved.busy, 0);
	spb_stage_expect_true(test, stage->zone, "nothing was moved");
}

/* Meanwhile others take what becomes free. They get it, and the records stay true. */
static struct list_head racers = LIST_HEAD_INIT(racers);

static struct page *racing_target(struct zone *zone, unsigned int order, bool from_tainted)
{
	struct kunit *test = kunit_get_current_test();
	struct page *page = alloc_pages_nolock(0, zone_to_nid(zone), 0);

	if (page)
		list_add(&page->lru, &racers);
	kunit_deactivate_static_stub(test, spb_alloc_target);
	page = spb_alloc_target(zone, order, from_tainted);
	kunit_activate_static_stub(test, spb_alloc_target, racing_target);
	return page;
}

static void free_racers(void *unused)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, &racers, lru) {
		list_del(&page->lru);
		__free_page(page);
	}
	reach_drain_free_pages();
}

static void demand_racing(struct kunit *test)
{
	struct spb_pressure *pressure = spb_press(test, "ULLLLM");
	struct spb_stage *stage = pressure->stage;
	unsigned long pages = 0;
	struct spb_moved moved;
	int tries;

	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, free_racers, NULL));
	kunit_activate_static_stub(test, spb_alloc_target, racing_target);
	/* Others may also hold a page just now, or have what was to be the target. */
	for (tries = 0; pages < 4 * BLOCK && tries < 10; tries++) {
		const struct spb_limits limits = spb_limits_soon(ULONG_MAX);

		KUNIT_EXPECT_EQ(test, spb_defrag(stage->zone, stage->spb[0], &limits, &moved), 0);
		pages += moved.pages;
	}
	KUNIT_EXPECT_EQ_MSG(test, pages, 4 * BLOCK, "ended by %d", moved.stop);
	KUNIT_EXPECT_FALSE_MSG(test, list_empty(&racers), "nobody raced");
	spb_stage_expect_true(test, stage->zone, "raced");
}

/* Nothing moves out of it, and more of the same may come: it is labelled so. */
static void run_adopts_foreign(struct kunit *test)
{
	static const char *const scene = "nmlU";
	struct spb_stage *stage = spb_stage(test, &scene, 1);
	struct superpageblock *spb = spb_stage_spb(stage, 0);

	spb_stop_clock(test);
	spb_defrag_some(stage->zone, stage->spb[0]);
	KUNIT_EXPECT_EQ(test, reach_pageblock_type(pfn_to_page(spb_stage_pfn(stage, 0, 0))), UNMOV);
	KUNIT_EXPECT_EQ(test, reach_pageblock_type(pfn_to_page(spb_stage_pfn(stage, 0, 1))), MOV);
	KUNIT_EXPECT_FALSE(test, test_bit(0, spb->map[SPB_MOVABLE]));
	KUNIT_EXPECT_FALSE(test, test_bit(0, spb->map[SPB_MIXED]));
	spb_stage_expect_true(test, stage->zone, "adopted");
}

/* Not while somebody has isolated it to empty it: that would be over without their knowing. */
static void run_leaves_isolated(struct kunit *test)
{
	static const char *const scene = "nmlU";
	struct spb_stage *stage = spb_stage(test, &scene, 1);
	struct page *page = pfn_to_page(spb_stage_pfn(stage, 0, 0));

	spb_stop_clock(test);
	KUNIT_ASSERT_TRUE(test, reach_isolate_pageblock(stage->zone, page, true));
	spb_defrag_some(stage->zone, stage->spb[0]);
	KUNIT_EXPECT_TRUE(test, reach_isolate_pageblock(stage->zone, page, false));
	KUNIT_EXPECT_EQ(test, reach_pageblock_type(page), MOV);
	spb_stage_expect_true(test, stage->zone, "no longer isolated");
}

/* While it is worked on the last content that cannot move goes: it is left alone. */
static struct page *untainting_target(struct zone *zone, unsigned int order, bool from_tainted)
{
	struct kunit *test = kunit_get_current_test();
	struct spb_stage *stage = test->priv;

	kunit_deactivate_static_stub(test, spb_alloc_target);
	reach_set_pageblock_type(zone, pfn_to_page(spb_stage_pfn(stage, 0, 0)), MOV);
	spb_stage_free_block(stage, 0, 0);
	return spb_alloc_target(zone, order, from_tainted);
}

static void run_becomes_clean(struct kunit *test)
{
	static const char *const scene = "UllllM";
	struct spb_stage *stage = spb_stage(test, &scene, 1);
	unsigned long moved = events_of(stage, SPB_MOVED);

	test->priv = stage;
	kunit_activate_static_stub(test, spb_alloc_target, untainting_target);
	spb_stop_clock(test);
	spb_defrag_some(stage->zone, stage->spb[0]);
	KUNIT_EXPECT_FALSE(test, spb_stage_spb(stage, 0)->tainted);
	KUNIT_EXPECT_EQ(test, events_of(stage, SPB_MOVED) - moved, BLOCK - HOLE);
	KUNIT_EXPECT_FALSE(test, is_wanted(stage));
	spb_stage_expect_true(test, stage->zone, "clean");
}

/* --- Where to --------------------------------------------------------------- */

#define NONE (-1)

struct target_row {
	const char *name;
	const char *scene[STAGE_SPBS];
	bool from_tainted;
	int order;
	int at;
	int block;	/* NONE any */
};

static const struct target_row targets[] = {
	{ "a page of a clean one", { "Um.", "M.", "m.", "." }, true, 0, 2, 0 },
	{ "then a block of a clean one", { "Um.", ".", "M." }, true, 0, 2, 1 },
	{ "the fullest", { "M.", "MM.M", "." }, true, 0, 1, 2 },
	{ "then an empty one", { "Um.", "M", "." }, true, 0, 2, NONE },
	{ "never a tainted one", { "Um.", "M" }, true, 0, NONE },
	{ "a large one", { "Um.", "m", "M." }, true, SCENE_PB(0), 2, 1 },
	{ "evacuation: a page of a clean one", { "Um.", "M.", "m.", "." }, false, 0, 2, 0 },
	{ "evacuation: then a block of a clean one", { "Um.", ".", "M." }, false, 0, 2, 1 },
	{ "evacuation: then a tainted one above its reserve", { ".", "M", "Um.....M" },
	  false, 0, 2, 1 },
	{ "evacuation: a block of it", { ".", "M", "U.....M" }, false, 0, 2, NONE },
	{ "evacuation: not its reserve", { "M", "U....M" }, false, 0, NONE },
	{ "evacuation: a page of it all the same", { "M", "Um....M" }, false, 0, 1, 1 },
	{ "evacuation: a clean one before that", { "Um.", "M." }, false, 0, 1, 1 },
	{ "evacuation: never an empty one", { ".", "M" }, false, 0, NONE },
};

KUNIT_ARRAY_PARAM_DESC(target, targets, name);

struct taken_target {
	const struct target_row *row;
	int at;
	int block;
};

static void take_target(struct spb_stage *stage, void *data)
{
	struct taken_target *taken = data;
	unsigned int order = scene_order(taken->row->order);
	struct page *page = __spb_take_target(stage->zone, order, taken->row->from_tainted);

	taken->at = NONE;
	if (!page)
		return;
	taken->at = spb_stage_of(stage, page);
	taken->block = (page_to_pfn(page) >> pageblock_order) & (SPB_BLOCKS - 1);
	reach_free_one_page(page, stage->zone, order, reach_pageblock_type(page));
}

static void target(struct kunit *test)
{
	const struct target_row *row = test->param_value;
	struct spb_stage *stage = spb_stage(test, row->scene, spb_scene_size(row->scene));
	struct taken_target taken = { row };

	spb_stage_alone(stage, take_target, &taken);
	KUNIT_EXPECT_EQ_MSG(test, taken.at, row->at, "%s: which superpageblock", row->name);
	if (row->at != NONE && row->block != NONE)
		KUNIT_EXPECT_EQ_MSG(test, taken.block, row->block, "%s: which block", row->name);
	spb_stage_expect_true(test, stage->zone, row->name);
}

static void defrag_in_background(struct spb_stage *stage)
{
	spb_defrag_some(stage->zone, stage->spb[0]);
}

static void defrag_on_demand(struct spb_stage *stage)
{
	const struct spb_limits limits = spb_limits_soon(ULONG_MAX);
	struct spb_moved moved;

	spb_defrag(stage->zone, stage->spb[0], &limits, &moved);
}

static void evacuate_on_demand(struct spb_stage *stage)
{
	const struct spb_limits limits = spb_limits_soon(ULONG_MAX);
	struct spb_moved moved;

	spb_evacuate(stage->zone, stage->spb[0], &limits, &moved);
}

static void make_room_in_block(struct spb_stage *stage)
{
	spb_empty_block(stage->zone, stage->spb[0], 1, GFP_KERNEL);
}

enum mover_event { BY_DEFRAG, BY_EVACUATE, BY_MAKE_ROOM, NR_MOVER_EVENTS };

struct mover_row {
	const char *name;
	const char *scene;
	void (*move)(struct spb_stage *stage);
	bool from_tainted;
	enum mover_event event;
};

static const struct mover_row movers[] = {
	{ "in the background", "UlM", defrag_in_background, true, BY_DEFRAG },
	{ "on demand", "UlM", defrag_on_demand, true, BY_DEFRAG },
	{ "by a request that needs a block", "UlM", make_room_in_block, true, BY_MAKE_ROOM },
	{ "evacuation", "l.", evacuate_on_demand, false, BY_EVACUATE },
};

KUNIT_ARRAY_PARAM_DESC(mover, movers, name);

static int asked_as[2];

static struct page *noting_target(struct zone *zone, unsigned int order, bool from_tainted)
{
	asked_as[from_tainted]++;
	return NULL;
}

/* Who moves says whether that is out of a tainted one. */
static void target_of_mover(struct kunit *test)
{
	const struct mover_row *row = test->param_value;
	struct spb_stage *stage = spb_stage(test, &row->scene, 1);

	spb_stop_clock(test);
	memset(asked_as, 0, sizeof(asked_as));
	kunit_activate_static_stub(test, spb_alloc_target, noting_target);
	row->move(stage);
	KUNIT_EXPECT_GT_MSG(test, asked_as[row->from_tainted], 0, "%s", row->name);
	KUNIT_EXPECT_EQ_MSG(test, asked_as[!row->from_tainted], 0, "%s", row->name);
}

struct traced {
	const struct spb_stage *stage;
	int times;
	unsigned long pages;
};

/* Others may be at work on other SPBs. */
static void note_traced(void *data, struct zone *zone, unsigned int spb, unsigned long pages,
			unsigned int stop)
{
	struct traced *traced = data;

	if (zone != traced->stage->zone || spb != traced->stage->spb[0])
		return;
	traced->times++;
	traced->pages = pages;
}

/* Each leaves one event, of its own kind. */
static void mover_is_traced(struct kunit *test)
{
	const struct mover_row *row = test->param_value;
	struct spb_stage *stage = spb_stage(test, &row->scene, 1);
	struct traced traced[NR_MOVER_EVENTS] = { { stage }, { stage }, { stage } };
	int i;

	spb_need_tracepoints(test);
	spb_stop_clock(test);
	register_trace_spb_defrag(note_traced, &traced[BY_DEFRAG]);
	register_trace_spb_evacuate(note_traced, &traced[BY_EVACUATE]);
	register_trace_spb_make_room(note_traced, &traced[BY_MAKE_ROOM]);
	row->move(stage);
	unregister_trace_spb_defrag(note_traced, &traced[BY_DEFRAG]);
	unregister_trace_spb_evacuate(note_traced, &traced[BY_EVACUATE]);
	unregister_trace_spb_make_room(note_traced, &traced[BY_MAKE_ROOM]);
	tracepoint_synchronize_unregister();
	for (i = 0; i < NR_MOVER_EVENTS; i++)
		KUNIT_EXPECT_EQ_MSG(test, traced[i].times, i == row->event, "%s: event %d",
				    row->name, i);
	KUNIT_EXPECT_EQ_MSG(test, traced[row->event].pages, BLOCK - HOLE, "%s", row->name);
}

/* --- What compaction leaves alone ------------------------------------------- */

struct compaction_row {
	const char *name;
	const char *scene[STAGE_SPBS];
	bool source;	/* the first SPB */
	bool target;
};

static const struct compaction_row compactions[] = {
	{ "clean", { "MM." }, true, true },
	{ "tainted, with something to move", { "UM......" }, true, true },
	{ "tainted, with a mixed block", { "yU......" }, true, true },
	{ "tainted, with nothing to move", { "U......" }, false, true },
	{ "tainted, above its reserve", { "U.....M" }, true, true },
	{ "tainted, down to its reserve", { "U....M" }, true, false },
	{ "tainted, full", { "UmM" }, true, false },
	{ "empty, no other", { "." }, true, true },
	{ "empty, a clean one has a block", { ".", "M.M" }, true, false },
	{ "empty, a clean one is full", { ".", "M" }, true, true },
	{ "empty, a tainted one has a block", { ".", "U." }, true, true },
	{ "empty, another one", { ".", "." }, true, true },
};

KUNIT_ARRAY_PARAM_DESC(compaction, compactions, name);

struct suits {
	bool source;
	bool target;
};

static void ask_compaction(struct spb_stage *stage, void *data)
{
	struct page *page = pfn_to_page(spb_stage_pfn(stage, 0, 0));
	struct suits *suits = data;

	suits->source = spb_suits_as_source(page);
	suits->target = spb_suits_as_target(page);
}

static void compaction(struct kunit *test)
{
	const struct compaction_row *row = test->param_value;
	struct spb_stage *stage = spb_stage(test, row->scene, spb_scene_size(row->scene));
	struct suits suits;

	spb_stage_alone(stage, ask_compaction, &suits);
	KUNIT_EXPECT_EQ_MSG(test, suits.source, row->source, "%s: source", row->name);
	KUNIT_EXPECT_EQ_MSG(test, suits.target, row->target, "%s: target", row->name);
}

/* And compaction asks: by block, and where it takes pages off the lists. */
static void compaction_asks(struct kunit *test)
{
	static const char *const scene[] = { "Um.", "Um......" };
	struct spb_stage *stage = spb_stage(test, scene, 2);
	struct page *small = pfn_to_page(spb_stage_pfn(stage, 0, 1));
	struct page *large = pfn_to_page(spb_stage_pfn(stage, 1, 1));
	struct page *unmovable = pfn_to_page(spb_stage_pfn(stage, 1, 0));
	struct compact_control cc = { .zone = stage->zone, .order = 3 };

	small += HOLE;
	large += HOLE;
	KUNIT_EXPECT_TRUE(test, reach_suitable_migration_source(&cc, large));
	KUNIT_EXPECT_TRUE(test, reach_suitable_migration_target(&cc, small));
	KUNIT_EXPECT_TRUE(test, reach_suitable_migration_target(&cc, large));
	KUNIT_EXPECT_FALSE(test, reach_suitable_migration_target(&cc, unmovable));
}

static void compaction_asks_no(struct kunit *test)
{
	static const char *const scene[] = { "U....U", "Um....U" };
	struct spb_stage *stage = spb_stage(test, scene, 2);
	struct page *fixed = pfn_to_page(spb_stage_pfn(stage, 0, 0));
	struct page *reserve = pfn_to_page(spb_stage_pfn(stage, 1, 1)) + HOLE;
	struct compact_control cc = { .zone = stage->zone, .order = 3,
		.ignore_block_suitable = true };

	KUNIT_EXPECT_FALSE(test, reach_suitable_migration_source(&cc, fixed));
	KUNIT_EXPECT_FALSE(test, reach_suitable_migration_target(&cc, reserve));
}

static bool suits_never(struct page *page)
{
	return false;
}

/* What fast_isolate_freepages() takes, from @share quarters below the end on. */
static unsigned int isolate_fast(struct spb_stage *stage, unsigned int share)
{
	unsigned long end = pageblock_start_pfn(zone_end_pfn(stage->zone) - 1);
	unsigned long first = spb_stage_pfn(stage, 0, 0);
	struct compact_control cc = { .zone = stage->zone, .order = pageblock_order,
		.mode = MIGRATE_SYNC, .free_pfn = end, .nr_migratepages = COMPACT_CLUSTER_MAX,
		.search_order = STAGE_HOLE };	/* the list on which it was freed last */

	cc.migrate_pfn = end - min(share * (end - first), end - stage->zone->zone_start_pfn);
	cc.migrate_pfn = pageblock_start_pfn(cc.migrate_pfn);
	return reach_fast_isolate_freepages(&cc);
}

static void compaction_asks_for_lists(struct kunit *test)
{
	static const char *const scene = "m";
	struct spb_stage *stage = spb_stage(test, &scene, 1);
	unsigned int share;

	for (share = 3; share <= 5; share += 2) {
		KUNIT_EXPECT_GT_MSG(test, isolate_fast(stage, share), 0, "share %u", share);
		kunit_activate_static_stub(test, spb_suits_as_target, suits_never);
		KUNIT_EXPECT_EQ_MSG(test, isolate_fast(stage, share), 0, "share %u", share);
		kunit_deactivate_static_stub(test, spb_suits_as_target);
	}
	spb_stage_expect_true(test, stage->zone, "isolated");
}

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

/* SPDX-License-Identifier: GPL-2.0 */
/* Part of defrag_kunit.c: runs in the background, and the backoff after futile ones. */

/* --- A run ------------------------------------------------------------------ */

struct run_row {
	const char *name;
	const char *scene;
	bool runs;
	enum spb_stop stop;
	unsigned int blocks;	/* blocks whose pages were all migrated */
	bool rests;		/* a backoff follows */
	bool again;		/* another run is pending */
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
			    "%s: counter of the stop reason", row->name);
	KUNIT_EXPECT_EQ_MSG(test, !!spb->rest_until, row->rests, "%s: backoff", row->name);
	if (row->runs)
		KUNIT_EXPECT_EQ_MSG(test, spb->stop, row->stop, "%s: stop reason", row->name);
	KUNIT_EXPECT_EQ_MSG(test, is_wanted(stage), row->again, "%s: continues", row->name);
	spb_stage_expect_true(test, stage->zone, row->name);
}

/* Pages are not migrated to a tainted SPB: they would have to be migrated again. */
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

/* A run neither follows compaction's skip hints nor sets any. */
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

/* Each read of the clock takes a second. */
static unsigned long slow_now(void)
{
	static unsigned long now;

	now = max(now, jiffies) + HZ;
	return now;
}

/* A run ends when its time is over. */
static void run_out_of_time(struct kunit *test)
{
	static const char *const scene = "UlllM";
	struct spb_stage *stage = spb_stage(test, &scene, 1);

	kunit_activate_static_stub(test, spb_now, slow_now);
	spb_defrag_some(stage->zone, stage->spb[0]);
	KUNIT_EXPECT_EQ(test, spb_stage_spb(stage, 0)->stop, SPB_STOP_TIME);
	kunit_deactivate_static_stub(test, spb_now);
}

/* The first reads of the clock are within the time of a run, then a second has passed. */
static int reads;

static unsigned long later_now(void)
{
	return jiffies + (reads++ < 8 ? 0 : HZ);
}

/* A run that timed out is continued later if it migrated any pages. */
static void run_goes_on_later(struct kunit *test)
{
	static const char *const scene = "UlllM";
	struct spb_stage *stage = spb_stage(test, &scene, 1);
	unsigned long moved = events_of(stage, SPB_MOVED);

	reads = 0;
	kunit_activate_static_stub(test, spb_now, later_now);
	spb_defrag_some(stage->zone, stage->spb[0]);
	kunit_deactivate_static_stub(test, spb_now);
	KUNIT_EXPECT_EQ(test, spb_stage_spb(stage, 0)->stop, SPB_STOP_TIME);
	KUNIT_EXPECT_GT(test, events_of(stage, SPB_MOVED), moved);
	KUNIT_EXPECT_TRUE(test, is_wanted(stage));
	KUNIT_EXPECT_EQ(test, spb_stage_spb(stage, 0)->rest_until, 0);
}

/* A movable block with only unmovable pages becomes an unmovable one. */
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

/* But not while another task has isolated it: the change would end the isolation. */
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

/* The SPB becomes clean during the run: the run stops. */
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

/* --- The backoff after a run that migrated nothing -------------------------- */

static long time_passed;

static unsigned long passed_now(void)
{
	return jiffies + time_passed;
}

static unsigned long count_triggers(struct spb_stage *stage, long after)
{
	struct stage_request request = { .type = UNMOV, .alloc_flags = NOFRAG };
	unsigned long triggers = 0;
	int i;

	time_passed = after;
	for (i = 0; i < 3; i++) {
		spb_stage_ask(stage, &request);
		triggers += request.events[SPB_WANT_CHANGE] + request.events[SPB_WANT_USE];
	}
	return triggers;
}

static struct spb_stage *stage_in_backoff(struct kunit *test, enum trigger enabled)
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
	struct spb_stage *stage = stage_in_backoff(test, ANY);

	KUNIT_EXPECT_EQ(test, count_triggers(stage, 0), 0);
	/* One second less than the backoff, for the time that the case takes. */
	KUNIT_EXPECT_EQ(test, count_triggers(stage, 4 * HZ), 0);
	KUNIT_EXPECT_EQ(test, count_triggers(stage, 5 * HZ + 1), 3);
}

/* The backoff ends when the SPB's category changes. */
static void rest_ends_with_category(struct kunit *test)
{
	struct spb_stage *stage = stage_in_backoff(test, ANY);

	KUNIT_EXPECT_NE(test, spb_stage_spb(stage, 0)->rest_until, 0);
	reach_set_pageblock_type(stage->zone, pfn_to_page(spb_stage_pfn(stage, 0, 0)), MOV);
	spb_stage_free_block(stage, 0, 0);
	KUNIT_EXPECT_FALSE(test, spb_stage_spb(stage, 0)->tainted);
	KUNIT_EXPECT_EQ(test, spb_stage_spb(stage, 0)->rest_until, 0);
}

/* With the first trigger alone a full SPB is never defragmented again. */
static void rest_is_followed_by_nothing(struct kunit *test)
{
	struct spb_stage *stage = stage_in_backoff(test, BY_CHANGE);

	KUNIT_EXPECT_EQ(test, count_triggers(stage, 6 * HZ), 0);
	KUNIT_EXPECT_EQ(test, count_triggers(stage, 600 * HZ), 0);
}

static void rest_is_followed_by_use(struct kunit *test)
{
	struct spb_stage *stage = stage_in_backoff(test, BY_USE);

	KUNIT_EXPECT_GT(test, count_triggers(stage, 6 * HZ), 0);
}

static void rest_is_followed_by_all(struct kunit *test)
{
	struct spb_stage *stage = stage_in_backoff(test, BY_ALL);

	spb_stage_alone(stage, want_all_now, NULL);
	KUNIT_EXPECT_FALSE_MSG(test, is_wanted(stage), "during the backoff");
	time_passed = 6 * HZ;
	spb_stage_alone(stage, want_all_now, NULL);
	KUNIT_EXPECT_TRUE_MSG(test, is_wanted(stage), "after the backoff");
}

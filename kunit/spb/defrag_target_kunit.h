/* SPDX-License-Identifier: GPL-2.0 */
/* Part of defrag_kunit.c: where pages are migrated to, and what compaction skips. */

/* --- Target pages ----------------------------------------------------------- */

#define NONE (-1)

struct target_row {
	const char *name;
	const char *scene[STAGE_SPBS];
	bool from_tainted;
	int order;
	int at;
	int block;	/* NONE: any */
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

/* Each mover says whether it migrates pages out of a tainted SPB. */
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

/* Other SPBs may be defragmented meanwhile. */
static void note_traced(void *data, struct zone *zone, unsigned int spb, unsigned long pages,
			unsigned int stop)
{
	struct traced *traced = data;

	if (zone != traced->stage->zone || spb != traced->stage->spb[0])
		return;
	traced->times++;
	traced->pages = pages;
}

/* Each mover leaves one trace event, of its own kind. */
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

/* --- What compaction skips -------------------------------------------------- */

struct compaction_row {
	const char *name;
	const char *scene[STAGE_SPBS];
	bool source;	/* of the first SPB */
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

/* Compaction applies these rules when it checks a pageblock. */
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

/*
 * How many pages fast_isolate_freepages() isolates if the migration scanner is @share
 * times as far from the zone's end as the stage.
 */
static unsigned int isolate_fast(struct spb_stage *stage, unsigned int share)
{
	unsigned long end = pageblock_start_pfn(zone_end_pfn(stage->zone) - 1);
	unsigned long first = spb_stage_pfn(stage, 0, 0);
	struct compact_control cc = { .zone = stage->zone, .order = pageblock_order,
		.mode = MIGRATE_SYNC, .free_pfn = end, .nr_migratepages = COMPACT_CLUSTER_MAX,
		.search_order = STAGE_HOLE };	/* the free list of the stage's hole */

	cc.migrate_pfn = end - min(share * (end - first), end - stage->zone->zone_start_pfn);
	cc.migrate_pfn = pageblock_start_pfn(cc.migrate_pfn);
	return reach_fast_isolate_freepages(&cc);
}

/* Compaction applies them when it isolates pages from the free lists. */
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

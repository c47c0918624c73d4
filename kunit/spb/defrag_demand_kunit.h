/* SPDX-License-Identifier: GPL-2.0 */
/* Part of defrag_kunit.c: runs on demand. */

struct demand_row {
	const char *name;
	const char *scene;
	int ret;
	enum spb_stop stop;
	unsigned int blocks;
	unsigned int fixed;	/* blocks with unmovable pages */
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
			    "%s: counter of the stop reason", row->name);
	KUNIT_EXPECT_EQ_MSG(test, events_of(stage, SPB_MOVED) - pages, moved.pages,
			    "%s: counter of pages", row->name);
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

/* A signal stops a run on demand, but not a run in the background. */
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

/* Pages with an extra reference are reported; the rest of their block is migrated. */
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
	/* The last page of its block: it is not yet back on the LRU when the block is done. */
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

/* A locked page is busy, not pinned, and the run does not wait for it. */
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

/* Pages in a per-cpu batch are not on the LRU: a run drains the batches first. */
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
	spb_stage_expect_true(test, stage->zone, "nothing was migrated");
}

/* Other requests allocate the pages that a run frees: the records stay correct. */
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
	/* Another task may hold a page for a moment, or allocate the target page first. */
	for (tries = 0; pages < 4 * BLOCK && tries < 10; tries++) {
		const struct spb_limits limits = spb_limits_soon(ULONG_MAX);

		KUNIT_EXPECT_EQ(test, spb_defrag(stage->zone, stage->spb[0], &limits, &moved), 0);
		pages += moved.pages;
	}
	KUNIT_EXPECT_EQ_MSG(test, pages, 4 * BLOCK, "stop reason %d", moved.stop);
	KUNIT_EXPECT_FALSE_MSG(test, list_empty(&racers), "no request raced");
	spb_stage_expect_true(test, stage->zone, "raced");
}

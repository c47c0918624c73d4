/* SPDX-License-Identifier: GPL-2.0 */
/* Part of steering_kunit.c: which requests may taint and when, and which are refused. */

struct pressed_row {
	const char *name;
	gfp_t gfp;
	unsigned int order;
	bool served;
	bool taints;
	unsigned int blocked;		/* at least so often */
	unsigned int refused;
};

static const struct pressed_row presseds[] = {
	{ "plain: after reclaim and compaction", GFP_KERNEL, 0, true, true, 2 },
	{ "reclaimable: as well", GFP_KERNEL | __GFP_RECLAIMABLE, 0, true, true, 2 },
	{ "plain, order 3", GFP_KERNEL, 3, true, true, 2 },
	{ "a page that may fail is served all the same", GFP_KERNEL | __GFP_NORETRY, 0,
	  true, true, 2 },
	{ "best effort for more is refused", GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN, 1,
	  false, false, 2, 1 },
	{ "atomic: as the last stage", GFP_ATOMIC, 0, true, true, 2 },
	{ "does not wait: a page", GFP_NOWAIT, 0, true, true, 2 },
	{ "does not wait: more than that is refused", GFP_NOWAIT, 1, false, false, 2, 1 },
	{ "as at early boot", GFP_KERNEL & GFP_BOOT_MASK, 0, true, true, 2 },
	{ "movable", GFP_KERNEL | __GFP_MOVABLE, 0, true, false, 0 },
	/* the last row: it leaves a highatomic reserve, which serves atomic requests */
	{ "atomic, order 2", GFP_ATOMIC, 2, true, true, 2 },
};

KUNIT_ARRAY_PARAM_DESC(pressed, presseds, name);

#define PRESS_TRIES 5

/* With movable memory in a tainted SPB, so that requests wait; none of it can migrate. */
static struct spb_pressure *press(struct kunit *test)
{
	return spb_press(test, "UM");
}

/* Try again if reclaim freed a kernel page: the request did not have to taint then. */
static struct page *ask_pressed(struct kunit *test, const struct pressed_row *row,
				struct spb_pressure **pressure)
{
	struct page *page = NULL;
	int i;

	for (i = 0; i < PRESS_TRIES; i++) {
		if (i && page)
			__free_pages(page, row->order);
		if (i)
			spb_relieve(test, *pressure);
		*pressure = press(test);
		page = alloc_pages(row->gfp, row->order);
		if (spb_grown(*pressure, SPB_TAINT) >= row->taints &&
		    spb_grown(*pressure, SPB_REFUSED) >= row->refused)
			break;
	}
	return page;
}

static void pressed(struct kunit *test)
{
	const struct pressed_row *row = test->param_value;
	struct spb_pressure *pressure;
	struct page *page = ask_pressed(test, row, &pressure);

	KUNIT_EXPECT_EQ_MSG(test, !!page, row->served, "%s: served", row->name);
	KUNIT_EXPECT_EQ_MSG(test, spb_grown(pressure, SPB_TAINT) > 0, row->taints,
			    "%s: tainted", row->name);
	KUNIT_EXPECT_GE_MSG(test, spb_grown(pressure, SPB_HELD_BACK), row->blocked,
			    "%s: blocked", row->name);
	KUNIT_EXPECT_EQ_MSG(test, spb_grown(pressure, SPB_REFUSED), row->refused,
			    "%s: refused", row->name);
	if (page)
		__free_pages(page, row->order);
	spb_stage_expect_true(test, scene_zone(), row->name);
}

/* alloc_pages_bulk() stops where it would taint, and falls back to a single page. */
static void pressed_bulk(struct kunit *test)
{
	struct page **pages = kunit_kcalloc(test, 64, sizeof(*pages), GFP_KERNEL);
	unsigned long nr;

	KUNIT_ASSERT_NOT_NULL(test, pages);
	press(test);
	nr = alloc_pages_bulk(GFP_KERNEL, 64, pages);
	KUNIT_EXPECT_EQ(test, nr, 1);
	while (nr--)
		__free_page(pages[nr]);
}

/* For pages that are removed from their free lists, but not prepared for use. */
static void free_unprepared(struct list_head *pages)
{
	struct zone *zone = scene_zone();
	struct page *page, *next;
	unsigned long flags;

	spin_lock_irqsave(&zone->lock, flags);
	list_for_each_entry_safe(page, next, pages, pcp_list) {
		list_del(&page->pcp_list);
		reach_free_one_page(page, zone, 0, reach_pageblock_type(page));
	}
	spin_unlock_irqrestore(&zone->lock, flags);
}

/* A refill of a per-cpu list gets the free pages of its migratetype, and no others. */
static void refill_never_taints(struct kunit *test)
{
	struct spb_pressure *pressure = press(test);
	LIST_HEAD(got);
	int nr;

	__free_page(spb_take_back(test, pressure));
	reach_drain_free_pages();
	nr = reach_rmqueue_bulk(scene_zone(), 0, 64, &got, UNMOV, 0);
	KUNIT_EXPECT_GE(test, nr, 1);
	KUNIT_EXPECT_LT(test, nr, 64);
	KUNIT_EXPECT_EQ(test, reach_rmqueue_bulk(scene_zone(), 0, 64, &got, UNMOV, 0), 0);
	KUNIT_EXPECT_EQ(test, spb_grown(pressure, SPB_TAINT), 0);
	free_unprepared(&got);
	spb_stage_expect_true(test, scene_zone(), "refilled");
}

/* Only a request itself gets pages of the other non-movable migratetype, one at a time. */
static void refill_never_borrows(struct kunit *test)
{
	struct spb_pressure *pressure = press(test);
	LIST_HEAD(got);
	struct page *page;
	int i;

	for (i = 0; i < 8; i++)
		__free_page(spb_take_back(test, pressure));
	reach_drain_free_pages();
	KUNIT_EXPECT_EQ(test, reach_rmqueue_bulk(scene_zone(), 0, 64, &got, RECL, NOFRAG), 0);
	KUNIT_EXPECT_EQ(test, spb_grown(pressure, SPB_SERVED_OTHER_KIND), 0);
	page = alloc_page(GFP_KERNEL | __GFP_RECLAIMABLE);
	KUNIT_EXPECT_NOT_NULL(test, page);
	KUNIT_EXPECT_EQ(test, spb_grown(pressure, SPB_SERVED_OTHER_KIND), 1);
	if (page)
		__free_page(page);
	free_unprepared(&got);
}

struct drain_row {
	const char *name;
	gfp_t gfp;
	unsigned int flags;	/* PF_* of the task */
	bool drained;
};

static const struct drain_row drains[] = {
	{ "plain", GFP_KERNEL, 0, true },
	{ "cannot wait", GFP_ATOMIC, 0, false },
	{ "is reclaim itself", GFP_KERNEL, PF_MEMALLOC, false },
};

KUNIT_ARRAY_PARAM_DESC(drain, drains, name);

static void need_per_cpu_lists(struct kunit *test)
{
	if (!IS_ENABLED(CONFIG_SMP))
		kunit_skip(test, "the allocator has no per-cpu lists; needs CONFIG_SMP");
}

/* For a request that may sleep all per-cpu lists are drained before it taints an SPB. */
static void pressed_drain(struct kunit *test)
{
	const struct drain_row *row = test->param_value;
	unsigned int flags = ALLOC_NOFRAGMENT, before = current->flags;
	struct alloc_context ac = { .migratetype = UNMOV };
	struct zonelist *zones = node_zonelist(zone_to_nid(scene_zone()), row->gfp);
	struct page *page;

	need_per_cpu_lists(test);
	page = spb_take_back(test, press(test));
	ac.preferred_zoneref = first_zones_zonelist(zones, gfp_zone(row->gfp), NULL);
	__free_page(page);
	current->flags |= row->flags;
	KUNIT_EXPECT_TRUE(test, spb_may_taint_now(row->gfp, 0, &flags, &ac));
	current->flags = before;
	KUNIT_EXPECT_EQ(test, flags, 0);
	KUNIT_EXPECT_EQ_MSG(test, PageBuddy(page), row->drained, "%s", row->name);
}

struct look_row {
	const char *name;
	int type;
	bool drained;
};

static const struct look_row looks[] = {
	{ "unmovable", UNMOV, true },
	{ "reclaimable", RECL, true },
	{ "movable", MOV, false },
};

KUNIT_ARRAY_PARAM_DESC(look, looks, name);

/* Before the slow path the lists of this CPU are drained. */
static void look_again(struct kunit *test)
{
	const struct look_row *row = test->param_value;
	struct zonelist *zones = node_zonelist(zone_to_nid(scene_zone()), GFP_KERNEL);
	struct alloc_context ac = { .migratetype = row->type };
	struct page *page;

	need_per_cpu_lists(test);
	page = spb_take_back(test, press(test));
	ac.preferred_zoneref = first_zones_zonelist(zones, gfp_zone(GFP_KERNEL), NULL);
	__free_page(page);
	KUNIT_EXPECT_FALSE(test, PageBuddy(page));
	spb_look_again(&ac);
	KUNIT_EXPECT_EQ_MSG(test, PageBuddy(page), row->drained, "%s", row->name);
}

/* So that a request that may not sleep, nor use reserves, does not have to taint. */
static void look_again_nowait(struct kunit *test)
{
	struct spb_pressure *pressure = press(test);
	struct page *page;

	__free_page(spb_take_back(test, pressure));
	page = alloc_pages(GFP_NOWAIT | __GFP_NOMEMALLOC | __GFP_RECLAIMABLE, 0);
	KUNIT_EXPECT_NOT_NULL(test, page);
	KUNIT_EXPECT_EQ(test, spb_grown(pressure, SPB_TAINT), 0);
	if (page)
		__free_page(page);
}

/* --- Refused requests ------------------------------------------------------- */

struct cheap_row {
	const char *name;
	gfp_t gfp;
	unsigned int order;
	bool cheap;
};

static const struct cheap_row cheaps[] = {
	{ "a page is never optional", GFP_KERNEL | __GFP_NORETRY, 0, false },
	{ "best effort for two", GFP_KERNEL | __GFP_NORETRY, 1, true },
	{ "best effort that may try hard", GFP_KERNEL | __GFP_NORETRY | __GFP_RETRY_MAYFAIL,
	  3, false },
	{ "plain", GFP_KERNEL, 3, false },
	{ "plain, costly", GFP_KERNEL, 9, false },
	{ "may not fail", GFP_KERNEL | __GFP_NORETRY | __GFP_NOFAIL, 3, false },
	{ "frees memory", GFP_KERNEL | __GFP_NORETRY | __GFP_MEMALLOC, 3, false },
	{ "atomic", GFP_ATOMIC, 3, false },
	{ "atomic that does not complain", GFP_ATOMIC | __GFP_NOWARN, 3, true },
	{ "does not wait, does not complain", GFP_NOWAIT, 1, true },
	{ "does not wait, does not complain, one page", GFP_NOWAIT, 0, false },
	{ "early boot", GFP_KERNEL & GFP_BOOT_MASK, 3, false },
	{ "does not complain but can wait", GFP_KERNEL | __GFP_NOWARN, 3, false },
};

KUNIT_ARRAY_PARAM_DESC(cheap, cheaps, name);

static void cheap_fallback(struct kunit *test)
{
	const struct cheap_row *row = test->param_value;

	KUNIT_EXPECT_EQ_MSG(test, spb_has_cheap_fallback(row->gfp, row->order), row->cheap,
			    "%s, order %u", row->name, row->order);
}

#define BEST_EFFORT (GFP_KERNEL | __GFP_NORETRY)
#define OPPORTUNISTIC ((GFP_KERNEL & ~__GFP_DIRECT_RECLAIM) | __GFP_NORETRY)

struct refusal_row {
	const char *name;
	gfp_t gfp;
	unsigned int order;
	bool refused;
	const char *zones;	/* a letter for each allowed zone, see synthetic_zone() */
};

static const struct refusal_row refusals[] = {
	{ "plain", GFP_KERNEL, 0, false, "E" },
	{ "best effort, room can be made", BEST_EFFORT, 1, true, "E" },
	{ "best effort, nothing to move", BEST_EFFORT, 1, false, "C" },
	{ "best effort, nowhere to move it to", BEST_EFFORT, 1, false, "T" },
	{ "best effort, nowhere in its own zone", BEST_EFFORT, 1, false, "TC" },
	{ "best effort, room can be made in the next zone", BEST_EFFORT, 1, true, "TE" },
	{ "best effort, a zone without SPBs", BEST_EFFORT, 1, false, "-" },
	{ "best effort, a zone without SPBs first", BEST_EFFORT, 1, true, "-E" },
	{ "before one that may wait", OPPORTUNISTIC, 1, true, "E" },
	{ "before one that may wait, no room can be made", OPPORTUNISTIC, 1, true, "T" },
	{ "before one that may wait, a page", OPPORTUNISTIC, 0, false, "T" },
	{ "before one that may wait, no SPBs", OPPORTUNISTIC, 1, false, "-" },
	{ "does not wait, room can be made", GFP_NOWAIT, 1, true, "E" },
	{ "does not wait, no room can be made", GFP_NOWAIT, 1, false, "T" },
};

KUNIT_ARRAY_PARAM_DESC(refusal, refusals, name);

/*
 * A zone to read only: '-' without SPBs, 'C' with clean ones, 'T' with tainted ones
 * that have movable memory, 'E' with both. All have some free blocks.
 */
static struct zone *synthetic_zone(struct kunit *test, char kind)
{
	struct zone *zone = kunit_kzalloc(test, sizeof(*zone), GFP_KERNEL);
	struct spb_zone *spbs = kunit_kzalloc(test, sizeof(*spbs), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, zone);
	KUNIT_ASSERT_NOT_NULL(test, spbs);
	if (kind == '-')
		return zone;
	zone->spb = spbs;
	spbs->nr_evacuable = kind != 'C';
	spbs->index.filled = (kind != 'C' ? BIT(SPB_BUCKET_TAINTED + 1) : 0) |
			     (kind != 'T' ? BIT(SPB_BUCKET_CLEAN + 1) : 0);
	return zone;
}

static bool may_taint(struct kunit *test, const struct refusal_row *row)
{
	struct zonelist *zones = kunit_kzalloc(test, sizeof(*zones), GFP_KERNEL);
	struct zoneref real = { .zone = scene_zone(), .zone_idx = zone_idx(scene_zone()) };
	struct alloc_context ac = { .migratetype = UNMOV, .preferred_zoneref = &real };
	unsigned int flags = ALLOC_NOFRAGMENT;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, zones);
	for (i = 0; row->zones[i]; i++)
		zones->_zonerefs[i].zone = synthetic_zone(test, row->zones[i]);
	ac.zonelist = zones;
	return spb_may_taint_now(row->gfp, row->order, &flags, &ac) && !flags;
}

static void refused(struct kunit *test)
{
	const struct refusal_row *row = test->param_value;

	KUNIT_EXPECT_EQ_MSG(test, !may_taint(test, row), row->refused, "%s", row->name);
}

struct traced_refusal {
	const struct refusal_row *row;
	int times;
};

static void note_refusal(void *data, struct zone *zone, unsigned int order, gfp_t gfp)
{
	struct traced_refusal *traced = data;

	traced->times += order == traced->row->order && gfp == traced->row->gfp;
}

static void refusal_is_traced(struct kunit *test)
{
	struct traced_refusal traced = { .row = test->param_value };

	spb_need_tracepoints(test);
	register_trace_spb_refuse(note_refusal, &traced);
	may_taint(test, traced.row);
	unregister_trace_spb_refuse(note_refusal, &traced);
	tracepoint_synchronize_unregister();
	KUNIT_EXPECT_EQ_MSG(test, traced.times, traced.row->refused, "%s", traced.row->name);
}

/* Mainline sets ALLOC_NOFRAGMENT for some zones only, and not on every machine. */
static void flag_in_any_zone(struct kunit *test)
{
	struct zone *zone;

	for_each_zone(zone)
		KUNIT_EXPECT_TRUE_MSG(test, reach_alloc_flags(zone) & ALLOC_NOFRAGMENT,
				      "zone %s", zone->name);
}

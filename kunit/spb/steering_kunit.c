// SPDX-License-Identifier: GPL-2.0
/*
 * Steering to superpageblocks: from a drawn state, a request of each kind lands
 * where the order of preference says. The drawings are those of spb_stage.h; the
 * stage is all the zone has while a request is served.
 */
#include <kunit/static_stub.h>
#include <kunit/test-bug.h>
#include <kunit/test.h>
#include <linux/gfp.h>
#include <linux/module.h>
#include <trace/events/superpageblock.h>

#include "../../internal.h"
#include "stage.h"

#define UNMOV	MIGRATE_UNMOVABLE
#define MOV	MIGRATE_MOVABLE
#define RECL	MIGRATE_RECLAIMABLE
#define HIGH	MIGRATE_HIGHATOMIC

#define NOFRAG	ALLOC_NOFRAGMENT
#define NONE	(-1)

struct steering_row {
	const char *name;
	const char *scene[STAGE_SPBS];
	int type;
	int order;
	unsigned int alloc_flags;
	int at;			/* SPB of the scene, NONE no page */
	int block;		/* of that, NONE any */
	int label;		/* of the block afterwards */
	bool foreign;
	bool tainted;		/* the SPB afterwards */
	int event;		/* the counter that grows, NONE no other one */
	unsigned int few;	/* how many SPBs the zone seems to have, 0 the truth */
};

static const struct steering_row rows[] = {
	/* own pages come first */
	{ "unmovable: own page", { "M.", "uM", "U." }, UNMOV, 0, NOFRAG,
	  1, 0, UNMOV, false, true, NONE },
	{ "reclaimable: own page", { "U.", "uM", "rM" }, RECL, 0, NOFRAG,
	  2, 0, RECL, false, true, NONE },
	/* then a free block of a tainted SPB, the fullest */
	{ "unmovable: a free block", { ".", "M.", "U." }, UNMOV, 0, NOFRAG,
	  2, 1, UNMOV, false, true, SPB_SERVED_BLOCK },
	{ "unmovable: of the fullest one", { "U.", "UM.M", "UMMMM." }, UNMOV, 0, NOFRAG,
	  1, 2, UNMOV, false, true, SPB_SERVED_BLOCK },
	{ "unmovable: the last one of the reserve", { ".", "U.M", "M" }, UNMOV, 0, NOFRAG,
	  1, 1, UNMOV, false, true, SPB_SERVED_BLOCK },
	{ "unmovable: before movable pages beside it", { "Um.", "M." }, UNMOV, 0, NOFRAG,
	  0, 2, UNMOV, false, true, SPB_SERVED_BLOCK },
	{ "reclaimable: a free block", { ".", "U." }, RECL, 0, NOFRAG,
	  1, 1, RECL, false, true, SPB_SERVED_BLOCK },
	{ "unmovable: a whole block", { ".", "U." }, UNMOV, SCENE_PB(0), NOFRAG,
	  1, NONE, UNMOV, false, true, SPB_SERVED_BLOCK },
	{ "unmovable: two blocks", { ".", "UU." }, UNMOV, SCENE_PB(1), NOFRAG,
	  1, NONE, UNMOV, false, true, SPB_SERVED_BLOCK },
	{ "unmovable: two blocks, not of the fullest", { ".", "U.M", "UU." }, UNMOV,
	  SCENE_PB(1), NOFRAG, 2, NONE, UNMOV, false, true, SPB_SERVED_BLOCK },
	/* then a movable block of one, however little of it is free */
	{ "unmovable: claims a movable block", { ".", "m", "UM", "Um" }, UNMOV, 0, NOFRAG,
	  3, NONE, UNMOV, false, true, SPB_SERVED_CLAIM },
	{ "reclaimable: claims a movable block", { ".", "m", "UM", "Um" }, RECL, 0, NOFRAG,
	  3, NONE, RECL, false, true, SPB_SERVED_CLAIM },
	{ "unmovable, order 3: claims a movable block", { "m", "Um" }, UNMOV, 3, NOFRAG,
	  1, NONE, UNMOV, false, true, SPB_SERVED_CLAIM },
	{ "unmovable: rather than a page of the other kind", { ".", "rmM" }, UNMOV, 0,
	  NOFRAG, 1, 1, UNMOV, false, true, SPB_SERVED_CLAIM },
	/* then a page of the other non-movable type, without relabelling */
	{ "unmovable: a reclaimable page", { ".", "m", "rM" }, UNMOV, 0, NOFRAG,
	  2, 0, RECL, false, true, SPB_SERVED_OTHER_KIND },
	{ "reclaimable: an unmovable page", { ".", "m", "uM" }, RECL, 0, NOFRAG,
	  2, 0, UNMOV, false, true, SPB_SERVED_OTHER_KIND },
	{ "unmovable: no highatomic page", { "hM" }, UNMOV, 0, NOFRAG,
	  NONE, NONE, NONE, false, false, SPB_HELD_BACK },
	/* with few SPBs no movable block is claimed, only borrowed from */
	{ "unmovable: few: a page of the other kind", { ".", "rmM" }, UNMOV, 0, NOFRAG,
	  1, 0, RECL, false, true, SPB_SERVED_OTHER_KIND, .few = 8 },
	{ "unmovable: few: borrows a movable page", { ".", "m", "UMmM" }, UNMOV, 0, NOFRAG,
	  2, 2, MOV, true, true, SPB_SERVED_BORROW, .few = 8 },
	{ "reclaimable: few: borrows a movable page", { ".", "m", "UMmM" }, RECL, 0, NOFRAG,
	  2, 2, MOV, true, true, SPB_SERVED_BORROW, .few = 8 },
	{ "unmovable: few: a free block all the same", { ".", "Um.M" }, UNMOV, 0, NOFRAG,
	  1, 2, UNMOV, false, true, SPB_SERVED_BLOCK, .few = 1 },
	{ "unmovable: one more than few", { ".", "rmM" }, UNMOV, 0, NOFRAG,
	  1, 1, UNMOV, false, true, SPB_SERVED_CLAIM, .few = 9 },
	/* then nothing, as long as the request may not taint */
	{ "unmovable: held back", { ".", "m", "UM" }, UNMOV, 0, NOFRAG,
	  NONE, NONE, NONE, false, false, SPB_HELD_BACK },
	{ "reclaimable: held back", { ".", "m", "UM" }, RECL, 0, NOFRAG,
	  NONE, NONE, NONE, false, false, SPB_HELD_BACK },
	{ "unmovable, a whole block: held back", { ".", "Um" }, UNMOV, SCENE_PB(0), NOFRAG,
	  NONE, NONE, NONE, false, false, SPB_HELD_BACK },
	{ "unmovable: held back with nothing to move, too", { "M.", "U", "." }, UNMOV, 0,
	  NOFRAG, NONE, NONE, NONE, false, false, SPB_HELD_BACK },
	/* and then it taints: an empty one, else a clean one */
	{ "unmovable: taints an empty one", { "M.", "UM", "." }, UNMOV, 0, 0,
	  2, 0, UNMOV, false, true, SPB_SERVED_TAINT },
	{ "unmovable: taints the fullest clean one", { "M.", "UM", "MM.M" }, UNMOV, 0, 0,
	  2, 2, UNMOV, false, true, SPB_SERVED_TAINT },
	{ "reclaimable: taints an empty one", { "M.", "UM", "." }, RECL, 0, 0,
	  2, 0, RECL, false, true, SPB_SERVED_TAINT },
	{ "unmovable, a whole block: taints", { "UM", "M." }, UNMOV, SCENE_PB(0), 0,
	  1, 1, UNMOV, false, true, SPB_SERVED_TAINT },
	{ "unmovable: claims a clean block where none is free", { "UM", "m" }, UNMOV, 0, 0,
	  1, NONE, UNMOV, false, true, NONE },
	{ "unmovable: steals from a clean block of pages in use", { "UM", "MlM" }, UNMOV, 0, 0,
	  1, 1, MOV, true, true, NONE },
	{ "unmovable: no page of one that has become clean", { "xmM", "UM" }, UNMOV, 0, NOFRAG,
	  NONE, NONE, NONE, false, false, SPB_HELD_BACK },
	{ "unmovable: few: nor then", { "xmM", "UM" }, UNMOV, 0, NOFRAG,
	  NONE, NONE, NONE, false, false, SPB_HELD_BACK, .few = 8 },
	{ "unmovable: tainting comes after all else", { ".", "um" }, UNMOV, 0, 0,
	  1, 0, UNMOV, false, true, NONE },
	{ "unmovable: and after the other kind", { ".", "rM" }, UNMOV, 0, 0,
	  1, 0, RECL, false, true, SPB_SERVED_OTHER_KIND },
	/* movable: clean ones, the fullest first */
	{ "movable: a page of a clean one", { ".", "Um", "m." }, MOV, 0, NOFRAG,
	  2, 0, MOV, false, false, NONE },
	{ "movable: a block of the fullest clean one", { ".", "M.", "MM.M", "U." }, MOV, 0,
	  NOFRAG, 2, 2, MOV, false, false, NONE },
	{ "movable: then an empty one", { "M", "U.", "." }, MOV, 0, NOFRAG,
	  2, 0, MOV, false, false, NONE },
	{ "movable, a whole block: the fullest clean one", { ".", "M.", "MM.M" }, MOV,
	  SCENE_PB(0), NOFRAG, 2, 2, MOV, false, false, NONE },
	{ "movable, a whole block: then an empty one", { "M", "U.", "." }, MOV,
	  SCENE_PB(0), NOFRAG, 2, 0, MOV, false, false, NONE },
	{ "movable, two blocks: of a clean one", { ".", "MM..M", "U." }, MOV,
	  SCENE_PB(1), NOFRAG, 1, 2, MOV, false, false, NONE },
	/* then tainted ones above the reserve */
	{ "movable: a page of a tainted one", { "M", "Um", "U." }, MOV, 0, NOFRAG,
	  1, NONE, MOV, false, true, SPB_SERVED_FRAGMENT },
	{ "movable: a block above the reserve", { "M", "U.....M", "U....M" }, MOV, 0, NOFRAG,
	  1, 1, MOV, false, true, SPB_SERVED_ABOVE },
	{ "movable: not from the reserve", { "M", "U....M" }, MOV, 0, NOFRAG,
	  NONE, NONE, NONE, false, false, NONE },
	{ "movable: from the reserve at last", { "M", "U....M" }, MOV, 0, 0,
	  1, 1, MOV, false, true, SPB_SERVED_RESERVE },
	{ "movable: and then from other types", { "M", "uM" }, MOV, 0, 0,
	  1, 0, UNMOV, false, true, NONE },
	{ "movable: a claimed block still holds what cannot move", { "M", "vM" }, MOV,
	  SCENE_PB(-1), 0, 1, 0, MOV, true, true, NONE },
	{ "movable, a whole block: above the reserve", { "M", "U.....M" }, MOV,
	  SCENE_PB(0), NOFRAG, 1, 1, MOV, false, true, SPB_SERVED_ABOVE },
};

KUNIT_ARRAY_PARAM_DESC(steering, rows, name);

static void expect_events(struct kunit *test, const struct steering_row *row,
			  const struct stage_request *request)
{
	int i;

	for (i = 0; i < SPB_TAINT; i++)
		KUNIT_EXPECT_EQ_MSG(test, request->events[i], i == row->event,
				    "%s: counter %s", row->name, spb_event_name(i));
}

static unsigned int pretended_nr(const struct zone *zone)
{
	const struct steering_row *row = kunit_get_current_test()->param_value;

	return row->few;
}

static void steer(struct kunit *test)
{
	const struct steering_row *row = test->param_value;
	struct spb_stage *stage = spb_stage(test, row->scene, spb_scene_size(row->scene));
	struct stage_request request = { .type = row->type,
		.order = scene_order(row->order), .alloc_flags = row->alloc_flags };

	if (row->few)
		kunit_activate_static_stub(test, spb_nr_in_zone, pretended_nr);
	spb_stage_ask(stage, &request);
	KUNIT_EXPECT_EQ_MSG(test, request.at, row->at, "%s: which superpageblock", row->name);
	if (row->block != NONE)
		KUNIT_EXPECT_EQ_MSG(test, request.block, row->block, "%s: which block", row->name);
	if (row->at != NONE) {
		KUNIT_EXPECT_EQ_MSG(test, request.label, row->label, "%s: label", row->name);
		KUNIT_EXPECT_EQ_MSG(test, request.foreign, row->foreign, "%s: foreign", row->name);
		KUNIT_EXPECT_EQ_MSG(test, request.tainted, row->tainted, "%s: tainted", row->name);
	}
	expect_events(test, row, &request);
	spb_stage_expect_true(test, stage->zone, row->name);
}

struct traced {
	const struct spb_stage *stage;
	int taints;
	unsigned int order;
	int type;
	int became;		/* the second SPB */
};

static void note_taint(void *data, struct page *page, unsigned int order, int type)
{
	struct traced *traced = data;

	if (page_zone(page) != traced->stage->zone)
		return;
	traced->taints++;
	traced->order = order;
	traced->type = type;
}

static void note_category(void *data, struct zone *zone, unsigned int spb,
			  unsigned int category)
{
	struct traced *traced = data;

	if (zone == traced->stage->zone && spb == traced->stage->spb[1] && traced->became < 0)
		traced->became = category;
}

/* Whose request it was, and which superpageblock that cost. */
static void taint_is_traced(struct kunit *test)
{
	static const char *const scene[] = { "U", "." };
	struct spb_stage *stage = spb_stage(test, scene, 2);
	struct stage_request request = { .type = RECL, .order = 3 };
	struct traced traced = { .stage = stage, .became = -1 };

	spb_need_tracepoints(test);
	register_trace_spb_taint(note_taint, &traced);
	register_trace_spb_category(note_category, &traced);
	spb_stage_ask(stage, &request);
	unregister_trace_spb_taint(note_taint, &traced);
	unregister_trace_spb_category(note_category, &traced);
	tracepoint_synchronize_unregister();
	KUNIT_EXPECT_EQ(test, traced.taints, 1);
	KUNIT_EXPECT_EQ(test, traced.order, 3);
	KUNIT_EXPECT_EQ(test, traced.type, RECL);
	KUNIT_EXPECT_EQ(test, traced.became, SPB_TAINTED);
}

/* --- Capture ---------------------------------------------------------------- */

struct capture_row {
	const char *name;
	const char *scene;	/* its first block is freed while a task captures */
	int type;
	bool captured;
	bool foreign;
};

static const struct capture_row captures[] = {
	{ "unmovable: not from a clean one", "MM.", UNMOV, false, false },
	{ "reclaimable: not from a clean one", "MM.", RECL, false, false },
	{ "movable: from a clean one", "MM.", MOV, true, false },
	{ "unmovable: from a tainted one", "MU.", UNMOV, true, true },
	{ "movable: from a tainted one", "MU.", MOV, true, false },
	{ "unmovable: its own kind of block", "UM.", UNMOV, true, false },
};

KUNIT_ARRAY_PARAM_DESC(capture, captures, name);

static void capture(struct kunit *test)
{
	const struct capture_row *row = test->param_value;
	struct spb_stage *stage = spb_stage(test, &row->scene, 1);
	struct capture_control capc = { .zone = stage->zone,
		.order = pageblock_order, .migratetype = row->type };
	bool foreign;

	spb_stage_free(test, stage, &capc);
	foreign = get_pageblock_foreign(pfn_to_page(spb_stage_pfn(stage, 0, 0)));
	KUNIT_EXPECT_EQ_MSG(test, !!capc.page, row->captured, "%s: captured", row->name);
	KUNIT_EXPECT_EQ_MSG(test, foreign, row->foreign, "%s: foreign", row->name);
	scene_return_captured(test, stage->zone, &capc);
	spb_stage_expect_true(test, stage->zone, row->name);
}

/* --- Contiguous memory ------------------------------------------------------ */

struct contig_row {
	const char *name;
	const char *scene[STAGE_SPBS];
	int at;
};

static const struct contig_row contigs[] = {
	{ "least to move", { "MMM.", "M.", "MM." }, 1 },
	{ "least to move, by a block", { "MM..", "M.", "MMM." }, 1 },
	{ "least to move, within a level", { "MMMM.", "MMM.", "MMMM." }, 1 },
	{ "a full one if there is no other", { "U.", "M" }, 1 },
	{ "never a tainted one", { "U.", "UM." }, -1 },
};

KUNIT_ARRAY_PARAM_DESC(contig, contigs, name);

static void choose_least_to_move(struct spb_stage *stage, void *at)
{
	int nr = spb_least_to_move(stage->zone);
	unsigned long pfn = (stage->zone->spb->first + nr) << SPB_ORDER;

	*(int *)at = nr < 0 ? NONE : spb_stage_of(stage, pfn_to_page(pfn));
}

static void least_to_move(struct kunit *test)
{
	const struct contig_row *row = test->param_value;
	struct spb_stage *stage = spb_stage(test, row->scene, spb_scene_size(row->scene));
	int at;

	spb_stage_alone(stage, choose_least_to_move, &at);
	KUNIT_EXPECT_EQ_MSG(test, at, row->at, "%s", row->name);
}

static void give_back(void *data)
{
	struct page *page = data;

	free_contig_range(page_to_pfn(page), 1UL << SPB_ORDER);
}

/* The zone has many empty ones: with @gfp one of them is taken, whole. */
static void expect_whole(struct kunit *test, gfp_t gfp, enum spb_category then)
{
	struct zone *zone = scene_zone();
	int first = spb_pick(&zone->spb->index, SPB_PICK_WHOLE);
	unsigned long before = spb_event_count(zone, SPB_SERVED_EMPTY);
	struct page *page;

	KUNIT_ASSERT_GE(test, first, 0);
	page = alloc_contig_pages(1UL << SPB_ORDER, gfp, zone_to_nid(zone), NULL);
	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, give_back, page));
	KUNIT_EXPECT_EQ(test, page_to_pfn(page) >> SPB_ORDER, zone->spb->first + first);
	KUNIT_EXPECT_EQ(test, spb_event_count(zone, SPB_SERVED_EMPTY) - before, 1);
	KUNIT_EXPECT_EQ(test, spb_category_of(page), then);
	spb_stage_expect_true(test, zone, "taken whole");
	kunit_release_action(test, give_back, page);
	reach_drain_free_pages();
	KUNIT_EXPECT_EQ(test, spb_category_of(page), SPB_EMPTY);
	spb_stage_expect_true(test, zone, "given back");
}

static void contig_movable(struct kunit *test)
{
	expect_whole(test, GFP_KERNEL | __GFP_MOVABLE, SPB_CLEAN);
}

static void contig_unmovable(struct kunit *test)
{
	expect_whole(test, GFP_KERNEL, SPB_TAINTED);
}

/* Not the size of a superpageblock: found as ever. */
static void contig_other_size(struct kunit *test)
{
	struct zone *zone = scene_zone();
	unsigned long before = spb_event_count(zone, SPB_SERVED_EMPTY);
	struct page *page = alloc_contig_pages(pageblock_nr_pages, GFP_KERNEL | __GFP_MOVABLE,
					       zone_to_nid(zone), NULL);

	KUNIT_ASSERT_NOT_NULL(test, page);
	free_contig_range(page_to_pfn(page), pageblock_nr_pages);
	KUNIT_EXPECT_EQ(test, spb_event_count(zone, SPB_SERVED_EMPTY), before);
}

static void take_all_empty(struct kunit *test, struct zone *zone)
{
	while (spb_pick(&zone->spb->index, SPB_PICK_WHOLE) >= 0) {
		struct page *page = alloc_contig_pages(1UL << SPB_ORDER, GFP_KERNEL | __GFP_MOVABLE,
						       zone_to_nid(zone), NULL);

		KUNIT_ASSERT_NOT_NULL(test, page);
		KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, give_back, page));
	}
}

/* When no empty one is left: 'l...' -> 'MMMM', its pages move elsewhere. */
static void contig_emptied(struct kunit *test)
{
	static const char *const drawing = "l.";
	struct spb_stage *stage = spb_stage(test, &drawing, 1);
	struct zone *zone = stage->zone;
	unsigned long before = spb_event_count(zone, SPB_SERVED_EMPTIED);
	struct page *page;

	take_all_empty(test, zone);
	page = alloc_contig_pages(1UL << SPB_ORDER, GFP_KERNEL | __GFP_MOVABLE | __GFP_NOWARN,
				  zone_to_nid(zone), NULL);
	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, give_back, page));
	KUNIT_EXPECT_EQ(test, spb_event_count(zone, SPB_SERVED_EMPTIED) - before, 1);
	spb_stage_expect_true(test, zone, "emptied");
}

/* --- When no tainted one has anything left ---------------------------------- */

struct pressed_row {
	const char *name;
	gfp_t gfp;
	unsigned int order;
	bool served;
	bool taints;
	unsigned int held_back;		/* at least so often */
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
	/* last: it leaves a highatomic reserve, which serves who cannot wait */
	{ "atomic, order 2", GFP_ATOMIC, 2, true, true, 2 },
};

KUNIT_ARRAY_PARAM_DESC(pressed, presseds, name);

#define PRESS_TRIES 5

/* Something could be evacuated, or nobody would wait; but none of it moves. */
static struct spb_pressure *press(struct kunit *test)
{
	return spb_press(test, "UM");
}

/* Now and then reclaim finds a page of the kernel's own: nobody has to taint or be refused. */
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
	KUNIT_EXPECT_GE_MSG(test, spb_grown(pressure, SPB_HELD_BACK), row->held_back,
			    "%s: held back", row->name);
	KUNIT_EXPECT_EQ_MSG(test, spb_grown(pressure, SPB_REFUSED), row->refused,
			    "%s: refused", row->name);
	if (page)
		__free_pages(page, row->order);
	spb_stage_expect_true(test, scene_zone(), row->name);
}

/* The bulk entry stops where it would taint; its last resort is a single page. */
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

/* Pages as the allocator takes them off its lists, not prepared for use. */
static void put_back(struct list_head *pages)
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

/* A refill of a per-cpu list takes what is free of its type, and then stops. */
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
	put_back(&got);
	spb_stage_expect_true(test, scene_zone(), "refilled");
}

/* What belongs to the other type is taken by who asks for it, a page at a time. */
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
	put_back(&got);
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

/* Whoever may wait gets the per-cpu lists emptied before an SPB is tainted. */
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
	bool given_back;
};

static const struct look_row looks[] = {
	{ "unmovable", UNMOV, true },
	{ "reclaimable", RECL, true },
	{ "movable", MOV, false },
};

KUNIT_ARRAY_PARAM_DESC(look, looks, name);

/* Before the slow path what this CPU's lists hide comes to light. */
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
	KUNIT_EXPECT_EQ_MSG(test, PageBuddy(page), row->given_back, "%s", row->name);
}

/* So that even who cannot wait need not taint, without reserves to draw from. */
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

/* --- Who may be refused ----------------------------------------------------- */

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
	const char *zones;	/* a letter for each that it may use, see make_up() */
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
 * A zone without SPBs, or by what its SPBs are: C clean, T tainted with something to
 * move, E both, all with some free blocks. It is only looked at.
 */
static struct zone *make_up(struct kunit *test, char kind)
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
		zones->_zonerefs[i].zone = make_up(test, row->zones[i]);
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

/* Mainline sets the flag for some zones only, and not on every machine. */
static void flag_in_any_zone(struct kunit *test)
{
	struct zone *zone;

	for_each_zone(zone)
		KUNIT_EXPECT_TRUE_MSG(test, reach_alloc_flags(zone) & ALLOC_NOFRAGMENT,
				      "zone %s", zone->name);
}

static struct kunit_case spb_steering_cases[] = {
	KUNIT_CASE_PARAM(steer, steering_gen_params),
	KUNIT_CASE(taint_is_traced),
	KUNIT_CASE_PARAM(capture, capture_gen_params),
	KUNIT_CASE_PARAM(least_to_move, contig_gen_params),
	KUNIT_CASE(contig_movable),
	KUNIT_CASE(contig_unmovable),
	KUNIT_CASE(contig_other_size),
	KUNIT_CASE(contig_emptied),
	KUNIT_CASE_PARAM(pressed, pressed_gen_params),
	KUNIT_CASE(pressed_bulk),
	KUNIT_CASE(refill_never_taints),
	KUNIT_CASE(refill_never_borrows),
	KUNIT_CASE_PARAM(look_again, look_gen_params),
	KUNIT_CASE(look_again_nowait),
	KUNIT_CASE_PARAM(pressed_drain, drain_gen_params),
	KUNIT_CASE_PARAM(cheap_fallback, cheap_gen_params),
	KUNIT_CASE_PARAM(refused, refusal_gen_params),
	KUNIT_CASE_PARAM(refusal_is_traced, refusal_gen_params),
	KUNIT_CASE(flag_in_any_zone),
	{ }
};

static struct kunit_suite spb_steering_suite = {
	.name = "fragbed_spb_steering",
	.suite_init = scene_suite_init,
	.suite_exit = scene_suite_exit,
	.test_cases = spb_steering_cases,
};

kunit_test_suite(spb_steering_suite);

MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
MODULE_DESCRIPTION("KUnit tests for steering to superpageblocks");
MODULE_LICENSE("GPL");

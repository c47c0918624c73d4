// SPDX-License-Identifier: GPL-2.0
/*
 * Steering to superpageblocks: which superpageblock of a drawn state serves a request.
 * The drawings are those of stage.h; the allocator sees only the stage while it serves
 * a request.
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
	int at;			/* SPB of the scene, NONE: no page */
	int block;		/* block of that SPB, NONE: any */
	int block_type;		/* migratetype of that block afterwards */
	bool foreign;		/* that block is movable and has non-movable pages afterwards */
	bool tainted;		/* that SPB is tainted afterwards */
	int event;		/* the counter that grows, NONE: none does */
	unsigned int few;	/* pretended number of SPBs in the zone, 0: the real one */
};

#define ASK(_type, _order, _flags) \
	.type = (_type), .order = (_order), .alloc_flags = (_flags)
#define FROM(_at, _block, _block_type) \
	.at = (_at), .block = (_block), .block_type = (_block_type)
#define NO_PAGE	.at = NONE, .block = NONE, .block_type = NONE

static const struct steering_row rows[] = {
	/* first, a page from the request's own free list */
	{ "unmovable: own page", { "M.", "uM", "U." },
	  ASK(UNMOV, 0, NOFRAG), FROM(1, 0, UNMOV), .tainted = true, .event = NONE },
	{ "reclaimable: own page", { "U.", "uM", "rM" },
	  ASK(RECL, 0, NOFRAG), FROM(2, 0, RECL), .tainted = true, .event = NONE },
	/* then a free block of a tainted SPB, the fullest one */
	{ "unmovable: a free block", { ".", "M.", "U." },
	  ASK(UNMOV, 0, NOFRAG), FROM(2, 1, UNMOV), .tainted = true, .event = SPB_SERVED_BLOCK },
	{ "unmovable: of the fullest one", { "U.", "UM.M", "UMMMM." },
	  ASK(UNMOV, 0, NOFRAG), FROM(1, 2, UNMOV), .tainted = true, .event = SPB_SERVED_BLOCK },
	{ "unmovable: the last one of the reserve", { ".", "U.M", "M" },
	  ASK(UNMOV, 0, NOFRAG), FROM(1, 1, UNMOV), .tainted = true, .event = SPB_SERVED_BLOCK },
	{ "unmovable: before movable pages beside it", { "Um.", "M." },
	  ASK(UNMOV, 0, NOFRAG), FROM(0, 2, UNMOV), .tainted = true, .event = SPB_SERVED_BLOCK },
	{ "reclaimable: a free block", { ".", "U." },
	  ASK(RECL, 0, NOFRAG), FROM(1, 1, RECL), .tainted = true, .event = SPB_SERVED_BLOCK },
	{ "unmovable: a whole block", { ".", "U." },
	  ASK(UNMOV, SCENE_PB(0), NOFRAG), FROM(1, NONE, UNMOV), .tainted = true,
	  .event = SPB_SERVED_BLOCK },
	{ "unmovable: two blocks", { ".", "UU." },
	  ASK(UNMOV, SCENE_PB(1), NOFRAG), FROM(1, NONE, UNMOV), .tainted = true,
	  .event = SPB_SERVED_BLOCK },
	{ "unmovable: two blocks, not of the fullest", { ".", "U.M", "UU." },
	  ASK(UNMOV, SCENE_PB(1), NOFRAG), FROM(2, NONE, UNMOV), .tainted = true,
	  .event = SPB_SERVED_BLOCK },
	/* then a movable block of a tainted SPB, however little of it is free: claimed */
	{ "unmovable: claims a movable block", { ".", "m", "UM", "Um" },
	  ASK(UNMOV, 0, NOFRAG), FROM(3, NONE, UNMOV), .tainted = true,
	  .event = SPB_SERVED_CLAIM },
	{ "reclaimable: claims a movable block", { ".", "m", "UM", "Um" },
	  ASK(RECL, 0, NOFRAG), FROM(3, NONE, RECL), .tainted = true, .event = SPB_SERVED_CLAIM },
	{ "unmovable, order 3: claims a movable block", { "m", "Um" },
	  ASK(UNMOV, 3, NOFRAG), FROM(1, NONE, UNMOV), .tainted = true,
	  .event = SPB_SERVED_CLAIM },
	{ "unmovable: rather than a page of the other kind", { ".", "rmM" },
	  ASK(UNMOV, 0, NOFRAG), FROM(1, 1, UNMOV), .tainted = true, .event = SPB_SERVED_CLAIM },
	/* then a page of the other non-movable migratetype; the block keeps its migratetype */
	{ "unmovable: a reclaimable page", { ".", "m", "rM" },
	  ASK(UNMOV, 0, NOFRAG), FROM(2, 0, RECL), .tainted = true,
	  .event = SPB_SERVED_OTHER_KIND },
	{ "reclaimable: an unmovable page", { ".", "m", "uM" },
	  ASK(RECL, 0, NOFRAG), FROM(2, 0, UNMOV), .tainted = true,
	  .event = SPB_SERVED_OTHER_KIND },
	{ "unmovable: no highatomic page", { "hM" },
	  ASK(UNMOV, 0, NOFRAG), NO_PAGE, .event = SPB_HELD_BACK },
	/* with few SPBs no movable block is claimed: a page of it is stolen */
	{ "unmovable: few: a page of the other kind", { ".", "rmM" },
	  ASK(UNMOV, 0, NOFRAG), FROM(1, 0, RECL), .tainted = true,
	  .event = SPB_SERVED_OTHER_KIND, .few = 8 },
	{ "unmovable: few: borrows a movable page", { ".", "m", "UMmM" },
	  ASK(UNMOV, 0, NOFRAG), FROM(2, 2, MOV), .foreign = true, .tainted = true,
	  .event = SPB_SERVED_BORROW, .few = 8 },
	{ "reclaimable: few: borrows a movable page", { ".", "m", "UMmM" },
	  ASK(RECL, 0, NOFRAG), FROM(2, 2, MOV), .foreign = true, .tainted = true,
	  .event = SPB_SERVED_BORROW, .few = 8 },
	{ "unmovable: few: a free block all the same", { ".", "Um.M" },
	  ASK(UNMOV, 0, NOFRAG), FROM(1, 2, UNMOV), .tainted = true,
	  .event = SPB_SERVED_BLOCK, .few = 1 },
	{ "unmovable: one more than few", { ".", "rmM" },
	  ASK(UNMOV, 0, NOFRAG), FROM(1, 1, UNMOV), .tainted = true,
	  .event = SPB_SERVED_CLAIM, .few = 9 },
	/* then none: a request that may not taint is blocked */
	{ "unmovable: held back", { ".", "m", "UM" },
	  ASK(UNMOV, 0, NOFRAG), NO_PAGE, .event = SPB_HELD_BACK },
	{ "reclaimable: held back", { ".", "m", "UM" },
	  ASK(RECL, 0, NOFRAG), NO_PAGE, .event = SPB_HELD_BACK },
	{ "unmovable, a whole block: held back", { ".", "Um" },
	  ASK(UNMOV, SCENE_PB(0), NOFRAG), NO_PAGE, .event = SPB_HELD_BACK },
	{ "unmovable: held back with nothing to move, too", { "M.", "U", "." },
	  ASK(UNMOV, 0, NOFRAG), NO_PAGE, .event = SPB_HELD_BACK },
	/* a request that may taint taints an empty SPB, else a clean one */
	{ "unmovable: taints an empty one", { "M.", "UM", "." },
	  ASK(UNMOV, 0, 0), FROM(2, 0, UNMOV), .tainted = true, .event = SPB_SERVED_TAINT },
	{ "unmovable: taints the fullest clean one", { "M.", "UM", "MM.M" },
	  ASK(UNMOV, 0, 0), FROM(2, 2, UNMOV), .tainted = true, .event = SPB_SERVED_TAINT },
	{ "reclaimable: taints an empty one", { "M.", "UM", "." },
	  ASK(RECL, 0, 0), FROM(2, 0, RECL), .tainted = true, .event = SPB_SERVED_TAINT },
	{ "unmovable, a whole block: taints", { "UM", "M." },
	  ASK(UNMOV, SCENE_PB(0), 0), FROM(1, 1, UNMOV), .tainted = true,
	  .event = SPB_SERVED_TAINT },
	{ "unmovable: claims a clean block where none is free", { "UM", "m" },
	  ASK(UNMOV, 0, 0), FROM(1, NONE, UNMOV), .tainted = true, .event = NONE },
	{ "unmovable: steals from a clean block of pages in use", { "UM", "MlM" },
	  ASK(UNMOV, 0, 0), FROM(1, 1, MOV), .foreign = true, .tainted = true, .event = NONE },
	{ "unmovable: no page of one that has become clean", { "xmM", "UM" },
	  ASK(UNMOV, 0, NOFRAG), NO_PAGE, .event = SPB_HELD_BACK },
	{ "unmovable: few: nor then", { "xmM", "UM" },
	  ASK(UNMOV, 0, NOFRAG), NO_PAGE, .event = SPB_HELD_BACK, .few = 8 },
	{ "unmovable: tainting comes after all else", { ".", "um" },
	  ASK(UNMOV, 0, 0), FROM(1, 0, UNMOV), .tainted = true, .event = NONE },
	{ "unmovable: and after the other kind", { ".", "rM" },
	  ASK(UNMOV, 0, 0), FROM(1, 0, RECL), .tainted = true, .event = SPB_SERVED_OTHER_KIND },
	/* movable: clean SPBs, the fullest first */
	{ "movable: a page of a clean one", { ".", "Um", "m." },
	  ASK(MOV, 0, NOFRAG), FROM(2, 0, MOV), .event = NONE },
	{ "movable: a block of the fullest clean one", { ".", "M.", "MM.M", "U." },
	  ASK(MOV, 0, NOFRAG), FROM(2, 2, MOV), .event = NONE },
	{ "movable: then an empty one", { "M", "U.", "." },
	  ASK(MOV, 0, NOFRAG), FROM(2, 0, MOV), .event = NONE },
	{ "movable, a whole block: the fullest clean one", { ".", "M.", "MM.M" },
	  ASK(MOV, SCENE_PB(0), NOFRAG), FROM(2, 2, MOV), .event = NONE },
	{ "movable, a whole block: then an empty one", { "M", "U.", "." },
	  ASK(MOV, SCENE_PB(0), NOFRAG), FROM(2, 0, MOV), .event = NONE },
	{ "movable, two blocks: of a clean one", { ".", "MM..M", "U." },
	  ASK(MOV, SCENE_PB(1), NOFRAG), FROM(1, 2, MOV), .event = NONE },
	/* then tainted SPBs above their reserve */
	{ "movable: a page of a tainted one", { "M", "Um", "U." },
	  ASK(MOV, 0, NOFRAG), FROM(1, NONE, MOV), .tainted = true, .event = SPB_SERVED_FRAGMENT },
	{ "movable: a block above the reserve", { "M", "U.....M", "U....M" },
	  ASK(MOV, 0, NOFRAG), FROM(1, 1, MOV), .tainted = true, .event = SPB_SERVED_ABOVE },
	{ "movable: not from the reserve", { "M", "U....M" },
	  ASK(MOV, 0, NOFRAG), NO_PAGE, .event = NONE },
	{ "movable: from the reserve at last", { "M", "U....M" },
	  ASK(MOV, 0, 0), FROM(1, 1, MOV), .tainted = true, .event = SPB_SERVED_RESERVE },
	{ "movable: and then from other types", { "M", "uM" },
	  ASK(MOV, 0, 0), FROM(1, 0, UNMOV), .tainted = true, .event = NONE },
	{ "movable: a claimed block still holds what cannot move", { "M", "vM" },
	  ASK(MOV, SCENE_PB(-1), 0), FROM(1, 0, MOV), .foreign = true, .tainted = true,
	  .event = NONE },
	{ "movable, a whole block: above the reserve", { "M", "U.....M" },
	  ASK(MOV, SCENE_PB(0), NOFRAG), FROM(1, 1, MOV), .tainted = true,
	  .event = SPB_SERVED_ABOVE },
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
		KUNIT_EXPECT_EQ_MSG(test, request.block_type, row->block_type,
				    "%s: migratetype", row->name);
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
	int became;		/* category of the second SPB */
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

/* The events report which request tainted, and which superpageblock. */
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
	const char *scene;	/* a task that may capture frees its first block */
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

static void free_whole(void *data)
{
	struct page *page = data;

	free_contig_range(page_to_pfn(page), 1UL << SPB_ORDER);
}

/* A request of the size of a superpageblock gets an empty one, which becomes @then. */
static void expect_whole(struct kunit *test, gfp_t gfp, enum spb_category then)
{
	struct zone *zone = scene_zone();
	int first = spb_pick(&zone->spb->index, SPB_PICK_WHOLE);
	unsigned long before = spb_event_count(zone, SPB_SERVED_EMPTY);
	struct page *page;

	KUNIT_ASSERT_GE(test, first, 0);
	page = alloc_contig_pages(1UL << SPB_ORDER, gfp, zone_to_nid(zone), NULL);
	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, free_whole, page));
	KUNIT_EXPECT_EQ(test, page_to_pfn(page) >> SPB_ORDER, zone->spb->first + first);
	KUNIT_EXPECT_EQ(test, spb_event_count(zone, SPB_SERVED_EMPTY) - before, 1);
	KUNIT_EXPECT_EQ(test, spb_category_of(page), then);
	spb_stage_expect_true(test, zone, "allocated");
	kunit_release_action(test, free_whole, page);
	reach_drain_free_pages();
	KUNIT_EXPECT_EQ(test, spb_category_of(page), SPB_EMPTY);
	spb_stage_expect_true(test, zone, "freed");
}

static void contig_movable(struct kunit *test)
{
	expect_whole(test, GFP_KERNEL | __GFP_MOVABLE, SPB_CLEAN);
}

static void contig_unmovable(struct kunit *test)
{
	expect_whole(test, GFP_KERNEL, SPB_TAINTED);
}

/* A request of another size does not look for an empty superpageblock. */
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

static void alloc_all_empty(struct kunit *test, struct zone *zone)
{
	while (spb_pick(&zone->spb->index, SPB_PICK_WHOLE) >= 0) {
		struct page *page = alloc_contig_pages(1UL << SPB_ORDER, GFP_KERNEL | __GFP_MOVABLE,
						       zone_to_nid(zone), NULL);

		KUNIT_ASSERT_NOT_NULL(test, page);
		KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, free_whole, page));
	}
}

/* If no superpageblock is empty, one is emptied: 'l...' -> 'MMMM'. */
static void contig_emptied(struct kunit *test)
{
	static const char *const drawing = "l.";
	struct spb_stage *stage = spb_stage(test, &drawing, 1);
	struct zone *zone = stage->zone;
	unsigned long before = spb_event_count(zone, SPB_SERVED_EMPTIED);
	struct page *page;

	alloc_all_empty(test, zone);
	page = alloc_contig_pages(1UL << SPB_ORDER, GFP_KERNEL | __GFP_MOVABLE | __GFP_NOWARN,
				  zone_to_nid(zone), NULL);
	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, free_whole, page));
	KUNIT_EXPECT_EQ(test, spb_event_count(zone, SPB_SERVED_EMPTIED) - before, 1);
	spb_stage_expect_true(test, zone, "emptied");
}

/* The other cases. */
#include "steering_pressed_kunit.h"

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

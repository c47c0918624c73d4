// SPDX-License-Identifier: GPL-2.0
/*
 * The records of superpageblocks of a live zone: a pageblock changes its state, and
 * the record of its superpageblock follows.
 */
#include <kunit/test.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/page-isolation.h>

#include "../../internal.h"
#include "stage.h"

#define UNMOV	MIGRATE_UNMOVABLE
#define MOV	MIGRATE_MOVABLE
#define RECL	MIGRATE_RECLAIMABLE

/* A drawn SPB and its record; counts are in pageblocks. */
struct state_row {
	const char *name;
	const char *drawing;
	enum spb_category category;
	unsigned int used;		/* not wholly free */
	unsigned int not_claimable;	/* used, or free but not available */
	unsigned int nonmovable;
	unsigned int movable;
};

static const struct state_row states[] = {
	{ "nothing", ".", SPB_EMPTY, 0, 0, 0, 0 },
	{ "movable", "M.", SPB_CLEAN, 1, 1, 0, 1 },
	{ "movable, partly free", "m.", SPB_CLEAN, 1, 1, 0, 1 },
	{ "unmovable", "U.", SPB_TAINTED, 1, 1, 1, 0 },
	{ "unmovable, partly free", "u.", SPB_TAINTED, 1, 1, 1, 0 },
	{ "reclaimable", "R.", SPB_TAINTED, 1, 1, 1, 0 },
	{ "reclaimable, partly free", "r.", SPB_TAINTED, 1, 1, 1, 0 },
	{ "highatomic", "H.", SPB_TAINTED, 1, 1, 1, 0 },
	{ "foreign content in a movable block", "n.", SPB_TAINTED, 1, 1, 1, 1 },
	{ "movable and unmovable", "MU.", SPB_TAINTED, 2, 2, 1, 1 },
	{ "the last block", "...............................M", SPB_CLEAN, 1, 1, 0, 1 },
	{ "all movable", "M", SPB_CLEAN, 32, 32, 0, 32 },
	{ "all unmovable", "U", SPB_TAINTED, 32, 32, 32, 0 },
	{ "all but one", ".M", SPB_CLEAN, 31, 31, 0, 31 },
};

KUNIT_ARRAY_PARAM_DESC(state, states, name);

static void expect_info(struct kunit *test, struct spb_stage *stage,
			const struct state_row *row, const char *when)
{
	struct spb_info info;

	KUNIT_ASSERT_EQ(test, 0, spb_get_info(stage->zone, stage->spb[0], &info));
	KUNIT_EXPECT_EQ_MSG(test, info.category, row->category, "category, %s", when);
	KUNIT_EXPECT_EQ_MSG(test, info.usable, info.blocks, "usable, %s", when);
	KUNIT_EXPECT_EQ_MSG(test, info.usable - info.free, row->used, "used, %s", when);
	KUNIT_EXPECT_EQ_MSG(test, info.usable - info.claimable, row->not_claimable,
			    "not claimable, %s", when);
	KUNIT_EXPECT_EQ_MSG(test, info.nonmovable, row->nonmovable, "non-movable, %s", when);
	KUNIT_EXPECT_EQ_MSG(test, info.movable, row->movable, "movable, %s", when);
	spb_stage_expect_true(test, stage->zone, when);
}

static void index_state(struct kunit *test)
{
	const struct state_row *row = test->param_value;
	struct spb_stage *stage = spb_stage(test, &row->drawing, 1);

	expect_info(test, stage, row, row->name);
}

/* --- Changes of the first block of 'M.' ------------------------------------- */

struct change_row {
	const char *name;
	const char *steps;	/* see change() */
	struct state_row then;
};

static const struct change_row changes[] = {
	{ "freed: M -> .", "f", { .category = SPB_EMPTY } },
	{ "relabelled in use: U", "U", { .category = SPB_TAINTED, .used = 1,
	  .not_claimable = 1, .nonmovable = 1 } },
	{ "relabelled, then freed: clean again", "Uf", { .category = SPB_EMPTY } },
	{ "reclaimable, then freed", "Rf", { .category = SPB_EMPTY } },
	{ "unmovable, then movable: foreign content stays", "UM",
	  { .category = SPB_TAINTED, .used = 1, .not_claimable = 1, .nonmovable = 1,
	    .movable = 1 } },
	{ "foreign content ends when wholly free", "UMf", { .category = SPB_EMPTY } },
	{ "unmovable, then reclaimable", "UR", { .category = SPB_TAINTED, .used = 1,
	  .not_claimable = 1, .nonmovable = 1 } },
	{ "highatomic counts while it is free, too", "Hf",
	  { .category = SPB_TAINTED, .not_claimable = 1, .nonmovable = 1 } },
	{ "highatomic given up", "HfM", { .category = SPB_EMPTY } },
	{ "CMA is movable", "C", { .category = SPB_CLEAN, .used = 1,
	  .not_claimable = 1, .movable = 1 } },
	{ "free CMA cannot be claimed", "Cf", { .category = SPB_EMPTY,
	  .not_claimable = 1 } },
	{ "isolated in use", "i", { .category = SPB_CLEAN, .used = 1,
	  .not_claimable = 1, .movable = 1 } },
	{ "isolated and free", "if", { .category = SPB_EMPTY, .not_claimable = 1 } },
	{ "isolated, freed, given back", "ifo", { .category = SPB_EMPTY } },
	{ "isolated unmovable block", "Ui", { .category = SPB_TAINTED, .used = 1,
	  .not_claimable = 1, .nonmovable = 1 } },
	{ "isolated unmovable block, free: cannot be relabelled yet", "Uif",
	  { .category = SPB_TAINTED, .not_claimable = 1, .nonmovable = 1 } },
	{ "and given back", "Uifo", { .category = SPB_EMPTY } },
};

KUNIT_ARRAY_PARAM_DESC(change, changes, name);

static void free_block(struct spb_stage *stage)
{
	unsigned long pfn = spb_stage_pfn(stage, 0, 0);
	unsigned long i;

	for (i = 0; i < pageblock_nr_pages; i++)
		if (__test_and_clear_bit(i, stage->owned[0]))
			__free_page(pfn_to_page(pfn + i));
	reach_drain_free_pages();
}

static int type_of(char step)
{
	switch (step) {
	case 'U':
		return UNMOV;
	case 'R':
		return RECL;
	case 'H':
		return MIGRATE_HIGHATOMIC;
	case 'C':
		return MIGRATE_CMA;
	default:
		return MOV;
	}
}

/* f frees, i isolates, o ends the isolation, a capital letter sets the migratetype. */
static void change(struct spb_stage *stage, char step)
{
	struct page *page = pfn_to_page(spb_stage_pfn(stage, 0, 0));

	if (step == 'f')
		free_block(stage);
	else if (step == 'i' || step == 'o')
		reach_isolate_pageblock(stage->zone, page, step == 'i');
	else
		reach_set_pageblock_type(stage->zone, page, type_of(step));
}

static void release_block(void *data)
{
	struct spb_stage *stage = data;
	struct page *page = pfn_to_page(spb_stage_pfn(stage, 0, 0));

	if (reach_pageblock_type(page) == MIGRATE_ISOLATE)
		reach_isolate_pageblock(stage->zone, page, false);
}

static void index_change(struct kunit *test)
{
	static const char *const drawing = "M.";
	const struct change_row *row = test->param_value;
	struct spb_stage *stage = spb_stage(test, &drawing, 1);
	const char *step;

	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, release_block, stage));
	for (step = row->steps; *step; step++) {
		change(stage, *step);
		spb_stage_expect_true(test, stage->zone, row->name);
	}
	expect_info(test, stage, &row->then, row->name);
}

static void end_isolation(struct spb_stage *stage, unsigned int block)
{
	unsigned long pfn = spb_stage_pfn(stage, 0, block);

	undo_isolate_page_range(pfn, pfn + pageblock_nr_pages);
}

/* Block by block, ..ii -> ...i -> ...., even if the two are one free page. */
static void index_isolation_ends(struct kunit *test)
{
	static const char *const drawing = "M";
	struct spb_stage *stage = spb_stage(test, &drawing, 1);
	unsigned int merged = min(4U, 1U << (MAX_PAGE_ORDER - pageblock_order));
	struct page *last = pfn_to_page(spb_stage_pfn(stage, 0, 3));
	struct page *first = pfn_to_page(spb_stage_pfn(stage, 0, 4 - merged));
	unsigned int block;

	for (block = 0; block < 4; block++) {
		struct page *page = pfn_to_page(spb_stage_pfn(stage, 0, block));

		if (block >= 2)
			reach_isolate_pageblock(stage->zone, page, true);
		spb_stage_free_block(stage, 0, block);
	}
	end_isolation(stage, 2);
	KUNIT_EXPECT_EQ(test, reach_pageblock_type(last), MIGRATE_ISOLATE);
	KUNIT_EXPECT_PTR_EQ(test, spb_buddy_of_block(page_to_pfn(last)), last);
	spb_stage_expect_true(test, stage->zone, "one block is isolated");
	end_isolation(stage, 3);
	KUNIT_EXPECT_PTR_EQ(test, spb_buddy_of_block(page_to_pfn(last)), first);
	spb_stage_expect_true(test, stage->zone, "no block is isolated");
}

/* When an SPB becomes clean, its free blocks become movable. */
static void index_labels_after_untaint(struct kunit *test)
{
	static const char *const drawing = "MUU.";
	struct spb_stage *stage = spb_stage(test, &drawing, 1);
	unsigned int block;

	free_block(stage);
	for (block = 1; block < 3; block++) {
		unsigned long pfn = spb_stage_pfn(stage, 0, block);
		unsigned long i;

		for (i = 0; i < pageblock_nr_pages; i++) {
			__clear_bit(block * pageblock_nr_pages + i, stage->owned[0]);
			__free_page(pfn_to_page(pfn + i));
		}
	}
	reach_drain_free_pages();
	for (block = 0; block < 4; block++) {
		struct page *page = pfn_to_page(spb_stage_pfn(stage, 0, block));

		KUNIT_EXPECT_EQ_MSG(test, reach_pageblock_type(page), MOV, "block %u", block);
		KUNIT_EXPECT_FALSE_MSG(test, spb_is_tainted(stage->zone, page), "block %u", block);
	}
	spb_stage_expect_true(test, stage->zone, "untainted");
}

/* But free CMA blocks stay CMA. */
static void index_cma_after_untaint(struct kunit *test)
{
	static const char *const drawing = "MU.";
	struct spb_stage *stage = spb_stage(test, &drawing, 1);
	struct page *page = pfn_to_page(spb_stage_pfn(stage, 0, 0));
	unsigned long pfn = spb_stage_pfn(stage, 0, 1);
	unsigned long i;

	reach_set_pageblock_type(stage->zone, page, MIGRATE_CMA);
	free_block(stage);
	for (i = 0; i < pageblock_nr_pages; i++) {
		__clear_bit(pageblock_nr_pages + i, stage->owned[0]);
		__free_page(pfn_to_page(pfn + i));
	}
	reach_drain_free_pages();
	KUNIT_EXPECT_EQ(test, spb_category_of(page), SPB_EMPTY);
	KUNIT_EXPECT_EQ(test, reach_pageblock_type(page), MIGRATE_CMA);
	spb_stage_expect_true(test, stage->zone, "untainted");
}

static void reserve(struct zone *zone, unsigned long blocks)
{
	guard(spinlock_irqsave)(&zone->lock);
	zone->nr_reserved_highatomic += blocks * pageblock_nr_pages;
}

/* A free page of two blocks, HH -> .., whose migratetypes change one after the other. */
static void index_unreserve(struct kunit *test)
{
	static const char *const drawing = "HH.";
	struct spb_stage *stage = spb_stage(test, &drawing, 1);
	struct page *page = pfn_to_page(spb_stage_pfn(stage, 0, 0));
	unsigned int block;

	reserve(stage->zone, 2);
	spb_stage_free_block(stage, 0, 0);
	spb_stage_free_block(stage, 0, 1);
	KUNIT_EXPECT_EQ(test, buddy_order(page), pageblock_order + 1);
	/* Other blocks of the reserve may come first. */
	while (reach_pageblock_type(page) == MIGRATE_HIGHATOMIC)
		KUNIT_ASSERT_TRUE(test, reach_unreserve_highatomic(stage->zone));
	for (block = 0; block < 2; block++)
		KUNIT_EXPECT_EQ_MSG(test, reach_pageblock_type(page + block * pageblock_nr_pages),
				    MOV, "block %u", block);
	spb_stage_expect_true(test, stage->zone, "unreserved");
}

/* --- Loads on the live zone ------------------------------------------------- */

struct load_row {
	const char *name;
	gfp_t gfp;
	int order;
	unsigned int nr;
};

static const struct load_row loads[] = {
	{ "unmovable pages", GFP_KERNEL, 0, 2000 },
	{ "unmovable, order 3", GFP_KERNEL, 3, 300 },
	{ "unmovable blocks", GFP_KERNEL, SCENE_PB(0), 40 },
	{ "unmovable, largest", GFP_KERNEL, SCENE_MAX, 6 },
	{ "reclaimable pages", GFP_KERNEL | __GFP_RECLAIMABLE, 0, 2000 },
	{ "reclaimable, order 3", GFP_KERNEL | __GFP_RECLAIMABLE, 3, 300 },
	{ "movable pages", GFP_KERNEL | __GFP_MOVABLE, 0, 2000 },
	{ "movable, order 3", GFP_KERNEL | __GFP_MOVABLE, 3, 300 },
	{ "movable blocks", GFP_KERNEL | __GFP_MOVABLE, SCENE_PB(0), 40 },
	{ "movable, one above the block", GFP_KERNEL | __GFP_MOVABLE, SCENE_PB(1), 20 },
	{ "movable, largest", GFP_KERNEL | __GFP_MOVABLE, SCENE_MAX, 6 },
	{ "atomic pages", GFP_ATOMIC, 0, 500 },
	{ "atomic, order 3", GFP_ATOMIC, 3, 100 },
};

KUNIT_ARRAY_PARAM_DESC(load, loads, name);

#define MAX_LOAD 2000

static void index_load(struct kunit *test)
{
	const struct load_row *row = test->param_value;
	struct page **pages = kunit_kcalloc(test, MAX_LOAD, sizeof(*pages), GFP_KERNEL);
	unsigned int order = scene_order(row->order);
	unsigned int i, nr;

	KUNIT_ASSERT_NOT_NULL(test, pages);
	for (nr = 0; nr < row->nr; nr++) {
		pages[nr] = alloc_pages(row->gfp | __GFP_NOWARN, order);
		if (!pages[nr])
			break;
	}
	KUNIT_EXPECT_EQ_MSG(test, nr, row->nr, "%s: out of memory", row->name);
	spb_stage_expect_true(test, scene_zone(), "allocated");
	for (i = 0; i < nr; i += 2)
		__free_pages(pages[i], order);
	reach_drain_free_pages();
	spb_stage_expect_true(test, scene_zone(), "half of it freed");
	for (i = 1; i < nr; i += 2)
		__free_pages(pages[i], order);
	reach_drain_free_pages();
	spb_stage_expect_true(test, scene_zone(), "all of it freed");
}

static void index_bulk(struct kunit *test)
{
	struct page **pages = kunit_kcalloc(test, 512, sizeof(*pages), GFP_KERNEL);
	unsigned long nr;

	KUNIT_ASSERT_NOT_NULL(test, pages);
	nr = alloc_pages_bulk(GFP_KERNEL, 512, pages);
	spb_stage_expect_true(test, scene_zone(), "allocated in bulk");
	KUNIT_EXPECT_GT(test, nr, 0);
	while (nr--)
		__free_page(pages[nr]);
	reach_drain_free_pages();
	spb_stage_expect_true(test, scene_zone(), "freed");
}

static void index_at_rest(struct kunit *test)
{
	struct zone *zone = scene_zone();

	KUNIT_ASSERT_NOT_NULL(test, zone->spb);
	KUNIT_EXPECT_GE_MSG(test, zone->spb->index.nr, 16, "the zone has too few superpageblocks");
	KUNIT_EXPECT_PTR_EQ(test, spb_of(zone, pfn_to_page(zone->zone_start_pfn)),
			    &zone->spb->spb[0]);
	KUNIT_EXPECT_PTR_EQ(test, spb_of(zone, pfn_to_page(zone_end_pfn(zone) - 1)),
			    &zone->spb->spb[zone->spb->index.nr - 1]);
	spb_stage_expect_true(test, zone, "at rest");
}

static struct kunit_case spb_index_cases[] = {
	KUNIT_CASE(index_at_rest),
	KUNIT_CASE_PARAM(index_state, state_gen_params),
	KUNIT_CASE_PARAM(index_change, change_gen_params),
	KUNIT_CASE(index_isolation_ends),
	KUNIT_CASE(index_labels_after_untaint),
	KUNIT_CASE(index_cma_after_untaint),
	KUNIT_CASE(index_unreserve),
	KUNIT_CASE_PARAM(index_load, load_gen_params),
	KUNIT_CASE(index_bulk),
	{ }
};

static struct kunit_suite spb_index_suite = {
	.name = "fragbed_spb_index",
	.suite_init = scene_suite_init,
	.suite_exit = scene_suite_exit,
	.test_cases = spb_index_cases,
};

kunit_test_suite(spb_index_suite);

MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
MODULE_DESCRIPTION("KUnit tests for the index of superpageblocks");
MODULE_LICENSE("GPL");

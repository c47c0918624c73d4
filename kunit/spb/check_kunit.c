// SPDX-License-Identifier: GPL-2.0
/*
 * The check of the records, on which all other suites rely: each corruption of a record
 * is reported as the rule that it breaks. And the other functions for test modules.
 */
#include <kunit/test.h>
#include <linux/irqflags.h>
#include <linux/module.h>

#include "../../internal.h"
#include "stage.h"

/* Blocks of the SPB 'M.' */
#define USED	0
#define FREE	1
/* A free page of the largest order starts here. */
#define LARGE	24

struct rule_row {
	const char *rule;
	/* Corrupts the record, or restores it. */
	void (*set)(struct spb_stage *stage, bool is_broken);
};

static void flip(struct superpageblock *spb, enum spb_block which, unsigned int block)
{
	__change_bit(block, spb->map[which]);
	spb->nr[which] += test_bit(block, spb->map[which]) ? 1 : -1;
}

static struct page *first_page(struct spb_stage *stage, unsigned int block)
{
	return pfn_to_page(spb_stage_pfn(stage, 0, block));
}

static void set_foreign(struct page *page, bool is_foreign)
{
	if (is_foreign)
		set_pageblock_foreign(page);
	else
		clear_pageblock_foreign(page);
}

static void set_count(struct spb_stage *stage, bool is_broken)
{
	spb_stage_spb(stage, 0)->nr[SPB_MOVABLE] += is_broken ? 1 : -1;
}

static void set_usable(struct spb_stage *stage, bool is_broken)
{
	flip(spb_stage_spb(stage, 0), SPB_USABLE, USED);
}

static void set_claimable(struct spb_stage *stage, bool is_broken)
{
	flip(spb_stage_spb(stage, 0), SPB_FREE, FREE);
}

static void set_mixed(struct spb_stage *stage, bool is_broken)
{
	flip(spb_stage_spb(stage, 0), SPB_MIXED, USED);
}

static void set_tainted(struct spb_stage *stage, bool is_broken)
{
	spb_stage_spb(stage, 0)->tainted = is_broken;
}

static void set_pool(struct spb_stage *stage, bool is_broken)
{
	unsigned long nr = spb_stage_pfn(stage, 0, 0) >> SPB_ORDER;

	stage->zone->spb_movable_list[nr] = is_broken ? FREE_LIST_TAINTED : MIGRATE_MOVABLE;
}

static void set_bucket(struct spb_stage *stage, bool is_broken)
{
	spb_stage_spb(stage, 0)->bucket += is_broken ? 1 : -1;
}

static void set_index(struct spb_stage *stage, bool is_broken)
{
	enum spb_bucket bucket = spb_stage_spb(stage, 0)->bucket;

	spb_index_move(&stage->zone->spb->index, stage->spb[0],
		       is_broken ? bucket : SPB_BUCKET_NONE,
		       is_broken ? SPB_BUCKET_NONE : bucket);
}

/* Swaps a used and a free block, so that the counts stay. */
static void set_free(struct spb_stage *stage, bool is_broken)
{
	struct superpageblock *spb = spb_stage_spb(stage, 0);
	unsigned int block;

	for (block = USED; block <= FREE; block++) {
		flip(spb, SPB_FREE, block);
		flip(spb, SPB_CLAIMABLE, block);
	}
}

static void set_free_foreign(struct spb_stage *stage, bool is_broken)
{
	set_foreign(first_page(stage, FREE), is_broken);
}

static void set_used_foreign(struct spb_stage *stage, bool is_broken)
{
	set_foreign(first_page(stage, USED), is_broken);
}

static void set_list(struct spb_stage *stage, bool is_broken)
{
	struct page *page = first_page(stage, LARGE);
	struct free_area *area = &stage->zone->free_area[buddy_order(page)];

	list_move(&page->buddy_list,
		  &area->free_list[is_broken ? FREE_LIST_TAINTED : MIGRATE_MOVABLE]);
}

static void set_nr_free(struct spb_stage *stage, bool is_broken)
{
	stage->zone->free_area[0].nr_free += is_broken ? 1 : -1;
}

static void set_evacuable(struct spb_stage *stage, bool is_broken)
{
	stage->zone->spb->nr_evacuable += is_broken ? 1 : -1;
}

static void set_short(struct spb_stage *stage, bool is_broken)
{
	stage->zone->spb_nr_short += is_broken ? 1 : -1;
}

static const struct rule_row rules[] = {
	{ "a count is that of its map", set_count },
	{ "what is counted is usable", set_usable },
	{ "what can be claimed is free", set_claimable },
	{ "what is mixed has content that cannot move", set_mixed },
	{ "tainted is who has content that cannot move", set_tainted },
	{ "the list of movable pages is that of the pool", set_pool },
	{ "the bucket is that of the counts", set_bucket },
	{ "the index has the SPB in its bucket", set_index },
	{ "the free map is that of the buddy flags", set_free },
	{ "a free block hosts nothing foreign", set_free_foreign },
	{ "content that cannot move is in a tainted SPB", set_used_foreign },
	{ "a free page is on the list of its label and pool", set_list },
	{ "each free page is on a list", set_nr_free },
	{ "the zone's count of what could be evacuated is the sum", set_evacuable },
	{ "the zone's count of tainted SPBs below the reserve is the sum", set_short },
};

KUNIT_ARRAY_PARAM_DESC(rule, rules, rule);

/* With interrupts off: no other code may use the wrong record. */
static int check_broken(struct spb_stage *stage, const struct rule_row *row,
			struct spb_verdict *verdict)
{
	int ret;

	guard(irqsave)();
	row->set(stage, true);
	ret = spb_check(stage->zone, verdict);
	row->set(stage, false);
	return ret;
}

static void check_rule(struct kunit *test)
{
	static const char *const drawing = "M.";
	const struct rule_row *row = test->param_value;
	struct spb_verdict verdict;
	struct spb_stage *stage;
	int ret;

	if (num_online_cpus() > 1)
		kunit_skip(test, "another CPU may use the corrupted record; needs one CPU");
	stage = spb_stage(test, &drawing, 1);
	ret = check_broken(stage, row, &verdict);
	KUNIT_EXPECT_EQ_MSG(test, ret, -EUCLEAN, "%s", row->rule);
	KUNIT_EXPECT_STREQ(test, verdict.rule ?: "nothing", row->rule);
	spb_stage_expect_true(test, stage->zone, "restored");
}

/* A zone without records, as if boot had no memory for them. */
static void check_of_none(struct kunit *test)
{
	struct zone *zone = kunit_kzalloc(test, sizeof(*zone), GFP_KERNEL);
	struct spb_verdict verdict;
	struct spb_info info;

	KUNIT_ASSERT_NOT_NULL(test, zone);
	KUNIT_EXPECT_EQ(test, spb_check(zone, &verdict), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, spb_get_info(zone, 0, &info), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, spb_event_count(zone, SPB_TAINT), 0);
}

static void check_names(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < NR_SPB_EVENTS; i++)
		KUNIT_EXPECT_NOT_NULL_MSG(test, spb_event_name(i), "event %u", i);
	KUNIT_EXPECT_NULL(test, spb_event_name(NR_SPB_EVENTS));
	for (i = 0; i < NR_SPB_STOPS; i++)
		KUNIT_EXPECT_NOT_NULL_MSG(test, spb_stop_name(i), "stop reason %u", i);
	KUNIT_EXPECT_NULL(test, spb_stop_name(NR_SPB_STOPS));
}

static struct kunit_case spb_check_cases[] = {
	KUNIT_CASE_PARAM(check_rule, rule_gen_params),
	KUNIT_CASE(check_of_none),
	KUNIT_CASE(check_names),
	{ }
};

static struct kunit_suite spb_check_suite = {
	.name = "fragbed_spb_check",
	.suite_init = scene_suite_init,
	.suite_exit = scene_suite_exit,
	.test_cases = spb_check_cases,
};

kunit_test_suite(spb_check_suite);

MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
MODULE_DESCRIPTION("KUnit tests for the check of superpageblocks");
MODULE_LICENSE("GPL");

// SPDX-License-Identifier: GPL-2.0
/*
 * Superpageblocks in early boot: an initcall allocates pages before tasks can sleep,
 * reclaim or run work items; the suite checks the results later.
 */
#include <kunit/test.h>
#include <linux/console.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/module.h>

#include "../../internal.h"
#include "stage.h"

/* Allocate at most an eighth of the zone. */
#define MOST(zone) (zone_managed_pages(zone) / 8)

struct early_row {
	const char *name;
	gfp_t gfp;
	unsigned int order;
	bool served;
};

/* Requests after superpageblocks were tainted. */
static struct early_row rows[] = {
	{ "a page", GFP_KERNEL, 0 },
	{ "order 3", GFP_KERNEL, 3 },
	{ "a block", GFP_KERNEL, 7 },
	{ "atomic", GFP_ATOMIC, 1 },
	{ "reclaimable", GFP_KERNEL | __GFP_RECLAIMABLE, 1 },
	{ "may not fail", GFP_KERNEL | __GFP_NOFAIL, 0 },
	{ "a page that may fail", GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN, 0 },
};

static struct {
	bool asked;
	gfp_t allowed;			/* gfp_allowed_mask at that time */
	bool has_work;			/* the work item was initialised */
	unsigned long pages;		/* single pages requested, to fill tainted ones */
	unsigned long failed;
	unsigned long tainted;
	unsigned long refused;
} early;

static struct zone *early_zone(void)
{
	return zonelist_zone(first_zones_zonelist(node_zonelist(first_online_node, GFP_KERNEL),
						  gfp_zone(GFP_KERNEL), NULL));
}

static void __init free_list(struct list_head *pages)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, pages, lru)
		__free_page(page);
}

/* Plain requests, until they have tainted two superpageblocks or reach the limit. */
static void __init use_up(struct zone *zone)
{
	struct spb_zone *spbs = zone->spb;
	unsigned long tainted = spbs->events[SPB_TAINT];
	LIST_HEAD(pages);

	while (spbs->events[SPB_TAINT] < tainted + 2 && early.pages < MOST(zone)) {
		struct page *page = alloc_page(GFP_KERNEL);

		early.pages++;
		if (page)
			list_add(&page->lru, &pages);
		else
			early.failed++;
	}
	early.tainted = spbs->events[SPB_TAINT] - tainted;
	free_list(&pages);
}

static void __init ask(struct early_row *row)
{
	struct page *page = alloc_pages(row->gfp, row->order);

	row->served = page;
	if (page)
		__free_pages(page, row->order);
}

/* console_initcall() is the earliest: before cred_init(), which once was refused memory. */
static int __init ask_early(void)
{
	struct zone *zone = early_zone();
	size_t i;

	if (!zone->spb)
		return 0;
	early.asked = true;
	early.allowed = gfp_allowed_mask;
	early.has_work = zone->spb->kick.func;
	use_up(zone);
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		ask(&rows[i]);
	early.refused = zone->spb->events[SPB_REFUSED];
	return 0;
}
console_initcall(ask_early);

static void boot_was_early(struct kunit *test)
{
	KUNIT_ASSERT_TRUE(test, early.asked);
	KUNIT_EXPECT_FALSE_MSG(test, early.allowed & __GFP_RECLAIM,
			       "early boot does not mask reclaim");
	KUNIT_EXPECT_FALSE_MSG(test, early.has_work, "work items run already");
}

KUNIT_ARRAY_PARAM_DESC(early, rows, name);

static void boot_serves(struct kunit *test)
{
	const struct early_row *row = test->param_value;

	KUNIT_EXPECT_TRUE_MSG(test, row->served, "%s", row->name);
}

/* Requests cannot sleep: they taint as soon as the tainted superpageblocks are full. */
static void boot_taints(struct kunit *test)
{
	kunit_info(test, "%lu pages, %lu superpageblocks tainted\n", early.pages, early.tainted);
	KUNIT_EXPECT_EQ(test, early.failed, 0);
	KUNIT_EXPECT_EQ(test, early.refused, 0);
	if (early.pages < MOST(early_zone()))
		KUNIT_EXPECT_EQ(test, early.tainted, 2);
	else
		kunit_skip(test, "superpageblocks are too large to fill one in early boot");
}

/* Work that became pending in early boot is done later. */
static void boot_is_caught_up(struct kunit *test)
{
	struct zone *zone = early_zone();

	KUNIT_EXPECT_NOT_NULL(test, zone->spb->kick.func);
	spb_stage_expect_true(test, zone, "after boot");
}

static struct kunit_case spb_boot_cases[] = {
	KUNIT_CASE(boot_was_early),
	KUNIT_CASE_PARAM(boot_serves, early_gen_params),
	KUNIT_CASE(boot_taints),
	KUNIT_CASE(boot_is_caught_up),
	{ }
};

static struct kunit_suite spb_boot_suite = {
	.name = "fragbed_spb_boot",
	.test_cases = spb_boot_cases,
};

kunit_test_suite(spb_boot_suite);

MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
MODULE_DESCRIPTION("KUnit tests for superpageblocks in early boot");
MODULE_LICENSE("GPL");

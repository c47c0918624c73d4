// SPDX-License-Identifier: GPL-2.0
/*
 * Slabs are shrunk when tainted superpageblocks are short of free pages: what triggers
 * that, and when it ends. The drawings are those of stage.h.
 */
#include <kunit/static_stub.h>
#include <kunit/test-bug.h>
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/module.h>
#include <linux/shrinker.h>

#include "../../internal.h"
#include "stage.h"

#define UNMOV	MIGRATE_UNMOVABLE
#define MOV	MIGRATE_MOVABLE

#define NOFRAG	ALLOC_NOFRAGMENT
#define RESERVE	(spb_reserve(SPB_BLOCKS) * pageblock_nr_pages)

/* --- The trigger ------------------------------------------------------------ */

struct want_row {
	const char *name;
	const char *scene[STAGE_SPBS];
	int type;
	unsigned int order;
	unsigned long credit;
	bool wants;
	unsigned long credit_left;
};

static const struct want_row wants[] = {
	{ "full", { "u" }, UNMOV, 0, 0, true, 0 },
	{ "the reserve less a block", { "u...U" }, UNMOV, 0, 0, true, 0 },
	{ "the reserve: not short", { "u....U" }, UNMOV, 0, 0, false, 0 },
	{ "another one has only its reserve", { "u...U", "U....M" }, UNMOV, 0, 0, true, 0 },
	{ "another one is above it", { "u...U", "U.....M" }, UNMOV, 0, 0, false, 0 },
	{ "another one is clean", { "u", "." }, UNMOV, 0, 0, true, 0 },
	{ "with credit for a page", { "u" }, UNMOV, 0, 1, false, 0 },
	{ "with credit for more", { "u" }, UNMOV, 2, 5, false, 1 },
	{ "with too little credit", { "u" }, UNMOV, 2, 3, true, 3 },
	{ "a movable request", { "Um" }, MOV, 0, 0, false, 0 },
	{ "held back", { "UM" }, UNMOV, 0, 99, true, 0 },
};

KUNIT_ARRAY_PARAM_DESC(want, wants, name);

static void shrink_wanted(struct kunit *test)
{
	const struct want_row *row = test->param_value;
	struct spb_stage *stage = spb_stage(test, row->scene, spb_scene_size(row->scene));
	struct stage_request request = { .type = row->type, .order = row->order,
		.alloc_flags = NOFRAG, .credit = row->credit };

	spb_stage_ask(stage, &request);
	KUNIT_EXPECT_EQ_MSG(test, request.events[SPB_WANT_SHRINK], row->wants, "%s", row->name);
	KUNIT_EXPECT_EQ_MSG(test, request.credit, row->credit_left, "%s: credit", row->name);
}

static int wakeups;

static void count_wakeup(struct spb_zone *spbs)
{
	wakeups++;
}

/* Two triggers cause one wakeup; an SPB with a reserve causes none. */
static void want_twice(struct spb_stage *stage, void *triggers)
{
	struct page *full = pfn_to_page(spb_stage_pfn(stage, 0, 0));
	struct page *reserve = pfn_to_page(spb_stage_pfn(stage, 1, 0));
	struct spb_zone *spbs = stage->zone->spb;
	unsigned long before = spbs->events[SPB_WANT_SHRINK];

	spbs->want_shrink = false;
	spbs->credit = 0;
	spb_trigger_use(stage->zone, reserve, 0);
	*(int *)triggers = -(int)(spbs->events[SPB_WANT_SHRINK] - before);
	spb_trigger_use(stage->zone, full, 0);
	spb_trigger_use(stage->zone, full, 0);
	*(int *)triggers += spbs->events[SPB_WANT_SHRINK] - before;
	spbs->want_shrink = false;
}

static void shrink_wanted_once(struct kunit *test)
{
	static const char *const scene[] = { "U", "U....U" };
	struct spb_stage *stage = spb_stage(test, scene, 2);
	int triggers;

	kunit_activate_static_stub(test, spb_kick, count_wakeup);
	wakeups = 0;
	spb_stage_alone(stage, want_twice, &triggers);
	KUNIT_EXPECT_EQ(test, triggers, 1);
	KUNIT_EXPECT_EQ(test, wakeups, 1);
}

static void want_it(struct spb_stage *stage, void *unused)
{
	stage->zone->spb->want_shrink = true;
}

/* The work item of the node shrinks slabs soon. */
static void shrink_is_done(struct kunit *test)
{
	static const char *const scene = "U";
	struct spb_stage *stage = spb_stage(test, &scene, 1);
	struct spb_zone *spbs = stage->zone->spb;
	unsigned long before = READ_ONCE(spbs->events[SPB_SHRINK]);
	int i;

	spb_stage_alone(stage, want_it, NULL);
	kunit_deactivate_static_stub(test, spb_kick);
	spb_kick(spbs);
	for (i = 0; i < 250 && READ_ONCE(spbs->events[SPB_SHRINK]) == before; i++)
		msleep(20);
	KUNIT_EXPECT_GT(test, READ_ONCE(spbs->events[SPB_SHRINK]), before);
	KUNIT_EXPECT_FALSE(test, READ_ONCE(spbs->want_shrink));
}

/* --- The end ---------------------------------------------------------------- */

/* Stands in for shrinkers: each call frees some of the pages that the case allocated. */
struct play {
	struct spb_pressure *pressure;
	unsigned int goes;	/* calls */
	unsigned int helpful;	/* calls that free pages, the first ones */
	unsigned int pages;
};

static unsigned long play_slabs(int nid)
{
	struct play *play = kunit_get_current_test()->priv;
	unsigned int i;

	if (play->goes++ >= play->helpful)
		return 1;
	for (i = 0; i < play->pages; i++)
		__free_page(spb_take_back(kunit_get_current_test(), play->pressure));
	reach_drain_free_pages();
	return 10;
}

struct go_row {
	const char *name;
	unsigned int helpful;
	unsigned int pages;	/* pages that each helpful call frees */
	unsigned int goes;
	unsigned long least_credit;
	unsigned long most_credit;
};

/* A reserve is 512 parts. SLACK: other tasks allocate and free some pages meanwhile. */
#define PART	(pageblock_nr_pages / 128)
#define SLACK	64

static const struct go_row goes[] = {
	{ "enough at once", 9, 512 * PART + SLACK, 1, 64 * PART, 64 * PART + 2 * SLACK },
	{ "enough after two", 9, 300 * PART, 2, 64 * PART, 88 * PART + SLACK },
	{ "nothing helps", 0, 0, 1, 64 * PART, 64 * PART },
	{ "the second does not help", 1, 300 * PART, 2, 64 * PART, 64 * PART },
	{ "much more than enough", 9, 900 * PART, 1, 388 * PART - SLACK, 388 * PART + SLACK },
};

KUNIT_ARRAY_PARAM_DESC(go, goes, name);

static void enable_background(void *unused)
{
	struct zone *zone;

	for_each_populated_zone(zone)
		if (zone->spb)
			enable_work(&zone->spb->shrink);
}

/* Requests of other tasks may trigger the work item. */
static void disable_background(struct kunit *test)
{
	struct zone *zone;

	for_each_populated_zone(zone)
		if (zone->spb)
			disable_work_sync(&zone->spb->shrink);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, enable_background, NULL), 0);
}

static void shrink_goes(struct kunit *test)
{
	const struct go_row *row = test->param_value;
	struct play play = { .helpful = row->helpful, .pages = row->pages };
	struct spb_zone *spbs = scene_zone()->spb;
	unsigned int helped = min(row->goes, row->helpful);

	KUNIT_ASSERT_EQ(test, RESERVE, 512 * PART);
	test->priv = &play;
	kunit_activate_static_stub(test, spb_shrink_slabs, play_slabs);
	disable_background(test);
	/* As the last step: allocations after it may taint. */
	play.pressure = spb_press(test, "U");
	spb_shrink(scene_zone());
	KUNIT_EXPECT_EQ_MSG(test, play.goes, row->goes, "%s", row->name);
	KUNIT_EXPECT_GE_MSG(test, spbs->credit, row->least_credit, "%s: credit", row->name);
	KUNIT_EXPECT_LE_MSG(test, spbs->credit, row->most_credit, "%s: credit", row->name);
	KUNIT_EXPECT_EQ(test, spb_grown(play.pressure, SPB_SHRINK), 1);
	KUNIT_EXPECT_EQ(test, spb_grown(play.pressure, SPB_SHRUNK),
			helped * 10 + row->goes - helped);
}

/* Nothing is shrunk while a tainted SPB has more than its reserve. */
static void shrink_without_need(struct kunit *test)
{
	static const char *const scene = "U........U";
	struct spb_stage *stage = spb_stage(test, &scene, 1);
	struct play play = { };

	test->priv = &play;
	kunit_activate_static_stub(test, spb_shrink_slabs, play_slabs);
	spb_shrink(stage->zone);
	KUNIT_EXPECT_EQ(test, play.goes, 0);
	KUNIT_EXPECT_GE(test, stage->zone->spb->credit, RESERVE);
}

/* --- The shrinkers ---------------------------------------------------------- */

struct slab {
	struct shrinker *shrinker;
	unsigned long left;
	unsigned long asked;
	int nid;
};

static unsigned long count_objects(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct slab *slab = shrinker->private_data;

	slab->nid = sc->nid;
	return slab->left ?: SHRINK_EMPTY;
}

static unsigned long scan_objects(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct slab *slab = shrinker->private_data;

	slab->asked += sc->nr_to_scan;
	slab->left -= sc->nr_to_scan;
	return sc->nr_to_scan;
}

static void free_shrinker(void *shrinker)
{
	shrinker_free(shrinker);
}

/* Each call scans a part of the objects of a real shrinker. */
static void shrink_asks(struct kunit *test)
{
	struct slab slab = { .left = 1 << 20, .nid = -1 };
	unsigned long objects;

	slab.shrinker = shrinker_alloc(0, "fragbed-kunit");
	KUNIT_ASSERT_NOT_NULL(test, slab.shrinker);
	slab.shrinker->count_objects = count_objects;
	slab.shrinker->scan_objects = scan_objects;
	slab.shrinker->private_data = &slab;
	shrinker_register(slab.shrinker);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, free_shrinker, slab.shrinker));
	objects = spb_shrink_slabs(zone_to_nid(scene_zone()));
	KUNIT_EXPECT_GE(test, objects, slab.asked);
	KUNIT_EXPECT_GE(test, slab.asked, (1 << 20) / 32);
	KUNIT_EXPECT_LE(test, slab.asked, (1 << 20) / 4);
	kunit_release_action(test, free_shrinker, slab.shrinker);
}

static struct kunit_case spb_shrink_cases[] = {
	KUNIT_CASE_PARAM(shrink_wanted, want_gen_params),
	KUNIT_CASE(shrink_wanted_once),
	KUNIT_CASE(shrink_is_done),
	KUNIT_CASE_PARAM(shrink_goes, go_gen_params),
	KUNIT_CASE(shrink_without_need),
	KUNIT_CASE(shrink_asks),
	{ }
};

static struct kunit_suite spb_shrink_suite = {
	.name = "fragbed_spb_shrink",
	.suite_init = scene_suite_init,
	.suite_exit = scene_suite_exit,
	.test_cases = spb_shrink_cases,
};

kunit_test_suite(spb_shrink_suite);

MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
MODULE_DESCRIPTION("KUnit tests for shrinking slabs for superpageblocks");
MODULE_LICENSE("GPL");

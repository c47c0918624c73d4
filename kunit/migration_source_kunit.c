// SPDX-License-Identifier: GPL-2.0
/*
 * Migration source: out of which pageblocks compaction may migrate pages. The rules
 * are those of suitable_migration_source() and fast_find_migrateblock() in
 * mm/compaction.c, and of the settings that compact_zone_order() passes to them.
 */
#include <kunit/test.h>
#include <linux/module.h>

#include "scene.h"

#define UNMOV	MIGRATE_UNMOVABLE
#define MOV	MIGRATE_MOVABLE
#define RECL	MIGRATE_RECLAIMABLE
#define HIGH	MIGRATE_HIGHATOMIC
#define CMA	MIGRATE_CMA

#define ASYNC	MIGRATE_ASYNC
#define LIGHT	MIGRATE_SYNC_LIGHT
#define SYNC	MIGRATE_SYNC

struct source {
	const char *name;
	int block_type;
	int request_type;
	enum migrate_mode mode;
	int order;
	bool background;
	bool alloc_cma;
	bool suitable;
};

static const struct source sources[] = {
	/* background compaction: blocks of every migratetype, in every mode */
	{ .name = "background, unmovable block", .block_type = UNMOV,
	  .request_type = MOV, .mode = ASYNC, .order = 3, .background = true,
	  .suitable = true },
	{ .name = "background, movable block", .block_type = MOV,
	  .request_type = UNMOV, .mode = ASYNC, .order = 3, .background = true,
	  .suitable = true },
	{ .name = "background, reclaimable block", .block_type = RECL,
	  .request_type = UNMOV, .mode = ASYNC, .order = 3, .background = true,
	  .suitable = true },
	{ .name = "background, highatomic block", .block_type = HIGH,
	  .request_type = MOV, .mode = ASYNC, .order = 3, .background = true,
	  .suitable = true },
	{ .name = "background, cma block, async", .block_type = CMA,
	  .request_type = UNMOV, .mode = ASYNC, .order = 3, .background = true,
	  .suitable = true },
	{ .name = "background, cma block, light", .block_type = CMA,
	  .request_type = UNMOV, .mode = LIGHT, .order = 3, .background = true,
	  .suitable = true },
	{ .name = "background, cma block, sync", .block_type = CMA,
	  .request_type = UNMOV, .mode = SYNC, .order = -1, .background = true,
	  .suitable = true },
	{ .name = "background, whole zone", .block_type = UNMOV,
	  .request_type = UNMOV, .mode = SYNC, .order = -1, .background = true,
	  .suitable = true },
	/* direct compaction: a CMA block only if the request may allocate CMA pages */
	{ .name = "cma block, async", .block_type = CMA, .request_type = MOV,
	  .mode = ASYNC, .order = 3 },
	{ .name = "cma block, light", .block_type = CMA, .request_type = MOV,
	  .mode = LIGHT, .order = 3 },
	{ .name = "cma block, sync", .block_type = CMA, .request_type = MOV,
	  .mode = SYNC, .order = 3 },
	{ .name = "cma block, unmovable, async", .block_type = CMA,
	  .request_type = UNMOV, .mode = ASYNC, .order = 3 },
	{ .name = "cma block, unmovable, light", .block_type = CMA,
	  .request_type = UNMOV, .mode = LIGHT, .order = 3 },
	{ .name = "cma block, unmovable, sync", .block_type = CMA,
	  .request_type = UNMOV, .mode = SYNC, .order = 3 },
	{ .name = "cma block, whole block, async", .block_type = CMA,
	  .request_type = UNMOV, .mode = ASYNC, .order = SCENE_PB(0) },
	{ .name = "cma block, whole block, light", .block_type = CMA,
	  .request_type = UNMOV, .mode = LIGHT, .order = SCENE_PB(0) },
	{ .name = "cma block, reclaimable, light", .block_type = CMA,
	  .request_type = RECL, .mode = LIGHT, .order = 3 },
	{ .name = "cma block, ALLOC_CMA, async", .block_type = CMA,
	  .request_type = MOV, .mode = ASYNC, .order = 3, .alloc_cma = true,
	  .suitable = true },
	{ .name = "cma block, ALLOC_CMA, light", .block_type = CMA,
	  .request_type = MOV, .mode = LIGHT, .order = 3, .alloc_cma = true,
	  .suitable = true },
	{ .name = "cma block, ALLOC_CMA, sync", .block_type = CMA,
	  .request_type = MOV, .mode = SYNC, .order = SCENE_PB(0),
	  .alloc_cma = true, .suitable = true },
	{ .name = "cma block, ALLOC_CMA, not movable", .block_type = CMA,
	  .request_type = UNMOV, .mode = ASYNC, .order = 3, .alloc_cma = true },
	{ .name = "cma block, ALLOC_CMA, not movable, whole", .block_type = CMA,
	  .request_type = UNMOV, .mode = ASYNC, .order = SCENE_PB(0),
	  .alloc_cma = true, .suitable = true },
	/* synchronous: blocks of every other migratetype */
	{ .name = "light, unmovable for movable", .block_type = UNMOV,
	  .request_type = MOV, .mode = LIGHT, .order = 3, .suitable = true },
	{ .name = "light, movable for unmovable", .block_type = MOV,
	  .request_type = UNMOV, .mode = LIGHT, .order = 3, .suitable = true },
	{ .name = "light, reclaimable for unmovable", .block_type = RECL,
	  .request_type = UNMOV, .mode = LIGHT, .order = 3, .suitable = true },
	{ .name = "light, highatomic for movable", .block_type = HIGH,
	  .request_type = MOV, .mode = LIGHT, .order = 3, .suitable = true },
	{ .name = "sync, unmovable for movable", .block_type = UNMOV,
	  .request_type = MOV, .mode = SYNC, .order = 3, .suitable = true },
	{ .name = "sync, movable for unmovable", .block_type = MOV,
	  .request_type = UNMOV, .mode = SYNC, .order = SCENE_PB(0),
	  .suitable = true },
	/* async, movable requests: movable blocks */
	{ .name = "async, movable for movable", .block_type = MOV,
	  .request_type = MOV, .mode = ASYNC, .order = 3, .suitable = true },
	{ .name = "async, movable for movable, order 0", .block_type = MOV,
	  .request_type = MOV, .mode = ASYNC, .order = 0, .suitable = true },
	{ .name = "async, unmovable for movable", .block_type = UNMOV,
	  .request_type = MOV, .mode = ASYNC, .order = 3 },
	{ .name = "async, reclaimable for movable", .block_type = RECL,
	  .request_type = MOV, .mode = ASYNC, .order = 3 },
	{ .name = "async, highatomic for movable", .block_type = HIGH,
	  .request_type = MOV, .mode = ASYNC, .order = 3 },
	{ .name = "async, unmovable for movable, whole", .block_type = UNMOV,
	  .request_type = MOV, .mode = ASYNC, .order = SCENE_PB(0) },
	{ .name = "async, movable for movable, whole", .block_type = MOV,
	  .request_type = MOV, .mode = ASYNC, .order = SCENE_PB(0),
	  .suitable = true },
	/* async, pageblock_order and above: movable blocks, for all requests */
	{ .name = "async, movable for unmovable, whole", .block_type = MOV,
	  .request_type = UNMOV, .mode = ASYNC, .order = SCENE_PB(0),
	  .suitable = true },
	{ .name = "async, movable for reclaimable, whole", .block_type = MOV,
	  .request_type = RECL, .mode = ASYNC, .order = SCENE_PB(0),
	  .suitable = true },
	{ .name = "async, movable for unmovable, two blocks", .block_type = MOV,
	  .request_type = UNMOV, .mode = ASYNC, .order = SCENE_PB(1),
	  .suitable = true },
	{ .name = "async, unmovable for unmovable, whole", .block_type = UNMOV,
	  .request_type = UNMOV, .mode = ASYNC, .order = SCENE_PB(0) },
	{ .name = "async, reclaimable for reclaimable, whole",
	  .block_type = RECL, .request_type = RECL, .mode = ASYNC,
	  .order = SCENE_PB(0) },
	/* async, below pageblock_order: blocks of the request's migratetype */
	{ .name = "async, unmovable for unmovable", .block_type = UNMOV,
	  .request_type = UNMOV, .mode = ASYNC, .order = 3, .suitable = true },
	{ .name = "async, reclaimable for reclaimable", .block_type = RECL,
	  .request_type = RECL, .mode = ASYNC, .order = 3, .suitable = true },
	{ .name = "async, movable for unmovable", .block_type = MOV,
	  .request_type = UNMOV, .mode = ASYNC, .order = 3 },
	{ .name = "async, movable for reclaimable", .block_type = MOV,
	  .request_type = RECL, .mode = ASYNC, .order = 3 },
	{ .name = "async, reclaimable for unmovable", .block_type = RECL,
	  .request_type = UNMOV, .mode = ASYNC, .order = 3 },
	{ .name = "async, unmovable for reclaimable", .block_type = UNMOV,
	  .request_type = RECL, .mode = ASYNC, .order = 3 },
	{ .name = "async, highatomic for unmovable", .block_type = HIGH,
	  .request_type = UNMOV, .mode = ASYNC, .order = 3 },
	{ .name = "async, movable for unmovable, below block",
	  .block_type = MOV, .request_type = UNMOV, .mode = ASYNC,
	  .order = SCENE_PB(-1) },
	{ .name = "async, unmovable for unmovable, below block",
	  .block_type = UNMOV, .request_type = UNMOV, .mode = ASYNC,
	  .order = SCENE_PB(-1), .suitable = true },
};

static void source_desc(const struct source *s, char *desc)
{
	strscpy(desc, s->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(source, sources, source_desc);

static bool ask(const struct source *s, struct page *page)
{
	struct compact_control cc = {
		.zone = page_zone(page),
		.order = scene_order(s->order),
		.migratetype = s->request_type,
		.mode = s->mode,
		.direct_compaction = !s->background,
		.alloc_flags = s->alloc_cma ? ALLOC_CMA : 0,
	};

	return reach_suitable_migration_source(&cc, page);
}

static void source_suitable(struct kunit *test)
{
	const struct source *s = test->param_value;
	struct scene_block *block = scene_block(test, pageblock_order,
						s->block_type);

	KUNIT_EXPECT_EQ_MSG(test, ask(s, block->page), s->suitable,
			    "%s: %s block, %s request, mode %d, order %d, %s, ALLOC_CMA %d",
			    s->name, reach_type_name(s->block_type),
			    reach_type_name(s->request_type), s->mode,
			    scene_order(s->order),
			    s->background ? "background" : "direct", s->alloc_cma);
}

static struct page *compound_block(struct kunit *test, unsigned int order)
{
	struct page *page;

	page = alloc_pages_node(zone_to_nid(scene_zone()),
				GFP_KERNEL | __GFP_MOVABLE | __GFP_COMP |
				__GFP_NOWARN | __GFP_THISNODE, order);
	if (!page)
		kunit_skip(test, "no free page of order %u", order);
	return page;
}

/* A block that is one compound page, '[######]', is never a source. */
static void source_persistent_skip(struct kunit *test)
{
	const struct source *s = test->param_value;
	struct page *page = compound_block(test, pageblock_order);
	struct zone *zone = page_zone(page);
	int home = reach_set_pageblock_type(zone, page, s->block_type);
	bool head = ask(s, page);
	bool tail = ask(s, page + 1);

	reach_set_pageblock_type(zone, page, home);
	__free_pages(page, pageblock_order);
	KUNIT_EXPECT_FALSE_MSG(test, head, "%s: head page", s->name);
	KUNIT_EXPECT_FALSE_MSG(test, tail, "%s: tail page", s->name);
}

/* A block that starts with a smaller compound page is a source. */
static void source_small_compound(struct kunit *test)
{
	static const struct source movable = {
		.block_type = MOV, .request_type = MOV, .mode = ASYNC, .order = 3,
	};
	struct page *page = compound_block(test, pageblock_order - 1);
	int home = reach_set_pageblock_type(page_zone(page), page, MOV);
	bool suitable = ask(&movable, page);

	reach_set_pageblock_type(page_zone(page), page, home);
	__free_pages(page, pageblock_order - 1);
	KUNIT_EXPECT_TRUE(test, suitable);
}

/*
 * fast_find_migrateblock(): one free page, one order below the compaction's, is at
 * the head of the movable free list: '##......########'. Does the scanner jump to its
 * block?
 */
struct jump {
	const char *name;
	int request_type;
	int order;
	bool background;
	bool ignore_skip_hint;
	bool finish_pageblock;
	bool mid_block;
	bool skip_block;
	bool jumps;
};

static const struct jump jumps[] = {
	{ .name = "movable", .request_type = MOV,
	  .order = SCENE_PB(-1), .jumps = true },
	{ .name = "movable, whole block", .request_type = MOV,
	  .order = SCENE_PB(0), .jumps = true },
	{ .name = "movable, smallest order", .request_type = MOV,
	  .order = PAGE_ALLOC_COSTLY_ORDER + 1, .jumps = true },
	{ .name = "movable, costly order", .request_type = MOV,
	  .order = PAGE_ALLOC_COSTLY_ORDER },
	{ .name = "unmovable", .request_type = UNMOV, .order = SCENE_PB(-1) },
	{ .name = "reclaimable", .request_type = RECL, .order = SCENE_PB(-1) },
	{ .name = "unmovable, smallest order", .request_type = UNMOV,
	  .order = PAGE_ALLOC_COSTLY_ORDER + 1 },
	{ .name = "unmovable, whole block", .request_type = UNMOV,
	  .order = SCENE_PB(0), .jumps = true },
	{ .name = "reclaimable, whole block", .request_type = RECL,
	  .order = SCENE_PB(0), .jumps = true },
	{ .name = "background, unmovable", .request_type = UNMOV,
	  .order = SCENE_PB(-1), .background = true, .jumps = true },
	{ .name = "background, reclaimable", .request_type = RECL,
	  .order = SCENE_PB(-1), .background = true, .jumps = true },
	{ .name = "skip hints ignored", .request_type = MOV,
	  .order = SCENE_PB(0), .ignore_skip_hint = true },
	{ .name = "a block must be finished", .request_type = MOV,
	  .order = SCENE_PB(0), .finish_pageblock = true },
	{ .name = "in the middle of a block", .request_type = MOV,
	  .order = SCENE_PB(0), .mid_block = true },
	{ .name = "the block is to be skipped", .request_type = MOV,
	  .order = SCENE_PB(0), .skip_block = true },
};

static void jump_desc(const struct jump *j, char *desc)
{
	strscpy(desc, j->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(jump, jumps, jump_desc);

static void source_jump(struct kunit *test)
{
	const struct jump *j = test->param_value;
	int order = scene_order(j->order);
	/* Two blocks: beside a free one, the page would go to the tail of the free list. */
	int size = min(pageblock_order + 1, MAX_PAGE_ORDER);
	struct scene_block *block = scene_block(test, size, MOV);
	struct scene_free chunk = { .block = block, .order = order - 1,
				    .offset = 1UL << (order - 1) };
	struct compact_control cc = {
		.zone = block->zone,
		.order = order,
		.migratetype = j->request_type,
		.direct_compaction = !j->background,
		.ignore_skip_hint = j->ignore_skip_hint,
		.finish_pageblock = j->finish_pageblock,
		.free_pfn = block->pfn + 64 * pageblock_nr_pages,
		.migrate_pfn = block->pfn - pageblock_nr_pages,
	};
	unsigned long start, found;

	if (block->pfn < block->zone->zone_start_pfn + 2 * pageblock_nr_pages)
		kunit_skip(test, "the only free block is the first of the zone");
	if (j->mid_block)
		cc.migrate_pfn += 8;
	start = cc.migrate_pfn;
	reach_set_pageblock_skip(block->page, j->skip_block);
	scene_free(test, &chunk);
	found = reach_fast_find_migrateblock(&cc);
	reach_set_pageblock_skip(block->page, false);

	if (j->jumps)
		KUNIT_EXPECT_EQ_MSG(test, found, block->pfn, "%s: order %d from pfn %lu",
				    j->name, order, start);
	else if (j->skip_block)
		KUNIT_EXPECT_NE_MSG(test, found, block->pfn, "%s", j->name);
	else
		KUNIT_EXPECT_EQ_MSG(test, found, start, "%s: order %d", j->name, order);
	if (!j->jumps && !j->skip_block)
		KUNIT_EXPECT_EQ_MSG(test, cc.fast_search_fail, 0, "%s: searched", j->name);
}

/* The settings that direct compaction passes to the scanners. */
struct setting {
	const char *name;
	int request_type;
	enum compact_priority prio;
	enum migrate_mode mode;
	bool whole_zone;
};

static const struct setting settings[] = {
	{ .name = "async, movable", .request_type = MOV,
	  .prio = COMPACT_PRIO_ASYNC, .mode = ASYNC },
	{ .name = "async, unmovable", .request_type = UNMOV,
	  .prio = COMPACT_PRIO_ASYNC, .mode = ASYNC },
	{ .name = "light, movable", .request_type = MOV,
	  .prio = COMPACT_PRIO_SYNC_LIGHT, .mode = LIGHT },
	{ .name = "light, reclaimable", .request_type = RECL,
	  .prio = COMPACT_PRIO_SYNC_LIGHT, .mode = LIGHT },
	{ .name = "full, movable", .request_type = MOV,
	  .prio = COMPACT_PRIO_SYNC_FULL, .mode = LIGHT, .whole_zone = true },
	{ .name = "full, unmovable", .request_type = UNMOV,
	  .prio = COMPACT_PRIO_SYNC_FULL, .mode = LIGHT, .whole_zone = true },
};

static void setting_desc(const struct setting *s, char *desc)
{
	strscpy(desc, s->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(setting, settings, setting_desc);

static const struct watch_event *compact_from_end(struct kunit *test, struct zone *zone,
						  struct scene_run *run)
{
	/* A scan from the start of the zone would set whole_zone. */
	zone->compact_init_migrate_pfn = zone->zone_start_pfn;
	scene_compact_fragmented(test, zone, zone_end_pfn(zone) - pageblock_nr_pages, run);
	return watch_first(run->watch, WATCH_BEGIN);
}

static void source_settings(struct kunit *test)
{
	const struct setting *s = test->param_value;
	struct zone *zone = scene_zone();
	struct scene_run run = {
		.req = { .gfp = SCENE_GFP(s->request_type),
			 .order = pageblock_order, .prio = s->prio },
	};
	const struct watch_event *begin;
	int tries;

	scene_save_defer_state(test, zone);
	/* Background compaction may reset the scanner to the start of the zone. */
	for (tries = 0; tries < 5; tries++) {
		begin = compact_from_end(test, zone, &run);
		if (begin && begin->cc.whole_zone == s->whole_zone)
			break;
	}
	KUNIT_ASSERT_NOT_NULL_MSG(test, begin, "compaction did not run");
	KUNIT_EXPECT_TRUE(test, begin->cc.direct);
	KUNIT_EXPECT_EQ(test, begin->order, pageblock_order);
	KUNIT_EXPECT_EQ(test, begin->cc.migratetype, s->request_type);
	KUNIT_EXPECT_EQ_MSG(test, begin->cc.mode, s->mode, "%s", s->name);
	KUNIT_EXPECT_EQ_MSG(test, begin->cc.whole_zone, s->whole_zone, "%s", s->name);
	KUNIT_EXPECT_EQ_MSG(test, begin->cc.ignore_skip_hint, s->whole_zone, "%s", s->name);
	KUNIT_EXPECT_EQ_MSG(test, !!(begin->cc.alloc_flags & ALLOC_CMA),
			    s->request_type == MOV, "%s", s->name);
	KUNIT_EXPECT_PTR_EQ(test, begin->capc.zone, zone);
}

/*
 * A whole compaction scans a block with planted pages: '....mmmm....'. Are they
 * migrated?
 */
#define PLANTED_AT	4
#define NR_PLANTED	4

struct emptied {
	const char *name;
	int block_type;
	int request_type;
	enum compact_priority prio;
	bool emptied;
};

static const struct emptied emptied_rows[] = {
	{ .name = "movable block, async movable", .block_type = MOV,
	  .request_type = MOV, .prio = COMPACT_PRIO_ASYNC, .emptied = true },
	{ .name = "movable block, async unmovable", .block_type = MOV,
	  .request_type = UNMOV, .prio = COMPACT_PRIO_ASYNC, .emptied = true },
	{ .name = "unmovable block, async movable", .block_type = UNMOV,
	  .request_type = MOV, .prio = COMPACT_PRIO_ASYNC },
	{ .name = "unmovable block, full movable", .block_type = UNMOV,
	  .request_type = MOV, .prio = COMPACT_PRIO_SYNC_FULL,
	  .emptied = true },
	{ .name = "cma block, full movable", .block_type = CMA,
	  .request_type = MOV, .prio = COMPACT_PRIO_SYNC_FULL,
	  .emptied = true },
	{ .name = "cma block, full unmovable", .block_type = CMA,
	  .request_type = UNMOV, .prio = COMPACT_PRIO_SYNC_FULL },
	{ .name = "cma block, full reclaimable", .block_type = CMA,
	  .request_type = RECL, .prio = COMPACT_PRIO_SYNC_FULL },
};

static void emptied_desc(const struct emptied *e, char *desc)
{
	strscpy(desc, e->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(emptied, emptied_rows, emptied_desc);

static unsigned int nr_still_there(struct scene_block *block)
{
	unsigned int i, nr = 0;

	for (i = 0; i < NR_PLANTED; i++)
		nr += PageLRU(block->page + PLANTED_AT + i);
	return nr;
}

static unsigned int nr_expected(const struct emptied *e)
{
	return e->emptied ? 0 : NR_PLANTED;
}

struct emptied_run {
	const struct emptied *e;
	struct scene_run run;
};

/*
 * Compaction stops early while other tasks contend for the zone's locks. Background
 * compaction, or superpageblock defragmentation, may migrate the pages first.
 */
static bool compact_planted(struct kunit *test, struct scene_block *block, void *arg)
{
	struct emptied_run *er = arg;

	scene_save_defer_state(test, block->zone);
	scene_plant_movable(test, block, PLANTED_AT, NR_PLANTED);
	scene_set_type(block, er->e->block_type);
	/* Async compaction skips a block that has an unmovable page. */
	scene_free_rest(block);
	if (nr_still_there(block) != NR_PLANTED)
		return false;
	/* Not the start of a block: from there the scanner may jump to another block. */
	scene_compact_fragmented(test, block->zone, block->pfn + PLANTED_AT, &er->run);
	return nr_still_there(block) == nr_expected(er->e);
}

static void source_end_to_end(struct kunit *test)
{
	const struct emptied *e = test->param_value;
	struct emptied_run er = {
		.e = e,
		.run.req = { .gfp = SCENE_GFP(e->request_type),
			     .order = pageblock_order, .prio = e->prio },
	};
	struct scene_block *block = scene_retry(test, compact_planted, &er);

	KUNIT_ASSERT_NOT_NULL_MSG(test, er.run.watch, "other tasks migrated the planted pages");
	KUNIT_ASSERT_NOT_NULL_MSG(test, watch_first(er.run.watch, WATCH_BEGIN),
				  "compaction did not run");
	KUNIT_EXPECT_EQ_MSG(test, nr_still_there(block), nr_expected(e), "%s", e->name);
}

static struct kunit_case source_cases[] = {
	KUNIT_CASE_PARAM(source_suitable, source_gen_params),
	KUNIT_CASE_PARAM(source_persistent_skip, source_gen_params),
	KUNIT_CASE(source_small_compound),
	KUNIT_CASE_PARAM(source_jump, jump_gen_params),
	KUNIT_CASE_PARAM(source_settings, setting_gen_params),
	KUNIT_CASE_PARAM(source_end_to_end, emptied_gen_params),
	{}
};

static struct kunit_suite source_suite = {
	.name = "fragbed_migration_source",
	.suite_init = scene_suite_init,
	.suite_exit = scene_suite_exit,
	.test_cases = source_cases,
};

kunit_test_suite(source_suite);

MODULE_DESCRIPTION("KUnit tests for compaction's migration source");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");

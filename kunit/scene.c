// SPDX-License-Identifier: GPL-2.0
/* Scenes of pageblocks: their pages, their zone's counters, and its tunables. */
#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <kunit/visibility.h>
#include <linux/memory_hotplug.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "scene.h"
#ifdef CONFIG_SUPERPAGEBLOCK
#include "../superpageblock/superpageblock.h"
#endif

/**
 * scene_order() - resolve the order of a table row in this configuration
 * @spec: an order, SCENE_PB(delta) or SCENE_MAX
 *
 * Return: the order.
 */
int scene_order(int spec)
{
	if (spec == SCENE_MAX)
		return MAX_PAGE_ORDER;
	if (spec > MAX_PAGE_ORDER)
		return pageblock_order + spec - SCENE_PB(0);
	return spec;
}
EXPORT_SYMBOL_IF_KUNIT(scene_order);

/**
 * scene_zone() - find the zone in which scenes are set up
 *
 * Return: on the first node with memory, the highest populated zone that serves
 * GFP_KERNEL.
 */
struct zone *scene_zone(void)
{
	int nid = first_node(node_states[N_MEMORY]);
	struct zone *zone = &NODE_DATA(nid)->node_zones[gfp_zone(GFP_KERNEL)];

	while (!populated_zone(zone))
		zone--;
	return zone;
}
EXPORT_SYMBOL_IF_KUNIT(scene_zone);

static void set_block_type(struct scene_block *block, int migratetype)
{
	unsigned long i;

	for (i = 0; i < 1UL << block->order; i += pageblock_nr_pages)
		reach_set_pageblock_type(block->zone, block->page + i,
					 migratetype);
}

static void isolate_block(struct scene_block *block, bool isolate)
{
	unsigned long i;

	for (i = 0; i < 1UL << block->order; i += pageblock_nr_pages)
		reach_isolate_pageblock(block->zone, block->page + i, isolate);
	block->isolated = isolate;
}

/**
 * scene_free_rest() - free the pages of blocks that the case owns: '#mm#' -> '.mm.'
 * @block: the blocks
 */
void scene_free_rest(struct scene_block *block)
{
	unsigned long i;

	for_each_set_bit(i, block->owned, 1UL << block->order)
		__free_page(block->page + i);
	bitmap_zero(block->owned, 1UL << block->order);
	reach_drain_free_pages();
}
EXPORT_SYMBOL_IF_KUNIT(scene_free_rest);

static void release_block(void *data)
{
	struct scene_block *block = data;

	if (block->isolated)
		isolate_block(block, false);
	set_block_type(block, block->home_type);
	scene_free_rest(block);
	kfree(block);
}

/**
 * scene_block() - allocate whole pageblocks and set their migratetype
 * @test: case; skipped if no such block is free
 * @order: size, at least pageblock_order
 * @migratetype: migratetype to set, not MIGRATE_ISOLATE
 *
 * The case owns all pages of the blocks, '########', until it ends.
 *
 * Return: the blocks.
 */
struct scene_block *scene_block(struct kunit *test, unsigned int order,
				int migratetype)
{
	struct scene_block *block = kzalloc_obj(*block);

	KUNIT_ASSERT_NOT_NULL(test, block);
	block->page = alloc_pages_node(zone_to_nid(scene_zone()),
				       GFP_KERNEL | __GFP_MOVABLE |
				       __GFP_NOWARN | __GFP_THISNODE, order);
	if (!block->page) {
		kfree(block);
		kunit_skip(test, "no free block of order %u", order);
	}
	split_page(block->page, order);
	block->pfn = page_to_pfn(block->page);
	block->order = order;
	block->zone = page_zone(block->page);
	block->home_type = reach_pageblock_type(block->page);
	bitmap_fill(block->owned, 1UL << order);
	set_block_type(block, migratetype);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, release_block, block));
	return block;
}
EXPORT_SYMBOL_IF_KUNIT(scene_block);

/* With KASAN any allocation may free quarantined slabs, in the middle of a scene, too. */
#define SCENE_TRIES	(IS_ENABLED(CONFIG_KASAN) ? 24 : 8)
#define END_BLOCKS	64

/* Compaction moves pages towards the end of the zone: leave room behind the block. */
static struct scene_block *block_before_end(struct kunit *test)
{
	struct scene_block *block;
	int i;

	for (i = 0; i < END_BLOCKS; i++) {
		block = scene_block(test, pageblock_order, MIGRATE_MOVABLE);
		if (zone_end_pfn(block->zone) - block->pfn > block->zone->spanned_pages / 8)
			break;
	}
	return block;
}

/**
 * scene_retry() - play a scene until no other task disturbs it
 * @test: case; skipped if too few blocks are free
 * @play: plays the scene in a movable block; returns false if it was disturbed
 * @arg: passed to @play
 *
 * All blocks are allocated first: a scene may leave none free for the next try.
 * The wait between two tries grows, so that the task that disturbs can finish.
 *
 * Return: the block of the last try.
 */
struct scene_block *scene_retry(struct kunit *test,
				bool (*play)(struct kunit *test,
					     struct scene_block *block,
					     void *arg),
				void *arg)
{
	struct scene_block *blocks[SCENE_TRIES];
	int i;

	for (i = 0; i < SCENE_TRIES; i++)
		blocks[i] = block_before_end(test);
	for (i = 0; i < SCENE_TRIES - 1; i++) {
		if (play(test, blocks[i], arg))
			return blocks[i];
		schedule_timeout_uninterruptible(1 << min(i, 4));
	}
	play(test, blocks[i], arg);
	return blocks[i];
}
EXPORT_SYMBOL_IF_KUNIT(scene_retry);

/**
 * scene_set_type() - change the migratetype of blocks
 * @block: the blocks, not isolated
 * @migratetype: new migratetype
 */
void scene_set_type(struct scene_block *block, int migratetype)
{
	set_block_type(block, migratetype);
}
EXPORT_SYMBOL_IF_KUNIT(scene_set_type);

/**
 * scene_isolate() - isolate blocks until the case ends
 * @test: case
 * @block: the blocks
 */
void scene_isolate(struct kunit *test, struct scene_block *block)
{
	isolate_block(block, true);
	KUNIT_ASSERT_EQ(test, reach_pageblock_type(block->page), MIGRATE_ISOLATE);
}
EXPORT_SYMBOL_IF_KUNIT(scene_isolate);

/**
 * scene_read_account() - read the zone's free page counters
 * @zone: the zone
 * @account: filled in
 *
 * Context: zone->lock held, so that the counters are consistent.
 */
void scene_read_account(struct zone *zone, struct scene_account *account)
{
	unsigned int order;

	*account = (struct scene_account){
		.free = zone_page_state_snapshot(zone, NR_FREE_PAGES),
		.cma = zone_page_state_snapshot(zone, NR_FREE_CMA_PAGES),
		.blocks = zone_page_state_snapshot(zone, NR_FREE_PAGES_BLOCKS),
		.highatomic = READ_ONCE(zone->nr_free_highatomic),
	};
	for (order = 0; order < NR_PAGE_ORDERS; order++)
		account->listed += zone->free_area[order].nr_free << order;
}
EXPORT_SYMBOL_IF_KUNIT(scene_read_account);

/**
 * scene_in_user_task() - run a function in a task that may capture pages
 * @test: case; fails if the task cannot be created
 * @fn: the function, which must not use KUNIT_ASSERT
 * @arg: its argument
 */
void scene_in_user_task(struct kunit *test, int (*fn)(void *arg), void *arg)
{
	KUNIT_ASSERT_EQ(test, 0, reach_run_in_user_task(fn, arg));
}
EXPORT_SYMBOL_IF_KUNIT(scene_in_user_task);

static void free_in_zone(struct scene_free *f)
{
	struct page *page = f->block->page + f->offset;
	struct zone *zone = f->block->zone;

	scene_read_account(zone, &f->before);
	WRITE_ONCE(current->capture_control, f->capc);
	reach_free_one_page(page, zone, f->order, reach_pageblock_type(page));
	WRITE_ONCE(current->capture_control, NULL);
	scene_read_account(zone, &f->after);
}

/* Under one lock, or another task may allocate the first page before the second is freed. */
static void free_prior_and_this(struct scene_free *f)
{
	guard(spinlock_irqsave)(&f->block->zone->lock);
	if (f->prior)
		free_in_zone(f->prior);
	free_in_zone(f);
}

static int free_watched(void *data)
{
	struct scene_free *f = data;
	struct watch *w = kvzalloc_obj(*w);
	const struct watch_event *event;
	int err;

	if (!w)
		return -ENOMEM;
	err = watch_start(w);
	if (!err) {
		free_prior_and_this(f);
		watch_stop();
		event = watch_last(w, WATCH_EXTFRAG);
		f->extfrag = watch_count(w, WATCH_EXTFRAG);
		f->extfrag_value = event ? event->value : -1;
	}
	kvfree(w);
	return err;
}

static void prepare_free(struct kunit *test, struct scene_free *f)
{
	struct page *page = f->block->page + f->offset;

	KUNIT_ASSERT_TRUE(test, reach_prepare_free(page, f->order));
	bitmap_clear(f->block->owned, f->offset, 1U << f->order);
}

/**
 * scene_free() - free part of a block through __free_one_page()
 * @test: case
 * @f: what to free; the result is filled in
 */
void scene_free(struct kunit *test, struct scene_free *f)
{
	prepare_free(test, f);
	if (f->prior)
		prepare_free(test, f->prior);
	if (f->by_kthread)
		KUNIT_ASSERT_EQ(test, 0, free_watched(f));
	else
		scene_in_user_task(test, free_watched, f);
}
EXPORT_SYMBOL_IF_KUNIT(scene_free);

/**
 * scene_return_captured() - free a captured page
 * @test: case
 * @zone: zone of the page
 * @capc: capture control with or without a page; has none afterwards
 */
void scene_return_captured(struct kunit *test, struct zone *zone,
			   struct capture_control *capc)
{
	struct page *page = capc->page;

	if (!page)
		return;
	capc->page = NULL;
	guard(spinlock_irqsave)(&zone->lock);
	reach_free_one_page(page, zone, capc->order, reach_pageblock_type(page));
}
EXPORT_SYMBOL_IF_KUNIT(scene_return_captured);

struct zone_defer_state {
	struct zone *zone;
	unsigned int considered;
	unsigned int shift;
	int order_failed;
};

static void restore_defer_state(void *data)
{
	struct zone_defer_state *state = data;

	state->zone->compact_considered = state->considered;
	state->zone->compact_defer_shift = state->shift;
	state->zone->compact_order_failed = state->order_failed;
}

/**
 * scene_save_defer_state() - reset compaction deferral until the case ends
 * @test: case
 * @zone: the zone
 */
void scene_save_defer_state(struct kunit *test, struct zone *zone)
{
	struct zone_defer_state *state = kunit_kzalloc(test, sizeof(*state),
						       GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, state);
	*state = (struct zone_defer_state){
		.zone = zone,
		.considered = zone->compact_considered,
		.shift = zone->compact_defer_shift,
		.order_failed = zone->compact_order_failed,
	};
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, restore_defer_state, state));
	zone->compact_considered = 0;
	zone->compact_defer_shift = 0;
	zone->compact_order_failed = 0;
}
EXPORT_SYMBOL_IF_KUNIT(scene_save_defer_state);

#ifdef CONFIG_SUPERPAGEBLOCK
static void no_wakeup(struct spb_zone *spbs)
{
}
#endif

/**
 * scene_without_defrag() - keep superpageblock defragmentation from starting
 * @test: case; defragmentation may start again when it ends
 *
 * Otherwise its work item may move planted pages before the scene is played.
 */
void scene_without_defrag(struct kunit *test)
{
#ifdef CONFIG_SUPERPAGEBLOCK
	kunit_activate_static_stub(test, spb_kick, no_wakeup);
#endif
}
EXPORT_SYMBOL_IF_KUNIT(scene_without_defrag);

struct saved_int {
	int *where;
	int value;
};

static void restore_int(void *data)
{
	struct saved_int *saved = data;

	WRITE_ONCE(*saved->where, saved->value);
}

/**
 * scene_set_int() - set a tunable until the case ends
 * @test: case
 * @where: the tunable
 * @value: its value until then
 */
void scene_set_int(struct kunit *test, int *where, int value)
{
	struct saved_int *saved = kunit_kzalloc(test, sizeof(*saved), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, saved);
	saved->where = where;
	saved->value = *where;
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, restore_int, saved));
	WRITE_ONCE(*where, value);
}
EXPORT_SYMBOL_IF_KUNIT(scene_set_int);

/**
 * scene_place_scanner() - set where the next compaction of a zone starts
 * @zone: the zone
 * @pfn: where the migration scanner starts; the free scanner starts at the end
 *
 * Earlier cases may have left the scanners where they do not reach the block, and
 * skip hints that keep both scanners out of most blocks.
 */
void scene_place_scanner(struct zone *zone, unsigned long pfn)
{
	struct page *page;

	zone->compact_cached_migrate_pfn[0] = pfn;
	zone->compact_cached_migrate_pfn[1] = pfn;
	zone->compact_cached_free_pfn = pageblock_start_pfn(zone_end_pfn(zone) - 1);
	/* A zone may begin in the middle of a block. */
	for (pfn = zone->zone_start_pfn; pfn < zone_end_pfn(zone); pfn = pageblock_end_pfn(pfn)) {
		page = pfn_to_online_page(pfn);
		if (page && page_zone(page) == zone)
			reach_set_pageblock_skip(page, false);
	}
}
EXPORT_SYMBOL_IF_KUNIT(scene_place_scanner);

/**
 * scene_suite_init() - suite_init of suites that use scenes
 * @suite: the suite
 *
 * Return: 0, or a negative errno.
 */
int scene_suite_init(struct kunit_suite *suite)
{
	return watch_enable();
}
EXPORT_SYMBOL_IF_KUNIT(scene_suite_init);

/**
 * scene_suite_exit() - suite_exit of suites that use scenes
 * @suite: the suite
 */
void scene_suite_exit(struct kunit_suite *suite)
{
	watch_disable();
}
EXPORT_SYMBOL_IF_KUNIT(scene_suite_exit);

MODULE_DESCRIPTION("scenes for the fragbed KUnit suites");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");

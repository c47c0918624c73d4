// SPDX-License-Identifier: GPL-2.0
#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <kunit/visibility.h>
#include <linux/memory_hotplug.h>
#include <linux/module.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>

#include "scene.h"
#ifdef CONFIG_SUPERPAGEBLOCK
#include "../superpageblock/superpageblock.h"
#endif

/* Takes what is free now and nothing else: no reclaim, no compaction. */
#define SCENE_GFP_TAKE	(__GFP_MOVABLE | __GFP_NOWARN | __GFP_NORETRY | \
			 __GFP_NOMEMALLOC)

/**
 * scene_order() - order of a table row in this configuration
 * @spec: an order, SCENE_PB(delta) or SCENE_MAX
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
 * scene_zone() - the zone scenes are in
 *
 * Return: of the first node with memory, the highest zone that has some and
 * serves the kernel.
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

static void label_block(struct scene_block *block, int migratetype)
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
 * scene_free_rest() - free what we still own of blocks: '#mm#' -> '.mm.'
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
	label_block(block, block->home_type);
	scene_free_rest(block);
	kfree(block);
}

/**
 * scene_block() - own whole pageblocks of a type
 * @test: case; skipped if there is no such block
 * @order: size, at least pageblock_order
 * @migratetype: label the blocks get, not MIGRATE_ISOLATE
 *
 * The blocks are wholly in use, by us: '########'.
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
	label_block(block, migratetype);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, release_block, block));
	return block;
}
EXPORT_SYMBOL_IF_KUNIT(scene_block);

/* With KASAN whoever allocates gives others' slabs back, in the middle of a scene, too. */
#define SCENE_TRIES	(IS_ENABLED(CONFIG_KASAN) ? 24 : 8)
#define END_BLOCKS	64

/* Compaction moves pages towards the end of the zone, so there has to be some of it. */
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
 * scene_retry() - play a scene until nobody disturbs it
 * @test: case; skipped if there are too few free blocks
 * @play: plays it in a movable block; false if it was disturbed
 * @arg: passed to @play
 *
 * All blocks are taken first: a scene may leave none free for the next try. Who
 * disturbed it gets more and more time to come to an end.
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
 * scene_set_type() - relabel blocks
 * @block: the blocks, not isolated
 * @migratetype: new label
 */
void scene_set_type(struct scene_block *block, int migratetype)
{
	label_block(block, migratetype);
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
 * @account: where they go
 *
 * Context: zone->lock held, so that they belong together.
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
 * scene_in_user_task() - run a function in a task that may capture
 * @test: case; fails if there is no such task
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

/* In one go, or someone else takes the first page before the second comes. */
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
 * scene_free() - free a chunk of a block through __free_one_page()
 * @test: case
 * @f: what to free, and what came of it
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
 * scene_return_captured() - give a captured page back to its zone
 * @test: case
 * @zone: zone of the page
 * @capc: holds the page, or none; holds none afterwards
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
 * scene_save_defer_state() - forget deferred compaction until the case ends
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
static void no_kick(struct spb_zone *spbs)
{
}
#endif

/**
 * scene_without_defrag() - what the case does has no superpageblock defragmented
 * @test: case
 *
 * Else the work item may have moved what a scene planted before the scene is played.
 */
void scene_without_defrag(struct kunit *test)
{
#ifdef CONFIG_SUPERPAGEBLOCK
	kunit_activate_static_stub(test, spb_kick, no_kick);
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
 * @value: its value for now
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
 * scene_place_scanner() - say where compaction of a zone starts next
 * @zone: the zone
 * @pfn: where the migration scanner starts; the free scanner starts at the end
 *
 * Where earlier cases left the scanners, they might not meet our block, and
 * the skip hints they left would keep both scanners out of most blocks.
 */
void scene_place_scanner(struct zone *zone, unsigned long pfn)
{
	struct page *page;

	zone->compact_cached_migrate_pfn[0] = pfn;
	zone->compact_cached_migrate_pfn[1] = pfn;
	zone->compact_cached_free_pfn = pageblock_start_pfn(zone_end_pfn(zone) - 1);
	/* The zone may begin inside a block, and so with no page of that before. */
	for (pfn = zone->zone_start_pfn; pfn < zone_end_pfn(zone); pfn = pageblock_end_pfn(pfn)) {
		page = pfn_to_online_page(pfn);
		if (page && page_zone(page) == zone)
			reach_set_pageblock_skip(page, false);
	}
}
EXPORT_SYMBOL_IF_KUNIT(scene_place_scanner);

static int compact_watched(void *data)
{
	struct scene_run *run = data;
	int err;

	err = watch_start(run->watch);
	if (err)
		return err;
	run->page = reach_direct_compact(&run->req, &run->result);
	run->still_published = current->capture_control;
	run->still_annotated = reach_fs_reclaim_held();
	watch_stop();
	return 0;
}

static int reclaim_watched(void *data)
{
	struct scene_run *run = data;
	int err;

	err = watch_start(run->watch);
	if (err)
		return err;
	run->page = reach_direct_reclaim(&run->req, &run->progress);
	run->still_annotated = reach_fs_reclaim_held();
	watch_stop();
	return 0;
}

/* Copied out of the run, which may live on the stack of the case. */
struct run_leftovers {
	struct page *page;
	unsigned int order;
	struct watch *watch;
};

static void release_run(void *data)
{
	struct run_leftovers *left = data;

	if (left->page)
		__free_pages(left->page, left->order);
	kvfree(left->watch);
}

static void run_in_user_task(struct kunit *test, struct scene_run *run,
			     int (*fn)(void *data))
{
	struct run_leftovers *left = kunit_kzalloc(test, sizeof(*left), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, left);
	left->watch = kvzalloc_obj(*left->watch);
	KUNIT_ASSERT_NOT_NULL(test, left->watch);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, release_run, left));
	run->watch = left->watch;
	run->watch->hook = run->hook;
	run->watch->hook_data = run->hook_data;
	run->page = NULL;
	scene_in_user_task(test, fn, run);
	left->page = run->page;
	left->order = run->req.order;
	KUNIT_ASSERT_EQ_MSG(test, 0, run->watch->dropped, "watch is too small");
}

/**
 * scene_direct_compact() - run __alloc_pages_direct_compact() in a user task
 * @test: case
 * @run: the request, and what came of it
 */
void scene_direct_compact(struct kunit *test, struct scene_run *run)
{
	run_in_user_task(test, run, compact_watched);
}
EXPORT_SYMBOL_IF_KUNIT(scene_direct_compact);

/**
 * scene_direct_reclaim() - run __alloc_pages_direct_reclaim() in a user task
 * @test: case
 * @run: the request, and what came of it
 */
void scene_direct_reclaim(struct kunit *test, struct scene_run *run)
{
	run_in_user_task(test, run, reclaim_watched);
}
EXPORT_SYMBOL_IF_KUNIT(scene_direct_reclaim);

struct held_pages {
	struct list_head list;
	unsigned int order;
};

static void release_held(void *data)
{
	struct held_pages *held = data;
	struct page *page, *next;

	list_for_each_entry_safe(page, next, &held->list, lru) {
		list_del(&page->lru);
		__free_pages(page, held->order);
	}
	reach_drain_free_pages();
}

static struct held_pages *hold_pages(struct kunit *test, unsigned int order)
{
	struct held_pages *held = kunit_kzalloc(test, sizeof(*held), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, held);
	INIT_LIST_HEAD(&held->list);
	held->order = order;
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, release_held, held));
	return held;
}

/*
 * Take all free pages that the request's type has for itself. With defrag_mode,
 * and without the reclaim bits, a request falls back to nothing.
 */
static bool take_pages_of_type(struct scene_run *run)
{
	gfp_t gfp = run->req.gfp & (__GFP_MOVABLE | __GFP_RECLAIMABLE);
	struct page *page;
	bool any = false;

	while ((page = alloc_pages_node(run->req.nid,
					gfp | __GFP_NOWARN | __GFP_THISNODE,
					run->req.order))) {
		list_add(&page->lru, &run->held->list);
		any = true;
		cond_resched();
	}
	return any;
}

/* Other CPUs have lists of free pages of their own. */
static void exhaust_type(struct scene_run *run)
{
	int tries = 10;

	while (take_pages_of_type(run) && --tries)
		reach_drain_free_pages();
}

static bool served_by_others(const struct scene_run *run)
{
	return run->defrag_mode && run->page &&
	       !watch_first(run->watch, WATCH_TRY_TO_COMPACT);
}

/* Others give pages back, and direct reclaim, which comes first, finds some. */
static void alloc_past_others(struct scene_run *run)
{
	int left = 1024;

	run->page = alloc_pages_node(run->req.nid, run->req.gfp, run->req.order);
	while (served_by_others(run) && --left) {
		list_add(&run->page->lru, &run->held->list);
		run->watch->nr = 0;
		run->page = alloc_pages_node(run->req.nid, run->req.gfp, run->req.order);
	}
}

static int alloc_exhausted_watched(void *data)
{
	struct scene_run *run = data;
	int err;

	set_cpus_allowed_ptr(current, cpumask_of(raw_smp_processor_id()));
	exhaust_type(run);
	err = watch_start(run->watch);
	if (err)
		return err;
	WRITE_ONCE(*reach_defrag_mode(), run->defrag_mode);
	alloc_past_others(run);
	watch_stop();
	return 0;
}

/**
 * scene_alloc_exhausted() - alloc_pages() in a user task, of a type used up
 * @test: case
 * @run: the request, of which @gfp, @nid and @order count, and the page
 *
 * All free pages that the type has for itself are taken first, so that the
 * request has to fall back or to make a block. The task does both, since
 * others need pages of that type as well.
 */
void scene_alloc_exhausted(struct kunit *test, struct scene_run *run)
{
	run->held = hold_pages(test, run->req.order);
	scene_set_int(test, reach_defrag_mode(), 1);
	run_in_user_task(test, run, alloc_exhausted_watched);
}
EXPORT_SYMBOL_IF_KUNIT(scene_alloc_exhausted);

/**
 * scene_end_exhaustion() - give back what scene_alloc_exhausted() took first
 * @test: case
 * @run: the request; nothing is done if it was not run yet
 *
 * To be called before the scene is played again. When the case ends it is done
 * anyway.
 */
void scene_end_exhaustion(struct kunit *test, struct scene_run *run)
{
	if (run->held)
		kunit_release_action(test, release_held, run->held);
	run->held = NULL;
}
EXPORT_SYMBOL_IF_KUNIT(scene_end_exhaustion);

/* Part of a larger page that was not split: only its head has a reference. */
static void free_tail_chunk(struct page *page, unsigned int order)
{
	set_page_refcounted(page);
	__free_pages(page, order);
}

/* One page of each free block stays ours: '........' -> '#.......'. */
static unsigned long pin_free_blocks(struct zone *zone, struct list_head *pins)
{
	gfp_t gfp = SCENE_GFP_TAKE | __GFP_THISNODE;
	unsigned long nr = 0;
	unsigned int order;
	struct page *page;

	if (zone_idx(zone) == ZONE_MOVABLE)
		gfp |= __GFP_HIGHMEM;
	while ((page = alloc_pages_node(zone_to_nid(zone), gfp,
					pageblock_order))) {
		list_add(&page->lru, pins);
		for (order = 0; order < pageblock_order; order++)
			free_tail_chunk(page + (1UL << order), order);
		nr++;
		cond_resched();
	}
	return nr;
}

/**
 * scene_fragment_zone() - leave no free block in a zone
 * @test: case; skipped if free blocks remain
 * @zone: the zone; lower zones have to be done before
 *
 * Until the case ends no free page of pageblock_order or above exists, while
 * nearly all memory is free.
 */
void scene_fragment_zone(struct kunit *test, struct zone *zone)
{
	struct held_pages *pins = hold_pages(test, 0);
	unsigned int order;

	reach_drain_free_pages();
	while (pin_free_blocks(zone, &pins->list))
		reach_drain_free_pages();
	for (order = pageblock_order; order < NR_PAGE_ORDERS; order++)
		if (zone->free_area[order].nr_free)
			kunit_skip(test, "a free page of order %u cannot be split",
				   order);
}
EXPORT_SYMBOL_IF_KUNIT(scene_fragment_zone);

/**
 * scene_compact_fragmented() - scene_direct_compact() in a fragmented zone
 * @test: case; skipped if the zone cannot be kept fragmented
 * @zone: the zone to fragment
 * @pfn: where the migration scanner starts, see scene_place_scanner()
 * @run: the request, and what came of it
 *
 * A block that gets free just before the request would serve it without any
 * compaction, so it is tried again then.
 */
void scene_compact_fragmented(struct kunit *test, struct zone *zone,
			      unsigned long pfn, struct scene_run *run)
{
	int tries;

	for (tries = 0; tries < 3; tries++) {
		scene_fragment_zone(test, zone);
		scene_place_scanner(zone, pfn);
		scene_direct_compact(test, run);
		if (watch_first(run->watch, WATCH_SUITABLE))
			return;
	}
	kunit_skip(test, "free blocks keep appearing");
}
EXPORT_SYMBOL_IF_KUNIT(scene_compact_fragmented);

struct planted {
	struct scene_block *block;
	struct file *file;
	unsigned long offset;
	unsigned int nr;
	unsigned int done;
};

static void uproot(void *data)
{
	struct planted *planted = data;

	fput(planted->file);
	flush_delayed_fput();
}

/* The page freed last is the next one handed out on this CPU: '#' -> 'm'. */
static bool plant_one(struct planted *p, unsigned long pfn)
{
	struct page *page;

	migrate_disable();
	__free_page(pfn_to_page(pfn));
	page = shmem_read_mapping_page_gfp(p->file->f_mapping, p->done,
					   GFP_KERNEL | __GFP_MOVABLE);
	migrate_enable();
	if (IS_ERR(page))
		return false;
	put_page(page);
	return page_to_pfn(page) == pfn;
}

static void plant_all(struct planted *p)
{
	unsigned long offset;

	for (p->done = 0; p->done < p->nr; p->done++) {
		offset = p->offset + p->done;
		clear_bit(offset, p->block->owned);
		if (!plant_one(p, p->block->pfn + offset))
			return;
	}
}

/* A CPU of another node would take the pages from that one. */
static void plant_on_own_node(struct planted *p)
{
	int nid = zone_to_nid(p->block->zone);

	set_cpus_allowed_ptr(current, cpumask_of_node(nid));
	plant_all(p);
	set_cpus_allowed_ptr(current, cpu_possible_mask);
}

/**
 * scene_plant_movable() - put movable pages into a block: '####' -> '#mm#'
 * @test: case; skipped if something else took the place
 * @block: the block, labelled MIGRATE_MOVABLE
 * @offset: first page, which must be ours
 * @nr: pages
 *
 * They are page cache of a shmem file, and really can migrate.
 */
void scene_plant_movable(struct kunit *test, struct scene_block *block,
			 unsigned long offset, unsigned int nr)
{
	struct planted *p = kunit_kzalloc(test, sizeof(*p), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	p->block = block;
	p->offset = offset;
	p->nr = nr;
	p->file = shmem_file_setup("fragbed", nr << PAGE_SHIFT,
				   mk_vma_flags(VMA_NORESERVE_BIT));
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, p->file);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, uproot, p));
	reach_drain_free_pages();
	plant_on_own_node(p);
	if (p->done < nr)
		kunit_skip(test, "page %u of %u was taken by someone else",
			   p->done, nr);
	reach_drain_lru_pages();
}
EXPORT_SYMBOL_IF_KUNIT(scene_plant_movable);

/**
 * scene_suite_init() - to be called when a suite starts
 * @suite: the suite
 */
int scene_suite_init(struct kunit_suite *suite)
{
	return watch_enable();
}
EXPORT_SYMBOL_IF_KUNIT(scene_suite_init);

/**
 * scene_suite_exit() - to be called when a suite ends
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

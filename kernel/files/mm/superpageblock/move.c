// SPDX-License-Identifier: GPL-2.0
/*
 * Moving what can move out of a superpageblock (SPB): out of a tainted one to make
 * room for what cannot move, out of a clean one to make it one huge page. The zone's
 * lock is taken to look and to note, never while something is moved.
 */
#include <kunit/static_stub.h>
#include <kunit/visibility.h>
#include <linux/bitmap.h>
#include <linux/cleanup.h>
#include <linux/export.h>
#include <linux/memory_hotplug.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/page-isolation.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/superpageblock.h>
#include <linux/swap.h>

#include <trace/events/superpageblock.h>

#include "../internal.h"
#include "defrag.h"

/* A run in the background ends after so long, so that the next SPB gets its turn. */
#define RUN_TIME (HZ / 5)

/* After one that moved nothing its SPB is left alone for a while. */
#define REST (5 * HZ)

/* What comes to an SPB while it is emptied is moved, too, but not for ever. */
#define EVACUATION_PASSES 5

/* One run: what is to be moved from where, and what became of it so far. */
struct spb_mover {
	struct zone *zone;
	unsigned int nr;
	bool from_tainted;
	bool on_demand;
	enum migrate_mode mode;
	gfp_t gfp;
	struct spb_limits limits;
	struct spb_moved *moved;
};

static struct superpageblock *spb_at(const struct spb_mover *mover)
{
	return &mover->zone->spb->spb[mover->nr];
}

static unsigned long block_pfn(const struct spb_mover *mover, unsigned int block)
{
	return ((mover->zone->spb->first + mover->nr) << SPB_ORDER) +
	       block * pageblock_nr_pages;
}

/* None for a block that begins before the zone, as the first one of a PC does. */
static struct page *block_page(const struct spb_mover *mover, unsigned int block)
{
	unsigned long pfn = block_pfn(mover, block);
	struct page *page = pfn_to_online_page(pfn);

	if (!page || page_zone(page) != mover->zone || !zone_spans_pfn(mover->zone, pfn))
		return NULL;
	return page;
}

static struct folio *new_folio(struct folio *old, unsigned long private)
{
	const struct spb_mover *mover = (const struct spb_mover *)private;

	return page_rmappable_folio(spb_alloc_target(mover->zone, folio_order(old),
						     mover->from_tainted));
}

/* Somebody asked for it and waits, or for memory: that is not given up as easily. */
static bool is_interrupted(const struct spb_mover *mover)
{
	return mover->on_demand ? signal_pending(current) : fatal_signal_pending(current);
}

static bool out_of_limits(const struct spb_mover *mover)
{
	struct spb_moved *moved = mover->moved;

	if (moved->pages >= mover->limits.pages)
		moved->stop = SPB_STOP_PAGES;
	else if (time_after_eq(spb_now(), mover->limits.until))
		moved->stop = SPB_STOP_TIME;
	else if (is_interrupted(mover))
		moved->stop = SPB_STOP_SIGNAL;
	else
		return false;
	return true;
}

/* Besides those that any folio of its kind has, and @ours. */
static bool has_more_references(struct folio *folio, int ours)
{
	return folio_maybe_dma_pinned(folio) ||
	       folio_ref_count(folio) > folio_expected_ref_count(folio) + ours;
}

/* Those left on the list would not move. Return: pages. */
static unsigned long count_stuck(struct spb_moved *moved, const struct list_head *folios,
				 bool no_target)
{
	unsigned long nr = 0;
	struct folio *folio;

	list_for_each_entry(folio, folios, lru) {
		unsigned long pages = folio_nr_pages(folio);

		nr += pages;
		if (no_target)
			moved->no_target += pages;
		else if (has_more_references(folio, 1))
			moved->pinned += pages;
		else
			moved->busy += pages;
	}
	return nr;
}

/*
 * Who holds isolated pages must not wait for others that do: what is allocated on the
 * way does not reclaim or compact. Return: whether there was somewhere to go.
 */
static bool move_list(const struct spb_mover *mover, struct compact_control *cc,
		      unsigned long *stuck)
{
	unsigned int noreclaim = memalloc_noreclaim_save();
	unsigned int isolated = cc->nr_migratepages;
	unsigned long left;
	bool no_target;

	no_target = migrate_pages(&cc->migratepages, new_folio, NULL, (unsigned long)mover,
				  mover->mode, MR_COMPACTION, NULL) == -ENOMEM;
	memalloc_noreclaim_restore(noreclaim);
	left = count_stuck(mover->moved, &cc->migratepages, no_target);
	putback_movable_pages(&cc->migratepages);
	cc->nr_migratepages = 0;
	*stuck += left;
	mover->moved->pages += isolated - left;
	return !no_target;
}

static bool move_range(const struct spb_mover *mover, unsigned long pfn, unsigned long end,
		       unsigned long *stuck)
{
	struct compact_control cc = {
		.zone = mover->zone,
		.order = -1,
		.gfp_mask = mover->gfp,
		.mode = mover->mode,
		.ignore_skip_hint = true,
		.no_set_skip_hint = true,
	};

	INIT_LIST_HEAD(&cc.migratepages);
	while (pfn < end) {
		if (out_of_limits(mover))
			return false;
		cc.migrate_pfn = pfn;
		isolate_migratepages_range(&cc, pfn, end);
		pfn = max(cc.migrate_pfn, pfn + 1);
		if (cc.nr_migratepages && !move_list(mover, &cc, stuck)) {
			mover->moved->stop = SPB_STOP_NO_TARGET;
			return false;
		}
		cond_resched();
	}
	return true;
}

static bool has_lru_pages(struct page *page)
{
	struct page *end = page + pageblock_nr_pages;

	for (; page < end; page++)
		if (PageLRU(compound_head(page)))
			return true;
	return false;
}

/*
 * Nothing is left that moves: whoever looks next need not look again. If it was taken
 * for movable, all it holds is foreign, and what is free in it is better used for more
 * of that; but not while somebody has isolated it, which a new label would end.
 */
static void note_nothing_left(const struct spb_mover *mover, struct page *page)
{
	guard(spinlock_irq)(&mover->zone->lock);
	if (get_pageblock_foreign(page) && get_pageblock_migratetype(page) == MIGRATE_MOVABLE)
		spb_relabel_block(mover->zone, page, MIGRATE_UNMOVABLE);
	__spb_mixed(page, false);
}

/* Return: whether to go on with another block. */
static bool move_block(const struct spb_mover *mover, unsigned int block)
{
	unsigned long pfn = block_pfn(mover, block);
	struct page *page = block_page(mover, block);
	unsigned long stuck = 0;

	if (!page)
		return true;
	if (!move_range(mover, pfn, pfn + pageblock_nr_pages, &stuck))
		return false;
	if (!stuck && !has_lru_pages(page))
		note_nothing_left(mover, page);
	/* What was moved away is free once this CPU's lists of such pages are emptied. */
	lru_add_drain_cpu_zone(mover->zone);
	return true;
}

/* In a block that is not wholly free, while it may change: a hint. */
static unsigned long block_free_pages(struct page *page)
{
	struct page *end = page + pageblock_nr_pages;
	unsigned long nr = 0;

	while (page < end) {
		unsigned int order = PageBuddy(page) ? buddy_order_unsafe(page) : 0;

		if (!PageBuddy(page) || order >= pageblock_order) {
			page++;
			continue;
		}
		nr += 1UL << order;
		page += 1UL << order;
	}
	return nr;
}

static void copy_map(const struct spb_mover *mover, enum spb_block which, unsigned long *map)
{
	guard(spinlock_irq)(&mover->zone->lock);
	bitmap_copy(map, spb_at(mover)->map[which], SPB_BLOCKS);
}

/**
 * spb_free_pages() - how many pages of an SPB are free?
 * @zone: its zone
 * @nr: its number in the zone
 * @enough: no need to count further
 *
 * Nobody counts them as they come and go, so this looks at the pages of blocks that
 * are not wholly free. Those of the highatomic reserve are not for all, so they do not
 * count.
 *
 * Context: may sleep. Without the zone's lock it is a hint.
 * Return: pages, @enough or more if there are as many.
 */
unsigned long spb_free_pages(struct zone *zone, unsigned int nr, unsigned long enough)
{
	const struct spb_mover mover = { .zone = zone, .nr = nr };
	DECLARE_BITMAP(unused, SPB_BLOCKS);
	unsigned long pages;
	unsigned int block;

	copy_map(&mover, SPB_CLAIMABLE, unused);
	pages = bitmap_weight(unused, SPB_BLOCKS) * pageblock_nr_pages;
	for_each_clear_bit(block, unused, SPB_BLOCKS) {
		struct page *page = block_page(&mover, block);

		if (pages >= enough)
			break;
		if (page && spb_block_label(page) != MIGRATE_HIGHATOMIC)
			pages += block_free_pages(page);
		cond_resched();
	}
	return pages;
}

static struct spb_room room_of(const struct spb_mover *mover, unsigned long free_pages)
{
	const struct superpageblock *spb = spb_at(mover);

	guard(spinlock_irq)(&mover->zone->lock);
	return (struct spb_room) {
		.tainted = spb->tainted,
		.movable = spb->nr[SPB_MOVABLE] + spb->nr[SPB_MIXED],
		.free = spb->nr[SPB_CLAIMABLE],
		.free_pages = free_pages,
		.block_pages = pageblock_nr_pages,
	};
}

static bool has_ended(const struct spb_mover *mover, unsigned long free_pages)
{
	struct spb_room room = room_of(mover, free_pages + mover->moved->pages);

	if (!spb_defrag_stops(&room))
		return false;
	mover->moved->stop = room.movable ? SPB_STOP_ROOM : SPB_STOP_EMPTY;
	return true;
}

/*
 * Until there is room; the blocks as they were at the start. Return: whether to go on
 * with others.
 */
static bool move_until_room(const struct spb_mover *mover, enum spb_block which,
			    unsigned long free_pages)
{
	DECLARE_BITMAP(blocks, SPB_BLOCKS);
	unsigned int block;

	copy_map(mover, which, blocks);
	for_each_set_bit(block, blocks, SPB_BLOCKS)
		if (has_ended(mover, free_pages) || !move_block(mover, block))
			return false;
	return !has_ended(mover, free_pages);
}

/* Without progress the same would happen again: not for some seconds. */
static void note_end(const struct spb_mover *mover, bool background)
{
	struct spb_zone *spbs = mover->zone->spb;
	struct superpageblock *spb = spb_at(mover);
	const struct spb_moved *moved = mover->moved;

	if (mover->from_tainted)
		trace_spb_defrag(mover->zone, mover->nr, moved->pages, moved->stop);
	else
		trace_spb_evacuate(mover->zone, mover->nr, moved->pages, moved->stop);
	guard(spinlock_irq)(&mover->zone->lock);
	spb->stop = moved->stop;
	spb->stopped = jiffies ?: 1;
	if (background)
		spb->rest_until = moved->pages ? 0 : spb_now() + REST;
	spbs->events[SPB_ENDED + moved->stop]++;
	spbs->events[SPB_MOVED] += moved->pages;
	if (background && moved->pages && moved->stop == SPB_STOP_TIME)
		__set_bit(mover->nr, spbs->wanted);
}

static void note_begin(const struct spb_mover *mover)
{
	guard(spinlock_irq)(&mover->zone->lock);
	mover->zone->spb->events[SPB_RUN]++;
}

/**
 * spb_defrag_some() - a run in the background
 * @zone: its zone
 * @nr: number of the SPB
 *
 * Begins only if the SPB is too full, and ends when it is no longer, or after some
 * time; then it is wanted again if something was moved.
 *
 * Context: process, may sleep.
 */
void spb_defrag_some(struct zone *zone, unsigned int nr)
{
	struct spb_moved moved = { };
	const struct spb_mover mover = {
		.zone = zone, .nr = nr, .from_tainted = true, .mode = MIGRATE_SYNC_LIGHT,
		.gfp = GFP_KERNEL, .limits = { ULONG_MAX, spb_now() + RUN_TIME },
		.moved = &moved,
	};
	unsigned long free_pages = spb_free_pages(zone, nr, 3 * pageblock_nr_pages);
	struct spb_room room = room_of(&mover, free_pages);

	if (!spb_defrag_starts(&room))
		return;
	note_begin(&mover);
	moved.stop = SPB_STOP_STUCK;
	if (move_until_room(&mover, SPB_MOVABLE, free_pages))
		move_until_room(&mover, SPB_MIXED, free_pages);
	note_end(&mover, true);
}
EXPORT_SYMBOL_IF_KUNIT(spb_defrag_some);

/* In use, but neither on the LRU nor free on its way to the buddies. */
static bool is_fixed(struct page *page)
{
	struct page *head = compound_head(page);

	return page_has_type(head) || page_count(head);
}

static void count_page(struct spb_moved *moved, struct page *page)
{
	struct folio *folio = page_folio(page);

	if (!folio_test_lru(folio))
		moved->fixed += is_fixed(page);
	else if (has_more_references(folio, 0))
		moved->pinned++;
	else
		moved->busy++;
}

static void count_block(struct spb_moved *moved, struct page *page)
{
	struct page *end = page + pageblock_nr_pages;

	while (page < end) {
		unsigned int order = PageBuddy(page) ? buddy_order_unsafe(page) : 0;

		if (!PageBuddy(page))
			count_page(moved, page);
		page += order <= MAX_PAGE_ORDER ? 1UL << order : 1;
	}
}

/* Some were not even tried: isolation passes over what has more references. */
static void count_left(const struct spb_mover *mover)
{
	struct spb_moved left = { };
	unsigned int block;

	lru_add_drain_all();
	for (block = 0; block < SPB_BLOCKS; block++) {
		struct page *page = block_page(mover, block);

		if (page)
			count_block(&left, page);
		cond_resched();
	}
	mover->moved->fixed = left.fixed;
	if (mover->moved->stop != SPB_STOP_STUCK)
		return;
	mover->moved->pinned = left.pinned;
	mover->moved->busy = left.busy;
}

/* All that is in it, for as long as the limits allow. */
static void move_all(const struct spb_mover *mover)
{
	DECLARE_BITMAP(unused, SPB_BLOCKS);
	unsigned int block;

	copy_map(mover, SPB_FREE, unused);
	mover->moved->stop = SPB_STOP_STUCK;
	for_each_clear_bit(block, unused, SPB_BLOCKS)
		if (!move_block(mover, block))
			return;
}

static int check_spb(struct zone *zone, unsigned int nr, bool tainted)
{
	if (!zone->spb)
		return -EOPNOTSUPP;
	if (nr >= zone->spb->index.nr)
		return -ENXIO;
	return READ_ONCE(zone->spb->spb[nr].tainted) == tainted ? 0 : -EINVAL;
}

/**
 * spb_defrag() - move what can move out of a tainted SPB
 * @zone: its zone
 * @nr: its number in the zone
 * @limits: where to stop at the latest
 * @moved: filled in as it goes on
 *
 * Context: process, may sleep.
 * Return: 0, -EOPNOTSUPP the zone has no SPBs, -ENXIO there is no such SPB, -EINVAL it
 * is not tainted, -EINTR a signal came.
 */
int spb_defrag(struct zone *zone, unsigned int nr, const struct spb_limits *limits,
	       struct spb_moved *moved)
{
	const struct spb_mover mover = {
		.zone = zone, .nr = nr, .from_tainted = true, .on_demand = true,
		.mode = MIGRATE_SYNC_LIGHT, .gfp = GFP_KERNEL, .limits = *limits,
		.moved = moved,
	};
	int ret = check_spb(zone, nr, true);

	*moved = (struct spb_moved) { };
	if (ret)
		return ret;
	note_begin(&mover);
	lru_add_drain_all();
	move_all(&mover);
	count_left(&mover);
	if (moved->stop == SPB_STOP_STUCK && !moved->pinned && !moved->busy)
		moved->stop = SPB_STOP_EMPTY;
	note_end(&mover, false);
	return moved->stop == SPB_STOP_SIGNAL ? -EINTR : 0;
}
EXPORT_SYMBOL_FOR_MODULES(spb_defrag, "fragbed*");

static bool is_empty(const struct spb_mover *mover)
{
	const struct superpageblock *spb = spb_at(mover);

	guard(spinlock_irq)(&mover->zone->lock);
	return !spb->tainted && spb->nr[SPB_FREE] == spb->nr[SPB_USABLE];
}

/* Nothing is allocated from it meanwhile: it is isolated. */
static void move_isolated(const struct spb_mover *mover)
{
	struct spb_moved *moved = mover->moved;
	int pass;

	for (pass = 0; pass < EVACUATION_PASSES && !is_empty(mover); pass++) {
		move_all(mover);
		spb_drain(mover->zone);
		if (moved->stop != SPB_STOP_STUCK)
			break;
		lru_add_drain_all();
	}
	if (is_empty(mover))
		moved->stop = SPB_STOP_EMPTY;
}

/**
 * spb_evacuate() - empty a clean SPB, so that it can become one huge page
 * @zone: its zone
 * @nr: its number in the zone
 * @limits: where to stop at the latest
 * @moved: filled in as it goes on: what was moved, what stood in the way
 *
 * Context: process, may sleep.
 * Return: 0 it is empty, -EBUSY something stood in the way, -EINTR a signal came,
 * -EINVAL it is tainted, -EOPNOTSUPP and -ENXIO as spb_defrag().
 */
int spb_evacuate(struct zone *zone, unsigned int nr, const struct spb_limits *limits,
		 struct spb_moved *moved)
{
	const struct spb_mover mover = {
		.zone = zone, .nr = nr, .on_demand = true, .mode = MIGRATE_SYNC,
		.gfp = GFP_KERNEL, .limits = *limits, .moved = moved,
	};
	int ret = check_spb(zone, nr, false);
	unsigned long start, end;

	*moved = (struct spb_moved) { .stop = SPB_STOP_STUCK };
	if (ret)
		return ret;
	start = max(block_pfn(&mover, 0), zone->zone_start_pfn);
	end = min(block_pfn(&mover, SPB_BLOCKS), zone_end_pfn(zone));
	note_begin(&mover);
	lru_add_drain_all();
	spb_drain(zone);
	if (!start_isolate_page_range(start, end, PB_ISOLATE_MODE_OTHER)) {
		move_isolated(&mover);
		undo_isolate_page_range(start, end);
	}
	count_left(&mover);
	note_end(&mover, false);
	if (moved->stop == SPB_STOP_EMPTY)
		return 0;
	return moved->stop == SPB_STOP_SIGNAL ? -EINTR : -EBUSY;
}
EXPORT_SYMBOL_FOR_MODULES(spb_evacuate, "fragbed*");

/**
 * spb_empty_block() - move what can move out of one pageblock of a tainted SPB
 * @zone: its zone
 * @nr: number of the SPB
 * @block: number of the pageblock in it
 * @gfp: of the request that waits for it; without __GFP_FS nothing of files is moved
 *
 * Context: process, may sleep.
 * Return: pages moved.
 */
unsigned long spb_empty_block(struct zone *zone, unsigned int nr, unsigned int block,
			      gfp_t gfp)
{
	struct spb_moved moved = { };
	const struct spb_mover mover = {
		.zone = zone, .nr = nr, .from_tainted = true, .mode = MIGRATE_SYNC_LIGHT,
		.gfp = gfp, .limits = { ULONG_MAX, spb_now() + RUN_TIME }, .moved = &moved,
	};

	if (move_block(&mover, block))
		moved.stop = SPB_STOP_EMPTY;
	trace_spb_make_room(zone, nr, moved.pages, moved.stop);
	return moved.pages;
}

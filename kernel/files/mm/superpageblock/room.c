// SPDX-License-Identifier: GPL-2.0
/*
 * Room in tainted superpageblocks (SPBs) for a request that would have to taint
 * another one: the part of direct compaction that knows where a free page helps.
 */
#include <kunit/static_stub.h>
#include <kunit/visibility.h>
#include <linux/cleanup.h>
#include <linux/compaction.h>
#include <linux/cpuset.h>
#include <linux/mm.h>
#include <linux/superpageblock.h>

#include "../internal.h"

/* Pageblocks that one request tries in each phase: it waits for that. */
#define MAX_BLOCKS 8

struct spb_block_at {
	unsigned int nr;
	unsigned int block;
};

static bool has_own_page(const struct zone *zone, unsigned int order, int type)
{
	for (; order < NR_PAGE_ORDERS; order++)
		if (!list_empty(&zone->free_area[order].free_list[type]))
			return true;
	return false;
}

static bool can_be_served(struct zone *zone, unsigned int order, int type)
{
	guard(spinlock_irq)(&zone->lock);
	return has_own_page(zone, order, type) ||
	       (order <= pageblock_order &&
		spb_pick(&zone->spb->index, SPB_PICK_NONMOVABLE) >= 0);
}

static bool fits(const struct zone *zone, enum spb_block kind, int type, unsigned int nr,
		 unsigned int block)
{
	unsigned long pfn = ((zone->spb->first + nr) << SPB_ORDER) + block * pageblock_nr_pages;

	return kind != SPB_MIXED || spb_block_label(pfn_to_page(pfn)) == type;
}

/* The next one of its kind in tainted SPBs, from where the last request stopped. */
static bool next_block(struct zone *zone, enum spb_block kind, int type,
		       struct spb_block_at *at)
{
	struct spb_zone *spbs = zone->spb;
	unsigned long all = (unsigned long)spbs->index.nr * SPB_BLOCKS;
	unsigned long seen = 0;

	guard(spinlock_irq)(&zone->lock);
	while (seen < all) {
		unsigned long from = (spbs->room_from + seen) % all;
		const struct superpageblock *spb = &spbs->spb[from / SPB_BLOCKS];
		unsigned int first = from % SPB_BLOCKS;
		unsigned int block = spb->tainted && spb->nr[kind] ?
				     find_next_bit(spb->map[kind], SPB_BLOCKS, first) : SPB_BLOCKS;

		seen += block - first;
		if (block == SPB_BLOCKS)
			continue;
		seen++;
		if (!fits(zone, kind, type, from / SPB_BLOCKS, block))
			continue;
		*at = (struct spb_block_at) { from / SPB_BLOCKS, block };
		spbs->room_from = (spbs->room_from + seen) % all;
		return true;
	}
	return false;
}

static void count_room(struct zone *zone, enum spb_block kind, bool moved)
{
	if (moved)
		spb_count(zone, kind == SPB_MIXED ? SPB_MADE_ROOM_MIXED : SPB_MADE_ROOM_BLOCK);
}

static bool is_still(struct zone *zone, enum spb_block kind, const struct spb_block_at *at)
{
	guard(spinlock_irq)(&zone->lock);
	return test_bit(at->block, zone->spb->spb[at->nr].map[kind]);
}

/*
 * What was mixed once and is no longer, costs little and does not count as tried.
 * Return: whether the request can be served now.
 */
static bool empty_blocks(struct zone *zone, enum spb_block kind, unsigned int order, int type,
			 gfp_t gfp)
{
	struct spb_block_at at;
	int tried = 0;

	while (tried < MAX_BLOCKS && next_block(zone, kind, type, &at)) {
		unsigned long moved = spb_empty_block(zone, at.nr, at.block, gfp);

		count_room(zone, kind, moved);
		if (can_be_served(zone, order, type))
			return true;
		tried += moved || is_still(zone, kind, &at);
	}
	return false;
}

/*
 * First movable pages of blocks that have the right label: each is a page for the
 * request. Then a whole movable block. At last pages of the other kind, to borrow.
 */
static bool make_room_in(struct zone *zone, unsigned int order, int type, gfp_t gfp)
{
	if (can_be_served(zone, order, type) ||
	    empty_blocks(zone, SPB_MIXED, order, type, gfp) ||
	    empty_blocks(zone, SPB_MOVABLE, order, type, gfp) ||
	    empty_blocks(zone, SPB_MIXED, order, spb_other_kind(type), gfp))
		return true;
	spb_count(zone, SPB_MADE_NO_ROOM);
	return false;
}

/**
 * spb_make_room() - targeted evacuation, before a request may taint an SPB
 * @gfp: flags of the request
 * @order: its order
 * @alloc_flags: its ALLOC_* flags
 * @ac: the zones it may use, and its type
 * @result: of compaction, set to COMPACT_SUCCESS if there is room now
 *
 * Compaction at block order stops as soon as a block is free anywhere, but one of a
 * clean SPB is of no use to this request.
 *
 * Context: direct compaction; sleeps.
 */
void spb_make_room(gfp_t gfp, unsigned int order, unsigned int alloc_flags,
		   const struct alloc_context *ac, enum compact_result *result)
{
	struct zoneref *z;
	struct zone *zone;

	KUNIT_STATIC_STUB_REDIRECT(spb_make_room, gfp, order, alloc_flags, ac, result);
	if (!(alloc_flags & ALLOC_NOFRAGMENT) || ac->migratetype == MIGRATE_MOVABLE ||
	    !gfp_compaction_allowed(gfp))
		return;
	for_each_zone_zonelist_nodemask(zone, z, ac->zonelist, ac->highest_zoneidx,
					ac->nodemask) {
		if (cpusets_enabled() && alloc_flags & ALLOC_CPUSET &&
		    !__cpuset_zone_allowed(zone, gfp))
			continue;
		if (!zone->spb || !make_room_in(zone, order, ac->migratetype, gfp))
			continue;
		*result = COMPACT_SUCCESS;
		return;
	}
}
EXPORT_SYMBOL_IF_KUNIT(spb_make_room);

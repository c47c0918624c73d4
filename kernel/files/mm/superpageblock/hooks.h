/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the page allocator tells superpageblocks (SPBs), and asks of them. Without
 * CONFIG_SUPERPAGEBLOCK all of it vanishes. Included by mm/internal.h.
 */
#ifndef _MM_SUPERPAGEBLOCK_HOOKS_H
#define _MM_SUPERPAGEBLOCK_HOOKS_H

#ifdef CONFIG_SUPERPAGEBLOCK

#include "superpageblock.h"

/* Every free page of block order or above passes here: zone->lock held. */
static inline void spb_blocks_freed(struct zone *zone, struct page *page,
				    unsigned int order)
{
	if (unlikely(order >= pageblock_order) && zone->spb)
		__spb_blocks_freed(zone, page, order);
}

/*
 * Of a free page of order @high a part was taken: zone->lock held. Not so if it only
 * goes into a larger one.
 */
static inline void spb_blocks_taken(struct zone *zone, struct page *page,
				    unsigned int order, unsigned int high)
{
	if (unlikely(high >= pageblock_order) && zone->spb)
		__spb_blocks_taken(zone, page, order);
}

static inline void spb_label_changed(struct page *page)
{
	if (page_zone(page)->spb)
		__spb_label_changed(page);
}

/*
 * spb_free_list() - the list a free page belongs on: that of its block's label,
 * but for movable pages in tainted SPBs.
 */
static inline int spb_free_list(const struct zone *zone, const struct page *page, int label)
{
	return label == MIGRATE_MOVABLE ? spb_movable_list_of(zone, page) : label;
}

static inline bool spb_free_area_empty(struct free_area *area, int label)
{
	return list_empty(&area->free_list[label]) &&
	       (label != MIGRATE_MOVABLE ||
		list_empty(&area->free_list[FREE_LIST_TAINTED]));
}

/* What comes between an own free page and the usual fallbacks: zone->lock held. */
static inline struct page *spb_rmqueue(struct zone *zone, unsigned int order,
				       int type, unsigned int alloc_flags)
{
	return zone->spb ? __spb_rmqueue(zone, order, type, alloc_flags) : NULL;
}

/* The usual fallbacks mix content, so they are for requests that may do that. */
bool spb_holds_back(const struct zone *zone, unsigned int alloc_flags);

/*
 * Many pages at once are free pages of the own type. Where there are none the one that
 * was asked for is taken without the per-cpu lists. A macro, since the flags are not
 * known yet where this is included.
 */
#define spb_bulk_flags() (ALLOC_NOFRAGMENT | ALLOC_REFILL)

/*
 * The first free page of a list is not the best for a new movable block. Nobody else
 * gets the address of *@high, or it would have to be kept in memory for every request.
 */
static inline struct page *spb_prefer(struct zone *zone, struct page *page,
				      unsigned int order, int label,
				      unsigned int *high)
{
	if (*high < pageblock_order || label != MIGRATE_MOVABLE || !zone->spb)
		return page;
	page = __spb_prefer(zone, page, order);
	*high = page_private(page);
	return page;
}

/* A page of a block with @label was taken for @type. zone->lock held. */
static inline void spb_took_foreign(struct page *page, int label, int type)
{
	if (is_migrate_movable(label) && type != MIGRATE_MOVABLE &&
	    page_zone(page)->spb)
		__spb_took_foreign(page);
}

/*
 * The free pages of a block were just relabelled. What is in use of it is of the
 * old type. zone->lock held.
 */
static inline void spb_relabels_used(struct page *page, int old, int new, int moved)
{
	if (moved == pageblock_nr_pages)
		return;
	spb_took_foreign(page, new, old);
	if (is_migrate_movable(old) && page_zone(page)->spb)
		__spb_mixed(page, true);
}

/*
 * A page was taken off the list of @label. The one place that reacts to what cannot
 * move being served; what is borrowed from a movable block changes its record.
 */
static inline void spb_took(struct zone *zone, const struct page *page,
			    unsigned int order, int label)
{
	if (unlikely(zone->spb_nr_short) && !is_migrate_movable(label))
		spb_trigger_use(zone, page, order);
}

/*
 * A block was claimed for @type, @page is free in it. The usual way to take a page
 * from there does not know the pool that movable ones are in now.
 */
static inline bool spb_take_claimed(struct zone *zone, struct page *page,
				    unsigned int order, int type)
{
	if (spb_free_list(zone, page, type) == type)
		return false;
	spb_take_page(zone, page, order, type);
	return true;
}

/* Free blocks on a per-cpu list would be missing in the records, and return in bulk. */
#define spb_wants_blocks() true

/* Before the usual search for contiguous memory. */
static inline struct page *spb_alloc_contig(struct zone *zone,
					    unsigned long nr_pages, gfp_t gfp)
{
	return zone->spb ? __spb_alloc_contig(zone, nr_pages, gfp) : NULL;
}

/* A range was allocated; CMA's is movable by definition, whatever it is for. */
static inline void spb_took_range(unsigned long start, unsigned long end,
				  gfp_t gfp, bool cma)
{
	if (!cma && !(gfp & __GFP_MOVABLE))
		__spb_took_range(start, end);
}

/* Capturing a freed page bypasses all steering: not if it would taint. */
static inline bool spb_forbids_capture(const struct page *page, int label, int type)
{
	return is_migrate_movable(label) && type != MIGRATE_MOVABLE &&
	       page_zone(page)->spb && !spb_is_tainted(page_zone(page), page);
}

/* Non-movable requests avoid tainting until nothing else helps. */
static inline bool spb_avoids_tainting(int type)
{
	return type != MIGRATE_MOVABLE;
}

/* A macro, as above: Linux 7.3 has gfp_migratetype() in what includes this. */
#define spb_gfp_avoids_tainting(gfp) spb_avoids_tainting(gfp_migratetype(gfp))

/* Fallbacks find movable pages of both pools. */
static inline struct page *spb_fallback_page(struct free_area *area, int label)
{
	struct list_head *list = &area->free_list[label];

	if (label == MIGRATE_MOVABLE && list_empty(list))
		list = &area->free_list[FREE_LIST_TAINTED];
	return list_first_entry_or_null(list, struct page, buddy_list);
}

/* For compaction, which wants pages of clean SPBs as long as there are any. */
static inline struct list_head *spb_movable_list(struct free_area *area)
{
	if (list_empty(&area->free_list[MIGRATE_MOVABLE]))
		return &area->free_list[FREE_LIST_TAINTED];
	return &area->free_list[MIGRATE_MOVABLE];
}

static inline unsigned long spb_count_tainted_list(struct free_area *area,
						   int label)
{
	if (label != MIGRATE_MOVABLE)
		return 0;
	return list_count_nodes(&area->free_list[FREE_LIST_TAINTED]);
}

#else /* CONFIG_SUPERPAGEBLOCK */

/*
 * Macros, not functions: the code of the allocator is to be the very same as
 * without the calls, down to the choice of registers.
 */
#define spb_zone_init(zone) do { } while (0)
#define spb_blocks_freed(zone, page, order) do { } while (0)
#define spb_blocks_taken(zone, page, order, high) do { } while (0)
#define spb_label_changed(page) do { } while (0)
#define spb_took_foreign(page, label, type) do { } while (0)
#define spb_relabels_used(page, old, new, moved) do { } while (0)
#define spb_took(zone, page, order, label) do { } while (0)
#define spb_took_range(start, end, gfp, cma) do { } while (0)
#define spb_rmqueue(zone, order, type, alloc_flags) NULL
#define spb_holds_back(zone, alloc_flags) false
#define spb_wants_blocks() false
#define spb_bulk_flags() 0
#define spb_prefer(zone, page, order, label, high) (page)
#define spb_look_again(ac) do { } while (0)
#define spb_make_room(gfp, order, alloc_flags, ac, result) do { } while (0)
#define spb_may_taint_now(gfp, order, alloc_flags, ac) false
#define spb_suits_as_source(page) true
#define spb_suits_as_target(page) true
#define spb_take_claimed(zone, page, order, type) false
#define spb_alloc_contig(zone, nr_pages, gfp) NULL
#define spb_forbids_capture(page, label, type) false
#define spb_avoids_tainting(type) false
#define spb_gfp_avoids_tainting(gfp) false
#define spb_free_list(zone, page, label) (label)
#define spb_free_area_empty(area, label) list_empty(&(area)->free_list[label])
#define spb_movable_list(area) (&(area)->free_list[MIGRATE_MOVABLE])
#define spb_count_tainted_list(area, label) 0
#define spb_fallback_page(area, label) get_page_from_free_area(area, label)

#endif /* CONFIG_SUPERPAGEBLOCK */

#endif

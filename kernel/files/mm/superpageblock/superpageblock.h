/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Superpageblocks (SPBs): what the page allocator tells them and asks of them.
 * Without CONFIG_SUPERPAGEBLOCK all of it vanishes. Included by mm/internal.h.
 */
#ifndef _MM_SUPERPAGEBLOCK_H
#define _MM_SUPERPAGEBLOCK_H

#include <linux/gfp.h>
#include <linux/mmzone.h>
#include <linux/pageblock-flags.h>

struct alloc_context;

#ifdef CONFIG_SUPERPAGEBLOCK

#include "pick.h"

#define SPB_ORDER	(CONFIG_SUPERPAGEBLOCK_ORDER ?: PUD_SHIFT - PAGE_SHIFT)
#define SPB_BLOCKS	(1U << (SPB_ORDER - pageblock_order))

/* What is known of a pageblock. */
enum spb_block {
	SPB_USABLE,		/* was wholly free once: without holes or reserved pages */
	SPB_FREE,		/* wholly free */
	SPB_CLAIMABLE,		/* free, and may be given any label */
	SPB_NONMOVABLE,		/* usable, with content that cannot move */
	SPB_MOVABLE,		/* usable, with content that can move, as its label says */
	SPB_PART_NONMOVABLE,	/* never usable, with content that cannot move */
	NR_SPB_BLOCK
};

/**
 * struct superpageblock - one SPB of a zone
 * @map: the pageblocks, by what is known of them
 * @nr: bits set in each @map
 * @bucket: where the zone's index has it
 * @tainted: some content cannot move
 *
 * All of it is protected by the zone's lock.
 */
struct superpageblock {
	DECLARE_BITMAP(map[NR_SPB_BLOCK], SPB_BLOCKS);
	u16 nr[NR_SPB_BLOCK];
	u8 bucket;
	bool tainted;
};

/* Decisions, counted per zone; not those an own free page served. */
enum spb_event {
	SPB_SERVED_BLOCK,	/* non-movable: a free block of a tainted SPB */
	SPB_SERVED_CLAIM,	/* a movable block of a tainted SPB, relabelled */
	SPB_SERVED_OTHER_KIND,	/* a page of the other non-movable type */
	SPB_SERVED_BORROW,	/* a page of a movable block of a tainted SPB */
	SPB_SERVED_TAINT,	/* a block of an empty or clean SPB */
	SPB_SERVED_FRAGMENT,	/* movable: a page of a tainted SPB */
	SPB_SERVED_ABOVE,	/* a block of a tainted SPB above its reserve */
	SPB_SERVED_RESERVE,	/* a block of the reserve */
	SPB_SERVED_EMPTY,	/* gigantic: an empty SPB */
	SPB_SERVED_EMPTIED,	/* the clean SPB with least to move */
	SPB_HELD_BACK,		/* non-movable: may not taint yet */
	SPB_REFUSED,		/* told to use the cheap fallback */
	SPB_TAINT,		/* an SPB became tainted */
	SPB_UNTAINT,		/* a tainted one became clean or empty */
	NR_SPB_EVENTS
};

/**
 * struct spb_zone - the SPBs of a zone
 * @first: pfn >> SPB_ORDER of the first one
 * @nr_evacuable: tainted SPBs with content that can move
 * @events: decisions so far
 * @index: the SPBs by content and fullness
 * @spb: the SPBs
 *
 * All but @first is protected by the zone's lock.
 */
struct spb_zone {
	unsigned long first;
	unsigned int nr_evacuable;
	unsigned long events[NR_SPB_EVENTS];
	struct spb_index index;
	struct superpageblock spb[];
};

/* The free list of movable pages in tainted SPBs, behind those of the types. */
#define FREE_LIST_TAINTED	MIGRATE_TYPES

/* Bits of a pageblock, beside its label: zone->lock held to change them. */
static inline bool get_pageblock_tainted(const struct page *page)
{
	return get_pfnblock_bit(page, page_to_pfn(page), PB_spb_tainted);
}

static inline void set_pageblock_tainted(const struct page *page)
{
	set_pfnblock_bit(page, page_to_pfn(page), PB_spb_tainted);
}

static inline void clear_pageblock_tainted(const struct page *page)
{
	clear_pfnblock_bit(page, page_to_pfn(page), PB_spb_tainted);
}

static inline bool get_pageblock_foreign(const struct page *page)
{
	return get_pfnblock_bit(page, page_to_pfn(page), PB_spb_foreign);
}

static inline void set_pageblock_foreign(const struct page *page)
{
	set_pfnblock_bit(page, page_to_pfn(page), PB_spb_foreign);
}

static inline void clear_pageblock_foreign(const struct page *page)
{
	clear_pfnblock_bit(page, page_to_pfn(page), PB_spb_foreign);
}

/* index.c */
void spb_zone_init(struct zone *zone);
struct superpageblock *spb_of(struct zone *zone, const struct page *page);
void spb_count(struct zone *zone, enum spb_event event);
struct spb_fill spb_fill_of(const struct superpageblock *spb);
void __spb_blocks_changed(struct zone *zone, struct page *page,
			  unsigned int order, bool free);
void __spb_label_changed(struct page *page);
void __spb_took_foreign(struct page *page);
void spb_went_offline(struct zone *zone, struct page *page, unsigned int order);

/* pool.c */
void spb_change_pool(struct zone *zone, struct superpageblock *spb);

/* steer.c */
struct page *__spb_rmqueue(struct zone *zone, unsigned int order, int type,
			   unsigned int alloc_flags);
struct page *__spb_prefer(struct zone *zone, struct page *page,
			  unsigned int order, unsigned int *high);
unsigned int spb_nr_in_zone(const struct zone *zone);
bool spb_has_cheap_fallback(gfp_t gfp, unsigned int order);
bool spb_may_taint_now(gfp_t gfp, unsigned int order, unsigned int *alloc_flags,
		       const struct alloc_context *ac);

/* contig.c */
int spb_least_to_move(const struct zone *zone);
struct page *__spb_alloc_contig(struct zone *zone, unsigned long nr_pages,
				gfp_t gfp);
void __spb_took_range(unsigned long start, unsigned long end);

/* In mm/page_alloc.c, see page_alloc_reach.h */
bool spb_range_fits(struct zone *zone, unsigned long pfn, unsigned long nr_pages);
int spb_block_label(const struct page *page);
void spb_set_labels(struct page *page, unsigned int order, int label);
void spb_take_page(struct zone *zone, struct page *page, unsigned int order,
		   int type);
void spb_claim_buddy(struct zone *zone, struct page *page, unsigned int order,
		     int type);
struct page *spb_claim_block(struct zone *zone, struct page *page,
			     unsigned int order, int type);

/* Every free page of block order or above passes here: zone->lock held. */
static inline void spb_blocks_changed(struct zone *zone, struct page *page,
				      unsigned int order, bool free)
{
	if (order >= pageblock_order && zone->spb)
		__spb_blocks_changed(zone, page, order, free);
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
static inline int spb_free_list(const struct page *page, int label)
{
	if (label == MIGRATE_MOVABLE && get_pageblock_tainted(page))
		return FREE_LIST_TAINTED;
	return label;
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

/* The first free page of a list is not the best for a new movable block. */
static inline struct page *spb_prefer(struct zone *zone, struct page *page,
				      unsigned int order, int label,
				      unsigned int *high)
{
	if (*high < pageblock_order || label != MIGRATE_MOVABLE || !zone->spb)
		return page;
	return __spb_prefer(zone, page, order, high);
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
	if (moved < pageblock_nr_pages)
		spb_took_foreign(page, new, old);
}

/*
 * A block was claimed for @type, @page is free in it. The usual way to take a page
 * from there does not know the pool that movable ones are in now.
 */
static inline bool spb_take_claimed(struct zone *zone, struct page *page,
				    unsigned int order, int type)
{
	if (spb_free_list(page, type) == type)
		return false;
	spb_take_page(zone, page, order, type);
	return true;
}

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
	       page_zone(page)->spb && !get_pageblock_tainted(page);
}

/* Non-movable requests avoid tainting until nothing else helps. */
static inline bool spb_avoids_tainting(int type)
{
	return type != MIGRATE_MOVABLE;
}

static inline bool spb_gfp_avoids_tainting(gfp_t gfp)
{
	return spb_avoids_tainting(gfp_migratetype(gfp));
}

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
#define spb_blocks_changed(zone, page, order, free) do { } while (0)
#define spb_label_changed(page) do { } while (0)
#define spb_went_offline(zone, page, order) do { } while (0)
#define spb_took_foreign(page, label, type) do { } while (0)
#define spb_relabels_used(page, old, new, moved) do { } while (0)
#define spb_took_range(start, end, gfp, cma) do { } while (0)
#define spb_rmqueue(zone, order, type, alloc_flags) NULL
#define spb_holds_back(zone, alloc_flags) false
#define spb_prefer(zone, page, order, label, high) (page)
#define spb_may_taint_now(gfp, order, alloc_flags, ac) false
#define spb_take_claimed(zone, page, order, type) false
#define spb_alloc_contig(zone, nr_pages, gfp) NULL
#define spb_forbids_capture(page, label, type) false
#define spb_avoids_tainting(type) false
#define spb_gfp_avoids_tainting(gfp) false
#define spb_free_list(page, label) (label)
#define spb_free_area_empty(area, label) list_empty(&(area)->free_list[label])
#define spb_movable_list(area) (&(area)->free_list[MIGRATE_MOVABLE])
#define spb_count_tainted_list(area, label) 0
#define spb_fallback_page(area, label) get_page_from_free_area(area, label)

#endif /* CONFIG_SUPERPAGEBLOCK */

#endif

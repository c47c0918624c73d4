/* SPDX-License-Identifier: GPL-2.0 */
/* Superpageblocks (SPBs): their records, and what mm/superpageblock/ is made of. */
#ifndef _MM_SUPERPAGEBLOCK_H
#define _MM_SUPERPAGEBLOCK_H

#include <linux/gfp.h>
#include <linux/irq_work.h>
#include <linux/mmzone.h>
#include <linux/pageblock-flags.h>
#include <linux/superpageblock.h>
#include <linux/workqueue_types.h>

#include "pick.h"

enum compact_result;
struct alloc_context;

#define SPB_ORDER	(CONFIG_SUPERPAGEBLOCK_ORDER ?: PUD_SHIFT - PAGE_SHIFT)
#define SPB_BLOCKS	(1U << (SPB_ORDER - pageblock_order))

/* What is known of a pageblock. */
enum spb_block {
	SPB_USABLE,		/* was wholly free once: without holes or reserved pages */
	SPB_FREE,		/* wholly free */
	SPB_CLAIMABLE,		/* free, and may be given any label */
	SPB_NONMOVABLE,		/* usable, with content that cannot move */
	SPB_MOVABLE,		/* usable, with content that can move, as its label says */
	SPB_MIXED,		/* labelled for what cannot move while some content can */
	SPB_PART_NONMOVABLE,	/* never usable, with content that cannot move */
	NR_SPB_BLOCK
};

/**
 * struct superpageblock - one SPB of a zone
 * @tainted: some content cannot move
 * @bucket: where the zone's index has it
 * @stop: how the last run of defragmentation ended
 * @nr: bits set in each @map
 * @map: the pageblocks, by what is known of them
 * @stopped: when, in jiffies, 0 there was none
 * @rest_until: jiffies, no other run in the background before; 0 at any time
 *
 * All of it is protected by the zone's lock.
 */
struct superpageblock {
	bool tainted;
	u8 bucket;
	u8 stop;
	u16 nr[NR_SPB_BLOCK];
	DECLARE_BITMAP(map[NR_SPB_BLOCK], SPB_BLOCKS);
	unsigned long stopped;
	unsigned long rest_until;
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
	SPB_TAINT_EARLY,	/* it did while another held what can move */
	SPB_TO_FRAGMENT,	/* target of a move: a page of a clean SPB */
	SPB_TO_BLOCK,		/* a block of a clean one, or of an empty one */
	SPB_TO_TAINTED,		/* room of a tainted one above its reserve */
	SPB_WANT_CHANGE,	/* defragmentation: a record changed */
	SPB_WANT_USE,		/* a request was served */
	SPB_WANT_ALL,		/* a request was held back */
	SPB_RUN,		/* a run began */
	SPB_MOVED,		/* pages */
	SPB_ENDED,		/* runs by how they ended, enum spb_stop */
	SPB_ENDED_LAST = SPB_ENDED + NR_SPB_STOPS - 1,
	SPB_MADE_ROOM_MIXED,	/* a request moved pages out of a mixed block */
	SPB_MADE_ROOM_BLOCK,	/* or out of a movable one */
	SPB_MADE_NO_ROOM,	/* it tried */
	SPB_WANT_SHRINK,	/* slabs: tainted SPBs are short of free pages */
	SPB_SHRINK,		/* they were shrunk */
	SPB_SHRUNK,		/* objects */
	NR_SPB_EVENTS
};

/**
 * struct spb_zone - the SPBs of a zone
 * @zone: the zone
 * @first: pfn >> SPB_ORDER of the first one
 * @nr_evacuable: tainted SPBs with content that can move
 * @wanted: a bit for each SPB that is to be defragmented
 * @want_all: all tainted ones are
 * @want_shrink: slabs are to be shrunk
 * @credit: pages that may be served before slabs are looked at again
 * @room_from: pageblock from which a request looks for one to evacuate
 * @kick: takes what is wanted out of the lock
 * @defrag: moves things
 * @shrink: shrinks slabs, for all zones of the node if it is the first one
 * @events: decisions so far
 * @index: the SPBs by content and fullness
 * @spb: the SPBs
 *
 * All but @zone and @first is protected by the zone's lock.
 */
struct spb_zone {
	struct zone *zone;
	unsigned long first;
	unsigned int nr_evacuable;
	unsigned long *wanted;
	bool want_all;
	bool want_shrink;
	unsigned long credit;
	unsigned long room_from;
	struct irq_work kick;
	struct work_struct defrag;
	struct work_struct shrink;
	unsigned long events[NR_SPB_EVENTS];
	struct spb_index index;
	struct superpageblock spb[];
};

/* The free list of movable pages in tainted SPBs, behind those of the types. */
#define FREE_LIST_TAINTED	MIGRATE_TYPES

/*
 * spb_movable_list_of() - the free list for a page if it is movable. Asked for each one
 * that is split off or freed, so it is one load, without a branch.
 */
static inline int spb_movable_list_of(const struct zone *zone, const struct page *page)
{
	return READ_ONCE(zone->spb_movable_list[page_to_pfn(page) >> SPB_ORDER]);
}

/* Without zone->lock it is a hint. */
static inline bool spb_is_tainted(const struct zone *zone, const struct page *page)
{
	return spb_movable_list_of(zone, page) == FREE_LIST_TAINTED;
}

/* Of unmovable and reclaimable, which borrow from each other. */
static inline int spb_other_kind(int type)
{
	return type == MIGRATE_UNMOVABLE ? MIGRATE_RECLAIMABLE : MIGRATE_UNMOVABLE;
}

/* A bit of a pageblock, beside its label: zone->lock held to change it. */
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
bool spb_is_evacuable(const struct superpageblock *spb);
bool spb_is_short(const struct superpageblock *spb);
void spb_count(struct zone *zone, enum spb_event event);
struct spb_fill spb_fill_of(const struct superpageblock *spb);
void __spb_blocks_freed(struct zone *zone, struct page *page, unsigned int order);
void __spb_blocks_taken(struct zone *zone, struct page *page, unsigned int order);
void __spb_label_changed(struct page *page);
void __spb_took_foreign(struct page *page);
void __spb_mixed(struct page *page, bool mixed);

/* pool.c */
struct page *spb_buddy_of_block(unsigned long pfn);
void spb_open(struct zone *zone, struct page *page, unsigned int order);
void spb_pools_init(struct zone *zone, unsigned long first, unsigned int nr);
void spb_change_pool(struct zone *zone, struct superpageblock *spb);

/* steer.c */
struct page *__spb_rmqueue(struct zone *zone, unsigned int order, int type,
			   unsigned int alloc_flags);
struct page *__spb_prefer(struct zone *zone, struct page *page, unsigned int order);
unsigned int spb_nr_in_zone(const struct zone *zone);
bool spb_has_cheap_fallback(gfp_t gfp, unsigned int order);
void spb_look_again(const struct alloc_context *ac);
bool spb_may_taint_now(gfp_t gfp, unsigned int order, unsigned int *alloc_flags,
		       const struct alloc_context *ac);

struct page *__spb_take_target(struct zone *zone, unsigned int order, bool from_tainted);

/* move.c */
void spb_defrag_some(struct zone *zone, unsigned int nr);
unsigned long spb_empty_block(struct zone *zone, unsigned int nr, unsigned int block,
			      gfp_t gfp);
unsigned long spb_free_pages(struct zone *zone, unsigned int nr, unsigned long enough);

/* want.c */
void spb_trigger_change(struct zone *zone, struct superpageblock *spb);
void spb_trigger_use(struct zone *zone, const struct page *page, unsigned int order);
void spb_trigger_all(struct zone *zone);
unsigned long spb_now(void);
void spb_kick(struct spb_zone *spbs);
int spb_take_wanted(struct zone *zone);

/* pressure.c */
void spb_shrink(struct zone *zone);
unsigned long spb_shrink_slabs(int nid);

/* room.c */
void spb_make_room(gfp_t gfp, unsigned int order, unsigned int alloc_flags,
		   const struct alloc_context *ac, enum compact_result *result);

/* compact.c */
bool spb_suits_as_source(struct page *page);
bool spb_suits_as_target(struct page *page);

/* contig.c */
int spb_least_to_move(const struct zone *zone);
struct page *__spb_alloc_contig(struct zone *zone, unsigned long nr_pages,
				gfp_t gfp);
void __spb_took_range(unsigned long start, unsigned long end);

/* In mm/page_alloc.c, see page_alloc_reach.h */
void spb_give_back(struct zone *zone);
struct page *spb_alloc_target(struct zone *zone, unsigned int order, bool from_tainted);
bool spb_range_fits(struct zone *zone, unsigned long pfn, unsigned long nr_pages);
void spb_drain(const struct zone *only);
unsigned long spb_block_bits(const struct page *page);
int spb_block_label(const struct page *page);
void spb_set_labels(struct page *page, unsigned int order, int label);
void spb_relabel_block(struct zone *zone, struct page *page, int label);
void spb_take_page(struct zone *zone, struct page *page, unsigned int order,
		   int type);
void spb_claim_buddy(struct zone *zone, struct page *page, unsigned int order,
		     int type);
struct page *spb_claim_block(struct zone *zone, struct page *page,
			     unsigned int order, int type);

#endif

// SPDX-License-Identifier: GPL-2.0
/*
 * The record of each superpageblock: which of its pageblocks are free, and which
 * hold what cannot move. Touched only when a pageblock becomes wholly free or
 * stops being so, gets another label, or takes foreign content.
 */
#include <kunit/visibility.h>
#include <linux/memblock.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/page-isolation.h>

#include "../internal.h"

#define CREATE_TRACE_POINTS
#include <trace/events/superpageblock.h>

/**
 * spb_zone_init() - make the records of a zone
 * @zone: a zone whose range is known and whose memory is not yet free
 *
 * No pageblock is usable to begin with: they become so when they are first
 * wholly free, which those with holes or reserved pages never are, and those
 * whose pages are initialised late are late.
 *
 * Context: boot. Without memory for it the zone goes without superpageblocks.
 */
void __init spb_zone_init(struct zone *zone)
{
	unsigned long first = zone->zone_start_pfn >> SPB_ORDER;
	unsigned int nr = ((zone_end_pfn(zone) - 1) >> SPB_ORDER) - first + 1;
	int nid = zone_to_nid(zone);
	unsigned long *words;
	struct spb_zone *spbs;
	unsigned int i;

	BUILD_BUG_ON(pageblock_order + 2 > SPB_ORDER);
	BUILD_BUG_ON(MAX_PAGE_ORDER > SPB_ORDER);
	spb_pools_init(zone, first, nr);
	spbs = memblock_alloc_node(struct_size(spbs, spb, nr), SMP_CACHE_BYTES,
				   nid);
	words = memblock_alloc_node((spb_index_words(nr) + BITS_TO_LONGS(nr)) *
				    sizeof(*words), SMP_CACHE_BYTES, nid);
	if (!spbs || !words)
		return;
	spbs->zone = zone;
	spbs->first = first;
	spbs->wanted = words + spb_index_words(nr);
	spb_index_init(&spbs->index, nr, words);
	for (i = 0; i < nr; i++)
		spbs->spb[i].bucket = SPB_BUCKET_NONE;
	zone->spb = spbs;
}

/**
 * spb_of() - the record of the SPB a page is in
 * @zone: the page's zone
 * @page: the page
 *
 * Return: the record, NULL if the zone has no SPBs.
 */
struct superpageblock *spb_of(struct zone *zone, const struct page *page)
{
	struct spb_zone *spbs = zone->spb;

	if (!spbs)
		return NULL;
	return &spbs->spb[(page_to_pfn(page) >> SPB_ORDER) - spbs->first];
}
EXPORT_SYMBOL_IF_KUNIT(spb_of);

/**
 * spb_count() - count a decision that was taken without the lock
 * @zone: zone with SPBs
 * @event: which
 *
 * Context: any but NMI; takes zone->lock.
 */
void spb_count(struct zone *zone, enum spb_event event)
{
	unsigned long flags;

	spin_lock_irqsave(&zone->lock, flags);
	zone->spb->events[event]++;
	spin_unlock_irqrestore(&zone->lock, flags);
}

static unsigned int block_of(const struct page *page)
{
	return (page_to_pfn(page) >> pageblock_order) & (SPB_BLOCKS - 1);
}

static bool is_nonmovable(int label)
{
	return label == MIGRATE_UNMOVABLE || label == MIGRATE_RECLAIMABLE ||
	       label == MIGRATE_HIGHATOMIC;
}

/*
 * The highatomic reserve counts as content even while it is free: it is there
 * to be used in a hurry, and then it must not taint. So does an isolated block
 * that cannot be relabelled now.
 */
static unsigned int free_block_state(unsigned long bits)
{
	unsigned int state = BIT(SPB_USABLE) | BIT(SPB_FREE);
	int label = bits & PAGEBLOCK_MIGRATETYPE_MASK;
	bool isolated = bits & PAGEBLOCK_ISO_MASK;

	if (label == MIGRATE_HIGHATOMIC || (isolated && is_nonmovable(label)))
		return state | BIT(SPB_NONMOVABLE);
	if (migratetype_is_mergeable(label) && !isolated)
		return state | BIT(SPB_CLAIMABLE);
	return state;
}

static unsigned int used_block_state(const struct superpageblock *spb,
				     unsigned int block, unsigned long bits)
{
	int label = bits & PAGEBLOCK_MIGRATETYPE_MASK;
	bool nonmovable = is_nonmovable(label) || bits & BIT(PB_spb_foreign);
	unsigned int state = BIT(SPB_USABLE);

	if (!test_bit(block, spb->map[SPB_USABLE]))
		return nonmovable ? BIT(SPB_PART_NONMOVABLE) : 0;
	if (nonmovable)
		state |= BIT(SPB_NONMOVABLE);
	if (is_nonmovable(label) && test_bit(block, spb->map[SPB_MIXED]))
		state |= BIT(SPB_MIXED);
	if (is_migrate_movable(label))
		state |= BIT(SPB_MOVABLE);
	return state;
}

static void set_block_state(struct superpageblock *spb, unsigned int block,
			    unsigned int state)
{
	enum spb_block i;

	for (i = 0; i < NR_SPB_BLOCK; i++) {
		bool is = state & BIT(i);

		if (test_bit(block, spb->map[i]) == is)
			continue;
		__change_bit(block, spb->map[i]);
		spb->nr[i] += is ? 1 : -1;
	}
}

/**
 * spb_fill_of() - the counts an SPB's bucket depends on
 * @spb: the SPB
 *
 * Context: zone->lock held.
 * Return: a copy.
 */
struct spb_fill spb_fill_of(const struct superpageblock *spb)
{
	return (struct spb_fill) {
		.blocks = SPB_BLOCKS,
		.usable = spb->nr[SPB_USABLE],
		.free = spb->nr[SPB_FREE],
		.claimable = spb->nr[SPB_CLAIMABLE],
		.tainted = spb->nr[SPB_NONMOVABLE] || spb->nr[SPB_PART_NONMOVABLE],
	};
}

/**
 * spb_is_evacuable() - is the SPB tainted, and is there something to move out of it?
 * @spb: the SPB
 *
 * Context: zone->lock held.
 */
bool spb_is_evacuable(const struct superpageblock *spb)
{
	return spb->tainted && (spb->nr[SPB_MOVABLE] || spb->nr[SPB_MIXED]);
}

/**
 * spb_is_short() - is the SPB tainted, with fewer free blocks than the reserve?
 * @spb: the SPB
 *
 * Context: zone->lock held.
 */
bool spb_is_short(const struct superpageblock *spb)
{
	return spb->tainted && spb->nr[SPB_CLAIMABLE] < spb_reserve(SPB_BLOCKS);
}

/* How an SPB counts in its zone. */
struct spb_counted {
	bool evacuable;
	bool is_short;
};

static struct spb_counted counted(const struct superpageblock *spb)
{
	return (struct spb_counted) { spb_is_evacuable(spb), spb_is_short(spb) };
}

static void note_category(struct zone *zone, struct superpageblock *spb,
			  const struct spb_fill *fill)
{
	struct spb_zone *spbs = zone->spb;

	spbs->events[fill->tainted ? SPB_TAINT : SPB_UNTAINT]++;
	spb->rest_until = 0;
	if (fill->tainted && spbs->nr_evacuable > spb_is_evacuable(spb))
		spbs->events[SPB_TAINT_EARLY]++;
	trace_spb_category(zone, spb - spbs->spb, spb_categorize(fill));
}

/* A block changed: bring the index up to date, and the pools if need be. */
static void refile(struct zone *zone, struct superpageblock *spb,
		   struct spb_counted was)
{
	struct spb_zone *spbs = zone->spb;
	struct spb_fill fill = spb_fill_of(spb);
	enum spb_bucket bucket = spb_bucket_of(&fill);
	bool pool_changes = spb->tainted != fill.tainted;

	spb->tainted = fill.tainted;
	spbs->nr_evacuable += spb_is_evacuable(spb) - was.evacuable;
	zone->spb_nr_short += spb_is_short(spb) - was.is_short;
	if (bucket != spb->bucket) {
		spb_index_move(&spbs->index, spb - spbs->spb, spb->bucket,
			       bucket);
		spb->bucket = bucket;
	}
	if (pool_changes) {
		note_category(zone, spb, &fill);
		spb_change_pool(zone, spb);
	}
	spb_trigger_change(zone, spb);
}

static void block_changed(struct superpageblock *spb, struct page *page, bool free)
{
	unsigned long bits = spb_block_bits(page);
	unsigned int block = block_of(page);

	if (!free) {
		set_block_state(spb, block, used_block_state(spb, block, bits));
		return;
	}
	if (bits & BIT(PB_spb_foreign))
		clear_pageblock_foreign(page);
	set_block_state(spb, block, free_block_state(bits));
}

/* Free blocks are merged with what was free before: of that nothing is new. */
static void blocks_freed(struct superpageblock *spb, struct page *page, struct page *end)
{
	for (; page < end; page += pageblock_nr_pages)
		if (!test_bit(block_of(page), spb->map[SPB_FREE]))
			block_changed(spb, page, true);
}

/**
 * __spb_blocks_freed() - a free page of block order or above is on its list
 * @zone: its zone
 * @page: the page
 * @order: its order, at least pageblock_order
 *
 * Context: zone->lock held.
 */
void __spb_blocks_freed(struct zone *zone, struct page *page, unsigned int order)
{
	struct superpageblock *spb = spb_of(zone, page);
	struct spb_counted was = counted(spb);

	blocks_freed(spb, page, page + (1UL << order));
	spb_open(zone, page, order);
	refile(zone, spb, was);
}

/**
 * __spb_blocks_taken() - pageblocks stop being wholly free
 * @zone: their zone
 * @page: first page of the first one
 * @order: order of what was taken; if it is less than a block that is one block
 *
 * Context: zone->lock held.
 */
void __spb_blocks_taken(struct zone *zone, struct page *page, unsigned int order)
{
	struct page *end = page + (1UL << order);
	struct superpageblock *spb = spb_of(zone, page);
	struct spb_counted was = counted(spb);

	for (; page < end; page += pageblock_nr_pages)
		block_changed(spb, page, false);
	refile(zone, spb, was);
}

/*
 * The blocks of a free page get their labels one by one, from the first on: it is opened
 * with the last of them, or the others would keep theirs.
 */
static void open_relabelled(struct zone *zone, struct page *page)
{
	unsigned long pfn = pageblock_start_pfn(page_to_pfn(page));
	struct page *buddy = spb_buddy_of_block(pfn);

	if (buddy && pfn + pageblock_nr_pages == page_to_pfn(buddy) + (1UL << buddy_order(buddy)))
		spb_open(zone, buddy, buddy_order(buddy));
}

/**
 * __spb_label_changed() - a pageblock has another label, or was isolated or not
 * @page: a page of it
 *
 * Context: zone->lock held.
 */
void __spb_label_changed(struct page *page)
{
	struct zone *zone = page_zone(page);
	struct superpageblock *spb = spb_of(zone, page);
	struct spb_counted was;
	bool free;

	if (!spb)
		return;
	was = counted(spb);
	free = test_bit(block_of(page), spb->map[SPB_FREE]);
	block_changed(spb, page, free);
	if (free)
		open_relabelled(zone, page);
	refile(zone, spb, was);
}

/**
 * __spb_took_foreign() - a pageblock hosts what its label does not tell
 * @page: a page of it
 *
 * It is remembered until the block is wholly free again: nobody counts the
 * foreign pages.
 *
 * Context: zone->lock held.
 */
void __spb_took_foreign(struct page *page)
{
	set_pageblock_foreign(page);
	__spb_label_changed(page);
}

/**
 * __spb_mixed() - does a block labelled for what cannot move hold what can?
 * @page: a page of it
 * @mixed: whether it does, as far as is known
 *
 * Its movable pages are worth moving: the room they leave is of the right type.
 *
 * Context: zone->lock held.
 */
void __spb_mixed(struct page *page, bool mixed)
{
	struct zone *zone = page_zone(page);
	struct superpageblock *spb = spb_of(zone, page);
	struct spb_counted was = counted(spb);
	unsigned int block = block_of(page);

	if (!test_bit(block, spb->map[SPB_NONMOVABLE]) ||
	    test_bit(block, spb->map[SPB_MIXED]) == mixed)
		return;
	__change_bit(block, spb->map[SPB_MIXED]);
	spb->nr[SPB_MIXED] += mixed ? 1 : -1;
	refile(zone, spb, was);
}

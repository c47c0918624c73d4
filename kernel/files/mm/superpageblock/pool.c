// SPDX-License-Identifier: GPL-2.0
/*
 * The two pools of free movable pages: in a tainted superpageblock, or not. All that is
 * free of block order or above is movable, whatever it was before: it is for everyone.
 */
#include <linux/bitmap.h>
#include <linux/memblock.h>
#include <linux/mm.h>
#include <linux/page-isolation.h>

#include "../internal.h"

/**
 * spb_pools_init() - all SPBs of a zone begin as untainted
 * @zone: the zone
 * @first: pfn >> SPB_ORDER of its first SPB
 * @nr: how many there are
 *
 * A zone without records needs this, too: its movable pages are asked for their list.
 *
 * Context: boot. Panics without memory: a byte for each SPB.
 */
void __init spb_pools_init(struct zone *zone, unsigned long first, unsigned int nr)
{
	u8 *lists = memblock_alloc_or_panic(nr, SMP_CACHE_BYTES);

	memset(lists, MIGRATE_MOVABLE, nr);
	/* By pfn >> SPB_ORDER: no subtraction for each page. */
	zone->spb_movable_list = lists - first;
}

static struct list_head *pool_of(struct zone *zone, const struct page *page, unsigned int order)
{
	int list = spb_free_list(zone, page, MIGRATE_MOVABLE);

	return &zone->free_area[order].free_list[list];
}

/**
 * spb_buddy_of_block() - the free page a wholly free pageblock is in
 * @pfn: first one of the block
 *
 * Context: zone->lock held.
 * Return: its first page, NULL if it is on no list right now.
 */
struct page *spb_buddy_of_block(unsigned long pfn)
{
	unsigned int order;

	for (order = pageblock_order; order < NR_PAGE_ORDERS; order++) {
		struct page *page = pfn_to_page(round_down(pfn, 1UL << order));

		if (PageBuddy(page) && buddy_order(page) >= order)
			return page;
	}
	return NULL;
}

/**
 * spb_open() - label pageblocks that have become free as movable
 * @zone: their zone
 * @page: a free page of block order or above, on the list of its label
 * @order: its order
 *
 * Where nothing is left that cannot move, a free block that kept its label would be the
 * first to be used by the next request of that type. To look for those when the SPB
 * changes pool would take too long under the lock. A label that means something of its
 * own stays.
 *
 * Context: zone->lock held.
 */
void spb_open(struct zone *zone, struct page *page, unsigned int order)
{
	int label = spb_block_label(page);

	if (label == MIGRATE_MOVABLE || !migratetype_is_mergeable(label) ||
	    get_pageblock_isolate(page))
		return;
	spb_set_labels(page, order, MIGRATE_MOVABLE);
	list_move(&page->buddy_list, pool_of(zone, page, order));
}

/* Returns how many blocks it was. */
static unsigned int change_list(struct zone *zone, struct page *page, int list)
{
	unsigned int order;

	/* What is being added to a list right now goes to the right one. */
	if (!PageBuddy(page))
		return 1;
	order = buddy_order(page);
	list_move_tail(&page->buddy_list, &zone->free_area[order].free_list[list]);
	return 1U << (order - pageblock_order);
}

/**
 * spb_change_pool() - move what is free in an SPB to the other pool
 * @zone: its zone
 * @spb: the SPB, its @tainted is new
 *
 * Free pages below block order stay on the list they are on until they are next
 * freed: looking for them would take too long under the lock.
 *
 * Context: zone->lock held.
 */
void spb_change_pool(struct zone *zone, struct superpageblock *spb)
{
	unsigned long nr = zone->spb->first + (spb - zone->spb->spb);
	const unsigned long *claimable = spb->map[SPB_CLAIMABLE];
	struct page *page = pfn_to_page(nr << SPB_ORDER);
	int list = spb->tainted ? FREE_LIST_TAINTED : MIGRATE_MOVABLE;
	unsigned int block = 0;

	WRITE_ONCE(zone->spb_movable_list[nr], list);
	while (block < SPB_BLOCKS) {
		if (test_bit(block, claimable))
			block += change_list(zone, page + block * pageblock_nr_pages, list);
		else
			block++;
	}
}

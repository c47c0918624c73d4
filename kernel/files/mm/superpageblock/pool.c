// SPDX-License-Identifier: GPL-2.0
/*
 * The two pools of free movable pages: in a tainted superpageblock, or not. Each
 * pageblock says beside its label which one its pages go to.
 */
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/page-isolation.h>

#include "../internal.h"

/* Nothing to see in a hole, or in another zone. */
static struct page *block_in_zone(struct zone *zone, unsigned long pfn)
{
	struct page *page = pfn_to_online_page(pfn);

	return page && page_zone(page) == zone ? page : NULL;
}

static void mark_block(struct page *page, bool tainted)
{
	if (tainted)
		set_pageblock_tainted(page);
	else
		clear_pageblock_tainted(page);
}

/*
 * Where nothing is left that cannot move, a free block that kept its label would
 * be the first to be used by the next request of that type.
 */
static void label_movable(struct zone *zone, struct page *page, unsigned int order)
{
	if (migratetype_is_mergeable(spb_block_label(page)))
		spb_set_labels(page, order, MIGRATE_MOVABLE);
}

static void move_free_block(struct zone *zone, struct page *page, bool tainted)
{
	unsigned int order;
	int label;

	if (!PageBuddy(page) || buddy_order(page) < pageblock_order ||
	    get_pageblock_isolate(page))
		return;
	order = buddy_order(page);
	if (!tainted)
		label_movable(zone, page, order);
	label = spb_block_label(page);
	list_move_tail(&page->buddy_list,
		       &zone->free_area[order].free_list[spb_free_list(page, label)]);
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
	unsigned long pfn = nr << SPB_ORDER;
	unsigned long end = pfn + (1UL << SPB_ORDER);
	unsigned int block;

	for (; pfn < end; pfn += pageblock_nr_pages) {
		struct page *page = block_in_zone(zone, pfn);

		if (page)
			mark_block(page, spb->tainted);
	}
	pfn = nr << SPB_ORDER;
	for_each_set_bit(block, spb->map[SPB_FREE], SPB_BLOCKS)
		move_free_block(zone, pfn_to_page(pfn + block * pageblock_nr_pages),
				spb->tainted);
}

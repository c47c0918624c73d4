// SPDX-License-Identifier: GPL-2.0
/*
 * Whether the records of a zone's superpageblocks are true: compared with a walk
 * over its pages and lists. For tests and debugging.
 */
#include <linux/bitmap.h>
#include <linux/export.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/page-isolation.h>
#include <linux/superpageblock.h>

#include "../internal.h"

struct spb_walk {
	struct zone *zone;
	struct superpageblock *spb;
	unsigned int nr;
	struct spb_verdict *verdict;
};

static void broken(const struct spb_walk *walk, unsigned long pfn, const char *rule)
{
	struct spb_verdict *verdict = walk->verdict;

	if (verdict->broken++)
		return;
	verdict->rule = rule;
	verdict->spb = walk->nr;
	verdict->pfn = pfn;
}

/* In free pages below block order, order by order. */
static unsigned long free_pages_below_block(unsigned long pfn)
{
	unsigned long end = pageblock_end_pfn(pfn);
	unsigned long nr = 0;

	while (pfn < end) {
		struct page *page = pfn_to_page(pfn);
		unsigned long step = 1;

		if (PageBuddy(page)) {
			step = 1UL << buddy_order(page);
			nr += step;
		}
		pfn += step;
	}
	return nr;
}

static bool is_nonmovable(int label)
{
	return label == MIGRATE_UNMOVABLE || label == MIGRATE_RECLAIMABLE ||
	       label == MIGRATE_HIGHATOMIC;
}

static void check_block(const struct spb_walk *walk, struct page *page)
{
	struct superpageblock *spb = walk->spb;
	unsigned long pfn = page_to_pfn(page);
	unsigned int block = (pfn >> pageblock_order) & (SPB_BLOCKS - 1);
	bool free = spb_buddy_of_block(pfn);
	unsigned long free_pages;

	if (free != test_bit(block, spb->map[SPB_FREE]))
		broken(walk, pfn, "the free map is that of the buddy flags");
	free_pages = free ? pageblock_nr_pages : free_pages_below_block(pfn);
	walk->verdict->free_pages += free_pages;
	if (free) {
		if (get_pageblock_foreign(page))
			broken(walk, pfn, "a free block hosts nothing foreign");
		if (test_bit(block, spb->map[SPB_CLAIMABLE]) &&
		    spb_block_label(page) != MIGRATE_MOVABLE)
			broken(walk, pfn, "a free block is for everyone");
		return;
	}
	if ((is_nonmovable(spb_block_label(page)) || get_pageblock_foreign(page)) &&
	    !spb->tainted)
		broken(walk, pfn, "content that cannot move is in a tainted SPB");
}

static void check_counts(const struct spb_walk *walk)
{
	struct superpageblock *spb = walk->spb;
	struct spb_fill fill = spb_fill_of(spb);
	const struct spb_index *index = &walk->zone->spb->index;
	unsigned long pfn = (walk->zone->spb->first + walk->nr) << SPB_ORDER;
	enum spb_block i;

	for (i = 0; i < NR_SPB_BLOCK; i++) {
		if (spb->nr[i] != bitmap_weight(spb->map[i], SPB_BLOCKS))
			broken(walk, pfn, "a count is that of its map");
		if (i != SPB_PART_NONMOVABLE &&
		    !bitmap_subset(spb->map[i], spb->map[SPB_USABLE], SPB_BLOCKS))
			broken(walk, pfn, "what is counted is usable");
	}
	if (!bitmap_subset(spb->map[SPB_CLAIMABLE], spb->map[SPB_FREE], SPB_BLOCKS))
		broken(walk, pfn, "what can be claimed is free");
	if (!bitmap_subset(spb->map[SPB_MIXED], spb->map[SPB_NONMOVABLE], SPB_BLOCKS))
		broken(walk, pfn, "what is mixed has content that cannot move");
	if (spb->tainted != fill.tainted)
		broken(walk, pfn, "tainted is who has content that cannot move");
	if (walk->zone->spb_movable_list[pfn >> SPB_ORDER] !=
	    (spb->tainted ? FREE_LIST_TAINTED : MIGRATE_MOVABLE))
		broken(walk, pfn, "the list of movable pages is that of the pool");
	if (spb->bucket != spb_bucket_of(&fill))
		broken(walk, pfn, "the bucket is that of the counts");
	if (spb->bucket != SPB_BUCKET_NONE &&
	    spb_pick_next(index, spb->bucket, walk->nr - 1) != walk->nr)
		broken(walk, pfn, "the index has the SPB in its bucket");
}

static void check_spb(const struct spb_walk *walk)
{
	unsigned long pfn = (walk->zone->spb->first + walk->nr) << SPB_ORDER;
	unsigned long end = pfn + (1UL << SPB_ORDER);

	check_counts(walk);
	/* The zone's first block may begin before it. */
	pfn = max(pfn, walk->zone->zone_start_pfn);
	for (; pfn < end; pfn = pageblock_end_pfn(pfn)) {
		struct page *page = pfn_to_online_page(pfn);

		if (page && page_zone(page) == walk->zone)
			check_block(walk, page);
	}
}

/* A movable page below block order may still be on the list of the other pool. */
static bool list_fits(const struct zone *zone, struct page *page, unsigned int order, int list)
{
	int label = get_pageblock_migratetype(page);

	if (order >= pageblock_order || label != MIGRATE_MOVABLE)
		return spb_free_list(zone, page, label) == list;
	return list == MIGRATE_MOVABLE || list == FREE_LIST_TAINTED;
}

static unsigned long check_list(const struct spb_walk *walk, unsigned int order, int list)
{
	struct list_head *head = &walk->zone->free_area[order].free_list[list];
	unsigned long nr = 0;
	struct page *page;

	list_for_each_entry(page, head, buddy_list) {
		nr++;
		if (!list_fits(walk->zone, page, order, list))
			broken(walk, page_to_pfn(page),
			       "a free page is on the list of its label and pool");
	}
	return nr;
}

static void check_lists(const struct spb_walk *walk)
{
	unsigned int order;
	int list;

	for (order = 0; order < NR_PAGE_ORDERS; order++) {
		unsigned long nr = 0;

		for (list = 0; list < NR_FREE_LISTS; list++)
			nr += check_list(walk, order, list);
		if (nr != walk->zone->free_area[order].nr_free)
			broken(walk, 0, "each free page is on a list");
	}
}

/**
 * spb_check() - are the records of a zone true?
 * @zone: the zone
 * @verdict: filled in: the first broken rule, and how many there are
 *
 * Walks all pages of the zone with its lock held: for tests and debugging.
 *
 * Context: any but NMI.
 * Return: 0 all is true, -EUCLEAN something is not, -EOPNOTSUPP the zone has no
 * superpageblocks.
 */
int spb_check(struct zone *zone, struct spb_verdict *verdict)
{
	struct spb_walk walk = { .zone = zone, .verdict = verdict };
	unsigned int evacuable = 0, shorts = 0;
	unsigned long flags;

	*verdict = (struct spb_verdict) { };
	if (!zone->spb)
		return -EOPNOTSUPP;
	spin_lock_irqsave(&zone->lock, flags);
	for (; walk.nr < zone->spb->index.nr; walk.nr++) {
		walk.spb = &zone->spb->spb[walk.nr];
		evacuable += spb_is_evacuable(walk.spb);
		shorts += spb_is_short(walk.spb);
		check_spb(&walk);
	}
	if (evacuable != zone->spb->nr_evacuable)
		broken(&walk, 0, "the zone's count of what could be evacuated is the sum");
	if (shorts != zone->spb_nr_short)
		broken(&walk, 0, "the zone's count of tainted SPBs below the reserve is the sum");
	check_lists(&walk);
	spin_unlock_irqrestore(&zone->lock, flags);
	return verdict->broken ? -EUCLEAN : 0;
}
EXPORT_SYMBOL_FOR_MODULES(spb_check, "fragbed*");

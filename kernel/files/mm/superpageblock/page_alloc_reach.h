/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Included at the end of mm/page_alloc.c: the steps of the page allocator that
 * steering to superpageblocks is made of. All want zone->lock held.
 */
#ifdef CONFIG_SUPERPAGEBLOCK
#include <kunit/static_stub.h>

/**
 * spb_block_label() - the migratetype of a pageblock, whether isolated or not
 * @page: a page of it
 */
int spb_block_label(const struct page *page)
{
	return __get_pfnblock_flags_mask(page, page_to_pfn(page),
					 PAGEBLOCK_MIGRATETYPE_MASK);
}

/**
 * spb_block_bits() - what a pageblock says: its label, and the bits beside it
 * @page: a page of it
 *
 * Return: PAGEBLOCK_MIGRATETYPE_MASK, PAGEBLOCK_ISO_MASK and PB_spb_foreign.
 */
unsigned long spb_block_bits(const struct page *page)
{
	return __get_pfnblock_flags_mask(page, page_to_pfn(page),
					 PAGEBLOCK_MIGRATETYPE_MASK | PAGEBLOCK_ISO_MASK |
					 BIT(PB_spb_foreign));
}

/**
 * spb_set_labels() - give wholly free pageblocks another migratetype
 * @page: first page of the first one
 * @order: order of all of them, at least pageblock_order
 * @label: the new type
 *
 * The records are not told: it is they who want it.
 */
void spb_set_labels(struct page *page, unsigned int order, int label)
{
	struct page *end = page + (1UL << order);

	for (; page < end; page += pageblock_nr_pages)
		__set_pfnblock_flags_mask(page, page_to_pfn(page), label,
					  PAGEBLOCK_MIGRATETYPE_MASK);
}

/**
 * spb_take_page() - take a free page without changing its block's label
 * @zone: its zone
 * @page: the free page
 * @order: order wanted, not above the page's
 * @type: migratetype it is for
 */
void spb_take_page(struct zone *zone, struct page *page, unsigned int order,
		   int type)
{
	unsigned int high = buddy_order(page);
	int label = get_pageblock_migratetype(page);

	page_del_and_expand(zone, page, order, high, label);
	if (label != type)
		trace_mm_page_alloc_extfrag(page, order, high, type, label);
}

/**
 * spb_claim_buddy() - take a free page of block order or above, and its blocks
 * @zone: its zone
 * @page: the free page
 * @order: order wanted, not above the page's
 * @type: migratetype it is for, and the blocks it is taken from
 */
void spb_claim_buddy(struct zone *zone, struct page *page, unsigned int order,
		     int type)
{
	unsigned int claimed = max_t(unsigned int, order, pageblock_order);
	unsigned int high = buddy_order(page);
	int label = get_pageblock_migratetype(page);

	if (label == type) {
		page_del_and_expand(zone, page, order, high, label);
		return;
	}
	page_del_and_expand(zone, page, claimed, high, label);
	change_pageblock_range(page, claimed, type);
	account_freepages(zone, expand(zone, page, order, claimed, type), type);
	trace_mm_page_alloc_extfrag(page, order, high, type, label);
}

/**
 * spb_claim_block() - relabel a movable pageblock and take a page of that type
 * @zone: its zone
 * @page: a free page below block order in it
 * @order: order wanted, not above the page's
 * @type: the block's new migratetype
 *
 * Return: the page, NULL if the block reaches into another zone.
 */
struct page *spb_claim_block(struct zone *zone, struct page *page,
			     unsigned int order, int type)
{
	unsigned int high = buddy_order(page);

	if (move_freepages_block(zone, page, MIGRATE_MOVABLE, type) == -1)
		return NULL;
	page = __rmqueue_smallest(zone, order, type);
	trace_mm_page_alloc_extfrag(page, order, high, type, MIGRATE_MOVABLE);
	return page;
}

/**
 * spb_relabel_block() - give a pageblock in use another migratetype
 * @zone: its zone
 * @page: a page of it
 * @label: the new type
 */
void spb_relabel_block(struct zone *zone, struct page *page, int label)
{
	move_freepages_block(zone, page, get_pageblock_migratetype(page), label);
}

/**
 * spb_give_back() - some of what is on this CPU's free lists, to the buddies
 * @zone: the zone
 *
 * Context: any in which pages are freed; takes zone->lock. Nothing happens if the
 * lists are being used.
 */
void spb_give_back(struct zone *zone)
{
	struct per_cpu_pages *pcp = pcp_spin_trylock(zone->per_cpu_pageset);
	int i;

	if (!pcp)
		return;
	/* Not all in one go: each time takes the lock for as long as usual. */
	for (i = 0; i < 1 << CONFIG_PCP_BATCH_SCALE_MAX && pcp->count; i++)
		free_pcppages_bulk(zone, pcp->batch, pcp, 0);
	pcp_spin_unlock(pcp);
}

static void spb_drain_list(struct zone *zone, struct per_cpu_pages *pcp)
{
	int left, batch;

	do {
		pcp_spin_lock_nopin(pcp);
		left = pcp->count;
		batch = min(left, pcp->batch);
		if (left)
			free_pcppages_bulk(zone, batch, pcp, 0);
		pcp_spin_unlock_nopin(pcp);
		left -= batch;
	} while (left);
}

/**
 * spb_drain() - give the free lists of all CPUs to the buddies
 * @only: of this zone, NULL for all
 *
 * As drain_all_pages(), but a batch at a time: the lock is not held for longer than by
 * anybody who frees a page.
 *
 * Context: process.
 */
void spb_drain(const struct zone *only)
{
	struct zone *zone;
	unsigned int cpu;

	for_each_populated_zone(zone) {
		if (only && zone != only)
			continue;
		for_each_online_cpu(cpu)
			spb_drain_list(zone, per_cpu_ptr(zone->per_cpu_pageset, cpu));
	}
}

/**
 * spb_alloc_target() - allocate a page that something is to be moved to
 * @zone: the zone
 * @order: order
 * @from_tainted: it comes from a tainted superpageblock, else from one that is to
 * become empty
 *
 * Past the per-cpu lists: what was just moved away would be the first to be used.
 * Down to the minimum watermark, since the old page comes back for it.
 *
 * Context: process.
 * Return: the page with a reference, NULL if there is no room.
 */
struct page *spb_alloc_target(struct zone *zone, unsigned int order, bool from_tainted)
{
	const gfp_t gfp = GFP_HIGHUSER_MOVABLE | (order ? __GFP_COMP : 0);
	struct page *page;

	KUNIT_STATIC_STUB_REDIRECT(spb_alloc_target, zone, order, from_tainted);
	if (!zone_watermark_ok(zone, 0, min_wmark_pages(zone) + (1UL << order),
			       zone_idx(zone), 0))
		return NULL;
	scoped_guard(spinlock_irqsave, &zone->lock)
		page = __spb_take_target(zone, order, from_tainted);
	if (!page)
		return NULL;
	prep_new_page(page, order, gfp, 0);
	set_page_refcounted(page);
	return page;
}

/**
 * spb_range_fits() - could this range be allocated, as far as is to be seen?
 * @zone: its zone
 * @pfn: first pfn
 * @nr_pages: how many pages
 */
bool spb_range_fits(struct zone *zone, unsigned long pfn, unsigned long nr_pages)
{
	bool skipped_hugetlb = false;

	return pfn_range_valid_contig(zone, pfn, nr_pages, true, &skipped_hugetlb);
}

#endif /* CONFIG_SUPERPAGEBLOCK */

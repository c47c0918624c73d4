// SPDX-License-Identifier: GPL-2.0
/* Contiguous memory of the size of a superpageblock: a gigantic page. */
#include <kunit/visibility.h>
#include <linux/gfp.h>
#include <linux/mm.h>

#include "../internal.h"

#define SPB_PAGES BIT(SPB_ORDER)

/* Of the SPBs in a bucket that are whole, the one with most free blocks. */
static int emptiest_in_bucket(const struct spb_zone *spbs, enum spb_bucket bucket)
{
	unsigned int most = 0;
	int best = -1, nr = -1;

	while ((nr = spb_pick_next(&spbs->index, bucket, nr)) >= 0) {
		const struct superpageblock *spb = &spbs->spb[nr];

		if (spb->nr[SPB_USABLE] < SPB_BLOCKS ||
		    (best >= 0 && spb->nr[SPB_FREE] <= most))
			continue;
		most = spb->nr[SPB_FREE];
		best = nr;
	}
	return best;
}

/**
 * spb_least_to_move() - the clean SPB that is emptied most cheaply
 * @zone: zone with SPBs
 *
 * Takes time with the number of clean SPBs: for requests that take much longer.
 *
 * Context: zone->lock held.
 * Return: its number, -1 if no clean SPB is without holes.
 */
int spb_least_to_move(const struct zone *zone)
{
	int bucket;

	for (bucket = SPB_BUCKET_CLEAN + SPB_LEVELS - 1; bucket >= SPB_BUCKET_CLEAN; bucket--) {
		int nr = emptiest_in_bucket(zone->spb, bucket);

		if (nr >= 0)
			return nr;
	}
	return -1;
}
EXPORT_SYMBOL_IF_KUNIT(spb_least_to_move);

/* Return: first pfn of the candidate, 0 if there is none that could do. */
static unsigned long candidate(struct zone *zone, bool empty)
{
	unsigned long flags, pfn = 0;
	int nr;

	spin_lock_irqsave(&zone->lock, flags);
	nr = empty ? spb_pick(&zone->spb->index, SPB_PICK_WHOLE) :
		     spb_least_to_move(zone);
	if (nr >= 0)
		pfn = (zone->spb->first + nr) << SPB_ORDER;
	if (pfn && !spb_range_fits(zone, pfn, SPB_PAGES))
		pfn = 0;
	spin_unlock_irqrestore(&zone->lock, flags);
	return pfn;
}

static struct page *try_candidate(struct zone *zone, bool empty, gfp_t gfp)
{
	unsigned long pfn = candidate(zone, empty);

	if (!pfn || alloc_contig_frozen_range_noprof(pfn, pfn + SPB_PAGES,
						     ACR_FLAGS_NONE, gfp))
		return NULL;
	spb_count(zone, empty ? SPB_SERVED_EMPTY : SPB_SERVED_EMPTIED);
	return pfn_to_page(pfn);
}

/**
 * __spb_alloc_contig() - allocate a whole SPB
 * @zone: zone with SPBs
 * @nr_pages: pages wanted
 * @gfp: flags as for alloc_contig_frozen_pages()
 *
 * An empty SPB, else the clean one with least to move. Other sizes, and what
 * remains if both fail, are left to the usual search.
 *
 * Context: may sleep.
 * Return: the first page, frozen, or NULL.
 */
struct page *__spb_alloc_contig(struct zone *zone, unsigned long nr_pages, gfp_t gfp)
{
	struct page *page;

	if (nr_pages != SPB_PAGES)
		return NULL;
	page = try_candidate(zone, true, gfp);
	return page ?: try_candidate(zone, false, gfp);
}

/**
 * __spb_took_range() - contiguous memory that cannot move was taken
 * @start: first pfn
 * @end: one past the last
 *
 * Context: may sleep; takes zone->lock.
 */
void __spb_took_range(unsigned long start, unsigned long end)
{
	unsigned long pfn, flags;

	for (pfn = pageblock_start_pfn(start); pfn < end; pfn += pageblock_nr_pages) {
		struct page *page = pfn_to_page(max(pfn, start));
		struct zone *zone = page_zone(page);

		spin_lock_irqsave(&zone->lock, flags);
		spb_took_foreign(page, spb_block_label(page), MIGRATE_UNMOVABLE);
		spin_unlock_irqrestore(&zone->lock, flags);
	}
}

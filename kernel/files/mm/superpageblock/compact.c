// SPDX-License-Identifier: GPL-2.0
/*
 * What compaction should leave alone so that its work and that on superpageblocks
 * (SPBs) do not undo each other. The records are read without the zone's lock: these
 * are hints, as those of compaction are.
 */
#include <kunit/static_stub.h>
#include <kunit/visibility.h>
#include <linux/mm.h>

#include "../internal.h"

/**
 * spb_suits_as_source() - may compaction move something away from here?
 * @page: a page of the pageblock
 *
 * In a tainted SPB with nothing to move it would scan for nothing; what is in use in
 * others has a movable label. Blocks with holes or reserved pages are not counted, so
 * theirs has a say, too.
 *
 * Context: any.
 */
bool spb_suits_as_source(struct page *page)
{
	const struct superpageblock *spb = spb_of(page_zone(page), page);

	return !spb || READ_ONCE(spb->nr[SPB_MOVABLE]) || READ_ONCE(spb->nr[SPB_MIXED]) ||
	       is_migrate_movable(spb_block_label(page));
}
EXPORT_SYMBOL_IF_KUNIT(spb_suits_as_source);

static bool is_empty(const struct superpageblock *spb)
{
	return READ_ONCE(spb->nr[SPB_FREE]) == READ_ONCE(spb->nr[SPB_USABLE]);
}

/**
 * spb_suits_as_target() - may compaction move something to here?
 * @page: a page of the pageblock
 *
 * Not into the reserve of a tainted SPB, and not into an empty one while a clean one
 * has a free block.
 *
 * Context: any.
 */
bool spb_suits_as_target(struct page *page)
{
	struct zone *zone = page_zone(page);
	const struct superpageblock *spb = spb_of(zone, page);

	KUNIT_STATIC_STUB_REDIRECT(spb_suits_as_target, page);
	if (!spb)
		return true;
	if (READ_ONCE(spb->tainted))
		return READ_ONCE(spb->nr[SPB_CLAIMABLE]) > spb_reserve(SPB_BLOCKS);
	return !is_empty(spb) || !spb_has_any(&zone->spb->index, SPB_PICK_CLEAN);
}
EXPORT_SYMBOL_IF_KUNIT(spb_suits_as_target);

// SPDX-License-Identifier: GPL-2.0
/* What is to be seen of superpageblocks: counters, and one at a time. */
#include <linux/export.h>
#include <linux/mm.h>
#include <linux/superpageblock.h>

#include "../internal.h"

static const char *const event_names[NR_SPB_EVENTS] = {
	[SPB_SERVED_BLOCK] = "served_free_block",
	[SPB_SERVED_CLAIM] = "served_claimed_block",
	[SPB_SERVED_OTHER_KIND] = "served_other_kind",
	[SPB_SERVED_BORROW] = "served_borrowed",
	[SPB_SERVED_TAINT] = "served_tainting",
	[SPB_SERVED_FRAGMENT] = "served_movable_fragment",
	[SPB_SERVED_ABOVE] = "served_movable_above_reserve",
	[SPB_SERVED_RESERVE] = "served_movable_reserve",
	[SPB_SERVED_EMPTY] = "served_gigantic_empty",
	[SPB_SERVED_EMPTIED] = "served_gigantic_emptied",
	[SPB_HELD_BACK] = "held_back",
	[SPB_REFUSED] = "refused",
	[SPB_TAINT] = "became_tainted",
	[SPB_UNTAINT] = "became_clean",
	[SPB_TAINT_EARLY] = "became_tainted_too_early",
	[SPB_TO_FRAGMENT] = "moved_to_fragment",
	[SPB_TO_BLOCK] = "moved_to_block",
	[SPB_TO_TAINTED] = "moved_to_tainted",
	[SPB_WANT_CHANGE] = "defrag_wanted_by_change",
	[SPB_WANT_USE] = "defrag_wanted_by_use",
	[SPB_WANT_ALL] = "defrag_wanted_by_held_back",
	[SPB_RUN] = "defrag_runs",
	[SPB_MOVED] = "defrag_moved_pages",
	[SPB_ENDED + SPB_STOP_ROOM] = "defrag_ended_room",
	[SPB_ENDED + SPB_STOP_EMPTY] = "defrag_ended_empty",
	[SPB_ENDED + SPB_STOP_STUCK] = "defrag_ended_stuck",
	[SPB_ENDED + SPB_STOP_NO_TARGET] = "defrag_ended_no_target",
	[SPB_ENDED + SPB_STOP_PAGES] = "defrag_ended_pages",
	[SPB_ENDED + SPB_STOP_TIME] = "defrag_ended_time",
	[SPB_ENDED + SPB_STOP_SIGNAL] = "defrag_ended_signal",
	[SPB_MADE_ROOM_MIXED] = "evacuated_mixed_blocks",
	[SPB_MADE_ROOM_BLOCK] = "evacuated_movable_blocks",
	[SPB_MADE_NO_ROOM] = "evacuated_in_vain",
	[SPB_WANT_SHRINK] = "shrink_wanted",
	[SPB_SHRINK] = "shrink_runs",
	[SPB_SHRUNK] = "shrink_objects",
};

static const char *const stop_names[NR_SPB_STOPS] = {
	[SPB_STOP_ROOM] = "room",
	[SPB_STOP_EMPTY] = "empty",
	[SPB_STOP_STUCK] = "stuck",
	[SPB_STOP_NO_TARGET] = "no_target",
	[SPB_STOP_PAGES] = "pages",
	[SPB_STOP_TIME] = "time",
	[SPB_STOP_SIGNAL] = "signal",
};

/**
 * spb_stop_name() - why a run ended, in a word
 * @stop: enum spb_stop
 *
 * Return: the word, NULL if there is no such reason.
 */
const char *spb_stop_name(unsigned int stop)
{
	return stop < NR_SPB_STOPS ? stop_names[stop] : NULL;
}
EXPORT_SYMBOL_FOR_MODULES(spb_stop_name, "fragbed*");

/**
 * spb_event_name() - name of a counter
 * @event: which
 *
 * Return: the name, NULL if there is no such counter.
 */
const char *spb_event_name(unsigned int event)
{
	return event < NR_SPB_EVENTS ? event_names[event] : NULL;
}
EXPORT_SYMBOL_FOR_MODULES(spb_event_name, "fragbed*");

/**
 * spb_event_count() - a counter of a zone
 * @zone: the zone
 * @event: which
 *
 * Context: any.
 * Return: how often it happened since boot, 0 without superpageblocks.
 */
unsigned long spb_event_count(const struct zone *zone, unsigned int event)
{
	return zone->spb ? READ_ONCE(zone->spb->events[event]) : 0;
}
EXPORT_SYMBOL_FOR_MODULES(spb_event_count, "fragbed*");

/**
 * spb_get_info() - what is known of an SPB
 * @zone: its zone
 * @nr: its number in the zone
 * @info: filled in
 *
 * Context: any but NMI; takes zone->lock.
 * Return: 0, -ENXIO there is no such SPB, -EOPNOTSUPP the zone has none.
 */
int spb_get_info(struct zone *zone, unsigned int nr, struct spb_info *info)
{
	struct superpageblock *spb;
	struct spb_fill fill;
	unsigned long flags;

	if (!zone->spb)
		return -EOPNOTSUPP;
	if (nr >= zone->spb->index.nr)
		return -ENXIO;
	spb = &zone->spb->spb[nr];
	spin_lock_irqsave(&zone->lock, flags);
	fill = spb_fill_of(spb);
	*info = (struct spb_info) {
		.pfn = (zone->spb->first + nr) << SPB_ORDER,
		.category = spb_categorize(&fill),
		.blocks = fill.blocks,
		.usable = fill.usable,
		.free = fill.free,
		.claimable = fill.claimable,
		.nonmovable = spb->nr[SPB_NONMOVABLE] + spb->nr[SPB_PART_NONMOVABLE],
		.movable = spb->nr[SPB_MOVABLE],
		.mixed = spb->nr[SPB_MIXED],
		.stop = spb->stopped ? spb->stop : -1,
		.stopped = spb->stopped,
	};
	spin_unlock_irqrestore(&zone->lock, flags);
	return 0;
}
EXPORT_SYMBOL_FOR_MODULES(spb_get_info, "fragbed*");

/**
 * spb_category_of() - what the SPB of a page holds
 * @page: the page, online
 *
 * Context: any but NMI; takes zone->lock.
 * Return: one of enum spb_category, -EOPNOTSUPP the page is in none.
 */
int spb_category_of(const struct page *page)
{
	struct zone *zone = page_zone(page);
	struct superpageblock *spb = spb_of(zone, page);
	struct spb_info info;

	if (!spb)
		return -EOPNOTSUPP;
	spb_get_info(zone, spb - zone->spb->spb, &info);
	return info.category;
}
EXPORT_SYMBOL_FOR_MODULES(spb_category_of, "fragbed*");

// SPDX-License-Identifier: GPL-2.0
/*
 * What tainted superpageblocks (SPBs) want when they get full: that what can move is
 * moved out, and that slabs are shrunk. It is noted where it is noticed, with
 * zone->lock held; an irq_work takes it out of the lock.
 */
#include <kunit/static_stub.h>
#include <kunit/visibility.h>
#include <linux/bitmap.h>
#include <linux/cleanup.h>
#include <linux/irq_work.h>
#include <linux/jiffies.h>
#include <linux/mm.h>

#include "../internal.h"
#include "defrag.h"

/**
 * spb_now() - jiffies, for the rules that depend on time
 *
 * A function of its own so that tests can let time pass.
 */
unsigned long spb_now(void)
{
	KUNIT_STATIC_STUB_REDIRECT(spb_now);
	return jiffies;
}
EXPORT_SYMBOL_IF_KUNIT(spb_now);

/**
 * spb_kick() - have done what is wanted
 * @spbs: the zone's SPBs
 *
 * In early boot there is nobody who could: the wish is kept.
 *
 * Context: any, zone->lock may be held.
 */
void spb_kick(struct spb_zone *spbs)
{
	KUNIT_STATIC_STUB_REDIRECT(spb_kick, spbs);
	if (spbs->kick.func)
		irq_work_queue(&spbs->kick);
}
EXPORT_SYMBOL_IF_KUNIT(spb_kick);

static bool is_resting(const struct superpageblock *spb)
{
	return spb->rest_until && time_before(spb_now(), spb->rest_until);
}

/* The free pages are not known here, but with two free blocks there are enough. */
static bool is_eligible(const struct superpageblock *spb)
{
	return spb_is_evacuable(spb) && spb->nr[SPB_CLAIMABLE] < SPB_ENOUGH_BLOCKS &&
	       !is_resting(spb);
}

static void want_defrag(struct spb_zone *spbs, struct superpageblock *spb,
			enum spb_event why)
{
	if (!is_eligible(spb) || __test_and_set_bit(spb - spbs->spb, spbs->wanted))
		return;
	spbs->events[why]++;
	spb_kick(spbs);
}

static void want_shrink(struct spb_zone *spbs)
{
	if (spbs->want_shrink)
		return;
	spbs->want_shrink = true;
	spbs->events[SPB_WANT_SHRINK]++;
	spb_kick(spbs);
}

/*
 * Not for each SPB that is full, most of the tainted ones are: when none is left with
 * more than its reserve. What is free below block order is not known here, so the
 * one who looked has given some credit.
 */
static void use_credit(struct spb_zone *spbs, unsigned long pages)
{
	if (spb_pick(&spbs->index, SPB_PICK_ABOVE_RESERVE) >= 0)
		return;
	if (spbs->credit >= pages)
		spbs->credit -= pages;
	else
		want_shrink(spbs);
}

/**
 * spb_trigger_change() - what is known of an SPB changed
 * @zone: its zone
 * @spb: the SPB
 *
 * Context: zone->lock held.
 */
void spb_trigger_change(struct zone *zone, struct superpageblock *spb)
{
	KUNIT_STATIC_STUB_REDIRECT(spb_trigger_change, zone, spb);
	want_defrag(zone->spb, spb, SPB_WANT_CHANGE);
}
EXPORT_SYMBOL_IF_KUNIT(spb_trigger_change);

/**
 * spb_trigger_use() - a request that cannot move was served
 * @zone: its zone
 * @page: what it got
 * @order: of that
 *
 * An SPB that is full gives no sign when its rest is over; the next request does.
 *
 * Context: zone->lock held.
 */
void spb_trigger_use(struct zone *zone, const struct page *page, unsigned int order)
{
	struct superpageblock *spb = spb_of(zone, page);

	KUNIT_STATIC_STUB_REDIRECT(spb_trigger_use, zone, page, order);
	if (!spb_is_short(spb))
		return;
	want_defrag(zone->spb, spb, SPB_WANT_USE);
	use_credit(zone->spb, 1UL << order);
}
EXPORT_SYMBOL_IF_KUNIT(spb_trigger_use);

/**
 * spb_trigger_all() - a request was held back, and will taint if nothing helps
 * @zone: the zone
 *
 * Context: zone->lock held.
 */
void spb_trigger_all(struct zone *zone)
{
	struct spb_zone *spbs = zone->spb;

	KUNIT_STATIC_STUB_REDIRECT(spb_trigger_all, zone);
	spbs->credit = 0;
	want_shrink(spbs);
	if (spbs->want_all || !spbs->nr_evacuable)
		return;
	spbs->want_all = true;
	spbs->events[SPB_WANT_ALL]++;
	spb_kick(spbs);
}
EXPORT_SYMBOL_IF_KUNIT(spb_trigger_all);

/**
 * spb_take_wanted() - the next SPB to be defragmented
 * @zone: zone with SPBs
 *
 * What was wanted while a block was between two labels, or what somebody else has
 * done since, is forgotten.
 *
 * Context: takes zone->lock.
 * Return: its number, no longer wanted; -1 there is none.
 */
int spb_take_wanted(struct zone *zone)
{
	struct spb_zone *spbs = zone->spb;
	unsigned int nr;

	guard(spinlock_irq)(&zone->lock);
	if (spbs->want_all)
		bitmap_fill(spbs->wanted, spbs->index.nr);
	spbs->want_all = false;
	for_each_set_bit(nr, spbs->wanted, spbs->index.nr) {
		__clear_bit(nr, spbs->wanted);
		if (is_eligible(&spbs->spb[nr]))
			return nr;
	}
	return -1;
}
EXPORT_SYMBOL_IF_KUNIT(spb_take_wanted);

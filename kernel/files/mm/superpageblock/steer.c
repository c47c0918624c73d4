// SPDX-License-Identifier: GPL-2.0
/*
 * Where a request goes that found no free page of its own type: the order of
 * preference, a table of steps for each kind of request. All of it runs with
 * zone->lock held.
 */
#include <kunit/static_stub.h>
#include <kunit/visibility.h>
#include <linux/gfp.h>
#include <linux/mm.h>

#include <trace/events/superpageblock.h>

#include "../internal.h"

/* With no more SPBs, claiming blocks would eat the room for movable pages. */
#define SPB_FEW 8

/* How many outdated entries of a list one request puts right. */
#define MAX_STALE 32

struct spb_request {
	struct zone *zone;
	unsigned int order;
	int type;
};

struct spb_step {
	struct page *(*take)(const struct spb_request *request);
	enum spb_event event;
};

static struct page *buddy_in_spb(struct zone *zone, int nr, unsigned int order)
{
	const struct superpageblock *spb = &zone->spb->spb[nr];
	unsigned long start = (zone->spb->first + nr) << SPB_ORDER;
	unsigned int block;

	for_each_set_bit(block, spb->map[SPB_CLAIMABLE], SPB_BLOCKS) {
		struct page *page = spb_buddy_of_block(start + block * pageblock_nr_pages);

		if (page && buddy_order(page) >= order)
			return page;
	}
	return NULL;
}

static struct page *take_block(const struct spb_request *request,
			       enum spb_policy policy)
{
	struct zone *zone = request->zone;
	int nr = spb_pick(&zone->spb->index, policy);
	struct page *page;

	if (nr < 0)
		return NULL;
	page = buddy_in_spb(zone, nr, request->order);
	if (!page)
		return NULL;
	spb_claim_buddy(zone, page, request->order, request->type);
	return page;
}

static struct page *taint(const struct spb_request *request)
{
	struct page *page = take_block(request, SPB_PICK_TAINT);

	if (page)
		trace_spb_taint(page, request->order, request->type);
	return page;
}

static struct page *take_above_reserve(const struct spb_request *request)
{
	return take_block(request, SPB_PICK_ABOVE_RESERVE);
}

static struct page *take_reserve(const struct spb_request *request)
{
	return take_block(request, SPB_PICK_RESERVE);
}

/*
 * A page on the list may lie in an SPB that has become clean since. A request
 * that would taint that one puts the page where it belongs and looks further.
 */
static struct page *first_tainted(struct zone *zone, unsigned int order)
{
	struct free_area *area = &zone->free_area[order];
	struct page *page;
	int i;

	for (i = 0; i < MAX_STALE; i++) {
		page = list_first_entry_or_null(&area->free_list[FREE_LIST_TAINTED],
						struct page, buddy_list);
		if (!page || spb_is_tainted(zone, page))
			return page;
		list_move(&page->buddy_list, &area->free_list[MIGRATE_MOVABLE]);
	}
	return NULL;
}

/*
 * Rarely asked for: the fullest SPB may have no free page that large, but another
 * tainted one.
 */
static struct page *take_blocks(const struct spb_request *request)
{
	unsigned int order;

	for (order = request->order; order < NR_PAGE_ORDERS; order++) {
		struct page *page = first_tainted(request->zone, order);

		if (!page)
			continue;
		spb_claim_buddy(request->zone, page, request->order, request->type);
		return page;
	}
	return NULL;
}

static struct page *take_free_block(const struct spb_request *request)
{
	struct page *page = take_block(request, SPB_PICK_NONMOVABLE);

	if (page || request->order <= pageblock_order)
		return page;
	return take_blocks(request);
}

/**
 * spb_nr_in_zone() - how many SPBs there are, for the rules that depend on it
 * @zone: zone with SPBs
 *
 * A function of its own so that tests can put another number in its place.
 */
unsigned int spb_nr_in_zone(const struct zone *zone)
{
	KUNIT_STATIC_STUB_REDIRECT(spb_nr_in_zone, zone);
	return zone->spb->index.nr;
}
EXPORT_SYMBOL_IF_KUNIT(spb_nr_in_zone);

/* As much of the block as is free comes along, however little that is. */
static struct page *claim_movable(const struct spb_request *request)
{
	struct zone *zone = request->zone;
	int order;

	if (spb_nr_in_zone(zone) <= SPB_FEW)
		return NULL;
	for (order = pageblock_order - 1; order >= (int)request->order; order--) {
		struct page *page = first_tainted(zone, order);

		if (page)
			return spb_claim_block(zone, page, request->order,
					       request->type);
	}
	return NULL;
}

static struct page *first_on_list(const struct spb_request *request,
				  unsigned int order, int list)
{
	struct free_area *area = &request->zone->free_area[order];

	if (list == FREE_LIST_TAINTED && request->type != MIGRATE_MOVABLE)
		return first_tainted(request->zone, order);
	return list_first_entry_or_null(&area->free_list[list], struct page, buddy_list);
}

/* Of a list the smallest page that will do; its block keeps its label. */
static struct page *take_smallest(const struct spb_request *request, int list)
{
	unsigned int order;

	for (order = request->order; order < pageblock_order; order++) {
		struct page *page = first_on_list(request, order, list);

		if (!page)
			continue;
		spb_take_page(request->zone, page, request->order, request->type);
		return page;
	}
	return NULL;
}

static struct page *take_other_kind(const struct spb_request *request)
{
	return take_smallest(request, spb_other_kind(request->type));
}

static struct page *borrow_movable(const struct spb_request *request)
{
	struct page *page = take_smallest(request, FREE_LIST_TAINTED);

	if (page)
		spb_took_foreign(page, MIGRATE_MOVABLE, request->type);
	return page;
}

static struct page *take_fragment(const struct spb_request *request)
{
	return take_smallest(request, FREE_LIST_TAINTED);
}

static struct page *take_clean_fragment(const struct spb_request *request)
{
	return take_smallest(request, MIGRATE_MOVABLE);
}

static struct page *take_clean_or_empty(const struct spb_request *request)
{
	return take_block(request, SPB_PICK_MOVABLE);
}

static struct page *take_clean(const struct spb_request *request)
{
	return take_block(request, SPB_PICK_CLEAN);
}

static const struct spb_step nonmovable_steps[] = {
	{ take_free_block, SPB_SERVED_BLOCK },
	{ claim_movable, SPB_SERVED_CLAIM },
	{ take_other_kind, SPB_SERVED_OTHER_KIND },
	{ borrow_movable, SPB_SERVED_BORROW },
	{ }
};

static const struct spb_step taint_steps[] = {
	{ taint, SPB_SERVED_TAINT },
	{ }
};

static const struct spb_step movable_steps[] = {
	{ take_fragment, SPB_SERVED_FRAGMENT },
	{ take_above_reserve, SPB_SERVED_ABOVE },
	{ }
};

static const struct spb_step reserve_steps[] = {
	{ take_reserve, SPB_SERVED_RESERVE },
	{ }
};

/* What is moved out of a tainted SPB must not come back to one. */
static const struct spb_step target_steps[] = {
	{ take_clean_fragment, SPB_TO_FRAGMENT },
	{ take_clean_or_empty, SPB_TO_BLOCK },
	{ }
};

/*
 * To empty one SPB at the cost of an empty one is no gain. What is left of a tainted
 * one's block comes before its next block, or each page would cost one.
 */
static const struct spb_step evacuation_steps[] = {
	{ take_clean_fragment, SPB_TO_FRAGMENT },
	{ take_clean, SPB_TO_BLOCK },
	{ take_fragment, SPB_TO_TAINTED },
	{ take_above_reserve, SPB_TO_TAINTED },
	{ }
};

static struct page *take_steps(const struct spb_request *request,
			       const struct spb_step *step)
{
	for (; step->take; step++) {
		struct page *page = step->take(request);

		if (!page)
			continue;
		request->zone->spb->events[step->event]++;
		return page;
	}
	return NULL;
}

/**
 * spb_holds_back() - must this request wait rather than mix content?
 * @zone: the zone
 * @alloc_flags: ALLOC_* of the request
 *
 * Context: zone->lock held.
 */
bool spb_holds_back(const struct zone *zone, unsigned int alloc_flags)
{
	return zone->spb && alloc_flags & ALLOC_NOFRAGMENT;
}

/* The last call: tainted SPBs are full, and it is too early to taint another. */
static void hold_back(struct zone *zone)
{
	zone->spb->events[SPB_HELD_BACK]++;
	spb_trigger_all(zone);
}

/**
 * __spb_rmqueue() - serve a request that found no free page of its type
 * @zone: zone with SPBs
 * @order: order asked for
 * @type: migratetype asked for, one with fallbacks
 * @alloc_flags: ALLOC_* of the request
 *
 * Context: zone->lock held.
 * Return: the page, off its list, or NULL.
 */
struct page *__spb_rmqueue(struct zone *zone, unsigned int order, int type,
			   unsigned int alloc_flags)
{
	const struct spb_request request = { zone, order, type };
	bool movable = type == MIGRATE_MOVABLE;
	struct page *page;

	if (alloc_flags & ALLOC_REFILL)
		return NULL;
	page = take_steps(&request, movable ? movable_steps : nonmovable_steps);
	if (page)
		return page;
	if (spb_holds_back(zone, alloc_flags)) {
		if (!movable)
			hold_back(zone);
		return NULL;
	}
	return take_steps(&request, movable ? reserve_steps : taint_steps);
}

/**
 * __spb_take_target() - take a free page that something is to be moved to
 * @zone: zone with SPBs
 * @order: order
 * @from_tainted: it comes from a tainted SPB, else from one that is to become empty
 *
 * Context: zone->lock held.
 * Return: the page, off its list, or NULL.
 */
struct page *__spb_take_target(struct zone *zone, unsigned int order, bool from_tainted)
{
	const struct spb_request request = { zone, order, MIGRATE_MOVABLE };

	return take_steps(&request, from_tainted ? target_steps : evacuation_steps);
}

/**
 * __spb_prefer() - the block to take when a movable request needs a new one
 * @zone: zone with SPBs
 * @page: what is first on the list, of block order or above
 * @order: order asked for
 *
 * Context: zone->lock held.
 * Return: a free page of a clean SPB, fullest first, then of an empty one.
 */
struct page *__spb_prefer(struct zone *zone, struct page *page, unsigned int order)
{
	int nr = spb_pick(&zone->spb->index, SPB_PICK_MOVABLE);
	struct page *better = nr < 0 ? NULL : buddy_in_spb(zone, nr, order);

	if (!better || spb_block_label(better) != MIGRATE_MOVABLE)
		return page;
	return better;
}

/**
 * spb_has_cheap_fallback() - may this request fail at no great loss?
 * @gfp: its flags
 * @order: its order
 *
 * Only who says so in flags: best effort for more than a page. That reclaim is
 * missing proves nothing, early boot masks it for all.
 *
 * Context: any.
 */
bool spb_has_cheap_fallback(gfp_t gfp, unsigned int order)
{
	if (!order || gfp & (__GFP_NOFAIL | __GFP_MEMALLOC | __GFP_RETRY_MAYFAIL))
		return false;
	if (gfp & __GFP_NORETRY)
		return true;
	return !(gfp & __GFP_DIRECT_RECLAIM) && gfp & __GFP_NOWARN;
}
EXPORT_SYMBOL_IF_KUNIT(spb_has_cheap_fallback);

/* Such a request is tried before a plain one, which may wait and empty the lists. */
static bool is_opportunistic(gfp_t gfp)
{
	return gfp & __GFP_NORETRY && !(gfp & __GFP_DIRECT_RECLAIM);
}

/* Without the lock, so it is a hint. What is moved out has to have a place to go to. */
static bool could_evacuate(const struct spb_zone *spbs)
{
	return READ_ONCE(spbs->nr_evacuable) && spb_has_any(&spbs->index, SPB_PICK_MOVABLE);
}

static bool is_refused(const struct alloc_context *ac, gfp_t gfp, unsigned int order)
{
	struct zoneref *z;
	struct zone *zone;

	if (!spb_has_cheap_fallback(gfp, order))
		return false;
	for_each_zone_zonelist_nodemask(zone, z, ac->zonelist, ac->highest_zoneidx,
					ac->nodemask)
		if (zone->spb && (is_opportunistic(gfp) || could_evacuate(zone->spb)))
			return true;
	return false;
}

/**
 * spb_look_again() - before the slow path: some of the free pages are out of sight
 * @ac: the zones the request may use, and its type
 *
 * A tainted SPB often seems to be full only because of what lies on per-cpu lists.
 * To look there first is cheaper than to reclaim. It is done in all contexts, so it
 * is no more than one batch of this CPU's.
 *
 * Context: the slow path of an allocation.
 */
void spb_look_again(const struct alloc_context *ac)
{
	struct zone *zone = zonelist_zone(ac->preferred_zoneref);

	if (zone->spb && ac->migratetype != MIGRATE_MOVABLE)
		spb_give_back(zone);
}

/**
 * spb_may_taint_now() - nothing helped: may the request taint an SPB?
 * @gfp: its flags
 * @order: its order
 * @alloc_flags: its ALLOC_* flags; ALLOC_NOFRAGMENT is cleared if it may
 * @ac: the zones it may use, and its type
 *
 * A caller with a cheap fallback has to use that as long as a tainted SPB could
 * be evacuated, or if it cannot wait but the fallback can. Who can wait gets all
 * per-cpu lists emptied first.
 *
 * Context: the slow path of an allocation.
 * Return: true if another attempt is worthwhile.
 */
bool spb_may_taint_now(gfp_t gfp, unsigned int order, unsigned int *alloc_flags,
		       const struct alloc_context *ac)
{
	struct zone *zone = zonelist_zone(ac->preferred_zoneref);

	if (!(*alloc_flags & ALLOC_NOFRAGMENT) || ac->migratetype == MIGRATE_MOVABLE)
		return false;
	if (is_refused(ac, gfp, order)) {
		trace_spb_refuse(zone, order, gfp);
		spb_count(zone, SPB_REFUSED);
		return false;
	}
	if (gfp & __GFP_DIRECT_RECLAIM && !(current->flags & PF_MEMALLOC))
		spb_drain(NULL);
	*alloc_flags &= ~ALLOC_NOFRAGMENT;
	return true;
}
EXPORT_SYMBOL_IF_KUNIT(spb_may_taint_now);

/* SPDX-License-Identifier: GPL-2.0 */
/* Included at the end of mm/page_alloc.c: see allocator_kunit.h. */
#ifdef CONFIG_FRAGBED
#include <kunit/visibility.h>
#include <linux/fragbed.h>
#include "allocator_kunit.h"

/**
 * reach_task_capc() - task_capc()
 * @zone: zone to which a page is about to be freed
 *
 * Return: the capture control of the calling task if it may capture in @zone,
 * NULL otherwise.
 */
struct capture_control *reach_task_capc(struct zone *zone)
{
	return task_capc(zone);
}
EXPORT_SYMBOL_IF_KUNIT(reach_task_capc);

/**
 * reach_compaction_capture() - compaction_capture()
 * @capc: capture control, NULL allowed
 * @page: page being freed
 * @order: its order
 * @migratetype: migratetype of its pageblock
 *
 * Return: true if @capc captured @page.
 */
bool reach_compaction_capture(struct capture_control *capc, struct page *page,
			      int order, int migratetype)
{
	return compaction_capture(capc, page, order, migratetype);
}
EXPORT_SYMBOL_IF_KUNIT(reach_compaction_capture);

/**
 * reach_prepare_free() - free_pages_prepare() for a range of split pages
 * @page: first page of 1 << @order pages, each with one reference
 * @order: order as which they are freed
 *
 * Return: false if the page is bad and must not be freed.
 */
bool reach_prepare_free(struct page *page, unsigned int order)
{
	unsigned int i;

	for (i = 0; i < 1U << order; i++)
		set_page_count(page + i, 0);
	return free_pages_prepare(page, order);
}
EXPORT_SYMBOL_IF_KUNIT(reach_prepare_free);

/**
 * reach_free_one_page() - __free_one_page()
 * @page: page prepared with reach_prepare_free()
 * @zone: its zone
 * @order: its order
 * @migratetype: migratetype of its pageblock
 *
 * Context: zone->lock held, interrupts off.
 */
void reach_free_one_page(struct page *page, struct zone *zone,
			 unsigned int order, int migratetype)
{
	__free_one_page(page, page_to_pfn(page), zone, order, migratetype,
			FPI_NONE);
}
EXPORT_SYMBOL_IF_KUNIT(reach_free_one_page);

/**
 * reach_rmqueue() - __rmqueue()
 * @zone: the zone
 * @order: requested order
 * @migratetype: requested migratetype
 * @alloc_flags: ALLOC_* flags
 *
 * Context: zone->lock held, interrupts off.
 * Return: a page removed from its free list, not prepared for use, or NULL.
 */
struct page *reach_rmqueue(struct zone *zone, unsigned int order,
			   int migratetype, unsigned int alloc_flags)
{
	enum rmqueue_mode mode = RMQUEUE_NORMAL;

	return __rmqueue(zone, order, migratetype, alloc_flags, &mode);
}
EXPORT_SYMBOL_IF_KUNIT(reach_rmqueue);

/**
 * reach_alloc_flags() - alloc_flags_nofragment()
 * @zone: preferred zone of a plain request
 *
 * Return: ALLOC_* flags.
 */
unsigned int reach_alloc_flags(struct zone *zone)
{
	return alloc_flags_nofragment(zone, GFP_KERNEL);
}
EXPORT_SYMBOL_IF_KUNIT(reach_alloc_flags);

/**
 * reach_rmqueue_bulk() - rmqueue_bulk()
 * @zone: the zone
 * @order: requested order
 * @count: requested number of pages
 * @list: the pages are added to it, not prepared for use
 * @migratetype: requested migratetype
 * @alloc_flags: ALLOC_* flags
 *
 * Context: takes zone->lock.
 * Return: number of pages added.
 */
int reach_rmqueue_bulk(struct zone *zone, unsigned int order, unsigned long count,
		       struct list_head *list, int migratetype,
		       unsigned int alloc_flags)
{
	return rmqueue_bulk(zone, order, count, list, migratetype, alloc_flags);
}
EXPORT_SYMBOL_IF_KUNIT(reach_rmqueue_bulk);

/**
 * reach_pageblock_type() - get_pageblock_migratetype()
 * @page: any page of the pageblock
 *
 * Return: an enum migratetype value.
 */
int reach_pageblock_type(const struct page *page)
{
	return get_pageblock_migratetype(page);
}
EXPORT_SYMBOL_IF_KUNIT(reach_pageblock_type);

/**
 * reach_type_name() - name of a migratetype
 * @migratetype: the migratetype
 *
 * Return: the name.
 */
const char *reach_type_name(int migratetype)
{
	return migratetype_names[migratetype];
}
EXPORT_SYMBOL_IF_KUNIT(reach_type_name);

/* Is the pageblock of @page part of a free page larger than a pageblock? */
static bool reach_in_larger_free_page(struct page *page)
{
	unsigned long pfn = page_to_pfn(page);
	unsigned int order;
	struct page *head;

	for (order = pageblock_order + 1; order < NR_PAGE_ORDERS; order++) {
		head = pfn_to_page(round_down(pfn, 1UL << order));
		if (PageBuddy(head) && buddy_order(head) >= order)
			return true;
	}
	return false;
}

/**
 * reach_set_pageblock_type() - change a pageblock's migratetype and move its free pages
 * @zone: zone of the block
 * @page: any page of the block
 * @migratetype: new migratetype, not MIGRATE_ISOLATE
 *
 * A block that is part of a larger free page keeps its migratetype: all blocks of
 * such a page must have the migratetype of its free list.
 *
 * Context: takes zone->lock.
 * Return: the old migratetype.
 */
int reach_set_pageblock_type(struct zone *zone, struct page *page,
			     int migratetype)
{
	int old;

	guard(spinlock_irqsave)(&zone->lock);
	old = get_pageblock_migratetype(page);
	if (old != migratetype && !reach_in_larger_free_page(page))
		move_freepages_block(zone, page, old, migratetype);
	return old;
}
EXPORT_SYMBOL_IF_KUNIT(reach_set_pageblock_type);

/**
 * reach_isolate_pageblock() - isolate one pageblock, or end its isolation
 * @zone: zone of the block
 * @page: any page of the block
 * @isolate: true to isolate, false to end the isolation
 *
 * Like page isolation, but without the check for unmovable pages.
 *
 * Context: takes zone->lock.
 * Return: false if the block was already in that state.
 */
bool reach_isolate_pageblock(struct zone *zone, struct page *page, bool isolate)
{
	guard(spinlock_irqsave)(&zone->lock);
	if (isolate ? !pageblock_isolate_and_move_free_pages(zone, page) :
		      !pageblock_unisolate_and_move_free_pages(zone, page))
		return false;
	zone->nr_isolate_pageblock += isolate ? 1 : -1;
	return true;
}
EXPORT_SYMBOL_IF_KUNIT(reach_isolate_pageblock);

/*
 * Since 7.3, which renamed ALLOC_TRYLOCK to ALLOC_NOLOCK, the slow path promotes the
 * order before reclaim and compaction; until then they promote it.
 */
#ifdef ALLOC_NOLOCK
#define REACH_NOLOCK ALLOC_NOLOCK

static unsigned int reach_slowpath_flags(const struct reach_request *req)
{
	return alloc_flags_slowpath(req->gfp, req->order);
}

static void reach_promote(const struct reach_request *req, unsigned int flags,
			  struct alloc_context *ac)
{
	ac->reclaim_compact_order = reclaim_compact_order(req->order, flags, ac);
}
#else
#define REACH_NOLOCK ALLOC_TRYLOCK

static unsigned int reach_slowpath_flags(const struct reach_request *req)
{
	return gfp_to_alloc_flags(req->gfp, req->order);
}

static void reach_promote(const struct reach_request *req, unsigned int flags,
			  struct alloc_context *ac)
{
}
#endif

/* The state of __alloc_pages_slowpath() when it starts to compact for @req. */
static unsigned int reach_alloc_context(const struct reach_request *req,
					struct alloc_context *ac)
{
	/* Keeps should_fail_alloc_page() out: an injected failure happens earlier. */
	unsigned int flags = ALLOC_WMARK_LOW | REACH_NOLOCK;
	gfp_t gfp = req->gfp;

	memset(ac, 0, sizeof(*ac));
	prepare_alloc_pages(req->gfp, req->order, req->nid, req->nodes, ac,
			    &gfp, &flags);
	ac->nodemask = req->nodes;
	flags = (reach_slowpath_flags(req) | req->set_flags) & ~req->clear_flags;
	reach_promote(req, flags, ac);
	return flags;
}

/**
 * reach_direct_compact() - __alloc_pages_direct_compact()
 * @req: the request
 * @result: filled in with an enum compact_result
 *
 * Context: may sleep.
 * Return: a page of @req->order with one reference, or NULL.
 */
struct page *reach_direct_compact(const struct reach_request *req,
				  enum compact_result *result)
{
	struct alloc_context ac;
	unsigned int flags = reach_alloc_context(req, &ac);
	struct page *page;

	*result = COMPACT_SKIPPED;
	page = __alloc_pages_direct_compact(req->gfp, req->order, flags, &ac,
					    req->prio, result);
	if (page)
		set_page_refcounted(page);
	return page;
}
EXPORT_SYMBOL_IF_KUNIT(reach_direct_compact);

/**
 * reach_direct_reclaim() - __alloc_pages_direct_reclaim()
 * @req: the request
 * @progress: filled in with the number of reclaimed pages
 *
 * Context: may sleep.
 * Return: a page of @req->order with one reference, or NULL.
 */
struct page *reach_direct_reclaim(const struct reach_request *req,
				  unsigned long *progress)
{
	struct alloc_context ac;
	unsigned int flags = reach_alloc_context(req, &ac);
	struct page *page;

	page = __alloc_pages_direct_reclaim(req->gfp, req->order, flags, &ac,
					    progress);
	if (page)
		set_page_refcounted(page);
	return page;
}
EXPORT_SYMBOL_IF_KUNIT(reach_direct_reclaim);

/**
 * reach_try_to_compact() - try_to_compact_pages()
 * @req: the request
 * @compact_order: order to compact for
 * @capc: capture control to publish during the call
 *
 * Context: may sleep.
 * Return: the result of compaction.
 */
enum compact_result reach_try_to_compact(const struct reach_request *req,
					 unsigned int compact_order,
					 struct capture_control *capc)
{
	struct alloc_context ac;
	unsigned int flags = reach_alloc_context(req, &ac);
	unsigned int noreclaim = memalloc_noreclaim_save();
	enum compact_result result;

	WRITE_ONCE(current->capture_control, capc);
	result = try_to_compact_pages(req->gfp, compact_order, flags, &ac,
				      req->prio, capc);
	WRITE_ONCE(current->capture_control, NULL);
	memalloc_noreclaim_restore(noreclaim);
	return result;
}
EXPORT_SYMBOL_IF_KUNIT(reach_try_to_compact);

/** reach_drain_free_pages() - drain the per-cpu lists into the buddy lists */
void reach_drain_free_pages(void)
{
	drain_all_pages(NULL);
}
EXPORT_SYMBOL_IF_KUNIT(reach_drain_free_pages);

/**
 * reach_unreserve_highatomic() - unreserve_highatomic_pageblock(), even the last one
 * @zone: preferred zone
 *
 * Return: true if the migratetype of a pageblock was changed.
 */
bool reach_unreserve_highatomic(struct zone *zone)
{
	const struct alloc_context ac = {
		.zonelist = node_zonelist(zone_to_nid(zone), GFP_KERNEL),
		.highest_zoneidx = zone_idx(zone),
		.migratetype = MIGRATE_UNMOVABLE,
	};

	return unreserve_highatomic_pageblock(&ac, true);
}
EXPORT_SYMBOL_IF_KUNIT(reach_unreserve_highatomic);

/** reach_drain_lru_pages() - move pages from per-cpu batches to the LRU lists */
void reach_drain_lru_pages(void)
{
	lru_add_drain_all();
}
EXPORT_SYMBOL_IF_KUNIT(reach_drain_lru_pages);

/** reach_defrag_mode() - address of vm.defrag_mode */
int *reach_defrag_mode(void)
{
	return &defrag_mode;
}
EXPORT_SYMBOL_IF_KUNIT(reach_defrag_mode);

/**
 * reach_fs_reclaim_held() - does lockdep see the caller in fs reclaim?
 *
 * Return: true if so; always false without lockdep.
 */
bool reach_fs_reclaim_held(void)
{
#ifdef CONFIG_LOCKDEP
	return lock_is_held(&__fs_reclaim_map) == LOCK_STATE_HELD;
#else
	return false;
#endif
}
EXPORT_SYMBOL_IF_KUNIT(reach_fs_reclaim_held);

/**
 * fragbed_drain_free_pages() - drain all per-cpu lists of pages
 *
 * Afterwards the page flags show which pages are free and which are on an LRU
 * list.
 *
 * Context: may sleep.
 */
void fragbed_drain_free_pages(void)
{
	lru_add_drain_all();
	drain_all_pages(NULL);
}
EXPORT_SYMBOL_FOR_MODULES(fragbed_drain_free_pages, "fragbed");

/**
 * fragbed_pageblock_type() - migratetype of the pageblock of a page
 * @page: any page of the pageblock
 *
 * Return: an enum migratetype value. It may be stale without zone->lock.
 */
int fragbed_pageblock_type(const struct page *page)
{
	return get_pageblock_migratetype(page);
}
EXPORT_SYMBOL_FOR_MODULES(fragbed_pageblock_type, "fragbed");
#endif /* CONFIG_FRAGBED */

/* SPDX-License-Identifier: GPL-2.0 */
/* Included at the end of mm/compaction.c: see allocator_kunit.h. */
#ifdef CONFIG_FRAGBED
#include <kunit/visibility.h>
#include "allocator_kunit.h"

/**
 * reach_suitable_migration_source() - suitable_migration_source()
 * @cc: the compaction
 * @page: first page of the pageblock
 *
 * Return: true if compaction may migrate pages out of the pageblock.
 */
bool reach_suitable_migration_source(struct compact_control *cc,
				     struct page *page)
{
	return suitable_migration_source(cc, page);
}
EXPORT_SYMBOL_IF_KUNIT(reach_suitable_migration_source);

/**
 * reach_suitable_migration_target() - suitable_migration_target()
 * @cc: the compaction
 * @page: a page of the pageblock
 *
 * Return: true if compaction may migrate pages to the pageblock.
 */
bool reach_suitable_migration_target(struct compact_control *cc,
				     struct page *page)
{
	return suitable_migration_target(cc, page);
}
EXPORT_SYMBOL_IF_KUNIT(reach_suitable_migration_target);

/**
 * reach_fast_isolate_freepages() - fast_isolate_freepages(), then free the pages
 * @cc: the compaction
 *
 * Context: takes zone->lock.
 * Return: number of pages isolated.
 */
unsigned int reach_fast_isolate_freepages(struct compact_control *cc)
{
	int order;

	for (order = 0; order < NR_PAGE_ORDERS; order++)
		INIT_LIST_HEAD(&cc->freepages[order]);
	fast_isolate_freepages(cc);
	release_free_list(cc->freepages);
	return cc->nr_freepages;
}
EXPORT_SYMBOL_IF_KUNIT(reach_fast_isolate_freepages);

/**
 * reach_fast_find_migrateblock() - fast_find_migrateblock()
 * @cc: the compaction
 *
 * Context: takes zone->lock.
 * Return: the pfn from which to scan.
 */
unsigned long reach_fast_find_migrateblock(struct compact_control *cc)
{
	return fast_find_migrateblock(cc);
}
EXPORT_SYMBOL_IF_KUNIT(reach_fast_find_migrateblock);

/**
 * reach_compact_zone_order() - compact_zone_order()
 * @zone: the zone to compact
 * @order: order to compact for
 * @req: flags and priority of the request
 * @alloc_flags: ALLOC_* bits of the request
 * @capc: capture control
 *
 * Context: may sleep.
 * Return: the result of compaction.
 */
enum compact_result reach_compact_zone_order(struct zone *zone, int order,
					     const struct reach_request *req,
					     unsigned int alloc_flags,
					     struct capture_control *capc)
{
	return compact_zone_order(zone, order, req->gfp, req->prio, alloc_flags,
				  gfp_zone(req->gfp), capc);
}
EXPORT_SYMBOL_IF_KUNIT(reach_compact_zone_order);

/**
 * reach_set_pageblock_skip() - set or clear a pageblock's skip hint
 * @page: any page of the pageblock
 * @skip: the hint
 */
void reach_set_pageblock_skip(struct page *page, bool skip)
{
	if (skip)
		set_pageblock_skip(page);
	else
		clear_pageblock_skip(page);
}
EXPORT_SYMBOL_IF_KUNIT(reach_set_pageblock_skip);

/** reach_extfrag_threshold() - address of vm.extfrag_threshold */
int *reach_extfrag_threshold(void)
{
	return &sysctl_extfrag_threshold;
}
EXPORT_SYMBOL_IF_KUNIT(reach_extfrag_threshold);
#endif /* CONFIG_FRAGBED */

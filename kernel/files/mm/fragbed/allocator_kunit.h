/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Functions through which a suite calls static functions of the allocator. Each of
 * them is in the file of the function it calls: that file includes *_kunit.h at its
 * end.
 */
#ifndef _MM_FRAGBED_ALLOCATOR_KUNIT_H
#define _MM_FRAGBED_ALLOCATOR_KUNIT_H

#include <linux/compaction.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/mmzone.h>

#include "../internal.h"

/**
 * struct reach_request - an allocation request as the slow path sees it
 * @gfp: the caller's flags; they determine the migratetype and the zones
 * @order: order of the request
 * @nid: preferred node
 * @nodes: allowed nodes, NULL for all
 * @set_flags: ALLOC_* bits to add to those that @gfp implies
 * @clear_flags: ALLOC_* bits to clear after that
 * @prio: compaction priority
 */
struct reach_request {
	gfp_t gfp;
	unsigned int order;
	int nid;
	nodemask_t *nodes;
	unsigned int set_flags;
	unsigned int clear_flags;
	enum compact_priority prio;
};

/* mm/page_alloc.c */
struct capture_control *reach_task_capc(struct zone *zone);
bool reach_compaction_capture(struct capture_control *capc, struct page *page,
			      int order, int migratetype);
bool reach_prepare_free(struct page *page, unsigned int order);
void reach_free_one_page(struct page *page, struct zone *zone,
			 unsigned int order, int migratetype);
struct page *reach_rmqueue(struct zone *zone, unsigned int order,
			   int migratetype, unsigned int alloc_flags);
unsigned int reach_alloc_flags(struct zone *zone);
int reach_rmqueue_bulk(struct zone *zone, unsigned int order, unsigned long count,
		       struct list_head *list, int migratetype,
		       unsigned int alloc_flags);
int reach_pageblock_type(const struct page *page);
const char *reach_type_name(int migratetype);
int reach_set_pageblock_type(struct zone *zone, struct page *page,
			     int migratetype);
bool reach_isolate_pageblock(struct zone *zone, struct page *page,
			     bool isolate);
struct page *reach_direct_compact(const struct reach_request *req,
				  enum compact_result *result);
struct page *reach_direct_reclaim(const struct reach_request *req,
				  unsigned long *progress);
enum compact_result reach_try_to_compact(const struct reach_request *req,
					 unsigned int compact_order,
					 struct capture_control *capc);
void reach_drain_free_pages(void);
void reach_drain_lru_pages(void);
bool reach_unreserve_highatomic(struct zone *zone);
int *reach_defrag_mode(void);
bool reach_fs_reclaim_held(void);

/* mm/compaction.c */
bool reach_suitable_migration_source(struct compact_control *cc,
				     struct page *page);
bool reach_suitable_migration_target(struct compact_control *cc,
				     struct page *page);
unsigned int reach_fast_isolate_freepages(struct compact_control *cc);
unsigned long reach_fast_find_migrateblock(struct compact_control *cc);
enum compact_result reach_compact_zone_order(struct zone *zone, int order,
					     const struct reach_request *req,
					     unsigned int alloc_flags,
					     struct capture_control *capc);
void reach_set_pageblock_skip(struct page *page, bool skip);
int *reach_extfrag_threshold(void);

/* mm/mempolicy.c */
bool reach_vma_policy_mof(struct vm_area_struct *vma);
bool reach_vma_migratable(struct vm_area_struct *vma);
int reach_set_mempolicy(int mode, nodemask_t *nodes);
int reach_mbind(unsigned long start, unsigned long len, int mode,
		nodemask_t *nodes);
struct mempolicy *reach_preferred_node_policy(int nid);
enum zone_type reach_policy_zone(void);

/* mm/fragbed/task.c */
int reach_run_in_user_task(int (*fn)(void *arg), void *arg);

#endif /* _MM_FRAGBED_ALLOCATOR_KUNIT_H */

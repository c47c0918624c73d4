/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Scenes: real pages of a running zone, brought into the state that a rule needs,
 * and freed when the case ends.
 *
 * Maps in the suites use one alphabet, one letter per page or block: '.' free,
 * '#' owned by the case, 'm' movable and in use, 'C' captured.
 */
#ifndef _MM_TESTS_SCENE_H
#define _MM_TESTS_SCENE_H

#include <kunit/test.h>

#include "../fragbed/allocator_kunit.h"
#include "../fragbed/watch.h"

/* Orders in table rows that depend on the configuration. */
#define SCENE_PB(delta)		(100 + (delta))	/* pageblock_order + delta */
#define SCENE_MAX		200		/* MAX_PAGE_ORDER */

int scene_suite_init(struct kunit_suite *suite);
void scene_suite_exit(struct kunit_suite *suite);

int scene_order(int spec);

/**
 * struct scene_block - whole pageblocks owned by a case
 * @page: first page
 * @pfn: its pfn
 * @order: size, at least pageblock_order
 * @zone: their zone
 * @isolated: they are isolated now
 * @home_type: migratetype to restore when the case ends
 * @owned: which pages the case still owns, with one reference each
 */
struct scene_block {
	struct page *page;
	unsigned long pfn;
	unsigned int order;
	struct zone *zone;
	bool isolated;
	int home_type;
	DECLARE_BITMAP(owned, 1 << MAX_PAGE_ORDER);
};

struct scene_block *scene_block(struct kunit *test, unsigned int order,
				int migratetype);
struct scene_block *scene_retry(struct kunit *test,
				bool (*play)(struct kunit *test,
					     struct scene_block *block,
					     void *arg),
				void *arg);
void scene_set_type(struct scene_block *block, int migratetype);
void scene_free_rest(struct scene_block *block);
void scene_isolate(struct kunit *test, struct scene_block *block);

/**
 * struct scene_account - a zone's counters of its free memory
 * @free: NR_FREE_PAGES
 * @cma: NR_FREE_CMA_PAGES
 * @blocks: NR_FREE_PAGES_BLOCKS
 * @highatomic: nr_free_highatomic
 * @listed: pages on the free lists, the sum over free_area
 */
struct scene_account {
	long free;
	long cma;
	long blocks;
	long highatomic;
	long listed;
};

void scene_read_account(struct zone *zone, struct scene_account *account);

/**
 * struct scene_free - one page freed through __free_one_page()
 * @block: the block it is part of
 * @offset: its offset in @block, in pages
 * @order: the order to free
 * @capc: the task's capture control, NULL for none
 * @by_kthread: a kernel thread frees it, not a user task
 * @prior: another one to free first, under the same lock, or NULL; its @capc
 *	counts, its @by_kthread does not
 * @before: accounting before; filled in
 * @after: accounting after; filled in
 * @extfrag: mm_page_alloc_extfrag events; filled in
 * @extfrag_value: value of the last one, see WATCH_EXTFRAG; filled in
 */
struct scene_free {
	struct scene_block *block;
	unsigned long offset;
	unsigned int order;
	struct capture_control *capc;
	bool by_kthread;
	struct scene_free *prior;
	struct scene_account before;
	struct scene_account after;
	unsigned int extfrag;
	int extfrag_value;
};

void scene_free(struct kunit *test, struct scene_free *f);
void scene_return_captured(struct kunit *test, struct zone *zone,
			   struct capture_control *capc);

/**
 * struct scene_run - a direct compaction or reclaim by a user task
 * @req: the request
 * @hook: called at each watched event, see struct watch
 * @hook_data: private data of @hook
 * @defrag_mode: value of vm.defrag_mode, for scene_alloc_exhausted()
 * @page: the page allocated, freed when the case ends; filled in
 * @result: enum compact_result; filled in
 * @progress: pages reclaimed; filled in
 * @held: private to scene_alloc_exhausted()
 * @still_published: current->capture_control was still set afterwards; filled in
 * @still_annotated: lockdep still saw fs reclaim afterwards; filled in
 * @watch: the events of the run; filled in
 */
struct scene_run {
	struct reach_request req;
	void (*hook)(struct watch *w, const struct watch_event *event);
	void *hook_data;
	int defrag_mode;
	struct held_pages *held;
	struct page *page;
	enum compact_result result;
	unsigned long progress;
	bool still_published;
	bool still_annotated;
	struct watch *watch;
};

void scene_direct_compact(struct kunit *test, struct scene_run *run);
void scene_direct_reclaim(struct kunit *test, struct scene_run *run);
void scene_alloc_exhausted(struct kunit *test, struct scene_run *run);
void scene_end_exhaustion(struct kunit *test, struct scene_run *run);
void scene_in_user_task(struct kunit *test, int (*fn)(void *arg), void *arg);

void scene_save_defer_state(struct kunit *test, struct zone *zone);
void scene_without_defrag(struct kunit *test);
void scene_set_int(struct kunit *test, int *where, int value);
void scene_place_scanner(struct zone *zone, unsigned long pfn);
void scene_compact_fragmented(struct kunit *test, struct zone *zone,
			      unsigned long pfn, struct scene_run *run);
void scene_fragment_zone(struct kunit *test, struct zone *zone);
void scene_plant_movable(struct kunit *test, struct scene_block *block,
			 unsigned long offset, unsigned int nr);

struct zone *scene_zone(void);

/* Flags of a request of a migratetype that prefers scene_zone(). */
#define SCENE_GFP(type) (GFP_KERNEL | __GFP_THISNODE |			\
			 ((type) == MIGRATE_MOVABLE ? __GFP_MOVABLE :	\
			  (type) == MIGRATE_RECLAIMABLE ? __GFP_RECLAIMABLE : 0))

#endif /* _MM_TESTS_SCENE_H */

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Scenes: real pages of a running zone, brought into the state a rule is
 * about, and given back when the case ends.
 *
 * Maps in the suites are in one alphabet, a letter a page or a block:
 * '.' free, '#' ours, 'm' movable and in use, 'C' captured.
 */
#ifndef _MM_TESTS_SCENE_H
#define _MM_TESTS_SCENE_H

#include <kunit/test.h>

#include "../fragbed/allocator_kunit.h"
#include "../fragbed/watch.h"

/* Orders of a table row that depend on the configuration. */
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
 * @isolated: they are isolated at the moment
 * @home_type: label they get back when the case ends
 * @owned: which pages are still ours, one reference each
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
 * struct scene_account - the zone's idea of its free memory
 * @free: NR_FREE_PAGES
 * @cma: NR_FREE_CMA_PAGES
 * @blocks: NR_FREE_PAGES_BLOCKS
 * @highatomic: nr_free_highatomic
 * @listed: pages on the free lists, counted from free_area
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
 * @block: where it comes from
 * @offset: pages from the start of @block
 * @order: order it is freed as
 * @capc: capture control in force, NULL for none
 * @by_kthread: freed by a kernel thread, not by a user task
 * @prior: freed first, under the same lock, or NULL; its @capc counts, the
 *	rest of how it is freed is that of this one
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
 * @hook_data: for the use of @hook
 * @defrag_mode: value of vm.defrag_mode, for scene_alloc_exhausted()
 * @page: what it got, freed when the case ends; filled in
 * @result: enum compact_result; filled in
 * @progress: pages reclaimed; filled in
 * @held: for the use of scene_alloc_exhausted()
 * @still_published: current->capture_control was set afterwards; filled in
 * @still_annotated: lockdep still saw fs reclaim afterwards; filled in
 * @watch: what happened; filled in
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

/* Nothing may run in a zone that a case did not mean: the normal one. */
struct zone *scene_zone(void);

/* Zone that a request with GFP_KERNEL prefers, and nothing else uses. */
#define SCENE_GFP(type) (GFP_KERNEL | __GFP_THISNODE |			\
			 ((type) == MIGRATE_MOVABLE ? __GFP_MOVABLE :	\
			  (type) == MIGRATE_RECLAIMABLE ? __GFP_RECLAIMABLE : 0))

#endif /* _MM_TESTS_SCENE_H */

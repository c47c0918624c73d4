/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stages: whole superpageblocks of a running zone, brought into a drawn state.
 *
 * A drawing has one letter per pageblock; the last letter repeats up to the end:
 *   .        free
 *   M U R H  movable, unmovable, reclaimable, highatomic block, wholly in use
 *   m u r h  the same, but for a hole: one free page of order STAGE_HOLE
 *   n        movable block with unmovable pages and a hole
 *   l        movable block with pages that can migrate, and a hole
 *   L        the same, wholly in use
 *   y z      as l, then changed to unmovable, reclaimable: has movable pages
 *   v        unmovable block, half of it free
 *   x        unmovable while the rest is drawn, free when all is drawn
 */
#ifndef _MM_SUPERPAGEBLOCK_TESTS_STAGE_H
#define _MM_SUPERPAGEBLOCK_TESTS_STAGE_H

#include <kunit/test.h>
#include <linux/jiffies.h>
#include <linux/superpageblock.h>

#include "../../tests/scene.h"
#include "../superpageblock.h"

#define STAGE_HOLE	3	/* order of the free page */
#define STAGE_SPBS	4	/* maximum number of SPBs on a stage */

/**
 * struct spb_stage - the superpageblocks of a case
 * @zone: their zone
 * @nr: their number
 * @spb: their indices in the zone, ascending
 * @owned: one bit per page that the stage owns
 * @hidden: the zone's free pages outside the stage, while they are hidden
 * @buckets: the buckets of the SPBs outside the stage, while they are hidden
 */
struct spb_stage {
	struct zone *zone;
	unsigned int nr;
	unsigned int spb[STAGE_SPBS];
	unsigned long *owned[STAGE_SPBS];
	struct list_head hidden[NR_PAGE_ORDERS][NR_FREE_LISTS];
	u8 *buckets;
};

/**
 * struct stage_request - a request to the zone, and the result
 * @type: requested migratetype
 * @order: requested order
 * @alloc_flags: ALLOC_* flags
 * @credit: the zone's credit before and after, see use_credit()
 * @want_all: defragmentation of all tainted SPBs is pending afterwards
 * @at: SPB of the stage that served the request, -1 for none
 * @block: pageblock of that SPB
 * @block_type: migratetype of that pageblock afterwards
 * @foreign: that pageblock, if movable, has non-movable pages afterwards
 * @tainted: that SPB is tainted afterwards
 * @events: how much each counter grew
 */
struct stage_request {
	int type;
	unsigned int order;
	unsigned int alloc_flags;
	unsigned long credit;
	bool want_all;
	int at;
	int block;
	int block_type;
	bool foreign;
	bool tainted;
	unsigned long events[NR_SPB_EVENTS];
};

/* The number of SPBs that a row draws. */
static inline unsigned int spb_scene_size(const char *const *scene)
{
	unsigned int nr = 0;

	while (nr < STAGE_SPBS && scene[nr])
		nr++;
	return nr;
}

/* Limits for so many pages, and for more time than any run of a case takes. */
static inline struct spb_limits spb_limits_soon(unsigned long pages)
{
	return (struct spb_limits) { pages, jiffies + 60 * HZ };
}

static inline void spb_need_tracepoints(struct kunit *test)
{
	if (!IS_ENABLED(CONFIG_TRACEPOINTS))
		kunit_skip(test, "needs CONFIG_TRACEPOINTS");
}

struct spb_stage *spb_stage(struct kunit *test, const char *const *drawings,
			    unsigned int nr);
void spb_stage_alone(struct spb_stage *stage, void (*act)(struct spb_stage *stage, void *data),
		     void *data);
void spb_stage_free_block(struct spb_stage *stage, unsigned int at, unsigned int block);
int spb_stage_of(const struct spb_stage *stage, const struct page *page);
void spb_stage_ask(struct spb_stage *stage, struct stage_request *request);
void spb_stage_free(struct kunit *test, struct spb_stage *stage,
		    struct capture_control *capc);
unsigned long spb_stage_pfn(const struct spb_stage *stage, unsigned int at,
			    unsigned int block);
struct superpageblock *spb_stage_spb(const struct spb_stage *stage, unsigned int at);
void spb_stop_clock(struct kunit *test);
struct page *spb_no_target(struct zone *zone, unsigned int order, bool from_tainted);
void spb_pin(struct kunit *test, struct page *page);
void spb_unpin(struct kunit *test, struct page *page);
void spb_stage_expect_true(struct kunit *test, struct zone *zone, const char *when);

/**
 * struct spb_pressure - a zone in which all non-movable requests would taint
 * @stage: its stage
 * @spbs: its SPBs
 * @taken: the pages that were allocated to reach that state
 * @before: the counters when that state was reached
 */
struct spb_pressure {
	struct spb_stage *stage;
	struct spb_zone *spbs;
	struct list_head taken;
	unsigned long before[NR_SPB_EVENTS];
};

struct spb_pressure *spb_press(struct kunit *test, const char *drawing);
struct spb_pressure *spb_press_all(struct kunit *test, const char *const *drawings,
				   unsigned int nr);
void spb_relieve(struct kunit *test, struct spb_pressure *pressure);
unsigned long spb_grown(const struct spb_pressure *pressure, enum spb_event event);
struct page *spb_take_back(struct kunit *test, struct spb_pressure *pressure);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stages: whole superpageblocks of a running zone, brought into a drawn state.
 *
 * A drawing has a letter a pageblock, the last one stands for the rest, too:
 *   .        free
 *   M U R H  movable, unmovable, reclaimable, highatomic block, wholly in use
 *   m u r h  the same, but for one free page of STAGE_HOLE order
 *   n        movable block that hosts unmovable pages, with such a hole
 *   l        movable block of pages that really can migrate, with such a hole
 *   L        the same, wholly in use
 *   y z      the same as l, but relabelled unmovable, reclaimable then: mixed
 *   v        unmovable block, half of it free
 *   x        unmovable while the rest is drawn, free when all is done
 */
#ifndef _MM_SUPERPAGEBLOCK_TESTS_STAGE_H
#define _MM_SUPERPAGEBLOCK_TESTS_STAGE_H

#include <kunit/test.h>
#include <linux/jiffies.h>
#include <linux/superpageblock.h>

#include "../../tests/scene.h"
#include "../superpageblock.h"

#define STAGE_HOLE	3	/* order of the free page */
#define STAGE_SPBS	4	/* most SPBs of a drawing */

/**
 * struct spb_stage - the superpageblocks of a case
 * @zone: their zone
 * @nr: how many there are
 * @spb: their numbers, ascending
 * @owned: pages we hold, a bit each
 * @zone_lists: free pages of others while they are hidden
 * @buckets: where the SPBs of others are while they are hidden
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
 * struct spb_request - what is asked of the zone, and what it gave
 * @type: migratetype
 * @order: order
 * @alloc_flags: ALLOC_* flags
 * @credit: the zone's credit before and after, see use_credit()
 * @want_all: whether all tainted ones are to be defragmented afterwards
 * @at: which SPB of the stage served it, -1 none
 * @block: which pageblock of that
 * @label: its label afterwards
 * @foreign: whether it hosts foreign content afterwards
 * @tainted: whether that SPB is tainted afterwards
 * @events: counters that grew
 */
struct stage_request {
	int type;
	unsigned int order;
	unsigned int alloc_flags;
	unsigned long credit;
	bool want_all;
	int at;
	int block;
	int label;
	bool foreign;
	bool tainted;
	unsigned long events[NR_SPB_EVENTS];
};

/* How many SPBs a row has drawn. */
static inline unsigned int spb_scene_size(const char *const *scene)
{
	unsigned int nr = 0;

	while (nr < STAGE_SPBS && scene[nr])
		nr++;
	return nr;
}

/* As many pages, and more time than any run of a case takes. */
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
 * struct spb_pressure - a zone in which nothing can be had without tainting
 * @stage: its stage
 * @spbs: its SPBs
 * @taken: all that could be had
 * @before: counters when that was done
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

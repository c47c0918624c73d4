/* SPDX-License-Identifier: GPL-2.0 */
/* What tests and debugging may ask of superpageblocks. */
#ifndef _LINUX_SUPERPAGEBLOCK_H
#define _LINUX_SUPERPAGEBLOCK_H

#include <linux/types.h>

struct page;
struct zone;

/**
 * struct spb_verdict - what spb_check() found
 * @broken: how many times a rule was broken
 * @rule: the first one that was, in words
 * @spb: number of the SPB in its zone
 * @pfn: where
 * @free_pages: free pages met on the way
 */
struct spb_verdict {
	unsigned long broken;
	const char *rule;
	unsigned int spb;
	unsigned long pfn;
	unsigned long free_pages;
};

/*
 * An SPB, in pageblocks. The category is one of enum spb_category. The last run of
 * defragmentation ended with @stop, -1 there was none, in jiffy @stopped.
 */
struct spb_info {
	unsigned long pfn;
	unsigned int category;
	unsigned int blocks;
	unsigned int usable;
	unsigned int free;
	unsigned int claimable;
	unsigned int nonmovable;
	unsigned int movable;
	unsigned int mixed;
	int stop;
	unsigned long stopped;
};

/* Why a run of defragmentation or evacuation ended. */
enum spb_stop {
	SPB_STOP_ROOM,		/* there is room for what cannot move */
	SPB_STOP_EMPTY,		/* nothing is left that can move */
	SPB_STOP_STUCK,		/* what is left would not move */
	SPB_STOP_NO_TARGET,	/* there was nowhere to go */
	SPB_STOP_PAGES,		/* the limits */
	SPB_STOP_TIME,
	SPB_STOP_SIGNAL,
	NR_SPB_STOPS
};

/**
 * struct spb_limits - where a run stops at the latest
 * @pages: pages moved
 * @until: jiffies
 */
struct spb_limits {
	unsigned long pages;
	unsigned long until;
};

/**
 * struct spb_moved - what a run did so far, in pages
 * @pages: moved
 * @pinned: not moved, somebody holds a reference
 * @busy: not moved, locked or under writeback
 * @no_target: not moved, there was nowhere to go
 * @fixed: in use and not of a kind that moves
 * @stop: why it ended
 *
 * May be read while the run goes on.
 */
struct spb_moved {
	unsigned long pages;
	unsigned long pinned;
	unsigned long busy;
	unsigned long no_target;
	unsigned long fixed;
	enum spb_stop stop;
};

int spb_category_of(const struct page *page);
int spb_check(struct zone *zone, struct spb_verdict *verdict);
int spb_get_info(struct zone *zone, unsigned int nr, struct spb_info *info);
int spb_defrag(struct zone *zone, unsigned int nr, const struct spb_limits *limits,
	       struct spb_moved *moved);
int spb_evacuate(struct zone *zone, unsigned int nr, const struct spb_limits *limits,
		 struct spb_moved *moved);
const char *spb_stop_name(unsigned int stop);
const char *spb_event_name(unsigned int event);
unsigned long spb_event_count(const struct zone *zone, unsigned int event);

#endif

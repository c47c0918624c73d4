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

/* An SPB, in pageblocks. The category is one of enum spb_category. */
struct spb_info {
	unsigned long pfn;
	unsigned int category;
	unsigned int blocks;
	unsigned int usable;
	unsigned int free;
	unsigned int claimable;
	unsigned int nonmovable;
	unsigned int movable;
};

int spb_category_of(const struct page *page);
int spb_check(struct zone *zone, struct spb_verdict *verdict);
int spb_get_info(struct zone *zone, unsigned int nr, struct spb_info *info);
const char *spb_event_name(unsigned int event);
unsigned long spb_event_count(const struct zone *zone, unsigned int event);

#endif

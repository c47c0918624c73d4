/* SPDX-License-Identifier: GPL-2.0 */
/*
 * When a tainted superpageblock (SPB) is to be defragmented: what can move goes
 * elsewhere, so that what cannot move finds room in it. Nothing here knows zones,
 * locks or pages.
 */
#ifndef _MM_SUPERPAGEBLOCK_DEFRAG_H
#define _MM_SUPERPAGEBLOCK_DEFRAG_H

#include <linux/types.h>

/* With so many free pageblocks there is room, with so many pages, too. */
#define SPB_ENOUGH_BLOCKS	2
#define SPB_FEW_PAGES_BLOCKS	2
#define SPB_ENOUGH_PAGES_BLOCKS	3

/* What it depends on, in pageblocks and pages. */
struct spb_room {
	bool tainted;
	unsigned int movable;		/* pageblocks with content that can move */
	unsigned int free;		/* pageblocks that may be given any label */
	unsigned long free_pages;
	unsigned long block_pages;	/* in a pageblock */
};

/* It is too full for the next kernel allocations, and something can be done. */
static inline bool spb_defrag_starts(const struct spb_room *room)
{
	if (!room->tainted || !room->movable)
		return false;
	return room->free < SPB_ENOUGH_BLOCKS ||
	       room->free_pages < SPB_FEW_PAGES_BLOCKS * room->block_pages;
}

/* More than it takes to start, so that each page does not start it again. */
static inline bool spb_defrag_stops(const struct spb_room *room)
{
	if (!room->tainted || !room->movable)
		return true;
	return room->free >= SPB_ENOUGH_BLOCKS ||
	       room->free_pages >= SPB_ENOUGH_PAGES_BLOCKS * room->block_pages;
}

#endif

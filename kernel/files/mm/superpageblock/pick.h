/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which superpageblock (SPB) to take memory from: sorted by what they hold and
 * how full they are, found in the same few steps whatever the size of memory.
 * Nothing here knows zones, locks or pages.
 */
#ifndef _MM_SUPERPAGEBLOCK_PICK_H
#define _MM_SUPERPAGEBLOCK_PICK_H

#include <linux/bits.h>
#include <linux/types.h>

enum spb_category {
	SPB_EMPTY,		/* all usable pageblocks are wholly free */
	SPB_CLEAN,		/* only free and movable content */
	SPB_TAINTED,		/* some content cannot move */
};

/*
 * How full: 0 nothing left to claim, 1 no more than the reserve, then by sixths
 * of what is above it, so that the fullest come first.
 */
#define SPB_LEVELS 8

/*
 * Each SPB with a usable pageblock is in one bucket. An empty one with holes or
 * reserved pages can never become one huge page, so it is the first to be used.
 */
enum spb_bucket {
	SPB_BUCKET_EMPTY_PART,
	SPB_BUCKET_EMPTY_WHOLE,
	SPB_BUCKET_CLEAN,
	SPB_BUCKET_TAINTED = SPB_BUCKET_CLEAN + SPB_LEVELS,
	NR_SPB_BUCKETS = SPB_BUCKET_TAINTED + SPB_LEVELS,
	SPB_BUCKET_NONE = NR_SPB_BUCKETS,
};

enum spb_policy {
	SPB_PICK_NONMOVABLE,	/* tainted, fullest first */
	SPB_PICK_TAINT,		/* empty, else clean, fullest first */
	SPB_PICK_MOVABLE,	/* clean, fullest first, else empty */
	SPB_PICK_CLEAN,		/* clean, fullest first */
	SPB_PICK_ABOVE_RESERVE,	/* tainted above the reserve, fullest first */
	SPB_PICK_RESERVE,	/* tainted, from the reserve */
	SPB_PICK_WHOLE,		/* empty without holes, for contiguous memory */
	NR_SPB_POLICIES,
};

/* What an SPB's bucket depends on, in pageblocks. */
struct spb_fill {
	unsigned int blocks;	/* in an SPB without holes */
	unsigned int usable;
	unsigned int free;
	unsigned int claimable;	/* free, and may be given any label */
	bool tainted;
};

#define SPB_SET_DEPTH 3
#define SPB_SET_MAX (BITS_PER_LONG * BITS_PER_LONG * BITS_PER_LONG)

/* A set of numbers below SPB_SET_MAX: a bitmap with two summaries over it. */
struct spb_set {
	unsigned long *words[SPB_SET_DEPTH];
};

/* All SPBs of a zone by bucket. The zone's lock protects a live one. */
struct spb_index {
	unsigned int nr;
	unsigned long filled;		/* bit per bucket that has an SPB */
	struct spb_set buckets[NR_SPB_BUCKETS];
};

size_t spb_index_words(unsigned int nr);
void spb_index_init(struct spb_index *index, unsigned int nr,
		    unsigned long *words);
void spb_index_move(struct spb_index *index, unsigned int spb,
		    enum spb_bucket from, enum spb_bucket to);
unsigned int spb_reserve(unsigned int blocks);
enum spb_category spb_categorize(const struct spb_fill *fill);
enum spb_bucket spb_bucket_of(const struct spb_fill *fill);
int spb_pick(const struct spb_index *index, enum spb_policy policy);
bool spb_has_any(const struct spb_index *index, enum spb_policy policy);
int spb_pick_next(const struct spb_index *index, enum spb_bucket bucket,
		  int after);

#endif

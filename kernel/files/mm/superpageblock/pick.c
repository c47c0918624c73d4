// SPDX-License-Identifier: GPL-2.0
/* Picking a superpageblock: see pick.h. */
#include <kunit/visibility.h>
#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/find.h>
#include <linux/math.h>
#include <linux/minmax.h>

#include "pick.h"

/* Buckets in the order they are tried: ranges of the enum, both ends included. */
struct spb_range {
	unsigned long first;
	unsigned long second;
};

#define SPB_RANGE(from, to) GENMASK(to, from)
#define SPB_WITH_BLOCKS(base) (GENMASK(SPB_LEVELS - 1, 1) << (base))

static const struct spb_range policies[NR_SPB_POLICIES] = {
	[SPB_PICK_NONMOVABLE] = {
		SPB_WITH_BLOCKS(SPB_BUCKET_TAINTED)
	},
	[SPB_PICK_TAINT] = {
		SPB_RANGE(SPB_BUCKET_EMPTY_PART, SPB_BUCKET_EMPTY_WHOLE),
		SPB_WITH_BLOCKS(SPB_BUCKET_CLEAN)
	},
	[SPB_PICK_MOVABLE] = {
		SPB_WITH_BLOCKS(SPB_BUCKET_CLEAN),
		SPB_RANGE(SPB_BUCKET_EMPTY_PART, SPB_BUCKET_EMPTY_WHOLE)
	},
	[SPB_PICK_CLEAN] = {
		SPB_WITH_BLOCKS(SPB_BUCKET_CLEAN)
	},
	[SPB_PICK_ABOVE_RESERVE] = {
		SPB_RANGE(SPB_BUCKET_TAINTED + 2, SPB_BUCKET_TAINTED + SPB_LEVELS - 1)
	},
	[SPB_PICK_RESERVE] = {
		BIT(SPB_BUCKET_TAINTED + 1)
	},
	[SPB_PICK_WHOLE] = {
		BIT(SPB_BUCKET_EMPTY_WHOLE)
	},
};

/**
 * spb_index_words() - memory for an index
 * @nr: number of SPBs, at most SPB_SET_MAX
 *
 * Return: longs to hand to spb_index_init().
 */
size_t spb_index_words(unsigned int nr)
{
	size_t words = 0;
	int depth;

	for (depth = 0; depth < SPB_SET_DEPTH; depth++) {
		nr = DIV_ROUND_UP(nr, BITS_PER_LONG);
		words += nr;
	}
	return words * NR_SPB_BUCKETS;
}
EXPORT_SYMBOL_IF_KUNIT(spb_index_words);

/**
 * spb_index_init() - make an index in which no SPB is in a bucket
 * @index: the index
 * @nr: number of SPBs
 * @words: spb_index_words(@nr) longs of zeroes
 */
void spb_index_init(struct spb_index *index, unsigned int nr,
		    unsigned long *words)
{
	int bucket, depth;

	index->nr = nr;
	index->filled = 0;
	for (bucket = 0; bucket < NR_SPB_BUCKETS; bucket++) {
		unsigned int bits = nr;

		for (depth = SPB_SET_DEPTH - 1; depth >= 0; depth--) {
			index->buckets[bucket].words[depth] = words;
			bits = DIV_ROUND_UP(bits, BITS_PER_LONG);
			words += bits;
		}
	}
}
EXPORT_SYMBOL_IF_KUNIT(spb_index_init);

static void set_add(struct spb_set *set, unsigned int nr)
{
	int depth;

	for (depth = SPB_SET_DEPTH - 1; depth >= 0; depth--) {
		__set_bit(nr, set->words[depth]);
		nr /= BITS_PER_LONG;
	}
}

/* Return: whether the set is empty now. */
static bool set_remove(struct spb_set *set, unsigned int nr)
{
	int depth;

	for (depth = SPB_SET_DEPTH - 1; depth >= 0; depth--) {
		__clear_bit(nr, set->words[depth]);
		nr /= BITS_PER_LONG;
		if (set->words[depth][nr])
			return false;
	}
	return true;
}

/* Of a set that is not empty. */
static unsigned int set_first(const struct spb_set *set)
{
	unsigned int nr = 0;
	int depth;

	for (depth = 0; depth < SPB_SET_DEPTH; depth++)
		nr = nr * BITS_PER_LONG + __ffs(set->words[depth][nr]);
	return nr;
}

/**
 * spb_index_move() - an SPB goes to another bucket
 * @index: the index
 * @spb: number of the SPB, below the index's nr
 * @from: the bucket it is in, or SPB_BUCKET_NONE
 * @to: the bucket it goes to, or SPB_BUCKET_NONE
 *
 * Context: the caller serializes.
 */
void spb_index_move(struct spb_index *index, unsigned int spb,
		    enum spb_bucket from, enum spb_bucket to)
{
	if (from != SPB_BUCKET_NONE && set_remove(&index->buckets[from], spb))
		__clear_bit(from, &index->filled);
	if (to == SPB_BUCKET_NONE)
		return;
	set_add(&index->buckets[to], spb);
	__set_bit(to, &index->filled);
}
EXPORT_SYMBOL_IF_KUNIT(spb_index_move);

/**
 * spb_reserve() - free pageblocks a tainted SPB keeps for non-movable use
 * @blocks: pageblocks in an SPB without holes
 *
 * Movable memory takes them last, or the next page table would have to taint
 * another SPB.
 *
 * Return: pageblocks.
 */
unsigned int spb_reserve(unsigned int blocks)
{
	return max(4U, blocks / 32);
}
EXPORT_SYMBOL_IF_KUNIT(spb_reserve);

/**
 * spb_categorize() - what an SPB holds
 * @fill: its counts
 *
 * Return: the category. An SPB without a usable pageblock passes for empty.
 */
enum spb_category spb_categorize(const struct spb_fill *fill)
{
	if (fill->tainted)
		return SPB_TAINTED;
	return fill->free == fill->usable ? SPB_EMPTY : SPB_CLEAN;
}
EXPORT_SYMBOL_IF_KUNIT(spb_categorize);

static unsigned int level_of(const struct spb_fill *fill)
{
	unsigned int reserve = spb_reserve(fill->blocks);
	unsigned int above;

	if (fill->claimable <= reserve)
		return fill->claimable ? 1 : 0;
	above = fill->claimable - reserve - 1;
	return 2 + above * (SPB_LEVELS - 2) / (fill->blocks - reserve);
}

/**
 * spb_bucket_of() - where an SPB belongs in the index
 * @fill: its counts
 *
 * Return: the bucket, SPB_BUCKET_NONE if nothing of it can be used.
 */
enum spb_bucket spb_bucket_of(const struct spb_fill *fill)
{
	if (!fill->usable)
		return SPB_BUCKET_NONE;
	switch (spb_categorize(fill)) {
	case SPB_TAINTED:
		return SPB_BUCKET_TAINTED + level_of(fill);
	case SPB_CLEAN:
		return SPB_BUCKET_CLEAN + level_of(fill);
	default:
		/* Free, but part of it is CMA's or isolated. */
		if (!fill->claimable)
			return SPB_BUCKET_CLEAN;
		return fill->claimable == fill->blocks ? SPB_BUCKET_EMPTY_WHOLE :
							 SPB_BUCKET_EMPTY_PART;
	}
}
EXPORT_SYMBOL_IF_KUNIT(spb_bucket_of);

/**
 * spb_pick() - choose an SPB
 * @index: the index
 * @policy: who asks
 *
 * Of the SPBs in the first bucket of the policy that has any, the lowest one:
 * the same one again and again until it is used up.
 *
 * Context: the caller serializes with spb_index_move(). Takes no lock.
 * Return: number of the SPB, -1 if none qualifies.
 */
int spb_pick(const struct spb_index *index, enum spb_policy policy)
{
	unsigned long found = index->filled & policies[policy].first;

	if (!found)
		found = index->filled & policies[policy].second;
	if (!found)
		return -1;
	return set_first(&index->buckets[__ffs(found)]);
}
EXPORT_SYMBOL_IF_KUNIT(spb_pick);

/**
 * spb_has_any() - is there an SPB that spb_pick() would choose?
 * @index: the index
 * @policy: who asks
 *
 * Context: any; without the lock of the index it is a hint.
 */
bool spb_has_any(const struct spb_index *index, enum spb_policy policy)
{
	return READ_ONCE(index->filled) & (policies[policy].first | policies[policy].second);
}
EXPORT_SYMBOL_IF_KUNIT(spb_has_any);

/**
 * spb_pick_next() - walk the SPBs of one bucket
 * @index: the index
 * @bucket: the bucket
 * @after: number of the last one, -1 to begin
 *
 * For slow paths: takes time with the number of SPBs.
 *
 * Context: the caller serializes with spb_index_move().
 * Return: number of the SPB, -1 at the end.
 */
int spb_pick_next(const struct spb_index *index, enum spb_bucket bucket,
		  int after)
{
	const struct spb_set *set = &index->buckets[bucket];
	unsigned int next = find_next_bit(set->words[SPB_SET_DEPTH - 1],
					  index->nr, after + 1);

	return next < index->nr ? next : -1;
}
EXPORT_SYMBOL_IF_KUNIT(spb_pick_next);

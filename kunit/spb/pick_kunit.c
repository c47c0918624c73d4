// SPDX-License-Identifier: GPL-2.0
/*
 * Picking superpageblocks: the order of preference of each policy, with synthetic
 * states. No page is involved.
 */
#include <kunit/test.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/prandom.h>
#include <linux/slab.h>

#include "../pick.h"

#define BLOCKS 512
#define RESERVE 16

static unsigned long long seed = 1;
module_param(seed, ullong, 0444);
MODULE_PARM_DESC(seed, "seed of the random states");

static struct spb_fill empty(unsigned int usable)
{
	return (struct spb_fill) { .blocks = BLOCKS, .usable = usable,
		.free = usable, .claimable = usable };
}

static struct spb_fill filled(unsigned int claimable, bool tainted)
{
	return (struct spb_fill) { .blocks = BLOCKS, .usable = BLOCKS,
		.free = claimable, .claimable = claimable, .tainted = tainted };
}

/*
 * A scene has one word per SPB: E empty, e empty with holes, - no usable block, Cn
 * clean and Tn tainted with n claimable blocks.
 */
static struct spb_fill parse_word(const char *word)
{
	unsigned int claimable = 0;

	if (word[1] && kstrtouint(word + 1, 10, &claimable))
		return empty(0);
	switch (*word) {
	case 'E':
		return empty(BLOCKS);
	case 'e':
		return empty(BLOCKS - 1);
	case 'C':
		return filled(claimable, false);
	case 'T':
		return filled(claimable, true);
	default:
		return empty(0);
	}
}

static struct spb_index *make_index(struct kunit *test, unsigned int nr)
{
	struct spb_index *index = kunit_kzalloc(test, sizeof(*index), GFP_KERNEL);
	unsigned long *words;

	KUNIT_ASSERT_NOT_NULL(test, index);
	words = kunit_kcalloc(test, spb_index_words(nr), sizeof(*words), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, words);
	spb_index_init(index, nr, words);
	return index;
}

struct scene_row {
	const char *name;
	enum spb_policy policy;
	const char *scene;
	int pick;
};

static const struct scene_row scenes[] = {
	/* for non-movable requests that do not taint */
	{ "non-movable: nothing there", SPB_PICK_NONMOVABLE, "- - -", -1 },
	{ "non-movable: never an empty one", SPB_PICK_NONMOVABLE, "E e E", -1 },
	{ "non-movable: never a clean one", SPB_PICK_NONMOVABLE, "C1 C100 C511", -1 },
	{ "non-movable: a tainted one", SPB_PICK_NONMOVABLE, "E C5 T1 e", 2 },
	{ "non-movable: not a full one", SPB_PICK_NONMOVABLE, "T0 T0", -1 },
	{ "non-movable: a full one is passed over", SPB_PICK_NONMOVABLE, "T0 T500", 1 },
	{ "non-movable: the last block of the reserve", SPB_PICK_NONMOVABLE, "T0 T1", 1 },
	{ "non-movable: fullest first", SPB_PICK_NONMOVABLE, "T500 T300 T20 T400", 2 },
	{ "non-movable: within the reserve first", SPB_PICK_NONMOVABLE, "T17 T16", 1 },
	{ "non-movable: the lowest of equals", SPB_PICK_NONMOVABLE, "E T9 T9 T9", 1 },
	/* for non-movable requests that taint */
	{ "taint: nothing there", SPB_PICK_TAINT, "- T0 C0", -1 },
	{ "taint: an empty one before a clean one", SPB_PICK_TAINT, "C5 C500 E", 2 },
	{ "taint: with holes before whole", SPB_PICK_TAINT, "E C1 e", 2 },
	{ "taint: whole before clean", SPB_PICK_TAINT, "C1 E C1", 1 },
	{ "taint: the fullest clean one", SPB_PICK_TAINT, "C400 C2 C200", 1 },
	{ "taint: a clean one has to have a free block", SPB_PICK_TAINT, "C0 C500", 1 },
	{ "taint: no tainted one", SPB_PICK_TAINT, "T5 T500 C9", 2 },
	/* for movable requests */
	{ "movable: nothing there", SPB_PICK_MOVABLE, "- C0", -1 },
	{ "movable: clean before empty", SPB_PICK_MOVABLE, "E e C511", 2 },
	{ "movable: fullest first", SPB_PICK_MOVABLE, "C500 C1 C300", 1 },
	{ "movable: not a full one", SPB_PICK_MOVABLE, "C0 C500", 1 },
	{ "movable: then empty, with holes first", SPB_PICK_MOVABLE, "C0 E e", 2 },
	{ "movable: then empty", SPB_PICK_MOVABLE, "T500 C0 E", 2 },
	{ "movable: never a tainted one", SPB_PICK_MOVABLE, "T1 T100 T511", -1 },
	/* for movable requests in tainted SPBs */
	{ "above the reserve: not in it", SPB_PICK_ABOVE_RESERVE, "T1 T15 T16", -1 },
	{ "above the reserve: one above", SPB_PICK_ABOVE_RESERVE, "T16 T17", 1 },
	{ "above the reserve: fullest first", SPB_PICK_ABOVE_RESERVE, "T512 T250 T17", 2 },
	{ "above the reserve: no clean one", SPB_PICK_ABOVE_RESERVE, "C17 E T17", 2 },
	{ "reserve: up to all of it", SPB_PICK_RESERVE, "T17 T16", 1 },
	{ "reserve: down to one", SPB_PICK_RESERVE, "T0 T1", 1 },
	{ "reserve: no clean one", SPB_PICK_RESERVE, "C1 C16 E", -1 },
	/* for contiguous memory */
	{ "whole: an empty one", SPB_PICK_WHOLE, "C511 T9 E", 2 },
	{ "whole: without holes", SPB_PICK_WHOLE, "e E", 1 },
	{ "whole: no other", SPB_PICK_WHOLE, "e C511 T511", -1 },
};

KUNIT_ARRAY_PARAM_DESC(scene, scenes, name);

static void pick_scene(struct kunit *test)
{
	const struct scene_row *row = test->param_value;
	char *scene = kunit_kstrdup(test, row->scene, GFP_KERNEL);
	struct spb_index *index = make_index(test, 8);
	unsigned int nr = 0;
	char *word;

	KUNIT_ASSERT_NOT_NULL(test, scene);
	while ((word = strsep(&scene, " "))) {
		struct spb_fill fill = parse_word(word);

		spb_index_move(index, nr++, SPB_BUCKET_NONE, spb_bucket_of(&fill));
	}
	KUNIT_EXPECT_EQ_MSG(test, spb_pick(index, row->policy), row->pick,
			    "%s: %s", row->name, row->scene);
}

struct category_row {
	const char *name;
	struct spb_fill fill;
	enum spb_category category;
	enum spb_bucket bucket;
};

static const struct category_row categories[] = {
	{ "all free", { 512, 512, 512, 512 }, SPB_EMPTY, SPB_BUCKET_EMPTY_WHOLE },
	{ "all free, a hole", { 512, 511, 511, 511 }, SPB_EMPTY, SPB_BUCKET_EMPTY_PART },
	{ "all free, one of CMA", { 512, 512, 512, 511 }, SPB_EMPTY, SPB_BUCKET_EMPTY_PART },
	{ "all free, all of CMA", { 512, 512, 512, 0 }, SPB_EMPTY, SPB_BUCKET_CLEAN },
	{ "one in use", { 512, 512, 511, 511 }, SPB_CLEAN, SPB_BUCKET_CLEAN + 7 },
	{ "none free", { 512, 512, 0, 0 }, SPB_CLEAN, SPB_BUCKET_CLEAN },
	{ "free, but not to be claimed", { 512, 512, 9, 0 }, SPB_CLEAN, SPB_BUCKET_CLEAN },
	{ "tainted, none free", { 512, 512, 0, 0, true }, SPB_TAINTED, SPB_BUCKET_TAINTED },
	{ "tainted, one free", { 512, 512, 1, 1, true }, SPB_TAINTED, SPB_BUCKET_TAINTED + 1 },
	{ "tainted, the reserve", { 512, 512, 16, 16, true }, SPB_TAINTED, SPB_BUCKET_TAINTED + 1 },
	{ "tainted, one above", { 512, 512, 17, 17, true }, SPB_TAINTED, SPB_BUCKET_TAINTED + 2 },
	{ "tainted, all free", { 512, 512, 512, 512, true }, SPB_TAINTED, SPB_BUCKET_TAINTED + 7 },
	{ "small, the reserve", { 32, 32, 4, 4, true }, SPB_TAINTED, SPB_BUCKET_TAINTED + 1 },
	{ "small, one above", { 32, 32, 5, 5, true }, SPB_TAINTED, SPB_BUCKET_TAINTED + 2 },
	{ "nothing usable", { 512, 0, 0, 0 }, SPB_EMPTY, SPB_BUCKET_NONE },
	{ "nothing usable, tainted", { 512, 0, 0, 0, true }, SPB_TAINTED, SPB_BUCKET_NONE },
};

KUNIT_ARRAY_PARAM_DESC(category, categories, name);

static void pick_category(struct kunit *test)
{
	const struct category_row *row = test->param_value;

	KUNIT_EXPECT_EQ_MSG(test, spb_categorize(&row->fill), row->category,
			    "category of: %s", row->name);
	KUNIT_EXPECT_EQ_MSG(test, spb_bucket_of(&row->fill), row->bucket,
			    "bucket of: %s", row->name);
}

static void pick_reserve(struct kunit *test)
{
	static const struct { unsigned int blocks, reserve; } rows[] = {
		{ 4, 4 }, { 32, 4 }, { 128, 4 }, { 160, 5 }, { 512, 16 }, { 8192, 256 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		KUNIT_EXPECT_EQ_MSG(test, spb_reserve(rows[i].blocks), rows[i].reserve,
				    "of %u blocks", rows[i].blocks);
}

/* --- A slow and simple model ------------------------------------------------ */

static bool model_is_empty(const struct spb_fill *fill)
{
	return !fill->tainted && fill->free == fill->usable && fill->claimable;
}

/* How many sixths of the blocks above the reserve are claimable. */
static int model_fullness(const struct spb_fill *fill)
{
	int sixths = 0, above = BLOCKS - RESERVE;

	if (!fill->claimable)
		return -2;
	if (fill->claimable <= RESERVE)
		return -1;
	while (sixths < 5 &&
	       ((int)fill->claimable - RESERVE - 1) * 6 >= (sixths + 1) * above)
		sixths++;
	return sixths;
}

/* The lowest rank is picked first; -1: never. */
static int model_rank(enum spb_policy policy, const struct spb_fill *fill)
{
	int fullness = model_fullness(fill);
	bool whole = fill->claimable == BLOCKS;
	bool is_empty = model_is_empty(fill);

	if (!fill->usable || !fill->claimable)
		return -1;
	switch (policy) {
	case SPB_PICK_NONMOVABLE:
		return fill->tainted ? 10 + fullness : -1;
	case SPB_PICK_ABOVE_RESERVE:
		return fill->tainted && fill->claimable > RESERVE ? 10 + fullness : -1;
	case SPB_PICK_RESERVE:
		return fill->tainted && fill->claimable <= RESERVE ? 10 : -1;
	case SPB_PICK_TAINT:
		if (fill->tainted)
			return -1;
		return is_empty ? whole : 10 + fullness;
	case SPB_PICK_MOVABLE:
		if (fill->tainted)
			return -1;
		return is_empty ? 20 + whole : 10 + fullness;
	case SPB_PICK_CLEAN:
		return fill->tainted || is_empty ? -1 : 10 + fullness;
	default:
		return is_empty && whole ? 10 : -1;
	}
}

static int model_pick(const struct spb_fill *fills, unsigned int nr,
		      enum spb_policy policy)
{
	int best = -1, best_rank = INT_MAX;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		int rank = model_rank(policy, &fills[i]);

		if (rank < 0 || rank >= best_rank)
			continue;
		best_rank = rank;
		best = i;
	}
	return best;
}

static unsigned int dice(struct rnd_state *rnd, unsigned int sides)
{
	return prandom_u32_state(rnd) % sides;
}

/* Boundary values in half of the cases. */
static unsigned int random_count(struct rnd_state *rnd, unsigned int most)
{
	static const unsigned int edges[] = { 0, 1, RESERVE, RESERVE + 1, BLOCKS };

	if (dice(rnd, 2))
		return dice(rnd, most + 1);
	return min(edges[dice(rnd, ARRAY_SIZE(edges))], most);
}

static struct spb_fill random_fill(struct rnd_state *rnd)
{
	struct spb_fill fill = { .blocks = BLOCKS, .tainted = dice(rnd, 2) };

	fill.usable = dice(rnd, 4) ? BLOCKS : dice(rnd, BLOCKS);
	fill.free = dice(rnd, 4) ? random_count(rnd, fill.usable) : fill.usable;
	fill.claimable = dice(rnd, 4) ? fill.free : random_count(rnd, fill.free);
	return fill;
}

static bool agrees(struct kunit *test, const struct spb_index *index,
		   const struct spb_fill *fills, unsigned int step)
{
	enum spb_policy policy;

	for (policy = 0; policy < NR_SPB_POLICIES; policy++) {
		int want = model_pick(fills, index->nr, policy);
		int got = spb_pick(index, policy);

		KUNIT_EXPECT_EQ_MSG(test, got, want, "policy %d, %u SPBs, step %u, seed %llu",
				    policy, index->nr, step, seed);
		KUNIT_EXPECT_EQ(test, spb_has_any(index, policy), want >= 0);
		if (got != want)
			return false;
	}
	return true;
}

static const unsigned int sizes[] = { 1, 2, 63, 64, 65, 4096, 4097, 16384 };

static void size_name(const unsigned int *size, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u SPBs", *size);
}

KUNIT_ARRAY_PARAM(size, sizes, size_name);

static void pick_as_the_model(struct kunit *test)
{
	unsigned int nr = *(const unsigned int *)test->param_value;
	unsigned int step, steps = nr > 1000 ? 300 : 3000;
	struct spb_index *index = make_index(test, nr);
	struct spb_fill *fills;
	struct rnd_state rnd;

	fills = kunit_kcalloc(test, nr, sizeof(*fills), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fills);
	prandom_seed_state(&rnd, seed);
	kunit_info(test, "seed %llu\n", seed);
	for (step = 0; step < steps; step++) {
		unsigned int spb = dice(&rnd, nr);
		enum spb_bucket from = spb_bucket_of(&fills[spb]);

		fills[spb] = random_fill(&rnd);
		spb_index_move(index, spb, from, spb_bucket_of(&fills[spb]));
		if (!agrees(test, index, fills, step))
			return;
	}
}

/* With all SPBs in all buckets every word is used, and none behind the last. */
static void pick_index_fits(struct kunit *test)
{
	unsigned int nr = *(const unsigned int *)test->param_value;
	struct spb_index *index = kunit_kzalloc(test, sizeof(*index), GFP_KERNEL);
	size_t i, unused = 0, size = spb_index_words(nr);
	unsigned long *words;
	unsigned int spb;
	int bucket;

	words = kunit_kcalloc(test, size + 1, sizeof(*words), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, index);
	KUNIT_ASSERT_NOT_NULL(test, words);
	spb_index_init(index, nr, words);
	for (bucket = 0; bucket < NR_SPB_BUCKETS; bucket++)
		for (spb = 0; spb < nr; spb++)
			spb_index_move(index, spb, SPB_BUCKET_NONE, bucket);
	for (i = 0; i < size; i++)
		unused += !words[i];
	KUNIT_EXPECT_EQ(test, unused, 0);
	KUNIT_EXPECT_EQ(test, words[size], 0);
}

static void pick_walks_a_bucket(struct kunit *test)
{
	static const unsigned int members[] = { 0, 63, 64, 4095, 4096, 9999 };
	struct spb_index *index = make_index(test, 10000);
	int spb = -1;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(members); i++)
		spb_index_move(index, members[i], SPB_BUCKET_NONE, SPB_BUCKET_CLEAN);
	for (i = 0; i < ARRAY_SIZE(members); i++) {
		spb = spb_pick_next(index, SPB_BUCKET_CLEAN, spb);
		KUNIT_EXPECT_EQ(test, spb, members[i]);
	}
	KUNIT_EXPECT_EQ(test, spb_pick_next(index, SPB_BUCKET_CLEAN, spb), -1);
	KUNIT_EXPECT_EQ(test, spb_pick_next(index, SPB_BUCKET_TAINTED, -1), -1);
}

/* --- Cost ------------------------------------------------------------------- */

#define PICKS 20000
#define ROUNDS 15

static u64 time_picks(const struct spb_index *index)
{
	u64 start = ktime_get_ns();
	int i, sum = 0;

	for (i = 0; i < PICKS; i++) {
		sum += spb_pick(index, SPB_PICK_NONMOVABLE);
		barrier_data(&sum);
	}
	return ktime_get_ns() - start;
}

/* 16384 SPBs cost more than 20% above 16. */
static bool is_slow(const u64 *best)
{
	return best[4] * 10 > best[1] * 12;
}

static const unsigned int cost_nrs[] = { 1, 16, 256, 4096, 16384 };

/* The sizes alternate, so that load on the machine affects all; the best time counts. */
static void measure(struct kunit *test, u64 *best)
{
	struct spb_index *index[ARRAY_SIZE(cost_nrs)];
	unsigned int round;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cost_nrs); i++) {
		index[i] = make_index(test, cost_nrs[i]);
		spb_index_move(index[i], cost_nrs[i] - 1, SPB_BUCKET_NONE,
			       SPB_BUCKET_TAINTED + 3);
		best[i] = U64_MAX;
	}
	for (round = 0; round < ROUNDS; round++)
		for (i = 0; i < ARRAY_SIZE(cost_nrs); i++)
			best[i] = min(best[i], time_picks(index[i]));
}

/* Try again, in other memory: load, or cache aliasing, may cost a quarter. */
static void pick_cost(struct kunit *test)
{
	u64 best[ARRAY_SIZE(cost_nrs)];
	unsigned int tries = 0;
	size_t i;

	do
		measure(test, best);
	while (is_slow(best) && ++tries < 20);
	for (i = 0; i < ARRAY_SIZE(cost_nrs); i++)
		kunit_info(test, "%5u SPBs: %llu.%02llu ns a pick\n", cost_nrs[i],
			   best[i] / PICKS, best[i] * 100 / PICKS % 100);
	KUNIT_EXPECT_FALSE_MSG(test, is_slow(best), "16384 SPBs cost more than 20%% above 16");
}

static struct kunit_case spb_pick_cases[] = {
	KUNIT_CASE_PARAM(pick_scene, scene_gen_params),
	KUNIT_CASE_PARAM(pick_category, category_gen_params),
	KUNIT_CASE(pick_reserve),
	KUNIT_CASE_PARAM(pick_as_the_model, size_gen_params),
	KUNIT_CASE_PARAM(pick_index_fits, size_gen_params),
	KUNIT_CASE(pick_walks_a_bucket),
	KUNIT_CASE(pick_cost),
	{ }
};

static struct kunit_suite spb_pick_suite = {
	.name = "fragbed_spb_pick",
	.test_cases = spb_pick_cases,
};

kunit_test_suite(spb_pick_suite);

MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
MODULE_DESCRIPTION("KUnit tests for picking superpageblocks");
MODULE_LICENSE("GPL");

// SPDX-License-Identifier: GPL-2.0
/*
 * fragment/: bring a node's unusable free-space index to a target.
 *
 *	one step, order 3:   [........]  ->  [.....k..]
 *
 * A step takes one chunk of exactly the order, keeps one page of it and frees
 * the rest, so the chunk can never merge back while the page is kept. The
 * allocator itself decides where each chunk comes from.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/prandom.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/spinlock.h>

#include "fragbed.h"

#define RUN_KNOB "fragment/run"

/* Offsets tried before a movable page is given up for this chunk. */
#define PLANT_TRIES 4

/* The per-cpu lists are emptied each time 1/256 of the node was visited. */
#define DRAIN_SHIFT 8

enum { RUN_ORDER, RUN_INDEX, RUN_UNMOVABLE, RUN_SEED, RUN_NODE, NR_RUN_KEYS };

/* What was asked and what came of it; fragment/result is made from it. */
struct fragment_result {
	unsigned int order;
	unsigned int target;		/* permille */
	unsigned int share;		/* percent of unmovable keepers */
	u64 seed;
	int nid;
	int error;			/* 0 or a negative errno */
	unsigned int before;		/* permille */
	unsigned int reached;		/* permille */
	unsigned long kept_unmovable;
	unsigned long kept_movable;
	unsigned long fallbacks;	/* movable asked, unmovable kept */
	unsigned long misses;		/* planted page landed elsewhere */
	unsigned long visited;		/* pages in the chunks taken */
	u64 ns;
};

struct fragment_run {
	struct fragment_result result;
	struct fragbed_set *set;
	struct rnd_state rnd;
	int ticket;			/* see fragbed_should_stop() */
	unsigned long drained_at;	/* result.visited at the last drain */
};

static DEFINE_SPINLOCK(last_lock);
static struct fragment_result last;	/* last_lock */
static bool have_last;			/* last_lock */

static u32 dice(struct fragment_run *run, u32 sides)
{
	return prandom_u32_state(&run->rnd) % sides;
}

/*
 * Without reclaim bits: direct compaction and kcompactd would undo the work
 * while it is being done.
 */
static struct page *take_chunk(struct fragment_run *run,
			       enum fragbed_type type)
{
	return fragbed_chunk_alloc(run->result.nid,
				   fragbed_gfp(type) & ~__GFP_RECLAIM,
				   run->result.order);
}

static void keep_raw(struct fragment_run *run, struct page *page)
{
	fragbed_set_add(run->set, page);
	run->result.kept_unmovable++;
}

/* Free every page of a split chunk that is still ours, except @keep. */
static void free_others(struct page *chunk, unsigned int nr,
			unsigned long *gone, unsigned int keep)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (i != keep && !test_bit(i, gone))
			fragbed_chunk_free(chunk + i, 0);
	}
}

static void keep_unmovable(struct fragment_run *run, struct page *chunk)
{
	DECLARE_BITMAP(gone, 1 << MAX_PAGE_ORDER) = { };
	unsigned int nr = 1U << run->result.order;
	unsigned int keep = dice(run, nr);

	free_others(chunk, nr, gone, keep);
	keep_raw(run, chunk + keep);
}

/* For a movable page out of the zone of @page, not out of a higher one. */
static gfp_t gfp_of_zone(const struct page *page)
{
	static const gfp_t zones[] = { __GFP_HIGHMEM, 0, __GFP_DMA32, __GFP_DMA };
	gfp_t gfp = fragbed_gfp(FRAGBED_MOVABLE) & ~(__GFP_HIGHMEM | __GFP_RECLAIM);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(zones) - 1; i++) {
		if (gfp_zone(gfp | zones[i]) == page_zonenum(page))
			break;
	}
	return gfp | zones[i];
}

/*
 * Make @page, which is ours, a shmem page: a freed page goes to the head of
 * this CPU's list of its block's type, and the next movable page is taken from
 * there. Anything may come in between, so look where the page landed: 1 there,
 * 0 elsewhere, -EOPNOTSUPP on another node.
 */
static int plant_page(struct fragment_run *run, struct page *page)
{
	gfp_t gfp = gfp_of_zone(page);
	struct fragbed_set *set = run->set;
	struct page *landed;
	int ret;

	migrate_disable();
	fragbed_chunk_free(page, 0);
	ret = fragbed_shmem_take(set->file, set->end, gfp, &landed);
	migrate_enable();
	if (!ret && landed == page) {
		set->end++;
		return 1;
	}
	run->result.misses++;
	if (ret)
		return 0;
	ret = fragbed_shmem_node_check(RUN_KNOB, landed, set->nid);
	fragbed_shmem_drop(set->file, set->end, 1);
	return ret;
}

/* A freed page of any other block type would not be found by shmem. */
static bool block_takes_movable(const struct page *page)
{
	int type = fragbed_pageblock_type(page);

	return type != MIGRATE_UNMOVABLE && type != MIGRATE_RECLAIMABLE;
}

static int keep_movable(struct fragment_run *run, struct page *chunk)
{
	DECLARE_BITMAP(gone, 1 << MAX_PAGE_ORDER) = { };
	unsigned int nr = 1U << run->result.order;
	unsigned int tries = min(PLANT_TRIES, nr - 1);
	unsigned int at = dice(run, nr);
	int ret = 0;

	if (!block_takes_movable(chunk))
		tries = 0;
	for (; tries && !ret; tries--) {
		__set_bit(at, gone);
		ret = plant_page(run, chunk + at);
		if (!ret)
			at = (at + 1) % nr;
	}
	free_others(chunk, nr, gone, at);
	if (ret < 0)
		return ret;
	if (ret) {
		run->result.kept_movable++;
	} else {
		keep_raw(run, chunk + at);
		run->result.fallbacks++;
	}
	return 0;
}

/* Takes the other type when the wanted one has nothing left of that order. */
static int fragment_step(struct fragment_run *run)
{
	bool unmovable = dice(run, 100) < run->result.share;
	enum fragbed_type type = unmovable ? FRAGBED_UNMOVABLE : FRAGBED_MOVABLE;
	enum fragbed_type other = unmovable ? FRAGBED_MOVABLE : FRAGBED_UNMOVABLE;
	struct page *chunk = take_chunk(run, type);

	if (!chunk)
		chunk = take_chunk(run, other);
	if (!chunk)
		return -ENOSPC;
	fragbed_chunk_split(chunk, run->result.order);
	run->result.visited += 1UL << run->result.order;
	if (!unmovable)
		return keep_movable(run, chunk);
	keep_unmovable(run, chunk);
	return 0;
}

/*
 * Freed pages sit on per-cpu lists, where the index does not see them, and
 * those lists grow to an eighth of a zone: empty them often enough not to
 * overshoot the target, and before it counts as reached.
 */
static bool target_reached(struct fragment_run *run)
{
	struct fragment_result *r = &run->result;
	unsigned long unseen = r->visited - run->drained_at;

	r->reached = fragbed_unusable_index(r->nid, r->order);
	if (r->reached < r->target &&
	    unseen < fragbed_node_pages(r->nid) >> DRAIN_SHIFT)
		return false;
	fragbed_drain_free_pages();
	run->drained_at = r->visited;
	r->reached = fragbed_unusable_index(r->nid, r->order);
	return r->reached >= r->target;
}

static int fragment_until_reached(struct fragment_run *run)
{
	while (!target_reached(run)) {
		int ret;

		if (fragbed_should_stop(run->ticket))
			return -EINTR;
		ret = fragment_step(run);
		if (ret)
			return target_reached(run) ? 0 : ret;
		cond_resched();
	}
	return 0;
}

static void save_result(const struct fragment_result *result)
{
	spin_lock(&last_lock);
	last = *result;
	have_last = true;
	spin_unlock(&last_lock);
}

/* One that fell short keeps what it has; other errors leave nothing. */
static void finish_run(struct fragment_run *run)
{
	struct fragment_result *r = &run->result;

	if (r->error == -EINTR || r->error == -EOPNOTSUPP)
		fragbed_set_destroy(run->set);
	else
		fragbed_set_publish(run->set);
	fragbed_drain_free_pages();
	r->reached = fragbed_unusable_index(r->nid, r->order);
	if (r->error == -ENOSPC)
		pr_warn("%s: index=%u: reached %u, no chunk of order %u can be had above the watermarks\n",
			RUN_KNOB, r->target, r->reached, r->order);
	save_result(r);
}

static int parse_run(char *line, struct fragment_run *run)
{
	struct fragbed_key keys[NR_RUN_KEYS] = {
		[RUN_ORDER] = { "order", FRAGBED_NUMBER, 1, MAX_PAGE_ORDER,
				.required = true },
		[RUN_INDEX] = { "index", FRAGBED_NUMBER, 1, 1000,
				.required = true },
		[RUN_UNMOVABLE] = { "unmovable", FRAGBED_NUMBER, 0, 100,
				    .required = true },
		[RUN_SEED] = { "seed", FRAGBED_NUMBER, 0, U64_MAX,
			       .required = true },
		[RUN_NODE] = { "node", FRAGBED_NUMBER, 0, INT_MAX },
	};
	int ret = fragbed_keys_parse(RUN_KNOB, line, keys, NR_RUN_KEYS);

	if (!ret)
		ret = fragbed_node_check(RUN_KNOB, &keys[RUN_NODE]);
	if (ret)
		return ret;
	run->result.order = keys[RUN_ORDER].value;
	run->result.target = keys[RUN_INDEX].value;
	run->result.share = keys[RUN_UNMOVABLE].value;
	run->result.seed = keys[RUN_SEED].value;
	run->result.nid = keys[RUN_NODE].value;
	return 0;
}

/**
 * fragbed_fragment_run() - the verb fragment/run
 * @line: order= index= unmovable= seed= [node=]
 *
 * Context: may sleep, interruptible. One run at a time.
 * Return: 0, -EINVAL malformed or out of range, -ENXIO no such node, -ENOMEM,
 * -EINTR on a signal or reset, -EOPNOTSUPP if movable pages come from another
 * node (all given back), -ENOSPC if the target cannot be reached (what was kept
 * stays, see fragment/result).
 */
int fragbed_fragment_run(char *line)
{
	struct fragment_run run = { .ticket = fragbed_stop_ticket() };
	struct fragment_result *r = &run.result;
	u64 start;
	int ret = parse_run(line, &run);

	if (ret)
		return ret;
	run.set = fragbed_set_new(FRAGBED_FRAGMENT_SET, FRAGBED_MOVABLE, 0,
				  r->nid);
	if (IS_ERR(run.set))
		return PTR_ERR(run.set);
	prandom_seed_state(&run.rnd, r->seed);
	start = ktime_get_ns();
	fragbed_drain_free_pages();
	r->before = fragbed_unusable_index(r->nid, r->order);
	r->error = fragment_until_reached(&run);
	r->ns = ktime_get_ns() - start;
	ret = r->error;
	finish_run(&run);
	return ret;
}

/**
 * fragbed_fragment_free() - the verb fragment/free
 * @line: "1"
 *
 * Context: may sleep.
 * Return: 0, -EINVAL for anything but 1, -ENXIO if nothing was fragmented.
 */
int fragbed_fragment_free(char *line)
{
	struct fragbed_pattern all = { .every = 1 };

	if (strcmp(line, "1")) {
		pr_warn("fragment/free: %s: must be 1\n", line);
		return -EINVAL;
	}
	return fragbed_sets_free(FRAGBED_FRAGMENT_SET, &all);
}

static const char *result_word(const struct fragment_result *r)
{
	switch (r->error) {
	case 0:
		return "reached";
	case -EINTR:
		return "interrupted";
	case -EOPNOTSUPP:
		return "refused";
	default:
		return "short";
	}
}

/**
 * fragbed_fragment_result_show() - figures of the last fragment/run
 * @m: where to
 * @unused: none
 *
 * Context: takes last_lock.
 * Return: 0.
 */
int fragbed_fragment_result_show(struct seq_file *m, void *unused)
{
	struct fragment_result r;
	bool have;

	spin_lock(&last_lock);
	r = last;
	have = have_last;
	spin_unlock(&last_lock);
	if (!have) {
		seq_puts(m, "status none\n");
		return 0;
	}
	seq_printf(m, "status %s\nerror %d\norder %u\nnode %d\n",
		   result_word(&r), r.error, r.order, r.nid);
	seq_printf(m, "target_permille %u\nbefore_permille %u\nreached_permille %u\n",
		   r.target, r.before, r.reached);
	seq_printf(m, "unmovable_percent %u\nseed %llu\n", r.share, r.seed);
	seq_printf(m, "kept_unmovable %lu\nkept_movable %lu\n",
		   r.kept_unmovable, r.kept_movable);
	seq_printf(m, "fallbacks %lu\nmisses %lu\n", r.fallbacks, r.misses);
	seq_printf(m, "pages_visited %lu\nns %llu\n", r.visited, r.ns);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0
/* fragment/: raise a node's unusable free space index to a target, by planting. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/spinlock.h>

#include "fragbed.h"

/* The per-cpu lists are drained each time 1/256 of the node was visited. */
#define DRAIN_SHIFT 8

enum {
	RUN_ORDER,
	RUN_INDEX,
	RUN_UNMOVABLE,
	RUN_SEED,
	RUN_NODE,
	RUN_FORCE,
};

static const struct fragbed_key run_keys[] = {
	[RUN_ORDER] = { "order", FRAGBED_NUMBER, 1, MAX_PAGE_ORDER, .required = true },
	[RUN_INDEX] = { "index", FRAGBED_NUMBER, 1, 1000, .required = true },
	[RUN_UNMOVABLE] = FRAGBED_UNMOVABLE_KEY,
	[RUN_SEED] = FRAGBED_SEED_KEY,
	[RUN_NODE] = FRAGBED_NODE_KEY,
	[RUN_FORCE] = FRAGBED_FORCE_KEY,
	{ }
};

/* The request and its result, as fragment/result prints them. */
struct fragment_result {
	unsigned int order;
	unsigned int target;		/* permille */
	unsigned int share;		/* percent of the kept pages that are unmovable */
	u64 seed;
	int nid;
	int error;			/* 0 or a negative errno */
	unsigned int before;		/* permille */
	unsigned int reached;		/* permille */
	struct fragbed_planted planted;
	u64 ns;
};

struct fragment_run {
	struct fragment_result result;
	struct fragbed_planter planter;
	int ticket;			/* see fragbed_should_stop() */
	unsigned long drained_at;	/* pages visited at the last drain */
};

static DEFINE_SPINLOCK(last_lock);
static struct fragment_result last;	/* last_lock */
static bool have_last;			/* last_lock */

/*
 * The index does not count freed pages on per-cpu lists, and those lists grow to an
 * eighth of a zone: drain them often enough not to overshoot the target, and before
 * it counts as reached.
 */
static bool target_reached(struct fragment_run *run)
{
	struct fragment_result *r = &run->result;
	unsigned long visited = run->planter.stats.visited;
	unsigned long unseen = visited - run->drained_at;

	r->reached = fragbed_unusable_index(r->nid, r->order);
	if (r->reached < r->target &&
	    unseen < fragbed_node_pages(r->nid) >> DRAIN_SHIFT)
		return false;
	fragbed_drain_free_pages();
	run->drained_at = visited;
	r->reached = fragbed_unusable_index(r->nid, r->order);
	return r->reached >= r->target;
}

static int fragment_until_reached(struct fragment_run *run)
{
	while (!target_reached(run)) {
		int ret;

		if (fragbed_should_stop(run->ticket))
			return -EINTR;
		ret = fragbed_plant(&run->planter);
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

/* A run that falls short of its target keeps its pages; other errors keep none. */
static void finish_run(struct fragment_run *run)
{
	struct fragment_result *r = &run->result;

	if (r->error == -EINTR || r->error == -EOPNOTSUPP)
		fragbed_set_destroy(run->planter.set);
	else
		fragbed_set_publish(run->planter.set);
	fragbed_drain_free_pages();
	r->reached = fragbed_unusable_index(r->nid, r->order);
	r->planted = run->planter.stats;
	if (r->error == -ENOSPC)
		pr_warn("%s: index=%u: reached %u, no more chunks of order %u can be allocated %s\n",
			run->planter.path, r->target, r->reached, r->order,
			fragbed_limit_words(run->planter.force));
	save_result(r);
}

static int read_values(const struct fragbed_write *w, struct fragment_run *run)
{
	const struct fragbed_value *values = w->values;
	struct fragment_result *r = &run->result;

	run->planter.path = w->knob->path;
	run->planter.force = values[RUN_FORCE].number;
	r->order = values[RUN_ORDER].number;
	r->target = values[RUN_INDEX].number;
	r->share = values[RUN_UNMOVABLE].number;
	r->seed = values[RUN_SEED].number;
	return fragbed_node_check(w, RUN_NODE, &r->nid);
}

/* Refuse before anything is done if the node can spare nothing at all. */
static int check_room(const struct fragment_run *run)
{
	const struct fragment_result *r = &run->result;
	unsigned long spare = fragbed_spare_pages(r->nid,
						  fragbed_gfp(FRAGBED_UNMOVABLE),
						  run->planter.force);

	if (spare >= 1UL << r->order)
		return 0;
	pr_warn("%s: order=%u: node %d can spare %lu pages %s\n",
		run->planter.path, r->order, r->nid, spare,
		fragbed_limit_words(run->planter.force));
	return -ENOMEM;
}

static int prepare_run(const struct fragbed_write *w, struct fragment_run *run)
{
	struct fragbed_planter *planter = &run->planter;
	struct fragment_result *r = &run->result;
	int ret = read_values(w, run);

	if (!ret)
		ret = check_room(run);
	if (ret)
		return ret;
	planter->nid = r->nid;
	planter->order = r->order;
	planter->share = r->share;
	prandom_seed_state(&planter->rnd, r->seed);
	planter->set = fragbed_set_new(FRAGBED_FRAGMENT_SET, FRAGBED_MOVABLE, 0,
				       r->nid);
	return PTR_ERR_OR_ZERO(planter->set);
}

/*
 * Context: may sleep, interruptible.
 * Return: 0, -ENXIO no such node, -ENOMEM if the node can spare nothing, -EINTR on a
 * signal or reset, -EOPNOTSUPP if movable pages come from another node (all are
 * freed), -ENOSPC if the target cannot be reached (pages stay, see fragment/result).
 */
static int fragment_run(const struct fragbed_write *w)
{
	struct fragment_run run = { .ticket = fragbed_stop_ticket() };
	struct fragment_result *r = &run.result;
	u64 start;
	int ret = prepare_run(w, &run);

	if (ret)
		return ret;
	start = ktime_get_ns();
	fragbed_drain_free_pages();
	r->before = fragbed_unusable_index(r->nid, r->order);
	r->error = fragment_until_reached(&run);
	r->ns = ktime_get_ns() - start;
	ret = r->error;
	finish_run(&run);
	return ret;
}

struct fragbed_knob fragbed_knob_fragment_run = {
	.path = "fragment/run",
	.file = FRAGBED_COMMAND,
	.keys = run_keys,
	.run = fragment_run,
};

/* Context: may sleep. Return: 0, -ENXIO if nothing is fragmented. */
static int fragment_free(const struct fragbed_write *w)
{
	struct fragbed_pattern all = { .every = 1 };
	int ret = fragbed_sets_free(FRAGBED_FRAGMENT_SET, &all);

	if (ret)
		pr_warn("%s: nothing is fragmented\n", w->knob->path);
	return ret;
}

struct fragbed_knob fragbed_knob_fragment_free = {
	.path = "fragment/free",
	.file = FRAGBED_COMMAND,
	.leads = fragbed_just_one,
	.run = fragment_free,
};

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

/* Context: takes last_lock. */
static int fragment_result_show(struct seq_file *m, void *unused)
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
		   r.planted.kept_unmovable, r.planted.kept_movable);
	seq_printf(m, "fallbacks %lu\nmisses %lu\n", r.planted.fallbacks, r.planted.misses);
	seq_printf(m, "pages_visited %lu\nns %llu\n", r.planted.visited, r.ns);
	return 0;
}

struct fragbed_knob fragbed_knob_fragment_result = {
	.path = "fragment/result",
	.file = FRAGBED_READ_ONLY,
	.show = fragment_result_show,
};

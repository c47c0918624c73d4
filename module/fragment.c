// SPDX-License-Identifier: GPL-2.0
/* fragment/: bring a node's unusable free-space index to a target, by planting. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/spinlock.h>

#include "fragbed.h"

#define RUN_KNOB "fragment/run"

/* The per-cpu lists are emptied each time 1/256 of the node was visited. */
#define DRAIN_SHIFT 8

enum {
	RUN_ORDER,
	RUN_INDEX,
	RUN_UNMOVABLE,
	RUN_SEED,
	RUN_NODE,
	RUN_FORCE,
	NR_RUN_KEYS,
};

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
 * Freed pages sit on per-cpu lists, where the index does not see them, and
 * those lists grow to an eighth of a zone: empty them often enough not to
 * overshoot the target, and before it counts as reached.
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

/* One that fell short keeps what it has; other errors leave nothing. */
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
		pr_warn("%s: index=%u: reached %u, no chunk of order %u can be had %s\n",
			RUN_KNOB, r->target, r->reached, r->order,
			fragbed_limit_words(run->planter.force));
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
		[RUN_FORCE] = { "force", FRAGBED_NUMBER, 0, 1 },
	};
	int ret = fragbed_keys_parse(RUN_KNOB, line, keys, NR_RUN_KEYS);

	if (!ret)
		ret = fragbed_node_check(RUN_KNOB, &keys[RUN_NODE]);
	if (ret)
		return ret;
	run->planter.force = keys[RUN_FORCE].value;
	run->result.order = keys[RUN_ORDER].value;
	run->result.target = keys[RUN_INDEX].value;
	run->result.share = keys[RUN_UNMOVABLE].value;
	run->result.seed = keys[RUN_SEED].value;
	run->result.nid = keys[RUN_NODE].value;
	return 0;
}

/* A node that can spare nothing at all is told before anything is done. */
static int check_room(const struct fragment_run *run)
{
	const struct fragment_result *r = &run->result;
	unsigned long spare = fragbed_spare_pages(r->nid,
						  fragbed_gfp(FRAGBED_UNMOVABLE),
						  run->planter.force);

	if (spare >= 1UL << r->order)
		return 0;
	pr_warn("%s: order=%u: node %d can spare %lu pages %s\n", RUN_KNOB,
		r->order, r->nid, spare,
		fragbed_limit_words(run->planter.force));
	return -ENOMEM;
}

static int prepare_run(char *line, struct fragment_run *run)
{
	struct fragbed_planter *planter = &run->planter;
	struct fragment_result *r = &run->result;
	int ret = parse_run(line, run);

	if (!ret)
		ret = check_room(run);
	if (ret)
		return ret;
	planter->knob = RUN_KNOB;
	planter->nid = r->nid;
	planter->order = r->order;
	planter->share = r->share;
	prandom_seed_state(&planter->rnd, r->seed);
	planter->set = fragbed_set_new(FRAGBED_FRAGMENT_SET, FRAGBED_MOVABLE, 0,
				       r->nid);
	return PTR_ERR_OR_ZERO(planter->set);
}

/**
 * fragbed_fragment_run() - the verb fragment/run
 * @line: order= index= unmovable= seed= [node=] [force=]
 *
 * Context: may sleep, interruptible. One run at a time.
 * Return: 0, -EINVAL malformed or out of range, -ENXIO no such node, -ENOMEM
 * if the node can spare nothing, -EINTR on a signal or reset, -EOPNOTSUPP if
 * movable pages come from another node (all given back), -ENOSPC if the target
 * cannot be reached (what was kept stays, see fragment/result).
 */
int fragbed_fragment_run(char *line)
{
	struct fragment_run run = { .ticket = fragbed_stop_ticket() };
	struct fragment_result *r = &run.result;
	u64 start;
	int ret = prepare_run(line, &run);

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
		   r.planted.kept_unmovable, r.planted.kept_movable);
	seq_printf(m, "fallbacks %lu\nmisses %lu\n", r.planted.fallbacks, r.planted.misses);
	seq_printf(m, "pages_visited %lu\nns %llu\n", r.planted.visited, r.ns);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0
/* hold/: allocate pages by order, type and node, keep them, free a pattern. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "fragbed.h"

enum {
	ALLOC_SET,
	ALLOC_TYPE,
	ALLOC_ORDER,
	ALLOC_COUNT,
	ALLOC_NODE,
	ALLOC_STRIDE,
	ALLOC_GFP,
	ALLOC_FORCE,
};

enum { GFP_WORD_KERNEL, GFP_WORD_ATOMIC };

static const char *const gfp_words[] = {
	[GFP_WORD_KERNEL] = "kernel",
	[GFP_WORD_ATOMIC] = "atomic",
	NULL,
};

static const struct fragbed_key alloc_keys[] = {
	[ALLOC_SET] = { "set", FRAGBED_TEXT, .required = true },
	[ALLOC_TYPE] = FRAGBED_TYPE_KEY,
	[ALLOC_ORDER] = { "order", FRAGBED_NUMBER, 0, MAX_PAGE_ORDER, .required = true },
	[ALLOC_COUNT] = { "count", FRAGBED_NUMBER, 1, U32_MAX, .required = true },
	[ALLOC_NODE] = FRAGBED_NODE_KEY,
	[ALLOC_STRIDE] = { "stride", FRAGBED_NUMBER, 1, U32_MAX, .preset = 1 },
	[ALLOC_GFP] = { "gfp", FRAGBED_WORD, .words = gfp_words,
			.preset = GFP_WORD_KERNEL },
	[ALLOC_FORCE] = FRAGBED_FORCE_KEY,
	{ }
};

enum { FREE_SET, FREE_EVERY, FREE_RANDOM, FREE_SEED };

static const char *const set_words[] = { "all", NULL };

static const struct fragbed_key free_keys[] = {
	[FREE_SET] = { "set", FRAGBED_TEXT, .words = set_words, .required = true },
	[FREE_EVERY] = { "every", FRAGBED_NUMBER, 1, U32_MAX, .preset = 1 },
	[FREE_RANDOM] = { "random", FRAGBED_NUMBER, 1, 1000, .without = "every" },
	[FREE_SEED] = { "seed", FRAGBED_NUMBER, 0, U64_MAX, .with = "random" },
	{ }
};

/* One hold/alloc: chunks 0, stride, 2 * stride, ... of the run are kept. */
struct hold_plan {
	const char *path;	/* of the command file */
	struct fragbed_set *set;
	gfp_t gfp;		/* of each chunk */
	unsigned long total;	/* chunks to allocate, kept or not */
	unsigned long stride;
	bool force;		/* down to the watermarks */
	int ticket;		/* see fragbed_should_stop() */
};

/*
 * A plain atomic request has no flag that marks it as optional: the kernel may refuse
 * requests with such a flag where it serves this one. It warns if this one fails.
 */
static gfp_t raw_gfp(const struct fragbed_value *values)
{
	enum fragbed_type type = values[ALLOC_TYPE].number;

	if (values[ALLOC_GFP].number == GFP_WORD_KERNEL)
		return fragbed_gfp(type);
	return type == FRAGBED_RECLAIMABLE ? GFP_ATOMIC | __GFP_RECLAIMABLE : GFP_ATOMIC;
}

/* Shmem pages are single, and their allocation sleeps. */
static int check_shmem(const struct fragbed_write *w)
{
	if (w->values[ALLOC_TYPE].number != FRAGBED_MOVABLE)
		return 0;
	if (w->values[ALLOC_ORDER].number)
		return fragbed_refuse(w, ALLOC_ORDER, -EINVAL,
				      "must be 0 for type=movable, shmem pages are single");
	if (w->values[ALLOC_GFP].number != GFP_WORD_KERNEL)
		return fragbed_refuse(w, ALLOC_GFP, -EINVAL,
				      "must be kernel for type=movable, shmem sleeps");
	return 0;
}

/* The run must fit the node; 64 bits cannot overflow once each factor fits. */
static int check_size(const struct fragbed_write *w, int nid)
{
	u64 order = w->values[ALLOC_ORDER].number;
	u64 count = w->values[ALLOC_COUNT].number;
	u64 stride = w->values[ALLOC_STRIDE].number;
	u64 most = fragbed_node_pages(nid) >> order;

	if (count <= most && stride <= most && count * stride <= most)
		return 0;
	if (count > most)
		return fragbed_refuse(w, ALLOC_COUNT, -EINVAL,
				      "must be 1 to %llu, all chunks of order %llu on node %d",
				      most, order, nid);
	return fragbed_refuse(w, ALLOC_STRIDE, -EINVAL,
			      "count times stride must be 1 to %llu", most);
}

static int check_alloc(const struct fragbed_write *w, int *nid)
{
	int ret = fragbed_new_name_check(w, ALLOC_SET);

	if (!ret)
		ret = fragbed_node_check(w, ALLOC_NODE, nid);
	if (!ret)
		ret = check_shmem(w);
	return ret ? ret : check_size(w, *nid);
}

static void refuse_size(const struct hold_plan *plan, unsigned long most)
{
	const struct fragbed_set *set = plan->set;

	pr_warn("%s: set=%s: node %d can spare %lu of the %lu chunks of order %u %s\n",
		plan->path, set->name, set->nid, most, plan->total, set->order,
		fragbed_limit_words(plan->force));
}

/* Refuse what the node cannot spare before anything is allocated. */
static int check_room(const struct hold_plan *plan)
{
	const struct fragbed_set *set = plan->set;
	unsigned long most = fragbed_spare_pages(set->nid, plan->gfp,
						 plan->force) >> set->order;

	if (plan->total <= most)
		return 0;
	refuse_size(plan, most);
	return -ENOMEM;
}

static int alloc_raw(struct hold_plan *plan)
{
	struct fragbed_set *set = plan->set;
	struct page *page;

	page = fragbed_chunk_alloc(set->nid, plan->gfp, set->order,
				   plan->force);
	if (!page)
		return -ENOMEM;
	fragbed_set_add(set, page);
	return 0;
}

static int alloc_shmem(struct hold_plan *plan)
{
	struct fragbed_set *set = plan->set;
	struct page *page;
	int ret;

	if (!fragbed_spare_pages(set->nid, plan->gfp, plan->force))
		return -ENOMEM;
	ret = fragbed_shmem_alloc(set->file, set->end, plan->gfp, &page);
	if (ret)
		return ret;
	set->end++;
	return fragbed_shmem_node_check(plan->path, page, set->nid);
}

static int alloc_run(struct hold_plan *plan)
{
	unsigned long i;

	for (i = 0; i < plan->total; i++) {
		int ret = plan->set->file ? alloc_shmem(plan) : alloc_raw(plan);

		if (ret)
			return ret;
		if (fragbed_should_stop(plan->ticket))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

/* Frees only after the whole run is allocated, or the run would reuse the holes. */
static void punch_raw(struct hold_plan *plan)
{
	struct page *page, *next;
	unsigned long i = 0;

	list_for_each_entry_safe(page, next, &plan->set->chunks, lru) {
		if (i++ % plan->stride == 0)
			continue;
		list_del(&page->lru);
		plan->set->nr_chunks--;
		fragbed_chunk_free(page, plan->set->order);
		cond_resched();
	}
}

static void punch_shmem(struct hold_plan *plan)
{
	unsigned long i;

	for (i = 0; plan->stride > 1 && i < plan->total; i += plan->stride) {
		fragbed_shmem_drop(plan->set->file, i + 1, plan->stride - 1);
		cond_resched();
	}
}

/* Either the node has no more to spare, or its free memory does not fit the request. */
static void refuse_rest(const struct hold_plan *plan)
{
	const struct fragbed_set *set = plan->set;
	unsigned long taken = set->nr_chunks + set->end;

	if (fragbed_spare_pages(set->nid, plan->gfp, plan->force) < 1UL << set->order)
		refuse_size(plan, taken);
	else
		pr_warn("%s: set=%s: order=%u: got %lu of %lu chunks, the remaining free memory is fragmented or reserved for other migratetypes; try a smaller order or count\n",
			plan->path, set->name, set->order, taken, plan->total);
}

static int alloc_and_punch(struct hold_plan *plan)
{
	int ret = alloc_run(plan);

	if (ret) {
		if (ret == -ENOMEM)
			refuse_rest(plan);
		return ret;
	}
	if (plan->set->file)
		punch_shmem(plan);
	else
		punch_raw(plan);
	return 0;
}

/* All or nothing: on any error all chunks are freed. */
static int hold(struct hold_plan *plan, const struct fragbed_value *values, int nid)
{
	int ret;

	plan->set = fragbed_set_new(values[ALLOC_SET].text, values[ALLOC_TYPE].number,
				    values[ALLOC_ORDER].number, nid);
	if (IS_ERR(plan->set))
		return PTR_ERR(plan->set);
	plan->gfp = raw_gfp(values);
	plan->stride = values[ALLOC_STRIDE].number;
	plan->total = values[ALLOC_COUNT].number * plan->stride;
	plan->force = values[ALLOC_FORCE].number;
	ret = check_room(plan);
	if (!ret)
		ret = alloc_and_punch(plan);
	if (ret)
		fragbed_set_destroy(plan->set);
	else
		fragbed_set_publish(plan->set);
	fragbed_drain_free_pages();
	return ret;
}

/*
 * Context: may sleep, interruptible.
 * Return: 0, -EINVAL out of range, -ENXIO no such node, -ENOMEM the node cannot spare
 * it, -EINTR on a signal or reset, -EOPNOTSUPP the writer's memory policy allows no
 * shmem pages of that node.
 */
static int hold_alloc(const struct fragbed_write *w)
{
	struct hold_plan plan = {
		.path = w->knob->path,
		.ticket = fragbed_stop_ticket(),
	};
	int nid, ret = check_alloc(w, &nid);

	return ret ? ret : hold(&plan, w->values, nid);
}

struct fragbed_knob fragbed_knob_hold_alloc = {
	.path = "hold/alloc",
	.file = FRAGBED_COMMAND,
	.keys = alloc_keys,
	.run = hold_alloc,
};

/* Context: may sleep. Return: 0, -EINVAL no name, -ENXIO no such set. */
static int hold_free(const struct fragbed_write *w)
{
	const struct fragbed_value *values = w->values;
	const char *name = values[FREE_SET].text;
	struct rnd_state rnd;
	struct fragbed_pattern pattern = {
		.rnd = &rnd,
		.every = values[FREE_EVERY].number,
		.permille = values[FREE_RANDOM].number,
	};
	int ret = fragbed_name_check(w, FREE_SET);

	if (ret)
		return ret;
	prandom_seed_state(&rnd, values[FREE_SEED].number);
	ret = fragbed_sets_free(strcmp(name, "all") ? name : NULL, &pattern);
	if (ret)
		fragbed_refuse(w, FREE_SET, ret, "no such set, see hold/sets");
	return ret;
}

struct fragbed_knob fragbed_knob_hold_free = {
	.path = "hold/free",
	.file = FRAGBED_COMMAND,
	.keys = free_keys,
	.run = hold_free,
};

// SPDX-License-Identifier: GPL-2.0
/* hold/: allocate pages by order, type and node, keep them, free a pattern. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "fragbed.h"

#define ALLOC_KNOB "hold/alloc"
#define FREE_KNOB "hold/free"

enum {
	ALLOC_SET,
	ALLOC_TYPE,
	ALLOC_ORDER,
	ALLOC_COUNT,
	ALLOC_NODE,
	ALLOC_STRIDE,
	ALLOC_GFP,
	ALLOC_FORCE,
	NR_ALLOC_KEYS,
};

enum { GFP_WORD_KERNEL, GFP_WORD_ATOMIC };

static const char *const gfp_words[] = {
	[GFP_WORD_KERNEL] = "kernel",
	[GFP_WORD_ATOMIC] = "atomic",
	NULL,
};

enum { FREE_SET, FREE_EVERY, FREE_RANDOM, FREE_SEED, NR_FREE_KEYS };

/* One hold/alloc: chunks 0, stride, 2 * stride, ... of the run are kept. */
struct hold_plan {
	struct fragbed_set *set;
	gfp_t gfp;		/* of each chunk */
	unsigned long total;	/* chunks to take, kept or not */
	unsigned long stride;
	bool force;		/* down to the watermarks */
	int ticket;		/* see fragbed_should_stop() */
};

/*
 * A plain atomic request has no flag that says it could do without: such ones may be
 * refused where a plain one may not. The kernel warns if it fails.
 */
static gfp_t raw_gfp(const struct fragbed_key *keys)
{
	enum fragbed_type type = keys[ALLOC_TYPE].value;

	if (keys[ALLOC_GFP].value == GFP_WORD_KERNEL)
		return fragbed_gfp(type);
	return type == FRAGBED_RECLAIMABLE ? GFP_ATOMIC | __GFP_RECLAIMABLE : GFP_ATOMIC;
}

/* Shmem pages are single, and whoever takes one may sleep. */
static int check_shmem_keys(const struct fragbed_key *keys)
{
	if (keys[ALLOC_TYPE].value != FRAGBED_MOVABLE)
		return 0;
	if (keys[ALLOC_ORDER].value) {
		pr_warn("%s: order=%llu: must be 0 for type=movable, shmem pages are single\n",
			ALLOC_KNOB, keys[ALLOC_ORDER].value);
		return -EINVAL;
	}
	if (keys[ALLOC_GFP].value != GFP_WORD_KERNEL) {
		pr_warn("%s: gfp=%s: must be kernel for type=movable, shmem sleeps\n",
			ALLOC_KNOB, keys[ALLOC_GFP].text);
		return -EINVAL;
	}
	return 0;
}

/* The run must fit the node; 64 bits cannot overflow once each factor does. */
static int check_size(const struct fragbed_key *keys)
{
	u64 most = fragbed_node_pages(keys[ALLOC_NODE].value) >>
		   keys[ALLOC_ORDER].value;
	u64 count = keys[ALLOC_COUNT].value;
	u64 stride = keys[ALLOC_STRIDE].value;

	if (count <= most && stride <= most && count * stride <= most)
		return 0;
	if (count > most)
		pr_warn("%s: count=%llu: must be 1 to %llu, all chunks of order %llu on node %llu\n",
			ALLOC_KNOB, count, most, keys[ALLOC_ORDER].value,
			keys[ALLOC_NODE].value);
	else
		pr_warn("%s: stride=%llu: count times stride must be 1 to %llu\n",
			ALLOC_KNOB, stride, most);
	return -EINVAL;
}

static int check_alloc_keys(struct fragbed_key *keys)
{
	int ret = fragbed_new_name_check(ALLOC_KNOB, &keys[ALLOC_SET]);

	if (!ret)
		ret = fragbed_node_check(ALLOC_KNOB, &keys[ALLOC_NODE]);
	if (!ret)
		ret = check_shmem_keys(keys);
	return ret ? ret : check_size(keys);
}

static int parse_alloc(char *line, struct fragbed_key *keys)
{
	int ret = fragbed_keys_parse(ALLOC_KNOB, line, keys, NR_ALLOC_KEYS);

	return ret ? ret : check_alloc_keys(keys);
}

static void refuse_size(const struct hold_plan *plan, unsigned long most)
{
	const struct fragbed_set *set = plan->set;

	pr_warn("%s: set=%s: node %d can spare %lu of the %lu chunks of order %u %s\n",
		ALLOC_KNOB, set->name, set->nid, most, plan->total, set->order,
		fragbed_limit_words(plan->force));
}

/* What cannot be had is refused before the machine feels it. */
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

static int take_raw(struct hold_plan *plan)
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

static int take_shmem(struct hold_plan *plan)
{
	struct fragbed_set *set = plan->set;
	struct page *page;
	int ret;

	if (!fragbed_spare_pages(set->nid, plan->gfp, plan->force))
		return -ENOMEM;
	ret = fragbed_shmem_take(set->file, set->end, plan->gfp, &page);
	if (ret)
		return ret;
	set->end++;
	return fragbed_shmem_node_check(ALLOC_KNOB, page, set->nid);
}

static int take_run(struct hold_plan *plan)
{
	unsigned long i;

	for (i = 0; i < plan->total; i++) {
		int ret = plan->set->file ? take_shmem(plan) : take_raw(plan);

		if (ret)
			return ret;
		if (fragbed_should_stop(plan->ticket))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

/* Freed only after the whole run was taken, or the holes would be reused. */
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

/* The node has no more to spare, or has it, but not for this request. */
static void refuse_rest(const struct hold_plan *plan)
{
	const struct fragbed_set *set = plan->set;
	unsigned long taken = set->nr_chunks + set->end;

	if (fragbed_spare_pages(set->nid, plan->gfp, plan->force) < 1UL << set->order)
		refuse_size(plan, taken);
	else
		pr_warn("%s: set=%s: order=%u: the allocator gave %lu of the %lu chunks, what else is free is in smaller pieces or kept for another type: a smaller order or count may do\n",
			ALLOC_KNOB, set->name, set->order, taken, plan->total);
}

static int take_and_punch(struct hold_plan *plan)
{
	int ret = take_run(plan);

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

static int hold_as_asked(struct hold_plan *plan, const struct fragbed_key *keys)
{
	int ret;

	plan->set = fragbed_set_new(keys[ALLOC_SET].text, keys[ALLOC_TYPE].value,
				    keys[ALLOC_ORDER].value,
				    keys[ALLOC_NODE].value);
	if (IS_ERR(plan->set))
		return PTR_ERR(plan->set);
	plan->gfp = raw_gfp(keys);
	plan->stride = keys[ALLOC_STRIDE].value;
	plan->total = keys[ALLOC_COUNT].value * plan->stride;
	plan->force = keys[ALLOC_FORCE].value;
	ret = check_room(plan);
	if (!ret)
		ret = take_and_punch(plan);
	if (ret)
		fragbed_set_destroy(plan->set);
	else
		fragbed_set_publish(plan->set);
	fragbed_drain_free_pages();
	return ret;
}

/**
 * fragbed_hold_alloc() - the verb hold/alloc
 * @line: set= type= order= count= [node=] [stride=] [gfp=] [force=]
 *
 * All or nothing: on any error what was taken is given back.
 *
 * Context: may sleep, interruptible.
 * Return: 0, -EINVAL malformed or out of range, -ENXIO no such node, -ENOMEM
 * the node cannot spare it, -EINTR on a signal, -EOPNOTSUPP shmem pages of that
 * node cannot be had by this writer.
 */
int fragbed_hold_alloc(char *line)
{
	struct fragbed_key keys[NR_ALLOC_KEYS] = {
		[ALLOC_SET] = { "set", FRAGBED_TEXT, .required = true },
		[ALLOC_TYPE] = { "type", FRAGBED_WORD, .required = true,
				 .words = fragbed_type_words },
		[ALLOC_ORDER] = { "order", FRAGBED_NUMBER, 0, MAX_PAGE_ORDER,
				  .required = true },
		[ALLOC_COUNT] = { "count", FRAGBED_NUMBER, 1, U32_MAX,
				  .required = true },
		[ALLOC_NODE] = { "node", FRAGBED_NUMBER, 0, INT_MAX },
		[ALLOC_STRIDE] = { "stride", FRAGBED_NUMBER, 1, U32_MAX,
				   .value = 1 },
		[ALLOC_GFP] = { "gfp", FRAGBED_WORD, .words = gfp_words,
				.value = GFP_WORD_KERNEL },
		[ALLOC_FORCE] = { "force", FRAGBED_NUMBER, 0, 1 },
	};
	struct hold_plan plan = { .ticket = fragbed_stop_ticket() };
	int ret = parse_alloc(line, keys);

	if (ret)
		return ret;
	return hold_as_asked(&plan, keys);
}

static int check_free_keys(struct fragbed_key *keys)
{
	int ret = fragbed_name_check(FREE_KNOB, &keys[FREE_SET]);

	if (ret)
		return ret;
	if (keys[FREE_EVERY].given && keys[FREE_RANDOM].given) {
		pr_warn("%s: random=%s: cannot be combined with every=%s\n",
			FREE_KNOB, keys[FREE_RANDOM].text,
			keys[FREE_EVERY].text);
		return -EINVAL;
	}
	if (keys[FREE_RANDOM].given != keys[FREE_SEED].given) {
		pr_warn("%s: seed: must be given with random=, and only then\n",
			FREE_KNOB);
		return -EINVAL;
	}
	return 0;
}

/**
 * fragbed_hold_free() - the verb hold/free
 * @line: set=NAME|all [every=N] or [random=PERMILLE seed=N]
 *
 * Context: may sleep.
 * Return: 0, -EINVAL malformed or out of range, -ENXIO no such set.
 */
int fragbed_hold_free(char *line)
{
	struct fragbed_key keys[NR_FREE_KEYS] = {
		[FREE_SET] = { "set", FRAGBED_TEXT, .required = true },
		[FREE_EVERY] = { "every", FRAGBED_NUMBER, 1, U32_MAX,
				 .value = 1 },
		[FREE_RANDOM] = { "random", FRAGBED_NUMBER, 1, 1000 },
		[FREE_SEED] = { "seed", FRAGBED_NUMBER, 0, U64_MAX },
	};
	struct fragbed_pattern pattern = { };
	struct rnd_state rnd;
	const char *name;
	int ret;

	ret = fragbed_keys_parse(FREE_KNOB, line, keys, NR_FREE_KEYS);
	if (!ret)
		ret = check_free_keys(keys);
	if (ret)
		return ret;
	prandom_seed_state(&rnd, keys[FREE_SEED].value);
	pattern.rnd = &rnd;
	pattern.every = keys[FREE_EVERY].value;
	pattern.permille = keys[FREE_RANDOM].value;
	name = strcmp(keys[FREE_SET].text, "all") ? keys[FREE_SET].text : NULL;
	ret = fragbed_sets_free(name, &pattern);
	if (ret)
		pr_warn("%s: set=%s: no such set, see hold/sets\n", FREE_KNOB,
			name);
	return ret;
}

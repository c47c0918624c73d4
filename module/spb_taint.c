// SPDX-License-Identifier: GPL-2.0
/* spb/taint: put pages that cannot move into a superpageblock (SPB) of one's choice. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/kernel.h>
#include <linux/memory_hotplug.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/sched.h>
#include <linux/superpageblock.h>

#include "fragbed.h"

#define TAINT_KNOB "spb/taint"
#define PAGES_MAX 4096
#define TRIES 16	/* places in a pageblock that are tried */

enum { TAINT_KEY_PAGES = NR_FRAGBED_SPB_KEYS, TAINT_KEY_SET, NR_TAINT_KEYS };

/*
 * One write: @total pages of @blocks pageblocks. Those of a block are neighbours:
 * once it holds one that cannot move, no other can be taken out of it.
 */
struct taint_plan {
	struct fragbed_set *set;
	struct zone *zone;
	unsigned int nr;
	unsigned long start;	/* first pfn of the SPB */
	unsigned long blocks;
	unsigned long distance;	/* from one block to the next one, in pages */
	unsigned long total;
	int ticket;		/* see fragbed_should_stop() */
};

static int parse_taint(char *line, struct fragbed_key *keys,
		       struct taint_plan *plan)
{
	struct spb_info info;
	unsigned long pages;
	int ret = fragbed_keys_parse(TAINT_KNOB, line, keys, NR_TAINT_KEYS);

	if (!ret)
		ret = fragbed_new_name_check(TAINT_KNOB, &keys[TAINT_KEY_SET]);
	if (!ret)
		ret = fragbed_spb_find(TAINT_KNOB, keys,
				       keys[FRAGBED_KEY_SPB].value, &plan->zone,
				       &info);
	if (ret)
		return ret;
	plan->nr = keys[FRAGBED_KEY_SPB].value;
	plan->start = info.pfn;
	plan->total = keys[TAINT_KEY_PAGES].value;
	pages = (unsigned long)info.blocks << pageblock_order;
	if (plan->total > pages) {
		pr_warn("%s: pages=%lu: must be 1 to %lu, a superpageblock has no more\n",
			TAINT_KNOB, plan->total, pages);
		return -EINVAL;
	}
	plan->blocks = min(plan->total, (unsigned long)info.blocks);
	plan->distance = rounddown(pages / plan->blocks, pageblock_nr_pages);
	return 0;
}

/* What the node can spare of the zones this one falls back to, itself included. */
static unsigned long spare_pages(const struct taint_plan *plan)
{
	enum fragbed_type type = zone_idx(plan->zone) == ZONE_MOVABLE ?
				 FRAGBED_MOVABLE : FRAGBED_UNMOVABLE;

	return fragbed_spare_pages(zone_to_nid(plan->zone), fragbed_gfp(type), true);
}

/*
 * Whatever movable is there is moved away. Fails in holes, where something cannot be
 * moved, and where there is no room for it elsewhere.
 */
static bool take_range(const struct taint_plan *plan, unsigned long pfn,
		       unsigned long nr)
{
	struct page *page = pfn_to_online_page(pfn);
	unsigned long i;

	if (!page || page_zone(page) != plan->zone)
		return false;
	if (alloc_contig_range(pfn, pfn + nr, ACR_FLAGS_NONE,
			       GFP_KERNEL | __GFP_NOWARN))
		return false;
	for (i = 0; i < nr; i++) {
		fragbed_chunk_adopt();
		fragbed_set_add(plan->set, page + i);
	}
	return true;
}

/* The first blocks get one more where it does not come out even. */
static unsigned long share_of(const struct taint_plan *plan, unsigned long block)
{
	return plan->total / plan->blocks + (block < plan->total % plan->blocks);
}

static int take_of_block(const struct taint_plan *plan, unsigned long block)
{
	unsigned long nr = share_of(plan, block);
	unsigned long pfn = plan->start + block * plan->distance;
	unsigned long end = pfn + pageblock_nr_pages;
	unsigned long step = max(pageblock_nr_pages / TRIES, 1UL);

	for (; pfn + nr <= end; pfn += step) {
		if (fragbed_should_stop(plan->ticket))
			return -EINTR;
		if (spare_pages(plan) < plan->total - plan->set->nr_chunks)
			return -ENOMEM;
		if (take_range(plan, pfn, nr))
			return 0;
		cond_resched();
	}
	return -EBUSY;
}

static int take_all(const struct taint_plan *plan)
{
	unsigned long block;
	int ret = 0;

	for (block = 0; block < plan->blocks && !ret; block++)
		ret = take_of_block(plan, block);
	return ret;
}

static void give_up(const struct taint_plan *plan, int error)
{
	if (error == -ENOMEM)
		pr_warn("%s: pages=%lu: node %d has only %lu pages above the watermarks\n",
			TAINT_KNOB, plan->total, zone_to_nid(plan->zone),
			spare_pages(plan));
	if (error == -EBUSY)
		pr_warn("%s: spb=%u: %lu of %lu pages taken, no more to be had, all given back\n",
			TAINT_KNOB, plan->nr, plan->set->nr_chunks, plan->total);
	fragbed_set_destroy(plan->set);
	fragbed_drain_free_pages();
}

/**
 * fragbed_spb_taint() - the verb spb/taint
 * @line: spb= pages= set= [node=] [zone=]
 *
 * All or nothing: on any error what was taken is given back. Each of its pageblocks
 * gets a page before one gets more.
 *
 * Context: may sleep, interruptible.
 * Return: 0, -EINVAL malformed or out of range, -ENXIO no such node, zone or SPB,
 * -EBUSY where a page was to be taken something cannot be moved, -ENOMEM the node
 * cannot spare it, -EINTR on a signal or reset, -EOPNOTSUPP there are no SPBs.
 */
int fragbed_spb_taint(char *line)
{
	struct fragbed_key keys[NR_TAINT_KEYS] = {
		[FRAGBED_KEY_SPB] = { "spb", FRAGBED_NUMBER, 0, INT_MAX,
				      .required = true },
		[FRAGBED_KEY_NODE] = { "node", FRAGBED_NUMBER, 0, INT_MAX },
		[FRAGBED_KEY_ZONE] = { "zone", FRAGBED_TEXT },
		[TAINT_KEY_PAGES] = { "pages", FRAGBED_NUMBER, 1, PAGES_MAX,
				.required = true },
		[TAINT_KEY_SET] = { "set", FRAGBED_TEXT, .required = true },
	};
	struct taint_plan plan = { .ticket = fragbed_stop_ticket() };
	int ret = parse_taint(line, keys, &plan);

	if (ret)
		return ret;
	plan.set = fragbed_set_new(keys[TAINT_KEY_SET].text, FRAGBED_UNMOVABLE, 0,
				   zone_to_nid(plan.zone));
	if (IS_ERR(plan.set))
		return PTR_ERR(plan.set);
	ret = take_all(&plan);
	if (ret) {
		give_up(&plan, ret);
		return ret;
	}
	fragbed_set_publish(plan.set);
	fragbed_drain_free_pages();
	return 0;
}

// SPDX-License-Identifier: GPL-2.0
/* spb/taint: put unmovable pages into a chosen superpageblock (SPB). */
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

#define PAGES_MAX 4096
#define TRIES 16	/* places to try in a pageblock */

enum { TAINT_KEY_PAGES = NR_FRAGBED_SPB_KEYS, TAINT_KEY_SET };

static const struct fragbed_key taint_keys[] = {
	[FRAGBED_KEY_SPB] = { "spb", FRAGBED_NUMBER, 0, INT_MAX, .required = true },
	[FRAGBED_KEY_NODE] = FRAGBED_NODE_KEY,
	[FRAGBED_KEY_ZONE] = { "zone", FRAGBED_TEXT },
	[TAINT_KEY_PAGES] = { "pages", FRAGBED_NUMBER, 1, PAGES_MAX, .required = true },
	[TAINT_KEY_SET] = { "set", FRAGBED_TEXT, .required = true },
	{ }
};

/*
 * One write: @total pages of @blocks pageblocks. The pages of a pageblock are adjacent:
 * once it holds an unmovable page, no other range of it can be allocated.
 */
struct taint_plan {
	const char *path;	/* of the command file */
	struct fragbed_set *set;
	struct zone *zone;
	unsigned int nr;
	unsigned long start;	/* first pfn of the SPB */
	unsigned long blocks;
	unsigned long distance;	/* from one block to the next one, in pages */
	unsigned long total;
	int ticket;		/* see fragbed_should_stop() */
};

static int read_values(const struct fragbed_write *w, struct taint_plan *plan)
{
	struct spb_info info;
	unsigned long pages;
	int ret = fragbed_new_name_check(w, TAINT_KEY_SET);

	plan->nr = w->values[FRAGBED_KEY_SPB].number;
	plan->total = w->values[TAINT_KEY_PAGES].number;
	if (!ret)
		ret = fragbed_spb_find(w, plan->nr, &plan->zone, &info);
	if (ret)
		return ret;
	plan->start = info.pfn;
	pages = (unsigned long)info.blocks << pageblock_order;
	if (plan->total > pages)
		return fragbed_refuse(w, TAINT_KEY_PAGES, -EINVAL,
				      "must be 1 to %lu, a superpageblock has no more",
				      pages);
	plan->blocks = min_t(unsigned long, plan->total, info.blocks);
	plan->distance = rounddown(pages / plan->blocks, pageblock_nr_pages);
	return 0;
}

/* Pages the node can spare in the zone and those it falls back to. */
static unsigned long spare_pages(const struct taint_plan *plan)
{
	enum fragbed_type type = zone_idx(plan->zone) == ZONE_MOVABLE ?
				 FRAGBED_MOVABLE : FRAGBED_UNMOVABLE;

	return fragbed_spare_pages(zone_to_nid(plan->zone), fragbed_gfp(type), true);
}

/*
 * Allocating a range migrates the movable pages in it. That fails in holes, at unmovable
 * pages, and if there is no room for the pages elsewhere.
 */
static bool alloc_range(const struct taint_plan *plan, unsigned long pfn,
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

/* The first blocks get one more if the pages do not divide evenly. */
static unsigned long share_of(const struct taint_plan *plan, unsigned long block)
{
	return plan->total / plan->blocks + (block < plan->total % plan->blocks);
}

static int alloc_in_block(const struct taint_plan *plan, unsigned long block)
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
		if (alloc_range(plan, pfn, nr))
			return 0;
		cond_resched();
	}
	return -EBUSY;
}

static int alloc_all(const struct taint_plan *plan)
{
	unsigned long block;
	int ret = 0;

	for (block = 0; block < plan->blocks && !ret; block++)
		ret = alloc_in_block(plan, block);
	return ret;
}

static void undo(const struct taint_plan *plan, int error)
{
	if (error == -ENOMEM)
		pr_warn("%s: pages=%lu: node %d has only %lu pages above the watermarks\n",
			plan->path, plan->total, zone_to_nid(plan->zone),
			spare_pages(plan));
	if (error == -EBUSY)
		pr_warn("%s: spb=%u: got %lu of %lu pages, no more can be allocated there, all are freed\n",
			plan->path, plan->nr, plan->set->nr_chunks, plan->total);
	fragbed_set_destroy(plan->set);
	fragbed_drain_free_pages();
}

/*
 * All or nothing: on any error all pages are freed. Each pageblock gets one page before
 * any gets two.
 *
 * Context: may sleep, interruptible.
 * Return: 0, -EINVAL out of range, -ENXIO no such node, zone or SPB, -EBUSY an unmovable
 * page is in the way, -ENOMEM the node cannot spare it, -EINTR on a signal or reset,
 * -EOPNOTSUPP there are no SPBs.
 */
static int taint_run(const struct fragbed_write *w)
{
	struct taint_plan plan = {
		.path = w->knob->path,
		.ticket = fragbed_stop_ticket(),
	};
	int ret = read_values(w, &plan);

	if (ret)
		return ret;
	plan.set = fragbed_set_new(w->values[TAINT_KEY_SET].text, FRAGBED_UNMOVABLE, 0,
				   zone_to_nid(plan.zone));
	if (IS_ERR(plan.set))
		return PTR_ERR(plan.set);
	ret = alloc_all(&plan);
	if (ret) {
		undo(&plan, ret);
		return ret;
	}
	fragbed_set_publish(plan.set);
	fragbed_drain_free_pages();
	return 0;
}

struct fragbed_knob fragbed_knob_spb_taint = {
	.path = "spb/taint",
	.file = FRAGBED_COMMAND,
	.keys = taint_keys,
	.run = taint_run,
};

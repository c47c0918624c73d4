// SPDX-License-Identifier: GPL-2.0
/*
 * How fragmented a node is, by the kernel's own definition: the share of free memory, in
 * permille, that is in blocks too small for an order. Computed from the free_area counts.
 */
#include <linux/math64.h>
#include <linux/seq_file.h>
#include <linux/spinlock.h>

#include "fragbed.h"

static void add_zone_counts(struct zone *zone, unsigned long *nr_free)
{
	unsigned long flags;
	unsigned int order;

	spin_lock_irqsave(&zone->lock, flags);
	for (order = 0; order < NR_PAGE_ORDERS; order++)
		nr_free[order] += zone->free_area[order].nr_free;
	spin_unlock_irqrestore(&zone->lock, flags);
}

static void node_counts(int nid, unsigned long *nr_free)
{
	int i;

	memset(nr_free, 0, NR_PAGE_ORDERS * sizeof(*nr_free));
	for (i = 0; i < MAX_NR_ZONES; i++) {
		struct zone *zone = &NODE_DATA(nid)->node_zones[i];

		if (populated_zone(zone))
			add_zone_counts(zone, nr_free);
	}
}

static unsigned int index_of(const unsigned long *nr_free, unsigned int order)
{
	u64 free = 0, usable = 0;
	unsigned int i;

	for (i = 0; i < NR_PAGE_ORDERS; i++) {
		free += (u64)nr_free[i] << i;
		usable += i >= order ? (u64)nr_free[i] << i : 0;
	}
	return free ? div64_u64((free - usable) * 1000, free) : 1000;
}

/**
 * fragbed_unusable_index() - unusable free space index of a node
 * @nid: node with memory
 * @order: 0 to MAX_PAGE_ORDER
 *
 * Pages on per-cpu lists are not counted in free_area, so they do not count at all.
 *
 * Context: takes zone->lock of one zone at a time.
 * Return: permille; 1000 if nothing is free.
 */
unsigned int fragbed_unusable_index(int nid, unsigned int order)
{
	unsigned long nr_free[NR_PAGE_ORDERS];

	node_counts(nid, nr_free);
	return index_of(nr_free, order);
}

/**
 * fragbed_nr_free_pages() - count the free pages in the free areas of a node
 * @nid: node with memory
 *
 * Context: takes zone->lock of one zone at a time.
 * Return: pages.
 */
unsigned long fragbed_nr_free_pages(int nid)
{
	unsigned long nr_free[NR_PAGE_ORDERS], pages = 0;
	unsigned int i;

	node_counts(nid, nr_free);
	for (i = 0; i < NR_PAGE_ORDERS; i++)
		pages += nr_free[i] << i;
	return pages;
}

/**
 * fragbed_nr_free_blocks() - count the wholly free pageblocks of a node
 * @nid: node with memory
 *
 * Exact up to per-cpu lists: buddies of one pageblock always merge, so a
 * wholly free pageblock is one free chunk or part of a larger one.
 *
 * Context: takes zone->lock of one zone at a time.
 * Return: pageblocks.
 */
unsigned long fragbed_nr_free_blocks(int nid)
{
	unsigned long nr_free[NR_PAGE_ORDERS], blocks = 0;
	unsigned int i;

	node_counts(nid, nr_free);
	for (i = pageblock_order; i < NR_PAGE_ORDERS; i++)
		blocks += nr_free[i] << (i - pageblock_order);
	return blocks;
}

static void show_zone(struct seq_file *m, int nid, struct zone *zone)
{
	unsigned long nr_free[NR_PAGE_ORDERS] = { };
	unsigned int order;

	add_zone_counts(zone, nr_free);
	seq_printf(m, "%d %s", nid, zone->name);
	for (order = 0; order < NR_PAGE_ORDERS; order++)
		seq_printf(m, " %u", index_of(nr_free, order));
	seq_putc(m, '\n');
}

/* Context: takes zone->lock of one zone at a time. */
static int index_show(struct seq_file *m, void *unused)
{
	unsigned int order;
	int nid, i;

	seq_puts(m, "# node zone");
	for (order = 0; order < NR_PAGE_ORDERS; order++)
		seq_printf(m, " order%u", order);
	seq_putc(m, '\n');
	for_each_node_state(nid, N_MEMORY) {
		for (i = 0; i < MAX_NR_ZONES; i++) {
			struct zone *zone = &NODE_DATA(nid)->node_zones[i];

			if (populated_zone(zone))
				show_zone(m, nid, zone);
		}
	}
	return 0;
}

struct fragbed_knob fragbed_knob_fragment_index = {
	.path = "fragment/index",
	.file = FRAGBED_READ_ONLY,
	.show = index_show,
};

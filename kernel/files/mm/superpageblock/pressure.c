// SPDX-License-Identifier: GPL-2.0
/*
 * What is done in the background for superpageblocks (SPBs) that want it: see want.c.
 * A work item for each zone moves what can move, one SPB at a time; one for each node
 * shrinks slabs.
 */
#include <kunit/static_stub.h>
#include <kunit/visibility.h>
#include <linux/cleanup.h>
#include <linux/init.h>
#include <linux/irq_work.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/workqueue.h>

#include "../internal.h"

/* How hard slabs are shrunk in one go: a sixteenth of what could go. */
#define SHRINK_PRIORITY 4

#define RESERVE_PAGES (spb_reserve(SPB_BLOCKS) * pageblock_nr_pages)

/* One SPB at a time: whatever else is queued, and the freezer, come in between. */
static void run_defrag(struct work_struct *work)
{
	struct spb_zone *spbs = container_of(work, struct spb_zone, defrag);
	int nr = spb_take_wanted(spbs->zone);

	if (nr < 0)
		return;
	spb_defrag_some(spbs->zone, nr);
	queue_work(system_freezable_wq, work);
}

static unsigned long free_in_tainted(struct zone *zone, unsigned long enough)
{
	struct spb_zone *spbs = zone->spb;
	unsigned long pages = 0;
	unsigned int nr;

	for (nr = 0; nr < spbs->index.nr && pages < enough; nr++)
		if (READ_ONCE(spbs->spb[nr].tainted))
			pages += spb_free_pages(zone, nr, enough - pages);
	return pages;
}

/**
 * spb_shrink_slabs() - one go at the slabs of a node
 * @nid: the node
 *
 * Context: process, may sleep.
 * Return: objects freed.
 */
unsigned long spb_shrink_slabs(int nid)
{
	struct mem_cgroup *memcg = mem_cgroup_iter(NULL, NULL, NULL);
	unsigned long objects = 0;

	KUNIT_STATIC_STUB_REDIRECT(spb_shrink_slabs, nid);
	do {
		objects += shrink_slab(GFP_KERNEL, nid, memcg, SHRINK_PRIORITY);
		memcg = mem_cgroup_iter(NULL, memcg, NULL);
	} while (memcg);
	return objects;
}
EXPORT_SYMBOL_IF_KUNIT(spb_shrink_slabs);

static void note_shrunk(struct zone *zone, unsigned long objects, unsigned long credit)
{
	struct spb_zone *spbs = zone->spb;

	guard(spinlock_irq)(&zone->lock);
	spbs->events[SPB_SHRINK]++;
	spbs->events[SPB_SHRUNK] += objects;
	spbs->credit = credit;
}

static bool take_want_shrink(struct zone *zone)
{
	bool want;

	guard(spinlock_irq)(&zone->lock);
	want = zone->spb->want_shrink;
	zone->spb->want_shrink = false;
	return want;
}

/**
 * spb_shrink() - shrink slabs until tainted SPBs have free pages again
 * @zone: zone with SPBs that are short of them
 *
 * It ends when there is a reserve's worth of them, or when another go did not help.
 * How soon it is looked at again depends on how much is used meanwhile, never on
 * time.
 *
 * Context: process, may sleep.
 */
void spb_shrink(struct zone *zone)
{
	unsigned long enough = 2 * RESERVE_PAGES;
	unsigned long had, have = free_in_tainted(zone, enough);
	unsigned long objects = 0;

	do {
		if (have >= RESERVE_PAGES)
			break;
		had = have;
		objects += spb_shrink_slabs(zone_to_nid(zone));
		have = free_in_tainted(zone, enough);
	} while (have > had);
	note_shrunk(zone, objects, max(have, RESERVE_PAGES + RESERVE_PAGES / 8) - RESERVE_PAGES);
}
EXPORT_SYMBOL_IF_KUNIT(spb_shrink);

/* The work item of a node's first zone is the node's. */
static void run_shrink(struct work_struct *work)
{
	struct spb_zone *first = container_of(work, struct spb_zone, shrink);
	struct pglist_data *node = first->zone->zone_pgdat;
	int i;

	for (i = 0; i < MAX_NR_ZONES; i++) {
		struct zone *zone = &node->node_zones[i];

		if (zone->spb && take_want_shrink(zone))
			spb_shrink(zone);
	}
}

static struct spb_zone *first_of_node(struct pglist_data *node)
{
	struct zone *zone = node->node_zones;

	while (!zone->spb)
		zone++;
	return zone->spb;
}

static void queue_wanted(struct irq_work *kick)
{
	struct spb_zone *spbs = container_of(kick, struct spb_zone, kick);

	queue_work(system_freezable_wq, &spbs->defrag);
	if (READ_ONCE(spbs->want_shrink))
		queue_work(system_freezable_wq, &first_of_node(spbs->zone->zone_pgdat)->shrink);
}

static void start_zone(struct spb_zone *spbs)
{
	INIT_WORK(&spbs->defrag, run_defrag);
	INIT_WORK(&spbs->shrink, run_shrink);
	init_irq_work(&spbs->kick, queue_wanted);
	/* Early boot may have wanted something. */
	spb_kick(spbs);
}

static int __init spb_pressure_init(void)
{
	struct zone *zone;

	for_each_populated_zone(zone)
		if (zone->spb)
			start_zone(zone->spb);
	return 0;
}
core_initcall(spb_pressure_init);

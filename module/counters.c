// SPDX-License-Identifier: GPL-2.0
/* Counters that a compaction changes, of the whole machine, and one node's free memory. */
#include <linux/build_bug.h>
#include <linux/mm.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/vmstat.h>

#include "fragbed.h"

/* Names as in /proc/vmstat. */
static const struct {
	const char *name;
	enum vm_event_item item;
} events[] = {
	{ "compact_migrate_scanned", COMPACTMIGRATE_SCANNED },
	{ "compact_free_scanned", COMPACTFREE_SCANNED },
	{ "compact_isolated", COMPACTISOLATED },
	{ "compact_stall", COMPACTSTALL },
	{ "compact_fail", COMPACTFAIL },
	{ "compact_success", COMPACTSUCCESS },
	{ "compact_daemon_wake", KCOMPACTD_WAKE },
	{ "compact_daemon_migrate_scanned", KCOMPACTD_MIGRATE_SCANNED },
	{ "compact_daemon_free_scanned", KCOMPACTD_FREE_SCANNED },
	{ "pgmigrate_success", PGMIGRATE_SUCCESS },
	{ "pgmigrate_fail", PGMIGRATE_FAIL },
	{ "allocstall_normal", ALLOCSTALL_NORMAL },
	{ "allocstall_movable", ALLOCSTALL_MOVABLE },
};

/**
 * fragbed_counters_take() - take a snapshot
 * @counters: where to
 * @nid: node with memory
 * @order: for the index
 *
 * Context: may sleep, takes zone->lock of one zone at a time.
 * Return: 0 or -ENOMEM.
 */
int fragbed_counters_take(struct fragbed_counters *counters, int nid,
			  unsigned int order)
{
	unsigned long *all;
	size_t i;

	static_assert(ARRAY_SIZE(events) == FRAGBED_NR_EVENTS);
	all = kcalloc(NR_VM_EVENT_ITEMS, sizeof(*all), GFP_KERNEL);
	if (!all)
		return -ENOMEM;
	fragbed_drain_free_pages();
	all_vm_events(all);
	for (i = 0; i < ARRAY_SIZE(events); i++)
		counters->events[i] = all[events[i].item];
	kfree(all);
	counters->free_pages = fragbed_nr_free_pages(nid);
	counters->free_blocks = fragbed_nr_free_blocks(nid);
	counters->index = fragbed_unusable_index(nid, order);
	return 0;
}

/**
 * fragbed_counters_show() - print what changed, line by line
 * @m: where to
 * @before: the earlier snapshot
 * @after: the later one
 *
 * Context: any.
 */
void fragbed_counters_show(struct seq_file *m,
			   const struct fragbed_counters *before,
			   const struct fragbed_counters *after)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(events); i++)
		seq_printf(m, "delta_%s %lu\n", events[i].name,
			   after->events[i] - before->events[i]);
	seq_printf(m, "free_pages_before %lu\nfree_pages_after %lu\n",
		   before->free_pages, after->free_pages);
	seq_printf(m, "free_blocks_before %lu\nfree_blocks_after %lu\n",
		   before->free_blocks, after->free_blocks);
	seq_printf(m, "index_before %u\nindex_after %u\n", before->index,
		   after->index);
}

/**
 * fragbed_counters_delta() - how often an event happened between two snapshots
 * @before: the earlier snapshot
 * @after: the later one
 * @item: one of the events counted here
 *
 * Context: any.
 * Return: how often; 0 if it is not counted.
 */
unsigned long fragbed_counters_delta(const struct fragbed_counters *before,
				     const struct fragbed_counters *after,
				     int item)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(events); i++) {
		if (events[i].item == item)
			return after->events[i] - before->events[i];
	}
	return 0;
}

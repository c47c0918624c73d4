// SPDX-License-Identifier: GPL-2.0
/* spb/: the kernel's records of its superpageblocks, and a check of them. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/jiffies.h>
#include <linux/mmzone.h>
#include <linux/nodemask.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/superpageblock.h>

#include "fragbed.h"

/* Call @show for each zone that has memory and superpageblocks. */
static int each_zone(struct seq_file *m,
		     void (*show)(struct seq_file *m, struct zone *zone))
{
	int nid;

	for_each_node_state(nid, N_MEMORY) {
		struct zone *zone = NULL;

		while ((zone = fragbed_spb_next_zone(nid, zone)))
			show(m, zone);
	}
	return 0;
}

/* Why the last defragmentation or evacuation ended, and how long ago. */
static void show_last_run(struct seq_file *m, const struct spb_info *info)
{
	const char *name = info->stop < 0 ? NULL : spb_stop_name(info->stop);

	if (name)
		seq_printf(m, " %s %u\n", name, jiffies_to_msecs(jiffies - info->stopped));
	else
		seq_puts(m, " - -\n");
}

static void show_zone_table(struct seq_file *m, struct zone *zone)
{
	struct spb_info info;
	unsigned int nr;

	for (nr = 0; !spb_get_info(zone, nr, &info); nr++) {
		seq_printf(m, "%d %s %u %lu %s %u %u %u %u %u %u %u",
			   zone_to_nid(zone), zone->name, nr, info.pfn,
			   fragbed_spb_categories[info.category], info.blocks,
			   info.usable, info.free, info.claimable,
			   info.nonmovable, info.movable, info.mixed);
		show_last_run(m, &info);
		cond_resched();
	}
}

/* A row for each superpageblock, counts in pageblocks. Context: may sleep. */
static int table_show(struct seq_file *m, void *unused)
{
	seq_puts(m, "# node zone spb pfn category blocks usable free claimable nonmovable movable mixed last_run ms_ago\n");
	return each_zone(m, show_zone_table);
}

struct fragbed_knob fragbed_knob_spb_table = {
	.path = "spb/table",
	.file = FRAGBED_READ_ONLY,
	.show = table_show,
};

static void show_zone_stats(struct seq_file *m, struct zone *zone)
{
	unsigned int event;
	const char *name;

	for (event = 0; (name = spb_event_name(event)); event++)
		seq_printf(m, "%d %s %s %lu\n", zone_to_nid(zone), zone->name,
			   name, spb_event_count(zone, event));
}

/* Event counters since boot. Context: may sleep. */
static int stats_show(struct seq_file *m, void *unused)
{
	seq_puts(m, "# node zone event count\n");
	return each_zone(m, show_zone_stats);
}

struct fragbed_knob fragbed_knob_spb_stats = {
	.path = "spb/stats",
	.file = FRAGBED_READ_ONLY,
	.show = stats_show,
};

static void show_zone_check(struct seq_file *m, struct zone *zone)
{
	struct spb_verdict verdict;

	spb_check(zone, &verdict);
	seq_printf(m, "%d %s %lu", zone_to_nid(zone), zone->name, verdict.broken);
	if (verdict.broken)
		seq_printf(m, " spb=%u pfn=%lu %s", verdict.spb, verdict.pfn,
			   verdict.rule);
	seq_putc(m, '\n');
}

/*
 * Do the records agree with the pages? Walks all memory, a zone at a time with its lock
 * held. Context: may sleep.
 */
static int check_show(struct seq_file *m, void *unused)
{
	seq_puts(m, "# node zone broken first\n");
	return each_zone(m, show_zone_check);
}

struct fragbed_knob fragbed_knob_spb_check = {
	.path = "spb/check",
	.file = FRAGBED_READ_ONLY,
	.show = check_show,
};

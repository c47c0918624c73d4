// SPDX-License-Identifier: GPL-2.0
/* The superpageblocks that a line of spb/ names: node, zone, number. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kernel.h>
#include <linux/mmzone.h>
#include <linux/nodemask.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/superpageblock.h>

#include "fragbed.h"

const char *const fragbed_spb_categories[] = {
	[FRAGBED_SPB_EMPTY] = "empty",
	[FRAGBED_SPB_CLEAN] = "clean",
	[FRAGBED_SPB_TAINTED] = "tainted",
};

/**
 * fragbed_spb_next_zone() - find the next zone of a node that has superpageblocks
 * @nid: node with memory
 * @zone: the one before, NULL to begin with the first
 *
 * Context: any but NMI; takes zone->lock.
 * Return: the zone, NULL if there is no other.
 */
struct zone *fragbed_spb_next_zone(int nid, struct zone *zone)
{
	struct zone *zones = NODE_DATA(nid)->node_zones;
	struct spb_info info;

	for (zone = zone ? zone + 1 : zones; zone < zones + MAX_NR_ZONES; zone++) {
		if (populated_zone(zone) && !spb_get_info(zone, 0, &info))
			return zone;
	}
	return NULL;
}

/* A list that does not fit ends early. */
static void list_zones(int nid, char *names, size_t size)
{
	struct zone *zone = NULL;
	size_t len = 0;

	while ((zone = fragbed_spb_next_zone(nid, zone)))
		len += scnprintf(names + len, size - len, "%s%s",
				 len ? ", " : "", zone->name);
}

static int refuse_zone(const struct fragbed_write *w, int nid)
{
	char names[64] = "";

	list_zones(nid, names, sizeof(names));
	if (w->values[FRAGBED_KEY_ZONE].given)
		return fragbed_refuse(w, FRAGBED_KEY_ZONE, -ENXIO,
				      "has no superpageblocks, those of node %d are in %s",
				      nid, names);
	pr_warn("%s: zone: missing, node %d has superpageblocks in %s\n",
		w->knob->path, nid, names);
	return -EINVAL;
}

/* Without node= it is node 0; if that has no memory, the writer's. */
static int check_node(const struct fragbed_write *w, int *nid)
{
	if (w->values[FRAGBED_KEY_NODE].given || !node_state(0, N_MEMORY))
		return fragbed_node_check(w, FRAGBED_KEY_NODE, nid);
	*nid = 0;
	return 0;
}

/**
 * fragbed_spb_zone() - find the zone that a line names
 * @w: the line, parsed
 * @nid: its node
 * @found: the zone; without a name the only one with superpageblocks, NULL if there
 *	   are several
 *
 * Context: may sleep.
 * Return: 0, or after one line in the log -ENXIO no such node or zone, -EOPNOTSUPP the
 * node has no superpageblocks.
 */
int fragbed_spb_zone(const struct fragbed_write *w, int *nid, struct zone **found)
{
	const struct fragbed_value *name = &w->values[FRAGBED_KEY_ZONE];
	struct zone *zone = NULL;
	unsigned int nr = 0;
	int ret = check_node(w, nid);

	if (ret)
		return ret;
	*found = NULL;
	while ((zone = fragbed_spb_next_zone(*nid, zone))) {
		nr++;
		if (!name->given || !strcmp(name->text, zone->name))
			*found = zone;
	}
	if (!nr) {
		pr_warn("%s: node %d has no superpageblocks\n", w->knob->path, *nid);
		return -EOPNOTSUPP;
	}
	if (name->given && !*found)
		return refuse_zone(w, *nid);
	if (!name->given && nr > 1)
		*found = NULL;
	return 0;
}

static unsigned int count_spbs(struct zone *zone)
{
	struct spb_info info;
	unsigned int nr;

	for (nr = 0; !spb_get_info(zone, nr, &info); nr++)
		cond_resched();
	return nr;
}

/**
 * fragbed_spb_find() - find the one superpageblock that a line names
 * @w: the line, parsed
 * @nr: number of the superpageblock in its zone
 * @found: its zone
 * @info: its record
 *
 * Context: may sleep.
 * Return: 0, or after one line in the log -EINVAL the line must name the zone, -ENXIO no
 * such node, zone or superpageblock, -EOPNOTSUPP the node has none.
 */
int fragbed_spb_find(const struct fragbed_write *w, u64 nr, struct zone **found,
		     struct spb_info *info)
{
	int nid, ret = fragbed_spb_zone(w, &nid, found);

	if (ret)
		return ret;
	if (!*found)
		return refuse_zone(w, nid);
	if (nr <= UINT_MAX && !spb_get_info(*found, nr, info))
		return 0;
	return fragbed_refuse(w, FRAGBED_KEY_SPB, -ENXIO,
			      "no such superpageblock, zone %s of node %d has 0 to %u",
			      (*found)->name, nid, count_spbs(*found) - 1);
}

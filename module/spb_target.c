// SPDX-License-Identifier: GPL-2.0
/* Which superpageblocks a line of spb/ is about: node, zone, number. */
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
 * fragbed_spb_next_zone() - the next zone of a node that has superpageblocks
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

static int refuse_zone(const char *knob, int nid, const struct fragbed_key *key)
{
	char names[64] = "";

	list_zones(nid, names, sizeof(names));
	if (!key->given) {
		pr_warn("%s: zone: missing, node %d has superpageblocks in %s\n",
			knob, nid, names);
		return -EINVAL;
	}
	pr_warn("%s: zone=%s: has no superpageblocks, those of node %d are in %s\n",
		knob, key->text, nid, names);
	return -ENXIO;
}

/* Node 0 if none is named; where that has no memory, the writer's. */
static int check_node(const char *knob, struct fragbed_key *key)
{
	if (key->given || !node_state(0, N_MEMORY))
		return fragbed_node_check(knob, key);
	key->value = 0;
	return 0;
}

/**
 * fragbed_spb_zone() - the zone a line names
 * @knob: name of the knob, for the log
 * @keys: parsed; the node is filled in if it was not given
 * @found: the zone; without a name the only one with superpageblocks, NULL if there
 *	   are several
 *
 * Context: may sleep.
 * Return: 0, or after one line in the log -ENXIO no such node or zone, -EOPNOTSUPP the
 * node has no superpageblocks.
 */
int fragbed_spb_zone(const char *knob, struct fragbed_key *keys,
		     struct zone **found)
{
	const struct fragbed_key *name = &keys[FRAGBED_KEY_ZONE];
	struct zone *zone = NULL;
	unsigned int nr = 0;
	int nid, ret;

	ret = check_node(knob, &keys[FRAGBED_KEY_NODE]);
	if (ret)
		return ret;
	nid = keys[FRAGBED_KEY_NODE].value;
	*found = NULL;
	while ((zone = fragbed_spb_next_zone(nid, zone))) {
		nr++;
		if (!name->given || !strcmp(name->text, zone->name))
			*found = zone;
	}
	if (!nr) {
		pr_warn("%s: node %d has no superpageblocks\n", knob, nid);
		return -EOPNOTSUPP;
	}
	if (name->given && !*found)
		return refuse_zone(knob, nid, name);
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
 * fragbed_spb_find() - the one superpageblock a line names
 * @knob: name of the knob, for the log
 * @keys: parsed; the node is filled in if it was not given
 * @nr: number of the superpageblock in its zone
 * @found: its zone
 * @info: what is known of it
 *
 * Context: may sleep.
 * Return: 0, or after one line in the log -EINVAL the zone has to be named, -ENXIO no
 * such node, zone or superpageblock, -EOPNOTSUPP the node has none.
 */
int fragbed_spb_find(const char *knob, struct fragbed_key *keys, u64 nr,
		     struct zone **found, struct spb_info *info)
{
	int ret = fragbed_spb_zone(knob, keys, found);

	if (ret)
		return ret;
	if (!*found)
		return refuse_zone(knob, keys[FRAGBED_KEY_NODE].value,
				   &keys[FRAGBED_KEY_ZONE]);
	if (nr <= UINT_MAX && !spb_get_info(*found, nr, info))
		return 0;
	pr_warn("%s: spb=%llu: no such superpageblock, zone %s of node %d has 0 to %u\n",
		knob, nr, (*found)->name, zone_to_nid(*found),
		count_spbs(*found) - 1);
	return -ENXIO;
}

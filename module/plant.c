// SPDX-License-Identifier: GPL-2.0
/*
 * Planting: split a chunk, keep one page of it and free the others, so that the chunk
 * cannot merge again.
 *
 *	one step, order 3:   [........]  ->  [.....k..]
 *
 * The allocator itself decides where each chunk comes from.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitmap.h>
#include <linux/kernel.h>
#include <linux/prandom.h>
#include <linux/preempt.h>

#include "fragbed.h"

/* Offsets to try before the chunk gets an unmovable page instead of a movable one. */
#define PLANT_TRIES 4

static u32 random_below(struct fragbed_planter *planter, u32 limit)
{
	return prandom_u32_state(&planter->rnd) % limit;
}

/* Without reclaim bits, or direct compaction and kcompactd would undo the work meanwhile. */
static struct page *alloc_chunk(struct fragbed_planter *planter,
				enum fragbed_type type)
{
	return fragbed_chunk_alloc(planter->nid,
				   fragbed_gfp(type) & ~__GFP_RECLAIM,
				   planter->order, planter->force);
}

static void keep_raw(struct fragbed_planter *planter, struct page *page)
{
	fragbed_set_add(planter->set, page);
	planter->stats.kept_unmovable++;
}

/* Free every page of a split chunk that is not freed yet, except @keep. */
static void free_others(struct page *chunk, unsigned int nr,
			unsigned long *gone, unsigned int keep)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (i != keep && !test_bit(i, gone))
			fragbed_chunk_free(chunk + i, 0);
	}
}

static void keep_unmovable(struct fragbed_planter *planter, struct page *chunk)
{
	DECLARE_BITMAP(gone, 1 << MAX_PAGE_ORDER) = { };
	unsigned int nr = 1U << planter->order;
	unsigned int keep = random_below(planter, nr);

	free_others(chunk, nr, gone, keep);
	keep_raw(planter, chunk + keep);
}

/* Does a request for zones up to @top try a higher zone of the node before that of @page? */
static bool is_below(const struct page *page, enum zone_type top)
{
	const struct zone *zones = page_pgdat(page)->node_zones;
	int i;

	for (i = page_zonenum(page) + 1; i <= top; i++)
		if (populated_zone(&zones[i]))
			return true;
	return false;
}

/*
 * Flags for a movable page from the zone of @page. They allow zones as high as possible,
 * because no memory policy applies to requests below the highest zone of all nodes.
 */
static gfp_t gfp_of_zone(const struct page *page)
{
	static const gfp_t zones[] = { __GFP_HIGHMEM, 0, __GFP_DMA32, __GFP_DMA };
	gfp_t gfp = fragbed_gfp(FRAGBED_MOVABLE) & ~(__GFP_HIGHMEM | __GFP_RECLAIM);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(zones) - 1; i++) {
		if (!is_below(page, gfp_zone(gfp | zones[i])))
			break;
	}
	return gfp | zones[i];
}

/*
 * Turn @page, which is allocated, into a shmem page: a freed page goes to the head of
 * this CPU's list of its pageblock's migratetype, and the next movable allocation takes
 * it from there. Another allocation may come in between, so check the result.
 *
 * Return: 1 if it is @page, 0 if not, -EOPNOTSUPP if it is on another node because of
 * the writer's policy.
 */
static int plant_page(struct fragbed_planter *planter, struct page *page)
{
	gfp_t gfp = gfp_of_zone(page);
	struct fragbed_set *set = planter->set;
	struct page *landed;
	int ret;

	migrate_disable();
	fragbed_chunk_free(page, 0);
	ret = fragbed_shmem_alloc(set->file, set->end, gfp, &landed);
	migrate_enable();
	if (!ret && landed == page) {
		set->end++;
		return 1;
	}
	planter->stats.misses++;
	if (ret)
		return 0;
	/* In lower zones no policy applied, so that is a miss like any other. */
	if (gfp_zone(gfp) >= ZONE_NORMAL)
		ret = fragbed_shmem_node_check(planter->path, landed, set->nid);
	fragbed_shmem_drop(set->file, set->end, 1);
	return ret;
}

/* Shmem does not get a freed page of an unmovable or reclaimable pageblock. */
static bool block_takes_movable(const struct page *page)
{
	int type = fragbed_pageblock_type(page);

	return type != MIGRATE_UNMOVABLE && type != MIGRATE_RECLAIMABLE;
}

static int keep_movable(struct fragbed_planter *planter, struct page *chunk)
{
	DECLARE_BITMAP(gone, 1 << MAX_PAGE_ORDER) = { };
	unsigned int nr = 1U << planter->order;
	unsigned int tries = min(PLANT_TRIES, nr - 1);
	unsigned int at = random_below(planter, nr);
	int ret = 0;

	if (!block_takes_movable(chunk))
		tries = 0;
	for (; tries && !ret; tries--) {
		__set_bit(at, gone);
		ret = plant_page(planter, chunk + at);
		if (!ret)
			at = (at + 1) % nr;
	}
	free_others(chunk, nr, gone, at);
	if (ret < 0)
		return ret;
	if (ret) {
		planter->stats.kept_movable++;
	} else {
		keep_raw(planter, chunk + at);
		planter->stats.fallbacks++;
	}
	return 0;
}

/**
 * fragbed_plant() - split one chunk and keep a page of it
 * @planter: what to split, and where to keep the page
 *
 * The type is random; if no chunk of that type can be allocated, one of the other
 * type is used.
 *
 * Context: may sleep. Only one task may use a planter.
 * Return: 0, -ENOSPC if the node can spare no chunk, -EOPNOTSUPP if movable
 * pages come from another node.
 */
int fragbed_plant(struct fragbed_planter *planter)
{
	bool unmovable = random_below(planter, 100) < planter->share;
	enum fragbed_type type = unmovable ? FRAGBED_UNMOVABLE : FRAGBED_MOVABLE;
	enum fragbed_type other = unmovable ? FRAGBED_MOVABLE : FRAGBED_UNMOVABLE;
	struct page *chunk = alloc_chunk(planter, type);

	if (!chunk)
		chunk = alloc_chunk(planter, other);
	if (!chunk)
		return -ENOSPC;
	fragbed_chunk_split(chunk, planter->order);
	planter->stats.visited += 1UL << planter->order;
	if (!unmovable)
		return keep_movable(planter, chunk);
	keep_unmovable(planter, chunk);
	return 0;
}

static bool drop_raw(struct fragbed_planter *planter)
{
	struct fragbed_set *set = planter->set;
	struct page *page;

	if (!set->nr_chunks)
		return false;
	page = list_first_entry(&set->chunks, struct page, lru);
	list_del(&page->lru);
	set->nr_chunks--;
	fragbed_chunk_free(page, 0);
	planter->stats.kept_unmovable--;
	return true;
}

static bool drop_shmem(struct fragbed_planter *planter)
{
	if (planter->first == planter->set->end)
		return false;
	fragbed_shmem_drop(planter->set->file, planter->first++, 1);
	planter->stats.kept_movable--;
	return true;
}

/**
 * fragbed_unplant() - free the page that was kept longest
 * @planter: owner of the pages
 *
 * The type is random, with the same share as for planting.
 *
 * Context: may sleep. Only one task may use a planter.
 * Return: false if nothing is kept.
 */
bool fragbed_unplant(struct fragbed_planter *planter)
{
	if (random_below(planter, 100) < planter->share)
		return drop_raw(planter) || drop_shmem(planter);
	return drop_shmem(planter) || drop_raw(planter);
}

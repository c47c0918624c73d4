// SPDX-License-Identifier: GPL-2.0
/*
 * map: one row per chunk of physical memory, counted page by page.
 *
 * Pages are read without locks, as the kernel's own pfn walkers do: a page may change
 * while it is read, so every value is checked before use and a row can be slightly wrong.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bits.h>
#include <linux/fs.h>
#include <linux/hugetlb.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/memory_hotplug.h>
#include <linux/page-flags.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/string.h>

#include "fragbed.h"

/* A chunk holds whole buddies, since only the first page of a buddy is marked as free. */
#define CHUNK_MIN_PAGES BIT(MAX_PAGE_ORDER)
#define CHUNK_MIN_KB (CHUNK_MIN_PAGES << (PAGE_SHIFT - 10))
#define CHUNK_MAX_KB (SZ_1G / SZ_1K * 64UL)

static unsigned long chunk_kb = CHUNK_MIN_KB;	/* READ_ONCE/WRITE_ONCE */

/* Pages of one chunk by kind, and its pageblocks by migratetype. */
struct map_row {
	unsigned long start;
	unsigned long end;
	int nid;
	int spb;		/* enum spb_category of its first page, or -1 */
	unsigned long free;
	unsigned long movable;
	unsigned long unmovable;
	unsigned long reclaimable;
	unsigned long reserved;
	unsigned long free_blocks;
	unsigned long blocks[FRAGBED_NR_TYPES + 1];	/* last: any other migratetype */
};

/* One reader of the map. */
struct map_walk {
	unsigned long first;	/* chunk-aligned pfn of the first row */
	unsigned long end;	/* one past the last pfn */
	unsigned long pages;	/* per chunk */
	struct map_row row;
};

static int type_slot(const struct page *page)
{
	switch (fragbed_pageblock_type(page)) {
	case MIGRATE_UNMOVABLE:
		return FRAGBED_UNMOVABLE;
	case MIGRATE_MOVABLE:
		return FRAGBED_MOVABLE;
	case MIGRATE_RECLAIMABLE:
		return FRAGBED_RECLAIMABLE;
	default:
		return FRAGBED_NR_TYPES;
	}
}

/* A buddy starts here. Return: its pages. */
static unsigned long count_buddy(struct map_row *row, struct page *page,
				 unsigned long room)
{
	unsigned long order = READ_ONCE(page->private);
	unsigned long pages = 1;

	if (order <= MAX_PAGE_ORDER)
		pages = min(1UL << order, room);
	row->free += pages;
	row->free_blocks += pages >> pageblock_order;
	return pages;
}

/*
 * Is the page user memory or page cache? Hugetlb pages and pages about to be added to the
 * LRU are on no list; in slabs the field that marks anonymous memory means something else.
 */
static bool is_movable(struct page *page)
{
	return PageLRU(page) || PageHuge(page) ||
	       (!PageSlab(page) && PageAnon(page));
}

/* Count the buddy or page at @pfn. Return: the pages it covers. */
static unsigned long count_pfn(struct map_row *row, unsigned long pfn,
			       int *type)
{
	struct page *page = pfn_to_online_page(pfn);

	/* A zone may begin inside a pageblock; pages before it have no migratetype. */
	if (!page || !zone_spans_pfn(page_zone(page), pfn)) {
		row->reserved++;
		return 1;
	}
	if (row->nid == NUMA_NO_NODE) {
		row->nid = page_to_nid(page);
		row->spb = max(spb_category_of(page), -1);
	}
	if (*type < 0 || IS_ALIGNED(pfn, pageblock_nr_pages)) {
		*type = type_slot(page);
		row->blocks[*type]++;
	}
	if (PageBuddy(page))
		return count_buddy(row, page, row->end - pfn);
	if (PageReserved(page))
		row->reserved++;
	else if (is_movable(page))
		row->movable++;
	else if (*type == FRAGBED_RECLAIMABLE)
		row->reclaimable++;
	else
		row->unmovable++;
	return 1;
}

/* Return: false if the whole chunk is a hole. */
static bool fill_row(struct map_row *row, unsigned long start,
		     unsigned long end)
{
	unsigned long pfn = start;
	int type = -1;

	memset(row, 0, sizeof(*row));
	row->start = start;
	row->end = end;
	row->nid = NUMA_NO_NODE;
	while (pfn < end) {
		pfn += count_pfn(row, pfn, &type);
		if (IS_ALIGNED(pfn, pageblock_nr_pages))
			cond_resched();
	}
	return row->nid != NUMA_NO_NODE;
}

/* The first row at or after *@pos that is not a hole. */
static void *seek_row(struct map_walk *walk, loff_t *pos)
{
	for (;; ++*pos) {
		unsigned long start = walk->first + (*pos - 1) * walk->pages;

		if (start >= walk->end || fatal_signal_pending(current))
			return NULL;
		if (fill_row(&walk->row, start,
			     min(start + walk->pages, walk->end)))
			return &walk->row;
	}
}

static void *map_start(struct seq_file *m, loff_t *pos)
{
	if (*pos)
		return seek_row(m->private, pos);
	fragbed_drain_free_pages();
	return SEQ_START_TOKEN;
}

static void *map_next(struct seq_file *m, void *v, loff_t *pos)
{
	++*pos;
	return seek_row(m->private, pos);
}

static void map_stop(struct seq_file *m, void *v)
{
}

static void show_header(struct seq_file *m)
{
	struct map_walk *walk = m->private;

	seq_printf(m, "# chunk_kb=%lu page_size=%lu pageblock_order=%u labels=%s drained=%s\n",
		   walk->pages << (PAGE_SHIFT - 10), PAGE_SIZE,
		   (unsigned int)pageblock_order,
		   FRAGBED_HAVE_CORE ? "yes" : "no",
		   FRAGBED_HAVE_CORE ? "yes" : "no");
	seq_puts(m, "# node pfn pages free movable unmovable reclaimable reserved free_blocks label_unmovable label_movable label_reclaimable label_other spb\n");
}

static int map_show(struct seq_file *m, void *v)
{
	struct map_row *row = v;

	if (v == SEQ_START_TOKEN) {
		show_header(m);
		return 0;
	}
	seq_printf(m, "%d %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %d\n",
		   row->nid, row->start, row->end - row->start, row->free,
		   row->movable, row->unmovable, row->reclaimable,
		   row->reserved, row->free_blocks,
		   row->blocks[FRAGBED_UNMOVABLE],
		   row->blocks[FRAGBED_MOVABLE],
		   row->blocks[FRAGBED_RECLAIMABLE],
		   row->blocks[FRAGBED_NR_TYPES], row->spb);
	return 0;
}

static const struct seq_operations map_ops = {
	.start = map_start,
	.next = map_next,
	.stop = map_stop,
	.show = map_show,
};

static int map_open(struct inode *inode, struct file *file)
{
	struct map_walk *walk;
	int nid;

	walk = __seq_open_private(file, &map_ops, sizeof(*walk));
	if (!walk)
		return -ENOMEM;
	walk->pages = READ_ONCE(chunk_kb) >> (PAGE_SHIFT - 10);
	walk->first = ULONG_MAX;
	for_each_node_state(nid, N_MEMORY) {
		walk->first = min(walk->first, node_start_pfn(nid));
		walk->end = max_t(unsigned long, walk->end,
				  node_end_pfn(nid));
	}
	walk->first = ALIGN_DOWN(walk->first, walk->pages);
	return 0;
}

static const struct file_operations map_fops = {
	.owner = THIS_MODULE,
	.open = map_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = seq_release_private,
};

struct fragbed_knob fragbed_knob_map = {
	.path = "map",
	.file = FRAGBED_READ_ONLY,
	.fops = &map_fops,
};

static const struct fragbed_key chunk_keys[] = {
	{ "KIB", FRAGBED_NUMBER, CHUNK_MIN_KB, CHUNK_MAX_KB, .required = true },
	{ }
};

static int chunk_run(const struct fragbed_write *w)
{
	u64 kb = w->values[0].number;

	if (!is_power_of_2(kb))
		return fragbed_refuse(w, 0, -EINVAL,
				      "must be a power of two from %lu to %lu (KiB)",
				      CHUNK_MIN_KB, CHUNK_MAX_KB);
	WRITE_ONCE(chunk_kb, kb);
	return 0;
}

static int chunk_show(struct seq_file *m, void *unused)
{
	seq_printf(m, "%lu\n", READ_ONCE(chunk_kb));
	return 0;
}

struct fragbed_knob fragbed_knob_map_chunk = {
	.path = "map_chunk",
	.file = FRAGBED_TUNABLE,
	.keys = chunk_keys,
	.plain = true,
	.run = chunk_run,
	.show = chunk_show,
};

// SPDX-License-Identifier: GPL-2.0
/*
 * Single chunks of pages by type. Without force=1 a tenth of a node stays free, and
 * no allocation goes below the high watermarks: a test bed must not push the machine
 * it runs on into reclaim or OOM.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/pagemap.h>
#include <linux/sizes.h>

#include "fragbed.h"

/* With force=1 a node keeps 1/64 of its pages on top of its high watermarks. */
#define FORCE_SHIFT 6

/* Without it a tenth, the watermarks included. */
#define KEPT_SHARE 10

/* Room for 2^28 pages in a shmem file, more than any one set may hold. */
#define SHMEM_PAGES BIT(28)

static atomic_long_t chunks_held;

/* Pages of a zone that must stay free on top of its high watermark. */
static unsigned long zone_margin(struct zone *zone, bool force)
{
	unsigned long managed = zone_managed_pages(zone);
	unsigned long least = managed >> FORCE_SHIFT;
	unsigned long keep = high_wmark_pages(zone);
	unsigned long tenth = managed / KEPT_SHARE;

	return force || tenth < keep + least ? least : tenth - keep;
}

/**
 * fragbed_spare_pages() - pages of a node that may be allocated
 * @nid: node with memory
 * @gfp: names the zones that count
 * @force: down to the watermarks, not just to a tenth
 *
 * Context: any. Without locks, so wrong by what is in the per-cpu counters.
 * Return: pages, 0 if the node can spare none.
 */
unsigned long fragbed_spare_pages(int nid, gfp_t gfp, bool force)
{
	unsigned long spare = 0, margin = 0;
	enum zone_type i;

	for (i = 0; i <= gfp_zone(gfp); i++) {
		struct zone *zone = &NODE_DATA(nid)->node_zones[i];
		unsigned long free, keep;

		if (!populated_zone(zone))
			continue;
		free = zone_page_state(zone, NR_FREE_PAGES);
		keep = high_wmark_pages(zone);
		spare += free > keep ? free - keep : 0;
		margin += zone_margin(zone, force);
	}
	return spare > margin ? spare - margin : 0;
}

/**
 * fragbed_limit_words() - where allocation stops, and how to go beyond
 * @force: as for fragbed_spare_pages()
 *
 * Context: any.
 * Return: the end of a line for the log.
 */
const char *fragbed_limit_words(bool force)
{
	return force ? "above its watermarks" :
	       "and keep a tenth of it free; force=1 goes down to the watermarks";
}

/**
 * fragbed_node_pages() - pages the allocator manages on a node
 * @nid: node with memory
 *
 * Context: any.
 * Return: pages.
 */
unsigned long fragbed_node_pages(int nid)
{
	unsigned long pages = 0;
	int i;

	for (i = 0; i < MAX_NR_ZONES; i++)
		pages += zone_managed_pages(&NODE_DATA(nid)->node_zones[i]);
	return pages;
}

/**
 * fragbed_gfp() - flags for pages of a type
 * @type: of the pages
 *
 * Context: any.
 * Return: flags that never warn, retry or dip into reserves.
 */
gfp_t fragbed_gfp(enum fragbed_type type)
{
	const gfp_t polite = __GFP_NORETRY | __GFP_NOWARN | __GFP_NOMEMALLOC;

	switch (type) {
	case FRAGBED_MOVABLE:
		return GFP_HIGHUSER_MOVABLE | polite;
	case FRAGBED_RECLAIMABLE:
		return GFP_KERNEL | __GFP_RECLAIMABLE | polite;
	default:
		return GFP_KERNEL | polite;
	}
}

/**
 * fragbed_chunk_alloc() - allocate one chunk if the node can spare it
 * @nid: the only node to allocate from
 * @gfp: from fragbed_gfp(), reclaim bits may be cleared
 * @order: order of the chunk
 * @force: down to the watermarks
 *
 * Context: may sleep unless @gfp lacks the reclaim bits.
 * Return: the chunk, not compound, or NULL.
 */
struct page *fragbed_chunk_alloc(int nid, gfp_t gfp, unsigned int order,
				 bool force)
{
	struct page *page;

	if (fragbed_spare_pages(nid, gfp, force) < (1UL << order))
		return NULL;
	page = alloc_pages_node(nid, gfp | __GFP_THISNODE, order);
	if (page)
		atomic_long_inc(&chunks_held);
	return page;
}

/**
 * fragbed_chunk_adopt() - count a chunk that was allocated in another way
 *
 * fragbed_chunk_free() then frees it like any other.
 *
 * Context: any.
 */
void fragbed_chunk_adopt(void)
{
	atomic_long_inc(&chunks_held);
}

/**
 * fragbed_chunk_free() - free a chunk
 * @page: from fragbed_chunk_alloc(), one page of a split chunk, or adopted
 * @order: its order
 *
 * Context: any from which the page allocator can be called.
 */
void fragbed_chunk_free(struct page *page, unsigned int order)
{
	atomic_long_dec(&chunks_held);
	__free_pages(page, order);
}

/**
 * fragbed_chunk_split() - split a chunk into single pages
 * @page: from fragbed_chunk_alloc()
 * @order: its order
 *
 * Each page is then freed by itself with order 0.
 *
 * Context: any.
 */
void fragbed_chunk_split(struct page *page, unsigned int order)
{
	split_page(page, order);
	atomic_long_add((1L << order) - 1, &chunks_held);
}

/**
 * fragbed_chunks_held() - number of chunks that are allocated
 *
 * Context: any.
 * Return: chunks, 0 once all are freed.
 */
long fragbed_chunks_held(void)
{
	return atomic_long_read(&chunks_held);
}

/**
 * fragbed_shmem_open() - make a file for pages that migrate
 *
 * Context: may sleep.
 * Return: an unlinked, unaccounted shmem file or an ERR_PTR.
 */
struct file *fragbed_shmem_open(void)
{
	struct file *file = shmem_file_setup("fragbed", (loff_t)SHMEM_PAGES << PAGE_SHIFT,
					     FRAGBED_NORESERVE);

	/* Without memory for an inode shmem returns ENOSPC. */
	return file == ERR_PTR(-ENOSPC) ? ERR_PTR(-ENOMEM) : file;
}

/**
 * fragbed_shmem_close() - free all pages of a file
 * @file: from fragbed_shmem_open()
 *
 * fput() alone would free them at the end of the system call, but a command must
 * not report pages as freed before they are.
 *
 * Context: may sleep.
 */
void fragbed_shmem_close(struct file *file)
{
	shmem_truncate_range(file_inode(file), 0, -1);
	fput(file);
}

/**
 * fragbed_shmem_alloc() - allocate the page at one index of a file
 * @file: from fragbed_shmem_open()
 * @index: page index within it
 * @gfp: from fragbed_gfp(FRAGBED_MOVABLE), reclaim bits may be cleared
 * @pagep: the page, for its pfn and node only: a reference would pin it
 *
 * Does not check watermarks: the caller does, once per batch.
 *
 * Context: may sleep.
 * Return: 0, -ENOMEM, -EINTR or another error of shmem.
 */
int fragbed_shmem_alloc(struct file *file, pgoff_t index, gfp_t gfp,
			struct page **pagep)
{
	struct page *page;

	page = shmem_read_mapping_page_gfp(file->f_mapping, index, gfp);
	if (IS_ERR(page))
		return PTR_ERR(page);
	put_page(page);
	*pagep = page;
	return 0;
}

/**
 * fragbed_shmem_node_check() - is a shmem page on the right node?
 * @path: of the command file, for the log
 * @page: from fragbed_shmem_alloc()
 * @nid: the right node
 *
 * The memory policy of the writing task decides where shmem pages come from.
 *
 * Context: any.
 * Return: 0, or -EOPNOTSUPP after one line in the log.
 */
int fragbed_shmem_node_check(const char *path, const struct page *page, int nid)
{
	if (page_to_nid(page) == nid)
		return 0;
	pr_warn("%s: node=%d: movable pages follow the writer's memory policy, which gave node %d: bind the writer to the node\n",
		path, nid, page_to_nid(page));
	return -EOPNOTSUPP;
}

/**
 * fragbed_shmem_drop() - free some pages of a file
 * @file: from fragbed_shmem_open()
 * @first: first index
 * @nr: number of pages, at least 1
 *
 * Context: may sleep.
 */
void fragbed_shmem_drop(struct file *file, pgoff_t first, unsigned long nr)
{
	loff_t start = (loff_t)first << PAGE_SHIFT;

	shmem_truncate_range(file_inode(file), start,
			     start + ((loff_t)nr << PAGE_SHIFT) - 1);
}

/**
 * fragbed_shmem_has() - is there a page at this index?
 * @file: from fragbed_shmem_open()
 * @index: page index within it
 *
 * Context: any.
 * Return: true if there is, swapped out or not.
 */
bool fragbed_shmem_has(struct file *file, pgoff_t index)
{
	return xa_load(&file->f_mapping->i_pages, index);
}

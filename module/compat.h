/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All differences between kernels: other names in older ones, and what a kernel
 * without the fragbed series cannot do.
 */
#ifndef FRAGBED_COMPAT_H
#define FRAGBED_COMPAT_H

#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/printk.h>
#include <linux/seq_file.h>
#include <linux/shmem_fs.h>
#include <linux/shrinker.h>

#ifdef FRAGBED_CORE
#include <linux/fragbed.h>
#endif

/* As in 6.1. Kernels 6.4 to 6.7, where MAX_ORDER is the largest order, are not supported. */
#ifndef MAX_PAGE_ORDER
#define MAX_PAGE_ORDER (MAX_ORDER - 1)
#endif

#ifndef NR_PAGE_ORDERS
#define NR_PAGE_ORDERS (MAX_PAGE_ORDER + 1)
#endif

/* VMA flags became a type of their own in 7.0. */
#ifdef EMPTY_VMA_FLAGS
#define FRAGBED_NORESERVE mk_vma_flags(VMA_NORESERVE_BIT)
#else
#define FRAGBED_NORESERVE VM_NORESERVE
#endif

/* Shrinkers are allocated since 6.7; before, the owner holds the structure. */
#ifndef SHRINKER_ALLOCATED
static struct shrinker fragbed_old_shrinker __maybe_unused;

static inline struct shrinker *shrinker_alloc(unsigned int flags,
					      const char *fmt, ...)
{
	fragbed_old_shrinker.seeks = DEFAULT_SEEKS;
	return &fragbed_old_shrinker;
}

static inline void shrinker_register(struct shrinker *shrinker)
{
	if (register_shrinker(shrinker, "fragbed"))
		pr_warn("no shrinker: the kernel cannot reclaim held memory\n");
}

static inline void shrinker_free(struct shrinker *shrinker)
{
	unregister_shrinker(shrinker);
}
#endif

#if !defined(CONFIG_COMPACTION) || !defined(CONFIG_DEBUG_FS) || !defined(CONFIG_SHMEM)
#error "fragbed needs a kernel with CONFIG_COMPACTION, CONFIG_DEBUG_FS and CONFIG_SHMEM"
#endif

#ifdef FRAGBED_CORE
#define FRAGBED_HAVE_CORE true
#else
#define FRAGBED_HAVE_CORE false

static inline void fragbed_drain_free_pages(void)
{
}

static inline int fragbed_pageblock_type(const struct page *page)
{
	return -EOPNOTSUPP;
}

static inline int fragbed_compact_attach(void)
{
	return 0;
}

static inline void fragbed_compact_detach(void)
{
}
#endif

#if defined(FRAGBED_CORE) && defined(CONFIG_NUMA)
#define FRAGBED_MOF
#define FRAGBED_HAVE_MOF true
#else
#define FRAGBED_HAVE_MOF false
#endif

#if defined(FRAGBED_CORE) && defined(CONFIG_SUPERPAGEBLOCK)
#include <linux/superpageblock.h>
#define FRAGBED_HAVE_SPB true
#define FRAGBED_SPB
#else
#define FRAGBED_HAVE_SPB false

static inline int spb_category_of(const struct page *page)
{
	return -EOPNOTSUPP;
}
#endif

#endif /* FRAGBED_COMPAT_H */

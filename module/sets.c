// SPDX-License-Identifier: GPL-2.0
/*
 * The store of held pages, and the shrinker of the reclaimable ones.
 *
 * A set is built privately and published when complete. A task that has to sleep
 * while it works on a set takes it out of the list first, so sets_lock is only held
 * for list work and the shrinker can take it from within any allocation.
 */
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "fragbed.h"

static DEFINE_SPINLOCK(sets_lock);
static LIST_HEAD(sets);			/* sets_lock */
static struct shrinker *shrinker;

/**
 * fragbed_set_new() - make an empty, unpublished set
 * @name: checked by the caller
 * @type: of the pages; movable and fragment sets get a shmem file
 * @order: of each chunk
 * @nid: node of the pages
 *
 * Context: may sleep.
 * Return: the set or an ERR_PTR.
 */
struct fragbed_set *fragbed_set_new(const char *name, enum fragbed_type type,
				    unsigned int order, int nid)
{
	struct fragbed_set *set = kzalloc(sizeof(*set), GFP_KERNEL);

	if (!set)
		return ERR_PTR(-ENOMEM);
	strscpy(set->name, name, sizeof(set->name));
	set->type = type;
	set->order = order;
	set->nid = nid;
	INIT_LIST_HEAD(&set->link);
	INIT_LIST_HEAD(&set->chunks);
	if (type == FRAGBED_MOVABLE) {
		struct file *file = fragbed_shmem_open();

		if (IS_ERR(file)) {
			kfree(set);
			return ERR_CAST(file);
		}
		set->file = file;
	}
	return set;
}

/**
 * fragbed_set_add() - put a chunk into an unpublished set
 * @set: the set, which takes ownership
 * @page: of the set's order
 *
 * Context: any; only the builder may touch an unpublished set.
 */
void fragbed_set_add(struct fragbed_set *set, struct page *page)
{
	list_add_tail(&page->lru, &set->chunks);
	set->nr_chunks++;
}

static unsigned long free_chunk_list(struct list_head *chunks,
				     unsigned int order)
{
	struct page *page, *next;
	unsigned long nr = 0;

	list_for_each_entry_safe(page, next, chunks, lru) {
		list_del(&page->lru);
		fragbed_chunk_free(page, order);
		cond_resched();
		nr++;
	}
	return nr;
}

static unsigned long set_file_pages(const struct fragbed_set *set)
{
	return set->file ? READ_ONCE(set->file->f_mapping->nrpages) : 0;
}

static unsigned long set_pages(const struct fragbed_set *set)
{
	return (set->nr_chunks << set->order) + set_file_pages(set);
}

/**
 * fragbed_set_destroy() - free a set and all of its pages
 * @set: not published, or taken out of the list
 *
 * Context: may sleep.
 */
void fragbed_set_destroy(struct fragbed_set *set)
{
	free_chunk_list(&set->chunks, set->order);
	if (set->file)
		fragbed_shmem_close(set->file);
	kfree(set);
}

/**
 * fragbed_set_publish() - from now on the set can be listed and freed
 * @set: complete set; the caller must not touch it again
 *
 * Context: takes sets_lock.
 */
void fragbed_set_publish(struct fragbed_set *set)
{
	spin_lock(&sets_lock);
	list_add_tail(&set->link, &sets);
	spin_unlock(&sets_lock);
}

/* Move the sets called @name, or all if it is NULL, to @taken. */
static void take_sets(const char *name, struct list_head *taken)
{
	struct fragbed_set *set, *next;

	spin_lock(&sets_lock);
	list_for_each_entry_safe(set, next, &sets, link) {
		if (!name || !strcmp(name, set->name))
			list_move_tail(&set->link, taken);
	}
	spin_unlock(&sets_lock);
}

static bool pattern_hits(struct fragbed_pattern *pattern)
{
	if (pattern->permille)
		return prandom_u32_state(pattern->rnd) % 1000 <
		       pattern->permille;
	return ++pattern->seen % pattern->every == 0;
}

static void thin_chunks(struct fragbed_set *set,
			struct fragbed_pattern *pattern)
{
	struct page *page, *next;
	LIST_HEAD(doomed);

	list_for_each_entry_safe(page, next, &set->chunks, lru) {
		if (!pattern_hits(pattern))
			continue;
		list_move_tail(&page->lru, &doomed);
		set->nr_chunks--;
		cond_resched();
	}
	free_chunk_list(&doomed, set->order);
}

static void thin_file(struct fragbed_set *set, struct fragbed_pattern *pattern)
{
	pgoff_t i;

	for (i = 0; set->file && i < set->end; i++) {
		if (fragbed_shmem_has(set->file, i) && pattern_hits(pattern))
			fragbed_shmem_drop(set->file, i, 1);
		cond_resched();
	}
}

/**
 * fragbed_sets_free() - free sets, whole or by a pattern
 * @name: of the sets, NULL for all
 * @pattern: which chunks to free; a set without chunks is freed, too
 *
 * Drains the per-cpu lists, so that what was freed shows as free at once.
 *
 * Context: may sleep. Takes sets_lock for list work; meanwhile the shrinker and
 * the OOM notifier do not see the sets.
 * Return: 0, or -ENXIO if there is no set of that name.
 */
int fragbed_sets_free(const char *name, struct fragbed_pattern *pattern)
{
	struct fragbed_set *set, *next;
	LIST_HEAD(taken);

	take_sets(name, &taken);
	if (name && list_empty(&taken))
		return -ENXIO;
	list_for_each_entry_safe(set, next, &taken, link) {
		thin_chunks(set, pattern);
		thin_file(set, pattern);
		list_del(&set->link);
		if (set_pages(set))
			fragbed_set_publish(set);
		else
			fragbed_set_destroy(set);
	}
	fragbed_drain_free_pages();
	return 0;
}

/**
 * fragbed_sets_destroy_all() - free all sets without draining the per-cpu lists
 *
 * Context: may sleep, takes sets_lock for list work.
 * Return: pages that the sets held.
 */
unsigned long fragbed_sets_destroy_all(void)
{
	struct fragbed_set *set, *next;
	unsigned long pages = 0;
	LIST_HEAD(taken);

	take_sets(NULL, &taken);
	list_for_each_entry_safe(set, next, &taken, link) {
		pages += set_pages(set);
		list_del(&set->link);
		fragbed_set_destroy(set);
	}
	return pages;
}

static const char *set_type_name(const struct fragbed_set *set)
{
	if (set->file && set->nr_chunks)
		return "mixed";
	return fragbed_type_words[set->type];
}

/* Context: takes sets_lock. */
static int sets_show(struct seq_file *m, void *unused)
{
	struct fragbed_set *set;

	seq_puts(m, "# set type order node chunks pages given_back\n");
	spin_lock(&sets_lock);
	list_for_each_entry(set, &sets, link)
		seq_printf(m, "%s %s %u %d %lu %lu %lu\n", set->name,
			   set_type_name(set), set->order, set->nid,
			   set->nr_chunks + set_file_pages(set), set_pages(set),
			   set->shrunk);
	spin_unlock(&sets_lock);
	return 0;
}

struct fragbed_knob fragbed_knob_hold_sets = {
	.path = "hold/sets",
	.file = FRAGBED_READ_ONLY,
	.show = sets_show,
};

static unsigned long shrinker_count(struct shrinker *unused,
				    struct shrink_control *sc)
{
	struct fragbed_set *set;
	unsigned long nr = 0;

	spin_lock(&sets_lock);
	list_for_each_entry(set, &sets, link) {
		if (set->type == FRAGBED_RECLAIMABLE)
			nr += set->nr_chunks;
	}
	spin_unlock(&sets_lock);
	return nr ? nr : SHRINK_EMPTY;
}

/* Remove one chunk from a reclaimable set; its order is left in *@order. */
static struct page *take_reclaimable(unsigned int *order)
{
	struct page *page = NULL;
	struct fragbed_set *set;

	spin_lock(&sets_lock);
	list_for_each_entry(set, &sets, link) {
		if (set->type != FRAGBED_RECLAIMABLE || !set->nr_chunks)
			continue;
		page = list_first_entry(&set->chunks, struct page, lru);
		list_del(&page->lru);
		set->nr_chunks--;
		set->shrunk++;
		*order = set->order;
		break;
	}
	spin_unlock(&sets_lock);
	return page;
}

static unsigned long shrinker_scan(struct shrinker *unused,
				   struct shrink_control *sc)
{
	unsigned long freed = 0;
	unsigned int order;

	while (freed < sc->nr_to_scan) {
		struct page *page = take_reclaimable(&order);

		if (!page)
			break;
		fragbed_chunk_free(page, order);
		freed++;
	}
	return freed ? freed : SHRINK_STOP;
}

/**
 * fragbed_sets_init() - register the shrinker
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int fragbed_sets_init(void)
{
	shrinker = shrinker_alloc(0, "fragbed");
	if (!shrinker)
		return -ENOMEM;
	shrinker->count_objects = shrinker_count;
	shrinker->scan_objects = shrinker_scan;
	shrinker_register(shrinker);
	return 0;
}

/**
 * fragbed_sets_exit() - unregister the shrinker and free all sets
 *
 * Context: may sleep. No command may run any more.
 */
void fragbed_sets_exit(void)
{
	struct fragbed_pattern all = { .every = 1 };

	shrinker_free(shrinker);
	fragbed_sets_free(NULL, &all);
}

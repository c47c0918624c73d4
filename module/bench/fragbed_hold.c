// SPDX-License-Identifier: GPL-2.0
/*
 * Measures how long zone->lock is held. With one CPU no task waits for a lock, so it is
 * held from the call that takes it to the call that releases it; probes on both record
 * the time. Loading the module runs one of
 *
 *   load=pages   allocate and free thousands of order-0 pages at a time
 *   load=drain   the same, and drain all per-cpu lists after each round, as each request
 *                does that is about to fail
 *   load=blocks  allocate unmovable order-9 blocks, mib= in total, and free them: with
 *                superpageblocks some become tainted meanwhile, and clean again
 *
 * and writes a row to the kernel log:
 *
 *   fragbed_hold: load=blocks holds=1234 median=100 p99=800 longest=2000 at=...
 *
 * in units of get_cycles(), as fragbed_bench. Each figure includes the cost of the probes,
 * which is the same on all kernels. Callers that take the lock without saving flags are
 * not measured; all of mm/page_alloc.c saves them.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/gfp.h>
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/module.h>
#include <linux/sort.h>
#include <linux/timex.h>
#include <linux/vmalloc.h>

#define MOST 1048576U
#define PAGES 16384
#define ROUNDS 32

static char *load = "pages";
module_param(load, charp, 0444);
static uint mib = 2560;
module_param(mib, uint, 0444);

static u32 *holds;
static unsigned int nr_holds, nr_lost;
static u32 longest;
static unsigned long longest_at;
static cycles_t taken;
static void *taken_lock;
static bool watching;

static bool is_zone_lock(void *lock)
{
	pg_data_t *node = NODE_DATA(first_online_node);
	int i;

	for (i = 0; i < MAX_NR_ZONES; i++)
		if (lock == &node->node_zones[i].lock)
			return true;
	return false;
}

static int lock_taken(struct kprobe *probe, struct pt_regs *regs)
{
	void *lock = (void *)regs_get_kernel_argument(regs, 0);

	if (!watching || !is_zone_lock(lock))
		return 0;
	taken_lock = lock;
	taken = get_cycles();
	return 0;
}

static int lock_released(struct kprobe *probe, struct pt_regs *regs)
{
	cycles_t now = get_cycles();
	void *lock = (void *)regs_get_kernel_argument(regs, 0);

	if (!watching || !lock || lock != taken_lock)
		return 0;
	taken_lock = NULL;
	if (nr_holds == MOST) {
		nr_lost++;
		return 0;
	}
	holds[nr_holds++] = now - taken;
	if (now - taken > longest) {
		longest = now - taken;
		longest_at = regs_get_kernel_stack_nth(regs, 0);
	}
	return 0;
}

static struct kprobe probes[] = {
	{ .symbol_name = "_raw_spin_lock_irqsave", .pre_handler = lock_taken },
	{ .symbol_name = "_raw_spin_unlock_irqrestore", .pre_handler = lock_released },
};

/* Allocate nr blocks and free them. Return: the number allocated. */
static unsigned int alloc_and_free(struct page **pages, unsigned int nr, unsigned int order)
{
	unsigned int got, i;

	for (got = 0; got < nr; got++) {
		pages[got] = alloc_pages(GFP_KERNEL | __GFP_NOWARN, order);
		if (!pages[got])
			break;
	}
	for (i = 0; i < got; i++)
		__free_pages(pages[i], order);
	return got;
}

/* In fragbed_drain.ko. */
void fragbed_drain(void);

static int run_load(struct page **pages)
{
	unsigned int blocks = mib / (PAGE_SIZE << 9 >> 20), round;
	bool drains = !strcmp(load, "drain");

	if (!strcmp(load, "blocks"))
		return alloc_and_free(pages, min(blocks, PAGES), 9) ? 0 : -ENOMEM;
	for (round = 0; round < ROUNDS; round++) {
		if (alloc_and_free(pages, PAGES, 0) < PAGES)
			return -ENOMEM;
		if (drains)
			fragbed_drain();
	}
	return 0;
}

static int compare_u32(const void *a, const void *b)
{
	u32 x = *(const u32 *)a, y = *(const u32 *)b;

	return x < y ? -1 : x > y;
}

static void report(void)
{
	if (!nr_holds) {
		pr_warn("the lock was never seen held\n");
		return;
	}
	sort(holds, nr_holds, sizeof(*holds), compare_u32, NULL);
	pr_info("load=%s holds=%u lost=%u median=%u p99=%u longest=%u at=%pS\n", load, nr_holds,
		nr_lost, holds[nr_holds / 2], holds[(u64)nr_holds * 99 / 100], longest,
		(void *)longest_at);
}

static int watch(struct page **pages)
{
	struct kprobe *both[] = { &probes[0], &probes[1] };
	int err;

	err = register_kprobes(both, ARRAY_SIZE(both));
	if (err)
		return err;
	watching = true;
	err = run_load(pages);
	watching = false;
	unregister_kprobes(both, ARRAY_SIZE(both));
	return err;
}

static int __init hold_init(void)
{
	struct page **pages;
	int err = -ENOMEM;

	if (num_online_cpus() > 1) {
		pr_warn("needs a single CPU: with more, waiting for the lock would count as holding it\n");
		return -EOPNOTSUPP;
	}
	pages = vzalloc(PAGES * sizeof(*pages));
	holds = vzalloc(MOST * sizeof(*holds));
	if (pages && holds)
		err = watch(pages);
	if (!err)
		report();
	vfree(holds);
	vfree(pages);
	return err;
}

static void __exit hold_exit(void)
{
}

module_init(hold_init);
module_exit(hold_exit);
MODULE_DESCRIPTION("How long the lock of a zone is held");
MODULE_LICENSE("GPL");

// SPDX-License-Identifier: GPL-2.0
/* For the fragbed module: run direct compaction and report what it did. */
#include <linux/fragbed.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/slab.h>

#include "allocator_kunit.h"
#include "watch.h"

static gfp_t gfp_of_type(int migratetype)
{
	switch (migratetype) {
	case MIGRATE_MOVABLE:
		return GFP_HIGHUSER_MOVABLE;
	case MIGRATE_RECLAIMABLE:
		return GFP_KERNEL | __GFP_RECLAIMABLE;
	default:
		return GFP_KERNEL;
	}
}

static int check_request(const struct fragbed_compact_request *req)
{
	if (req->order > MAX_PAGE_ORDER)
		return -EINVAL;
	if (req->migratetype < 0 || req->migratetype >= MIGRATE_PCPTYPES)
		return -EINVAL;
	if (req->prio < MIN_COMPACT_PRIORITY || req->prio > INIT_COMPACT_PRIORITY)
		return -EINVAL;
	if (req->nid < 0 || req->nid >= MAX_NUMNODES ||
	    !node_state(req->nid, N_MEMORY))
		return -ENXIO;
	if (current->flags & PF_KTHREAD)
		return -EOPNOTSUPP;
	/* In this configuration the flag is 0. */
	if (req->nofragment == FRAGBED_NOFRAGMENT_ON && !ALLOC_NOFRAGMENT)
		return -EOPNOTSUPP;
	return 0;
}

static void fill_report(struct fragbed_compact_report *report,
			const struct watch *w)
{
	const struct watch_event *try = watch_first(w, WATCH_TRY_TO_COMPACT);
	const struct watch_event *end = watch_last(w, WATCH_END);

	report->entered = try;
	report->compact_order = try ? try->order : 0;
	report->captured = report->got_page && end && end->capc.page;
	report->deferred = watch_count(w, WATCH_DEFERRED);
	report->zones = watch_count(w, WATCH_BEGIN);
	report->isolated = w->isolated;
	report->moved = w->moved;
	report->migrate_scanned = w->scanned;
}

/**
 * fragbed_direct_compact() - run __alloc_pages_direct_compact() once
 * @req: the request
 * @report: filled in with what compaction did
 *
 * The page, if any, is freed before this returns: only the work of compaction stays.
 *
 * Context: a task that is not a kernel thread, since those never capture;
 *	may sleep. No locks held.
 * Return: 0 if it ran, whether it got a page or not; -EINVAL order, migratetype
 *	or priority out of range; -ENXIO no such node, or it has no memory;
 *	-EOPNOTSUPP called from a kernel thread, or this configuration does not
 *	support @req->nofragment; -ENOMEM.
 */
int fragbed_direct_compact(const struct fragbed_compact_request *req,
			   struct fragbed_compact_report *report)
{
	nodemask_t nodes = NODE_MASK_NONE;
	struct reach_request request = {
		.gfp = gfp_of_type(req->migratetype),
		.order = req->order,
		.nid = req->nid,
		.nodes = &nodes,
		.prio = req->prio,
	};
	enum compact_result result;
	struct page *page;
	struct watch *w;
	u64 start;
	int err;

	err = check_request(req);
	if (err)
		return err;
	if (req->nofragment == FRAGBED_NOFRAGMENT_ON)
		request.set_flags = ALLOC_NOFRAGMENT;
	if (req->nofragment == FRAGBED_NOFRAGMENT_OFF)
		request.clear_flags = ALLOC_NOFRAGMENT;
	node_set(req->nid, nodes);

	w = kvzalloc_obj(*w);
	if (!w)
		return -ENOMEM;
	err = watch_start(w);
	if (err)
		goto out;
	start = ktime_get_ns();
	page = reach_direct_compact(&request, &result);
	*report = (struct fragbed_compact_report){
		.ns = ktime_get_ns() - start,
		.result = result,
		.got_page = page,
	};
	watch_stop();
	fill_report(report, w);
	if (page)
		__free_pages(page, req->order);
out:
	kvfree(w);
	return err;
}
EXPORT_SYMBOL_FOR_MODULES(fragbed_direct_compact, "fragbed");

/**
 * fragbed_compact_attach() - attach to the tracepoints for many compactions
 *
 * Attaching waits for grace periods, about 0.2 s: for each compaction, that would
 * take longer than the compaction.
 *
 * Context: may sleep.
 * Return: 0, or a negative errno. Undo with fragbed_compact_detach().
 */
int fragbed_compact_attach(void)
{
	return watch_enable();
}
EXPORT_SYMBOL_FOR_MODULES(fragbed_compact_attach, "fragbed");

/** fragbed_compact_detach() - detach from the tracepoints. Context: may sleep. */
void fragbed_compact_detach(void)
{
	watch_disable();
}
EXPORT_SYMBOL_FOR_MODULES(fragbed_compact_detach, "fragbed");

/**
 * fragbed_compact_result_name() - name of a result
 * @result: an enum compact_result value
 *
 * Return: its name in lower case, "unknown" if it has none.
 */
const char *fragbed_compact_result_name(int result)
{
	switch (result) {
	case COMPACT_NOT_SUITABLE_ZONE:
		return "not_suitable_zone";
	case COMPACT_SKIPPED:
		return "skipped";
	case COMPACT_DEFERRED:
		return "deferred";
	case COMPACT_NO_SUITABLE_PAGE:
		return "no_suitable_page";
	case COMPACT_CONTINUE:
		return "continue";
	case COMPACT_COMPLETE:
		return "complete";
	case COMPACT_PARTIAL_SKIPPED:
		return "partial_skipped";
	case COMPACT_CONTENDED:
		return "contended";
	case COMPACT_SUCCESS:
		return "success";
	default:
		return "unknown";
	}
}
EXPORT_SYMBOL_FOR_MODULES(fragbed_compact_result_name, "fragbed");

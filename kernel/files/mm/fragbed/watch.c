// SPDX-License-Identifier: GPL-2.0
#include <kunit/visibility.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/tracepoint.h>

/* Before the trace events, which use types of mm/internal.h. */
#include "allocator_kunit.h"
#include "watch.h"

#include <trace/events/compaction.h>
#include <trace/events/kmem.h>
#include <trace/events/vmscan.h>

/*
 * Only the watched task sets and clears these: a probe that runs in this task may
 * use the watch without a lock.
 */
static struct task_struct *watched_task;
static struct watch *active;

/* Held by the watched task. */
static DEFINE_MUTEX(watch_mutex);

static DEFINE_MUTEX(probes_mutex);
static unsigned int probes_users;

static struct watch *watch_of_current(void)
{
	return READ_ONCE(watched_task) == current ? active : NULL;
}

static struct watch_event *record(struct watch *w, enum watch_kind kind,
				  const struct zone *zone, int order, int value)
{
	const struct capture_control *capc = current->capture_control;
	struct watch_event *event;

	if (w->nr == WATCH_MAX_EVENTS) {
		w->dropped++;
		return NULL;
	}
	event = &w->events[w->nr++];
	*event = (struct watch_event){
		.kind = kind,
		.zone = zone,
		.order = order,
		.value = value,
		.published = capc,
		.fs_reclaim = reach_fs_reclaim_held(),
	};
	if (capc)
		event->capc = *capc;
	return event;
}

static void record_and_hook(enum watch_kind kind, const struct zone *zone,
			    int order, int value)
{
	struct watch *w = watch_of_current();
	struct watch_event *event;

	if (!w)
		return;
	event = record(w, kind, zone, order, value);
	if (event && w->hook)
		w->hook(w, event);
}

static void on_try_to_compact(void *data, int order, gfp_t gfp, int prio)
{
	record_and_hook(WATCH_TRY_TO_COMPACT, NULL, order, prio);
}

static void on_suitable(void *data, struct zone *zone, int order, int result)
{
	record_and_hook(WATCH_SUITABLE, zone, order, result);
}

static void on_begin(void *data, struct compact_control *cc,
		     unsigned long start, unsigned long end, bool sync)
{
	struct watch *w = watch_of_current();
	struct watch_event *event;

	if (!w)
		return;
	event = record(w, WATCH_BEGIN, cc->zone, cc->order, 0);
	if (!event)
		return;
	event->cc.migratetype = cc->migratetype;
	event->cc.alloc_flags = cc->alloc_flags;
	event->cc.mode = cc->mode;
	event->cc.direct = cc->direct_compaction;
	event->cc.whole_zone = cc->whole_zone;
	event->cc.ignore_skip_hint = cc->ignore_skip_hint;
	if (w->hook)
		w->hook(w, event);
}

static void on_end(void *data, struct compact_control *cc, unsigned long start,
		   unsigned long end, bool sync, int result)
{
	record_and_hook(WATCH_END, cc->zone, cc->order, result);
}

static void on_deferred(void *data, struct zone *zone, int order)
{
	record_and_hook(WATCH_DEFERRED, zone, order, 0);
}

static void on_defer(void *data, struct zone *zone, int order)
{
	record_and_hook(WATCH_DEFER, zone, order, 0);
}

static void on_defer_reset(void *data, struct zone *zone, int order)
{
	record_and_hook(WATCH_DEFER_RESET, zone, order, 0);
}

static void on_reclaim(void *data, gfp_t gfp, int order, struct mem_cgroup *cg)
{
	record_and_hook(WATCH_RECLAIM, NULL, order, 0);
}

static void on_isolate(void *data, unsigned long start, unsigned long end,
		       unsigned long scanned, unsigned long isolated)
{
	struct watch *w = watch_of_current();

	if (!w)
		return;
	w->scanned += scanned;
	w->isolated += isolated;
}

static void on_migrate(void *data, unsigned int nr, unsigned int succeeded)
{
	struct watch *w = watch_of_current();

	if (w)
		w->moved += succeeded;
}

/* Runs under zone->lock, and so does not call the hook. */
static void on_extfrag(void *data, struct page *page, int order,
		       int found_order, int wanted, int found)
{
	struct watch *w = watch_of_current();

	if (w)
		record(w, WATCH_EXTFRAG, page_zone(page), order,
		       16 * wanted + found);
}

/* Registering may have failed half-way: skip a tracepoint without probes. */
#define DROP_PROBE(event, probe) do {			\
	if (trace_##event##_enabled())			\
		unregister_trace_##event(probe, NULL);	\
} while (0)

static void unregister_probes(void)
{
	DROP_PROBE(mm_page_alloc_extfrag, on_extfrag);
	DROP_PROBE(mm_compaction_migratepages, on_migrate);
	DROP_PROBE(mm_compaction_isolate_migratepages, on_isolate);
	DROP_PROBE(mm_vmscan_direct_reclaim_begin, on_reclaim);
	DROP_PROBE(mm_compaction_defer_reset, on_defer_reset);
	DROP_PROBE(mm_compaction_defer_compaction, on_defer);
	DROP_PROBE(mm_compaction_deferred, on_deferred);
	DROP_PROBE(mm_compaction_end, on_end);
	DROP_PROBE(mm_compaction_begin, on_begin);
	DROP_PROBE(mm_compaction_suitable, on_suitable);
	DROP_PROBE(mm_compaction_try_to_compact_pages, on_try_to_compact);
}

static int register_probes(void)
{
	int err;

	err = register_trace_mm_compaction_try_to_compact_pages(on_try_to_compact, NULL) ?:
	      register_trace_mm_compaction_suitable(on_suitable, NULL) ?:
	      register_trace_mm_compaction_begin(on_begin, NULL) ?:
	      register_trace_mm_compaction_end(on_end, NULL) ?:
	      register_trace_mm_compaction_deferred(on_deferred, NULL) ?:
	      register_trace_mm_compaction_defer_compaction(on_defer, NULL) ?:
	      register_trace_mm_compaction_defer_reset(on_defer_reset, NULL) ?:
	      register_trace_mm_vmscan_direct_reclaim_begin(on_reclaim, NULL) ?:
	      register_trace_mm_compaction_isolate_migratepages(on_isolate, NULL) ?:
	      register_trace_mm_compaction_migratepages(on_migrate, NULL) ?:
	      register_trace_mm_page_alloc_extfrag(on_extfrag, NULL);
	if (err)
		unregister_probes();
	return err;
}

/**
 * watch_enable() - attach to the tracepoints
 *
 * watch_start() does so as well. A caller that watches many times in a row saves
 * the grace periods in between if it attaches once.
 *
 * Context: may sleep.
 * Return: 0, or a negative errno. Undo with watch_disable().
 */
int watch_enable(void)
{
	int err = 0;

	guard(mutex)(&probes_mutex);
	if (!probes_users)
		err = register_probes();
	if (!err)
		probes_users++;
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(watch_enable);

/** watch_disable() - detach from the tracepoints. Context: may sleep. */
void watch_disable(void)
{
	guard(mutex)(&probes_mutex);
	if (!--probes_users)
		unregister_probes();
}
EXPORT_SYMBOL_IF_KUNIT(watch_disable);

/**
 * watch_start() - start recording the events of the calling task
 * @w: zeroed but for @hook and @hook_data
 *
 * Waits until no other task is watched.
 *
 * Context: may sleep.
 * Return: 0, or a negative errno and nothing is recorded. The same task calls
 *	watch_stop() to undo it.
 */
int watch_start(struct watch *w)
{
	int err = watch_enable();

	if (err)
		return err;
	mutex_lock(&watch_mutex);
	active = w;
	WRITE_ONCE(watched_task, current);
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(watch_start);

/** watch_stop() - stop recording. Context: may sleep. */
void watch_stop(void)
{
	WRITE_ONCE(watched_task, NULL);
	active = NULL;
	mutex_unlock(&watch_mutex);
	watch_disable();
}
EXPORT_SYMBOL_IF_KUNIT(watch_stop);

/**
 * watch_first() - find the first event of a kind
 * @w: the watch
 * @kind: the kind
 *
 * Return: the event, or NULL.
 */
const struct watch_event *watch_first(const struct watch *w,
				      enum watch_kind kind)
{
	unsigned int i;

	for (i = 0; i < w->nr; i++)
		if (w->events[i].kind == kind)
			return &w->events[i];
	return NULL;
}
EXPORT_SYMBOL_IF_KUNIT(watch_first);

/**
 * watch_last() - find the last event of a kind
 * @w: the watch
 * @kind: the kind
 *
 * Return: the event, or NULL.
 */
const struct watch_event *watch_last(const struct watch *w,
				     enum watch_kind kind)
{
	unsigned int i;

	for (i = w->nr; i > 0; i--)
		if (w->events[i - 1].kind == kind)
			return &w->events[i - 1];
	return NULL;
}
EXPORT_SYMBOL_IF_KUNIT(watch_last);

/**
 * watch_count() - count the events of a kind
 * @w: the watch
 * @kind: the kind
 *
 * Return: their number.
 */
unsigned int watch_count(const struct watch *w, enum watch_kind kind)
{
	unsigned int i, n = 0;

	for (i = 0; i < w->nr; i++)
		n += w->events[i].kind == kind;
	return n;
}
EXPORT_SYMBOL_IF_KUNIT(watch_count);

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Records what the direct compaction of one task does, from the allocator's
 * tracepoints, each time with the task's capture control.
 */
#ifndef _MM_FRAGBED_WATCH_H
#define _MM_FRAGBED_WATCH_H

#include "allocator_kunit.h"

#define WATCH_MAX_EVENTS	64

enum watch_kind {
	WATCH_TRY_TO_COMPACT,	/* order; value is the priority */
	WATCH_SUITABLE,		/* order; value is the enum compact_result */
	WATCH_BEGIN,		/* order; cc holds the compaction's settings */
	WATCH_END,		/* order; value is the enum compact_result */
	WATCH_DEFERRED,		/* order */
	WATCH_DEFER,		/* order */
	WATCH_DEFER_RESET,	/* order */
	WATCH_RECLAIM,		/* order */
	WATCH_EXTFRAG,		/* order; value is 16 * requested + found migratetype */
	WATCH_NR_KINDS,
};

/**
 * struct watch_event - one event
 * @kind: kind of the event
 * @order: see enum watch_kind
 * @value: see enum watch_kind
 * @zone: zone of the event, NULL if it has none
 * @published: current->capture_control was set
 * @capc: a copy of it, if it was set
 * @fs_reclaim: lockdep saw the task in fs reclaim
 * @cc: settings of the compaction, WATCH_BEGIN only
 */
struct watch_event {
	enum watch_kind kind;
	int order;
	int value;
	const struct zone *zone;
	bool published;
	struct capture_control capc;
	bool fs_reclaim;
	struct {
		int migratetype;
		unsigned int alloc_flags;
		enum migrate_mode mode;
		bool direct;
		bool whole_zone;
		bool ignore_skip_hint;
	} cc;
};

/**
 * struct watch - the events of one task
 * @hook: called at each event but WATCH_EXTFRAG, NULL for none; preemption
 *	may be off, no allocator lock is held
 * @hook_data: private data of @hook
 * @nr: number of events recorded
 * @dropped: number of events that did not fit
 * @isolated: pages isolated for migration
 * @moved: pages migrated
 * @scanned: pages scanned by the migration scanner
 * @events: the recorded events
 */
struct watch {
	void (*hook)(struct watch *w, const struct watch_event *event);
	void *hook_data;
	unsigned int nr;
	unsigned int dropped;
	unsigned long isolated;
	unsigned long moved;
	unsigned long scanned;
	struct watch_event events[WATCH_MAX_EVENTS];
};

int watch_start(struct watch *w);
void watch_stop(void);
int watch_enable(void);
void watch_disable(void);
const struct watch_event *watch_first(const struct watch *w,
				      enum watch_kind kind);
const struct watch_event *watch_last(const struct watch *w,
				     enum watch_kind kind);
unsigned int watch_count(const struct watch *w, enum watch_kind kind);

#endif /* _MM_FRAGBED_WATCH_H */

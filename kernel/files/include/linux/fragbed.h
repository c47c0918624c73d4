/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The interface between the page allocator and the fragbed test module, all of it.
 * No function exposes allocator state.
 */
#ifndef _LINUX_FRAGBED_H
#define _LINUX_FRAGBED_H

#include <linux/types.h>

struct page;
struct zone;

/* Whether __alloc_pages_direct_compact() runs with ALLOC_NOFRAGMENT. */
enum fragbed_nofragment {
	FRAGBED_NOFRAGMENT_DEFAULT,	/* depends on vm.defrag_mode */
	FRAGBED_NOFRAGMENT_OFF,
	FRAGBED_NOFRAGMENT_ON,
};

/**
 * struct fragbed_compact_request - one direct compaction
 * @order: order of the allocation request, 0 to MAX_PAGE_ORDER
 * @migratetype: MIGRATE_UNMOVABLE, MIGRATE_MOVABLE or MIGRATE_RECLAIMABLE
 * @nid: the only node to compact, which must have memory
 * @prio: an enum compact_priority value
 * @nofragment: whether ALLOC_NOFRAGMENT is part of the request
 */
struct fragbed_compact_request {
	unsigned int order;
	int migratetype;
	int nid;
	int prio;
	enum fragbed_nofragment nofragment;
};

/**
 * struct fragbed_compact_report - what one direct compaction did
 * @result: the enum compact_result the allocator returned
 * @entered: try_to_compact_pages() was reached
 * @compact_order: order for which compaction ran; meaningless unless @entered
 * @got_page: the request was served
 * @captured: it was served by capture, not from a free list
 * @deferred: zones skipped because compaction is deferred there
 * @zones: zones in which the scanners ran
 * @isolated: pages isolated for migration
 * @moved: pages migrated
 * @migrate_scanned: pages scanned by the migration scanner
 * @ns: duration in nanoseconds
 *
 * All counts are of the calling task only.
 */
struct fragbed_compact_report {
	int result;
	bool entered;
	int compact_order;
	bool got_page;
	bool captured;
	unsigned int deferred;
	unsigned int zones;
	unsigned long isolated;
	unsigned long moved;
	unsigned long migrate_scanned;
	u64 ns;
};

/* The owner of the policy that decides. */
enum fragbed_policy_owner {
	FRAGBED_POLICY_OF_RANGE,	/* what get_policy() returns for the range */
	FRAGBED_POLICY_OF_MAPPING,	/* vm_policy */
	FRAGBED_POLICY_OF_TASK,
	FRAGBED_POLICY_OF_SYSTEM,
};

/**
 * struct fragbed_mof_report - migrate-on-fault of a mapping
 * @start: start of the mapping
 * @end: end of the mapping
 * @owner: owner of the policy that decides
 * @policy: that policy, as in /proc/PID/numa_maps
 * @mof: result of vma_policy_mof()
 * @migratable: result of vma_migratable(), the other condition
 */
struct fragbed_mof_report {
	unsigned long start;
	unsigned long end;
	enum fragbed_policy_owner owner;
	char policy[64];
	bool mof;
	bool migratable;
};

#if IS_ENABLED(CONFIG_FRAGBED)
int fragbed_compact_attach(void);
void fragbed_compact_detach(void);
int fragbed_direct_compact(const struct fragbed_compact_request *req,
			   struct fragbed_compact_report *report);
const char *fragbed_compact_result_name(int result);
void fragbed_drain_free_pages(void);
int fragbed_pageblock_type(const struct page *page);
#ifdef CONFIG_NUMA
int fragbed_policy_mof(pid_t pid, unsigned long address,
		       struct fragbed_mof_report *report);
const char *fragbed_policy_owner_name(enum fragbed_policy_owner owner);
#endif
#endif

#endif /* _LINUX_FRAGBED_H */

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the fragbed test module may ask of the page allocator.
 *
 * This is the whole contract between the core and the module: nothing here
 * hands out allocator state, every function does one complete thing.
 */
#ifndef _LINUX_FRAGBED_H
#define _LINUX_FRAGBED_H

#include <linux/types.h>

struct page;
struct zone;

/* How a test asks __alloc_pages_direct_compact() to run. */
enum fragbed_nofragment {
	FRAGBED_NOFRAGMENT_DEFAULT,	/* as vm.defrag_mode says */
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
 * @compact_order: order compaction worked for; meaningless unless @entered
 * @got_page: the request was served
 * @captured: it was served by capture, not from a free list
 * @deferred: zones left out because compaction is deferred there
 * @zones: zones in which the scanners really ran
 * @isolated: pages isolated for migration
 * @moved: pages migrated
 * @migrate_scanned: pages looked at by the migration scanner
 * @ns: time spent, in nanoseconds
 *
 * All figures belong to the calling task alone.
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

/* Whose policy it was. */
enum fragbed_policy_owner {
	FRAGBED_POLICY_OF_RANGE,	/* what get_policy() has for the range */
	FRAGBED_POLICY_OF_MAPPING,	/* vm_policy */
	FRAGBED_POLICY_OF_TASK,
	FRAGBED_POLICY_OF_SYSTEM,
};

/**
 * struct fragbed_mof_report - does a mapping want migrate-on-fault?
 * @start: of the mapping
 * @end: of the mapping
 * @owner: whose policy decided
 * @policy: that policy, as numa_maps spells it
 * @mof: the answer of vma_policy_mof()
 * @migratable: that of vma_migratable(), the other half of the decision
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

// SPDX-License-Identifier: GPL-2.0
/* compact/: one direct compaction by the writing task, and its figures. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/compaction.h>
#include <linux/kernel.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "fragbed.h"

enum { RUN_ORDER, RUN_TYPE, RUN_NODE, RUN_PRIO, RUN_NOFRAGMENT };

static const char *const prio_words[] = {
	[COMPACT_PRIO_SYNC_FULL] = "sync-full",
	[COMPACT_PRIO_SYNC_LIGHT] = "sync-light",
	[COMPACT_PRIO_ASYNC] = "async",
	NULL,
};

static const char *const nofragment_words[] = {
	[FRAGBED_NOFRAGMENT_DEFAULT] = "default",
	[FRAGBED_NOFRAGMENT_OFF] = "off",
	[FRAGBED_NOFRAGMENT_ON] = "on",
	NULL,
};

static const struct fragbed_key run_keys[] = {
	[RUN_ORDER] = { "order", FRAGBED_NUMBER, 0, MAX_PAGE_ORDER, .required = true },
	[RUN_TYPE] = FRAGBED_TYPE_KEY,
	[RUN_NODE] = FRAGBED_NODE_KEY,
	[RUN_PRIO] = { "prio", FRAGBED_WORD, .words = prio_words,
		       .preset = DEF_COMPACT_PRIORITY },
	[RUN_NOFRAGMENT] = { "nofragment", FRAGBED_WORD, .words = nofragment_words,
			     .preset = FRAGBED_NOFRAGMENT_DEFAULT },
	{ }
};

static const int migratetypes[] = {
	[FRAGBED_UNMOVABLE] = MIGRATE_UNMOVABLE,
	[FRAGBED_MOVABLE] = MIGRATE_MOVABLE,
	[FRAGBED_RECLAIMABLE] = MIGRATE_RECLAIMABLE,
};

/* Everything that compact/last prints. */
struct compact_record {
	struct fragbed_compact_request request;
	enum fragbed_type type;
	struct fragbed_compact_report report;
	struct fragbed_counters before;
	struct fragbed_counters after;
};

static DEFINE_SPINLOCK(last_lock);
static struct compact_record last;	/* last_lock */
static bool have_last;			/* last_lock */

static int read_values(const struct fragbed_write *w, struct compact_record *record)
{
	const struct fragbed_value *values = w->values;
	int nid, ret = fragbed_node_check(w, RUN_NODE, &nid);

	if (ret)
		return ret;
	record->type = values[RUN_TYPE].number;
	record->request = (struct fragbed_compact_request) {
		.order = values[RUN_ORDER].number,
		.migratetype = migratetypes[record->type],
		.nid = nid,
		.prio = values[RUN_PRIO].number,
		.nofragment = values[RUN_NOFRAGMENT].number,
	};
	return 0;
}

/* Runs in the writer, never in a worker: a kernel thread cannot capture. */
static int compact_and_record(struct compact_record *record)
{
	struct fragbed_compact_request *request = &record->request;
	int ret;

	ret = fragbed_counters_take(&record->before, request->nid,
				    request->order);
	if (ret)
		return ret;
	ret = fragbed_direct_compact(request, &record->report);
	if (ret)
		return ret;
	return fragbed_counters_take(&record->after, request->nid,
				     request->order);
}

/*
 * Context: may sleep; the writing task compacts.
 * Return: 0, -ENXIO no such node, -ENOMEM, -EOPNOTSUPP the kernel lacks it.
 */
static int compact_run(const struct fragbed_write *w)
{
	struct compact_record *record = kzalloc(sizeof(*record), GFP_KERNEL);
	int ret;

	if (!record)
		return -ENOMEM;
	ret = read_values(w, record);
	if (!ret)
		ret = compact_and_record(record);
	if (!ret) {
		spin_lock(&last_lock);
		last = *record;
		have_last = true;
		spin_unlock(&last_lock);
	}
	kfree(record);
	return ret;
}

struct fragbed_knob fragbed_knob_compact_run = {
	.path = "compact/run",
	.file = FRAGBED_COMMAND,
	.keys = run_keys,
	.run = compact_run,
};

static void show_request(struct seq_file *m, const struct compact_record *r)
{
	seq_printf(m, "method direct\norder %u\ntype %s\nnode %d\nprio %s\nnofragment %s\n",
		   r->request.order, fragbed_type_words[r->type],
		   r->request.nid, prio_words[r->request.prio],
		   nofragment_words[r->request.nofragment]);
}

static void show_report(struct seq_file *m,
			const struct fragbed_compact_report *report)
{
	seq_printf(m, "result %d\nresult_name %s\nentered %d\ncompact_order %d\n",
		   report->result, fragbed_compact_result_name(report->result),
		   report->entered, report->compact_order);
	seq_printf(m, "got_page %d\ncaptured %d\ndeferred %u\nzones %u\n",
		   report->got_page, report->captured, report->deferred,
		   report->zones);
	seq_printf(m, "isolated %lu\nmoved %lu\nmigrate_scanned %lu\nns %llu\n",
		   report->isolated, report->moved, report->migrate_scanned,
		   report->ns);
}

/* Context: may sleep, takes last_lock. Return: 0 or -ENOMEM. */
static int compact_last_show(struct seq_file *m, void *unused)
{
	struct compact_record *record = kmalloc(sizeof(*record), GFP_KERNEL);
	bool have;

	if (!record)
		return -ENOMEM;
	spin_lock(&last_lock);
	*record = last;
	have = have_last;
	spin_unlock(&last_lock);
	if (have) {
		show_request(m, record);
		show_report(m, &record->report);
		fragbed_counters_show(m, &record->before, &record->after);
	} else {
		seq_puts(m, "result_name none\n");
	}
	kfree(record);
	return 0;
}

struct fragbed_knob fragbed_knob_compact_last = {
	.path = "compact/last",
	.file = FRAGBED_READ_ONLY,
	.show = compact_last_show,
};

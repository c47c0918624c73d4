// SPDX-License-Identifier: GPL-2.0
/* compact/: one direct compaction by the writing task, and what it did. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/compaction.h>
#include <linux/kernel.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "fragbed.h"

#define RUN_KNOB "compact/run"

enum { RUN_ORDER, RUN_TYPE, RUN_NODE, RUN_PRIO, RUN_NOFRAGMENT, NR_RUN_KEYS };

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

static const int migratetypes[] = {
	[FRAGBED_UNMOVABLE] = MIGRATE_UNMOVABLE,
	[FRAGBED_MOVABLE] = MIGRATE_MOVABLE,
	[FRAGBED_RECLAIMABLE] = MIGRATE_RECLAIMABLE,
};

/* Everything compact/last tells. */
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

static int parse_run(char *line, struct compact_record *record)
{
	struct fragbed_key keys[NR_RUN_KEYS] = {
		[RUN_ORDER] = { "order", FRAGBED_NUMBER, 0, MAX_PAGE_ORDER,
				.required = true },
		[RUN_TYPE] = { "type", FRAGBED_WORD, .required = true,
			       .words = fragbed_type_words },
		[RUN_NODE] = { "node", FRAGBED_NUMBER, 0, INT_MAX },
		[RUN_PRIO] = { "prio", FRAGBED_WORD, .words = prio_words,
			       .value = DEF_COMPACT_PRIORITY },
		[RUN_NOFRAGMENT] = { "nofragment", FRAGBED_WORD,
				     .words = nofragment_words,
				     .value = FRAGBED_NOFRAGMENT_DEFAULT },
	};
	int ret = fragbed_keys_parse(RUN_KNOB, line, keys, NR_RUN_KEYS);

	if (!ret)
		ret = fragbed_node_check(RUN_KNOB, &keys[RUN_NODE]);
	if (ret)
		return ret;
	record->type = keys[RUN_TYPE].value;
	record->request = (struct fragbed_compact_request) {
		.order = keys[RUN_ORDER].value,
		.migratetype = migratetypes[record->type],
		.nid = keys[RUN_NODE].value,
		.prio = keys[RUN_PRIO].value,
		.nofragment = keys[RUN_NOFRAGMENT].value,
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

/**
 * fragbed_compact_run() - the verb compact/run
 * @line: order= type= [node=] [prio=] [nofragment=]
 *
 * Context: may sleep; the writing task compacts.
 * Return: 0, -EINVAL malformed or out of range, -ENXIO no such node, -ENOMEM,
 * -EOPNOTSUPP the kernel lacks it.
 */
int fragbed_compact_run(char *line)
{
	struct compact_record *record = kzalloc(sizeof(*record), GFP_KERNEL);
	int ret;

	if (!record)
		return -ENOMEM;
	ret = parse_run(line, record);
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

/**
 * fragbed_compact_last_show() - figures of the last compact/run
 * @m: where to
 * @unused: none
 *
 * Context: may sleep, takes last_lock.
 * Return: 0 or -ENOMEM.
 */
int fragbed_compact_last_show(struct seq_file *m, void *unused)
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

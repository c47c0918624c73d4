// SPDX-License-Identifier: GPL-2.0
/*
 * compact/ on kernels that export no compaction to modules: allocate a chunk, which
 * compacts if none is free, and read the result from the counters.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/seq_file.h>
#include <linux/spinlock.h>
#include <linux/vmstat.h>

#include "fragbed.h"

enum { RUN_ORDER, RUN_TYPE, RUN_NODE, RUN_PRIO, RUN_NOFRAGMENT };

/* The last two are there to be refused with a reason. */
static const struct fragbed_key run_keys[] = {
	[RUN_ORDER] = { "order", FRAGBED_NUMBER, 1, MAX_PAGE_ORDER, .required = true },
	[RUN_TYPE] = FRAGBED_TYPE_KEY,
	[RUN_NODE] = FRAGBED_NODE_KEY,
	[RUN_PRIO] = { "prio", FRAGBED_TEXT },
	[RUN_NOFRAGMENT] = { "nofragment", FRAGBED_TEXT },
	{ }
};

/* Everything that compact/last prints. */
struct compact_record {
	unsigned int order;
	enum fragbed_type type;
	int nid;
	bool got_page;
	u64 ns;
	struct fragbed_counters before;
	struct fragbed_counters after;
};

static DEFINE_SPINLOCK(last_lock);
static struct compact_record last;	/* last_lock */
static bool have_last;			/* last_lock */

/* Only direct compaction has these choices. */
static int refuse_choice(const struct fragbed_write *w, unsigned int key)
{
	if (!w->values[key].given)
		return 0;
	return fragbed_refuse(w, key, -EOPNOTSUPP,
			      "leave it out, only a kernel with CONFIG_FRAGBED can choose");
}

static int read_values(const struct fragbed_write *w, struct compact_record *record)
{
	int ret = fragbed_node_check(w, RUN_NODE, &record->nid);

	if (!ret)
		ret = refuse_choice(w, RUN_PRIO);
	if (!ret)
		ret = refuse_choice(w, RUN_NOFRAGMENT);
	record->order = w->values[RUN_ORDER].number;
	record->type = w->values[RUN_TYPE].number;
	return ret;
}

static int allocate_and_record(struct compact_record *record)
{
	struct page *page;
	u64 start;
	int ret;

	ret = fragbed_counters_take(&record->before, record->nid,
				    record->order);
	if (ret)
		return ret;
	start = ktime_get_ns();
	page = fragbed_chunk_alloc(record->nid, fragbed_gfp(record->type),
				   record->order, true);
	record->ns = ktime_get_ns() - start;
	record->got_page = page;
	if (page)
		fragbed_chunk_free(page, record->order);
	return fragbed_counters_take(&record->after, record->nid,
				     record->order);
}

/*
 * Context: may sleep; the writing task compacts if no chunk is free.
 * Return: 0, -ENXIO no such node, -ENOMEM, -EOPNOTSUPP this kernel cannot do it.
 */
static int compact_run(const struct fragbed_write *w)
{
	struct compact_record record = { };
	int ret = read_values(w, &record);

	if (!ret)
		ret = allocate_and_record(&record);
	if (ret)
		return ret;
	spin_lock(&last_lock);
	last = record;
	have_last = true;
	spin_unlock(&last_lock);
	return 0;
}

struct fragbed_knob fragbed_knob_compact_run = {
	.path = "compact/run",
	.file = FRAGBED_COMMAND,
	.keys = run_keys,
	.run = compact_run,
};

/* By the counters, so wrong if another task compacts at the same time. */
static const char *result_word(const struct compact_record *r)
{
	bool stalled = fragbed_counters_delta(&r->before, &r->after,
					      COMPACTSTALL);

	if (r->got_page)
		return stalled ? "success" : "no_need";
	return stalled ? "failed" : "not_tried";
}

/*
 * result_name is success or failed if the kernel compacted, no_need if a chunk was
 * free, not_tried if the allocator gave up without compacting.
 *
 * Context: takes last_lock.
 */
static int compact_last_show(struct seq_file *m, void *unused)
{
	struct compact_record record;
	bool have;

	spin_lock(&last_lock);
	record = last;
	have = have_last;
	spin_unlock(&last_lock);
	if (!have) {
		seq_puts(m, "result_name none\n");
		return 0;
	}
	seq_printf(m, "method allocation\norder %u\ntype %s\nnode %d\n",
		   record.order, fragbed_type_words[record.type], record.nid);
	seq_printf(m, "result_name %s\ngot_page %d\nns %llu\n",
		   result_word(&record), record.got_page, record.ns);
	fragbed_counters_show(m, &record.before, &record.after);
	return 0;
}

struct fragbed_knob fragbed_knob_compact_last = {
	.path = "compact/last",
	.file = FRAGBED_READ_ONLY,
	.show = compact_last_show,
};

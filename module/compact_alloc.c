// SPDX-License-Identifier: GPL-2.0
/*
 * compact/ where the kernel offers no compaction to modules: ask for a chunk,
 * which compacts if there is none, and tell by the counters what happened.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/seq_file.h>
#include <linux/spinlock.h>
#include <linux/vmstat.h>

#include "fragbed.h"

#define RUN_KNOB "compact/run"

enum { RUN_ORDER, RUN_TYPE, RUN_NODE, RUN_PRIO, RUN_NOFRAGMENT, NR_RUN_KEYS };

/* Everything compact/last tells. */
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

/* What only direct compaction lets one choose. */
static int refuse_choice(const struct fragbed_key *key)
{
	if (!key->given)
		return 0;
	pr_warn("%s: %s=%s: leave it out, only a kernel with CONFIG_FRAGBED can choose\n",
		RUN_KNOB, key->name, key->text);
	return -EOPNOTSUPP;
}

static int parse_run(char *line, struct compact_record *record)
{
	struct fragbed_key keys[NR_RUN_KEYS] = {
		[RUN_ORDER] = { "order", FRAGBED_NUMBER, 1, MAX_PAGE_ORDER,
				.required = true },
		[RUN_TYPE] = { "type", FRAGBED_WORD, .required = true,
			       .words = fragbed_type_words },
		[RUN_NODE] = { "node", FRAGBED_NUMBER, 0, INT_MAX },
		[RUN_PRIO] = { "prio", FRAGBED_TEXT },
		[RUN_NOFRAGMENT] = { "nofragment", FRAGBED_TEXT },
	};
	int ret = fragbed_keys_parse(RUN_KNOB, line, keys, NR_RUN_KEYS);

	if (!ret)
		ret = fragbed_node_check(RUN_KNOB, &keys[RUN_NODE]);
	if (!ret)
		ret = refuse_choice(&keys[RUN_PRIO]);
	if (!ret)
		ret = refuse_choice(&keys[RUN_NOFRAGMENT]);
	if (ret)
		return ret;
	record->order = keys[RUN_ORDER].value;
	record->type = keys[RUN_TYPE].value;
	record->nid = keys[RUN_NODE].value;
	return 0;
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

/**
 * fragbed_compact_run() - the verb compact/run
 * @line: order= type= [node=]
 *
 * Context: may sleep; the writing task compacts, if need be.
 * Return: 0, -EINVAL malformed or out of range, -ENXIO no such node, -ENOMEM,
 * -EOPNOTSUPP a key this kernel cannot honour.
 */
int fragbed_compact_run(char *line)
{
	struct compact_record record = { };
	int ret = parse_run(line, &record);

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

/* By what the counters say; others may compact at the same time. */
static const char *result_word(const struct compact_record *r)
{
	bool stalled = fragbed_counters_delta(&r->before, &r->after,
					      COMPACTSTALL);

	if (r->got_page)
		return stalled ? "success" : "no_need";
	return stalled ? "failed" : "not_tried";
}

/**
 * fragbed_compact_last_show() - figures of the last compact/run
 * @m: where to
 * @unused: none
 *
 * result_name is success or failed if something was compacted, no_need if there
 * was a free chunk, not_tried if the allocator gave up without compacting.
 *
 * Context: takes last_lock.
 * Return: 0.
 */
int fragbed_compact_last_show(struct seq_file *m, void *unused)
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

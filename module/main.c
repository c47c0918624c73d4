// SPDX-License-Identifier: GPL-2.0
/*
 * fragbed: a test bed for the page allocator's work against fragmentation.
 * This file makes the debugfs directory and runs one verb per write.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitops.h>
#include <linux/ctype.h>
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/nodemask.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/utsname.h>

#include "fragbed.h"

/*
 * A 0200 file: one verb, run by the writing task, one writer at a time. 0600 if
 * a read answers what was written.
 */
struct fragbed_verb {
	const char *dir;	/* NULL: the top directory */
	const char *name;
	int (*run)(char *line);
	int (*show)(struct seq_file *m, void *unused);	/* or NULL */
	unsigned long busy;	/* bit 0 */
};

/* A 0444 file. */
struct fragbed_fact {
	const char *dir;
	const char *name;
	int (*show)(struct seq_file *m, void *unused);
};

static struct dentry *top;

static int version_show(struct seq_file *m, void *unused)
{
	seq_printf(m, "fragbed %s\nkernel %s\n", FRAGBED_VERSION,
		   init_utsname()->release);
	return 0;
}

static void show_feature(struct seq_file *m, const char *name, bool have,
			 const char *reason)
{
	seq_printf(m, "%s %s%s%s\n", name, have ? "yes" : "no",
		   have ? "" : " ", have ? "" : reason);
}

static int caps_show(struct seq_file *m, void *unused)
{
	const char *no_core = "kernel built without CONFIG_FRAGBED";

	seq_printf(m, "page_size %lu\npageblock_order %u\nmax_page_order %u\n",
		   PAGE_SIZE, (unsigned int)pageblock_order, MAX_PAGE_ORDER);
	seq_printf(m, "nodes %*pbl\n",
		   nodemask_pr_args(&node_states[N_MEMORY]));
	show_feature(m, "hold", true, "");
	show_feature(m, "hold_movable", IS_ENABLED(CONFIG_SHMEM),
		     "kernel built without CONFIG_SHMEM");
	show_feature(m, "fragment", true, "");
	show_feature(m, "churn", true, "");
	show_feature(m, "keep", true, "");
	show_feature(m, "map", true, "");
	show_feature(m, "map_labels", FRAGBED_HAVE_CORE, no_core);
	show_feature(m, "drain", FRAGBED_HAVE_CORE, no_core);
	show_feature(m, "compact", true, "");
	show_feature(m, "compact_direct", FRAGBED_HAVE_CORE, no_core);
	show_feature(m, "mof", FRAGBED_HAVE_MOF, FRAGBED_HAVE_CORE ?
		     "kernel built without CONFIG_NUMA" : no_core);
	show_feature(m, "spb", FRAGBED_HAVE_SPB, FRAGBED_HAVE_CORE ?
		     "kernel built without CONFIG_SUPERPAGEBLOCK" : no_core);
	return 0;
}

static struct fragbed_verb verbs[] = {
	{ "hold", "alloc", fragbed_hold_alloc },
	{ "hold", "free", fragbed_hold_free },
	{ "fragment", "run", fragbed_fragment_run },
	{ "fragment", "free", fragbed_fragment_free },
	{ "fragment", "churn", fragbed_churn },
	{ "fragment", "keep", fragbed_keep },
	{ "compact", "run", fragbed_compact_run },
	{ NULL, "mof", fragbed_mof_run, fragbed_mof_show },
	{ "spb", "defrag", fragbed_spb_defrag, fragbed_spb_defrag_show },
	{ "spb", "evacuate", fragbed_spb_evacuate, fragbed_spb_evacuate_show },
	{ "spb", "taint", fragbed_spb_taint },
	{ NULL, "reset", fragbed_reset },
};

static const struct fragbed_fact facts[] = {
	{ NULL, "version", version_show },
	{ NULL, "caps", caps_show },
	{ "hold", "sets", fragbed_sets_show },
	{ "fragment", "index", fragbed_index_show },
	{ "fragment", "result", fragbed_fragment_result_show },
	{ "fragment", "churn_status", fragbed_churn_status_show },
	{ "fragment", "keep_status", fragbed_keep_status_show },
	{ "compact", "last", fragbed_compact_last_show },
#ifdef FRAGBED_SPB
	{ "spb", "table", fragbed_spb_table_show },
	{ "spb", "stats", fragbed_spb_stats_show },
	{ "spb", "check", fragbed_spb_check_show },
#endif
};

static int refuse_line(const struct fragbed_verb *verb, const char *why,
		       int error)
{
	pr_warn("%s%s%s: %s\n", verb->dir ? verb->dir : "",
		verb->dir ? "/" : "", verb->name, why);
	return error;
}

/* Fetch one line of printable text; a newline at its end is not part of it. */
static int fetch_line(const struct fragbed_verb *verb, char *line,
		      const char __user *ubuf, size_t count)
{
	size_t i;

	if (count > FRAGBED_LINE_MAX)
		return refuse_line(verb, "the line is longer than 256 bytes",
				   -E2BIG);
	if (copy_from_user(line, ubuf, count))
		return -EFAULT;
	if (count && line[count - 1] == '\n')
		count--;
	line[count] = '\0';
	if (!count)
		return refuse_line(verb, "the line is empty", -EINVAL);
	for (i = 0; i < count; i++) {
		if (line[i] != '\t' && (!isascii(line[i]) || !isprint(line[i])))
			return refuse_line(verb,
					   "must be one line of printable ASCII",
					   -EINVAL);
	}
	return 0;
}

static int run_alone(struct fragbed_verb *verb, char *line)
{
	int ret;

	if (test_and_set_bit_lock(0, &verb->busy))
		return refuse_line(verb, "already running", -EBUSY);
	fragbed_run_begins();
	ret = verb->run(line);
	clear_bit_unlock(0, &verb->busy);
	fragbed_run_ends();
	return ret;
}

static ssize_t verb_write(struct file *file, const char __user *ubuf,
			  size_t count, loff_t *ppos)
{
	struct fragbed_verb *verb = file_inode(file)->i_private;
	char line[FRAGBED_LINE_MAX + 1];
	int ret = fetch_line(verb, line, ubuf, count);

	if (!ret)
		ret = run_alone(verb, line);
	return ret ? ret : count;
}

static const struct file_operations verb_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = verb_write,
	.llseek = noop_llseek,
};

static int answering_verb_open(struct inode *inode, struct file *file)
{
	const struct fragbed_verb *verb = inode->i_private;

	return single_open(file, verb->show, NULL);
}

static const struct file_operations answering_verb_fops = {
	.owner = THIS_MODULE,
	.open = answering_verb_open,
	.write = verb_write,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = single_release,
};

static int fact_open(struct inode *inode, struct file *file)
{
	const struct fragbed_fact *fact = inode->i_private;

	return single_open(file, fact->show, NULL);
}

static const struct file_operations fact_fops = {
	.owner = THIS_MODULE,
	.open = fact_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = single_release,
};

/* The subdirectory @name of the top one, made when first asked for. */
static struct dentry *subdir(const char *name)
{
	struct dentry *dir;

	if (!name)
		return top;
	dir = debugfs_lookup(name, top);
	if (dir) {
		/* The tree holds its own reference until the module goes. */
		dput(dir);
		return dir;
	}
	return debugfs_create_dir(name, top);
}

/* Errors are ignored on purpose: without debugfs the module just sits there. */
static void create_files(void)
{
	size_t i;

	top = debugfs_create_dir("fragbed", NULL);
	if (IS_ERR(top))
		return;
	for (i = 0; i < ARRAY_SIZE(verbs); i++)
		debugfs_create_file(verbs[i].name, verbs[i].show ? 0600 : 0200,
				    subdir(verbs[i].dir), &verbs[i],
				    verbs[i].show ? &answering_verb_fops : &verb_fops);
	for (i = 0; i < ARRAY_SIZE(facts); i++)
		debugfs_create_file(facts[i].name, 0444, subdir(facts[i].dir),
				    (void *)&facts[i], &fact_fops);
	fragbed_map_init(top);
	fragbed_lease_create(top);
}

static int __init fragbed_init(void)
{
	int ret = fragbed_compact_attach();

	if (ret)
		return ret;
	ret = fragbed_sets_init();
	if (ret) {
		fragbed_compact_detach();
		return ret;
	}
	fragbed_sleep_watch();
	create_files();
	return 0;
}

/* Open files pin the module, so no knob runs here; only threads may. */
static void __exit fragbed_exit(void)
{
	debugfs_remove_recursive(top);
	fragbed_runs_exit();
	fragbed_sets_exit();
	fragbed_compact_detach();
	WARN(fragbed_chunks_held(), "fragbed: %ld chunks leaked",
	     fragbed_chunks_held());
}

module_init(fragbed_init);
module_exit(fragbed_exit);
MODULE_DESCRIPTION("Test bed for the page allocator's anti-fragmentation work");
MODULE_AUTHOR("The fragbed authors");
MODULE_VERSION(FRAGBED_VERSION);
MODULE_LICENSE("GPL");

// SPDX-License-Identifier: GPL-2.0
/*
 * fragbed: a test bed for the page allocator's work against fragmentation.
 * This file makes the debugfs directory and runs one command per write.
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

struct fragbed_knob fragbed_knob_version = {
	.path = "version",
	.file = FRAGBED_READ_ONLY,
	.show = version_show,
};

struct fragbed_knob fragbed_knob_caps = {
	.path = "caps",
	.file = FRAGBED_READ_ONLY,
	.show = caps_show,
};

static int refuse_line(const struct fragbed_knob *knob, const char *why, int error)
{
	pr_warn("%s: %s\n", knob->path, why);
	return error;
}

/* Fetch one line of printable text; a newline at its end is not part of it. */
static int fetch_line(const struct fragbed_knob *knob, char *line,
		      const char __user *ubuf, size_t count)
{
	size_t i;

	if (count > FRAGBED_LINE_MAX)
		return refuse_line(knob, "the line is longer than 256 bytes",
				   -E2BIG);
	if (copy_from_user(line, ubuf, count))
		return -EFAULT;
	if (count && line[count - 1] == '\n')
		count--;
	line[count] = '\0';
	if (!count)
		return refuse_line(knob, "the line is empty", -EINVAL);
	for (i = 0; i < count; i++) {
		if (line[i] != '\t' && (!isascii(line[i]) || !isprint(line[i])))
			return refuse_line(knob,
					   "must be one line of printable ASCII",
					   -EINVAL);
	}
	return 0;
}

static int parse_and_run(const struct fragbed_knob *knob, char *line)
{
	struct fragbed_write w = { .knob = knob };
	int ret = fragbed_line_parse(&w, line);

	return ret ? ret : knob->run(&w);
}

static int run_alone(struct fragbed_knob *knob, char *line)
{
	int ret;

	if (test_and_set_bit_lock(0, &knob->busy))
		return refuse_line(knob, "already running", -EBUSY);
	fragbed_run_begins();
	ret = parse_and_run(knob, line);
	clear_bit_unlock(0, &knob->busy);
	fragbed_run_ends();
	return ret;
}

static int run_line(struct fragbed_knob *knob, char *line)
{
	if (knob->lacks) {
		pr_warn("%s: this kernel was built without %s\n", knob->path,
			knob->lacks);
		return -EOPNOTSUPP;
	}
	return knob->file == FRAGBED_TUNABLE ? parse_and_run(knob, line) :
					       run_alone(knob, line);
}

static ssize_t knob_write(struct file *file, const char __user *ubuf,
			  size_t count, loff_t *ppos)
{
	struct fragbed_knob *knob = file_inode(file)->i_private;
	char line[FRAGBED_LINE_MAX + 1];
	int ret = fetch_line(knob, line, ubuf, count);

	if (!ret)
		ret = run_line(knob, line);
	return ret ? ret : count;
}

static int knob_open(struct inode *inode, struct file *file)
{
	const struct fragbed_knob *knob = inode->i_private;

	return single_open(file, knob->show, NULL);
}

static const struct file_operations command_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = knob_write,
	.llseek = noop_llseek,
};

static const struct file_operations read_only_fops = {
	.owner = THIS_MODULE,
	.open = knob_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = single_release,
};

static const struct file_operations read_write_fops = {
	.owner = THIS_MODULE,
	.open = knob_open,
	.write = knob_write,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = single_release,
};

static const struct file_operations *fops_of(const struct fragbed_knob *knob)
{
	if (knob->fops)
		return knob->fops;
	if (!knob->show)
		return &command_fops;
	return knob->file == FRAGBED_READ_ONLY ? &read_only_fops : &read_write_fops;
}

/* The directory of a path, which is left in *@name without it; made when first needed. */
static struct dentry *subdir(const char **name)
{
	const char *slash = strchr(*name, '/');
	struct dentry *dir;
	char buf[16];

	if (!slash)
		return top;
	strscpy(buf, *name, min(sizeof(buf), (size_t)(slash - *name) + 1));
	*name = slash + 1;
	dir = debugfs_lookup(buf, top);
	if (dir) {
		/* The tree holds its own reference until the module goes. */
		dput(dir);
		return dir;
	}
	return debugfs_create_dir(buf, top);
}

static void create_file(struct fragbed_knob *knob, void *unused)
{
	const char *name = knob->path;
	struct dentry *dir = subdir(&name);

	debugfs_create_file(name, fragbed_knob_mode(knob), dir, knob, fops_of(knob));
}

/* Errors are ignored on purpose: without debugfs the module does nothing. */
static void create_files(void)
{
	top = debugfs_create_dir("fragbed", NULL);
	if (!IS_ERR(top))
		fragbed_each_knob(create_file, NULL);
}

static int __init fragbed_init(void)
{
	int ret = fragbed_compact_attach();

	if (ret)
		return ret;
	ret = fragbed_sets_init();
	if (ret)
		goto detach;
	ret = fragbed_runs_init();
	if (ret)
		goto free_sets;
	create_files();
	return 0;
free_sets:
	fragbed_sets_exit();
detach:
	fragbed_compact_detach();
	return ret;
}

/* Open files pin the module, so no command runs here; only threads may. */
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

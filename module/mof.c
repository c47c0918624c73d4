// SPDX-License-Identifier: GPL-2.0
/* mof: which memory policy decides whether a mapping migrates on fault. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kernel.h>
#include <linux/seq_file.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "fragbed.h"

/* Everything a read tells. */
struct mof_record {
	pid_t pid;
	unsigned long address;
	struct fragbed_mof_report report;
};

static DEFINE_SPINLOCK(last_lock);
static struct mof_record last;	/* last_lock; no pid: nothing was asked yet */

static int refuse(const char *what, const char *why)
{
	pr_warn("mof: %s: %s\n", what, why);
	return -EINVAL;
}

/* "PID ADDRESS", the address in hexadecimal as in /proc/PID/maps. */
static int parse(char *line, struct mof_record *record)
{
	char *pid = strsep(&line, " \t");
	u64 number;

	if (fragbed_number_parse(pid, &number) || !number || number > INT_MAX)
		return refuse(pid, "must be the decimal number of a process");
	if (!line || !*line)
		return refuse(pid, "write PID ADDRESS");
	if (*line == '+' || *line == '-' || kstrtoul(line, 16, &record->address))
		return refuse(line, "must be a hexadecimal address");
	record->pid = number;
	return 0;
}

static int explain(const struct mof_record *record, int error)
{
	if (error == -ESRCH)
		pr_warn("mof: %d: no such process, or it has no memory of its own\n",
			record->pid);
	if (error == -EFAULT)
		pr_warn("mof: %lx: process %d has nothing mapped there, see /proc/%d/maps\n",
			record->address, record->pid, record->pid);
	return error;
}

/**
 * fragbed_mof_run() - the verb mof
 * @line: PID ADDRESS
 *
 * Context: may sleep.
 * Return: 0, -EINVAL malformed, -ESRCH no such process, -EFAULT no mapping.
 */
int fragbed_mof_run(char *line)
{
	struct mof_record record = { };
	int ret = parse(line, &record);

	if (!ret)
		ret = explain(&record, fragbed_policy_mof(record.pid, record.address,
							  &record.report));
	if (ret)
		return ret;
	spin_lock(&last_lock);
	last = record;
	spin_unlock(&last_lock);
	return 0;
}

/**
 * fragbed_mof_show() - the answer to the last question
 * @m: where to
 * @unused: none
 *
 * Context: may sleep, takes last_lock.
 * Return: 0.
 */
int fragbed_mof_show(struct seq_file *m, void *unused)
{
	struct mof_record record;

	spin_lock(&last_lock);
	record = last;
	spin_unlock(&last_lock);
	if (!record.pid) {
		seq_puts(m, "decided_by none\n");
		return 0;
	}
	seq_printf(m, "pid %d\naddress %lx\nstart %lx\nend %lx\n", record.pid,
		   record.address, record.report.start, record.report.end);
	seq_printf(m, "decided_by %s\npolicy %s\nmof %d\nmigratable %d\n",
		   fragbed_policy_owner_name(record.report.owner),
		   record.report.policy, record.report.mof,
		   record.report.migratable);
	return 0;
}

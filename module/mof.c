// SPDX-License-Identifier: GPL-2.0
/* mof: the memory policy that decides whether a mapping migrates on fault. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kernel.h>
#include <linux/seq_file.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "fragbed.h"

enum { MOF_PID, MOF_ADDRESS };

/* The address is hexadecimal as in /proc/PID/maps. */
static const struct fragbed_key mof_keys[] = {
	[MOF_PID] = { "PID", FRAGBED_NUMBER, 1, INT_MAX, .required = true },
	[MOF_ADDRESS] = { "ADDRESS", FRAGBED_TEXT, .required = true },
	{ }
};

/* Everything that a read prints. */
struct mof_record {
	pid_t pid;
	unsigned long address;
	struct fragbed_mof_report report;
};

static DEFINE_SPINLOCK(last_lock);
static struct mof_record last;	/* last_lock; no pid: no request yet */

static int read_values(const struct fragbed_write *w, struct mof_record *record)
{
	const char *text = w->values[MOF_ADDRESS].text;

	record->pid = w->values[MOF_PID].number;
	if (*text == '+' || *text == '-' || kstrtoul(text, 16, &record->address))
		return fragbed_refuse(w, MOF_ADDRESS, -EINVAL,
				      "must be a hexadecimal address");
	return 0;
}

static int explain(const struct fragbed_write *w, int error)
{
	const char *pid = w->values[MOF_PID].text;

	if (error == -ESRCH)
		fragbed_refuse(w, MOF_PID, error,
			       "no such process, or it has no memory of its own");
	if (error == -EFAULT)
		fragbed_refuse(w, MOF_ADDRESS, error,
			       "process %s has nothing mapped there, see /proc/%s/maps",
			       pid, pid);
	return error;
}

/* Context: may sleep. Return: 0, -EINVAL malformed, -ESRCH no such process, -EFAULT no mapping. */
static int mof_run(const struct fragbed_write *w)
{
	struct mof_record record = { };
	int ret = read_values(w, &record);

	if (!ret)
		ret = explain(w, fragbed_policy_mof(record.pid, record.address,
						    &record.report));
	if (ret)
		return ret;
	spin_lock(&last_lock);
	last = record;
	spin_unlock(&last_lock);
	return 0;
}

/* The answer to the last request. Context: may sleep, takes last_lock. */
static int mof_show(struct seq_file *m, void *unused)
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

struct fragbed_knob fragbed_knob_mof = {
	.path = "mof",
	.file = FRAGBED_ANSWERING,
	.keys = mof_keys,
	.plain = true,
	.run = mof_run,
	.show = mof_show,
};

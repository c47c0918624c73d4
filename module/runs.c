// SPDX-License-Identifier: GPL-2.0
/*
 * What runs, how it is told to end, and the ways everything is given back: the
 * knob reset, the end of the last lease, the machine going to sleep.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/sched/signal.h>
#include <linux/string.h>
#include <linux/suspend.h>
#include <linux/wait.h>

#include "fragbed.h"

static atomic_t stop_generation;
static atomic_t running;		/* verbs */
static atomic_t leases;
static DECLARE_WAIT_QUEUE_HEAD(idle_wait);

/**
 * fragbed_stop_ticket() - remember when a run began
 *
 * Context: any.
 * Return: a ticket for fragbed_should_stop().
 */
int fragbed_stop_ticket(void)
{
	return atomic_read(&stop_generation);
}

/**
 * fragbed_should_stop() - has the run been told to end?
 * @ticket: from fragbed_stop_ticket() at its start
 *
 * Context: the writing task.
 * Return: true on a signal, after reset and when memory ran out.
 */
bool fragbed_should_stop(int ticket)
{
	return signal_pending(current) ||
	       atomic_read(&stop_generation) != ticket;
}

/**
 * fragbed_stop_runs() - tell every run to end and give back
 *
 * Context: any. Does not wait.
 */
void fragbed_stop_runs(void)
{
	atomic_inc(&stop_generation);
}

/**
 * fragbed_run_begins() - a verb is at work
 *
 * Context: the writing task, before the verb.
 */
void fragbed_run_begins(void)
{
	atomic_inc(&running);
}

/**
 * fragbed_run_ends() - a verb has come to its end
 *
 * Context: the writing task, after the verb.
 */
void fragbed_run_ends(void)
{
	atomic_dec(&running);
	wake_up_all(&idle_wait);
}

static void stop_threads(void)
{
	fragbed_churn_stop();
	fragbed_keep_stop();
}

/*
 * Once with the verbs told to end, so that their memory is not waited for; again
 * when they have, as one of them may have started a thread.
 */
static int give_all_back(int verbs_left, bool killable)
{
	struct fragbed_pattern all = { .every = 1 };
	int ret = 0;

	fragbed_stop_runs();
	stop_threads();
	if (killable)
		ret = wait_event_killable(idle_wait,
					  atomic_read(&running) <= verbs_left);
	else
		wait_event(idle_wait, atomic_read(&running) <= verbs_left);
	if (ret)
		return -EINTR;
	stop_threads();
	return fragbed_sets_free(NULL, &all);
}

/**
 * fragbed_reset() - the verb reset
 * @line: "1"
 *
 * Context: may sleep, until all other verbs have ended.
 * Return: 0, -EINVAL for anything but 1, -EINTR if killed.
 */
int fragbed_reset(char *line)
{
	if (strcmp(line, "1")) {
		pr_warn("reset: %s: must be 1\n", line);
		return -EINVAL;
	}
	return give_all_back(1, true);
}

static int lease_open(struct inode *inode, struct file *file)
{
	atomic_inc(&leases);
	return 0;
}

/* Also when its holder was killed, so nothing of a script stays behind. */
static int lease_release(struct inode *inode, struct file *file)
{
	if (atomic_dec_and_test(&leases))
		give_all_back(0, false);
	return 0;
}

static const struct file_operations lease_fops = {
	.owner = THIS_MODULE,
	.open = lease_open,
	.release = lease_release,
	.llseek = noop_llseek,
};

/* An image of memory needs half of it free; and who wakes up expects a usable machine. */
static int sleep_notify(struct notifier_block *nb, unsigned long action,
			void *data)
{
	switch (action) {
	case PM_SUSPEND_PREPARE:
	case PM_HIBERNATION_PREPARE:
	case PM_RESTORE_PREPARE:
		if (fragbed_chunks_held())
			pr_notice("the machine goes to sleep: all is given back\n");
		give_all_back(0, false);
	}
	return NOTIFY_DONE;
}

static struct notifier_block sleep_block = {
	.notifier_call = sleep_notify,
};

/**
 * fragbed_lease_create() - add the file lease
 * @dir: the module's debugfs directory
 *
 * Context: may sleep.
 */
void fragbed_lease_create(struct dentry *dir)
{
	debugfs_create_file("lease", 0200, dir, NULL, &lease_fops);
}

/**
 * fragbed_sleep_watch() - from now on give everything back before suspend
 *
 * Context: may sleep.
 */
void fragbed_sleep_watch(void)
{
	if (register_pm_notifier(&sleep_block))
		pr_warn("no notifier: holds stay through suspend\n");
}

/**
 * fragbed_runs_exit() - end what runs without a writer
 *
 * Context: may sleep. No knob may be in use any more.
 */
void fragbed_runs_exit(void)
{
	unregister_pm_notifier(&sleep_block);
	stop_threads();
}

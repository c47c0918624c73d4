// SPDX-License-Identifier: GPL-2.0
/*
 * The commands and threads that run, how they are stopped, and everything that frees
 * all memory: the file reset, the end of the last lease, suspend, the OOM notifier.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/oom.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/suspend.h>
#include <linux/wait.h>

#include "fragbed.h"

/* How long OOM waits for the threads while they free nothing. */
#define YIELD_TIME (HZ / 2)

static atomic_t stop_generation;
static atomic_t running;		/* commands */
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
 * fragbed_should_stop() - must the run stop?
 * @ticket: from fragbed_stop_ticket() at its start
 *
 * Context: the writing task.
 * Return: true on a signal, and after reset, suspend or OOM.
 */
bool fragbed_should_stop(int ticket)
{
	return signal_pending(current) ||
	       atomic_read(&stop_generation) != ticket;
}

/* Does not wait until the runs have stopped and freed their memory. */
static void stop_runs(void)
{
	atomic_inc(&stop_generation);
}

/**
 * fragbed_run_begins() - a command starts
 *
 * Context: the writing task, before the command.
 */
void fragbed_run_begins(void)
{
	atomic_inc(&running);
}

/**
 * fragbed_run_ends() - a command has finished
 *
 * Context: the writing task, after the command.
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
 * Threads are stopped first, so that a run does not wait for memory they hold, and
 * again at the end because a run may have started one.
 */
static int free_everything(int runs_left, bool killable)
{
	struct fragbed_pattern all = { .every = 1 };
	int ret = 0;

	stop_runs();
	stop_threads();
	if (killable)
		ret = wait_event_killable(idle_wait,
					  atomic_read(&running) <= runs_left);
	else
		wait_event(idle_wait, atomic_read(&running) <= runs_left);
	if (ret)
		return -EINTR;
	stop_threads();
	return fragbed_sets_free(NULL, &all);
}

/* Context: may sleep, until all other commands have finished. Return: 0, -EINTR if killed. */
static int reset_run(const struct fragbed_write *w)
{
	return free_everything(1, true);
}

struct fragbed_knob fragbed_knob_reset = {
	.path = "reset",
	.file = FRAGBED_COMMAND,
	.leads = fragbed_just_one,
	.run = reset_run,
};

static int lease_open(struct inode *inode, struct file *file)
{
	atomic_inc(&leases);
	return 0;
}

/* Runs when the holder is killed, too, so a script leaves nothing behind. */
static int lease_release(struct inode *inode, struct file *file)
{
	if (atomic_dec_and_test(&leases))
		free_everything(0, false);
	return 0;
}

static const struct file_operations lease_fops = {
	.owner = THIS_MODULE,
	.open = lease_open,
	.release = lease_release,
	.llseek = noop_llseek,
};

struct fragbed_knob fragbed_knob_lease = {
	.path = "lease",
	.file = FRAGBED_LEASE,
	.fops = &lease_fops,
};

/* Hibernation needs half of memory free, and the user expects a usable machine on resume. */
static int sleep_notify(struct notifier_block *nb, unsigned long action,
			void *data)
{
	switch (action) {
	case PM_SUSPEND_PREPARE:
	case PM_HIBERNATION_PREPARE:
	case PM_RESTORE_PREPARE:
		if (fragbed_chunks_held())
			pr_notice("the machine suspends: all held memory is freed\n");
		free_everything(0, false);
	}
	return NOTIFY_DONE;
}

static struct notifier_block sleep_block = {
	.notifier_call = sleep_notify,
};

/*
 * The threads free their memory within a tick or two, unless one of them caused the OOM
 * itself. Memory that they have not freed in time does not count, or the OOM killer would
 * never act.
 *
 * Return: pages that were freed.
 */
static unsigned long threads_yield(void)
{
	unsigned long held = fragbed_churn_yield() + fragbed_keep_yield();
	unsigned long end = jiffies + YIELD_TIME;
	unsigned long left = held;

	while (left && time_before(jiffies, end)) {
		unsigned long last = left;

		schedule_timeout_uninterruptible(1);
		left = fragbed_churn_yield() + fragbed_keep_yield();
		if (left < last)
			end = jiffies + YIELD_TIME;
	}
	return held > left ? held - left : 0;
}

static int oom_notify(struct notifier_block *nb, unsigned long action,
		      void *data)
{
	unsigned long *freed = data;
	unsigned long pages;

	stop_runs();
	pages = threads_yield();
	pages += fragbed_sets_destroy_all();
	if (pages)
		pr_notice("out of memory: freed %lu pages\n", pages);
	*freed += pages;
	return NOTIFY_OK;
}

static struct notifier_block oom_block = {
	.notifier_call = oom_notify,
};

/**
 * fragbed_runs_init() - from now on free everything on OOM and before suspend
 *
 * Context: may sleep.
 * Return: 0 or a negative errno.
 */
int fragbed_runs_init(void)
{
	int ret = register_oom_notifier(&oom_block);

	if (ret)
		return ret;
	if (register_pm_notifier(&sleep_block))
		pr_warn("no notifier: held memory stays through suspend\n");
	return 0;
}

/**
 * fragbed_runs_exit() - stop the threads and unregister the notifiers
 *
 * Context: may sleep. No command may run any more.
 */
void fragbed_runs_exit(void)
{
	unregister_pm_notifier(&sleep_block);
	stop_threads();
	unregister_oom_notifier(&oom_block);
}

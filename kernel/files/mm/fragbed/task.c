// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit runs cases in kernel threads, which never capture: this runs a function in a
 * user task.
 */
#include <kunit/visibility.h>
#include <linux/completion.h>
#include <linux/sched.h>
#include <linux/sched/task.h>

#include "allocator_kunit.h"

struct user_task {
	int (*fn)(void *arg);
	void *arg;
	int ret;
	struct completion done;
};

static int user_task_main(void *data)
{
	struct user_task *ut = data;

	ut->ret = ut->fn(ut->arg);
	complete(&ut->done);
	do_exit(0);
}

/**
 * reach_run_in_user_task() - run a function in a task without PF_KTHREAD
 * @fn: the function; it may sleep and must not return to user space
 * @arg: its argument
 *
 * Context: may sleep. The caller is a kernel thread, whose parent reaps the task.
 * Return: the return value of @fn, or a negative errno if no task can be created.
 */
int reach_run_in_user_task(int (*fn)(void *arg), void *arg)
{
	struct user_task ut = { .fn = fn, .arg = arg };
	pid_t pid;

	init_completion(&ut.done);
	pid = user_mode_thread(user_task_main, &ut, CLONE_PARENT | SIGCHLD);
	if (pid < 0)
		return pid;
	wait_for_completion(&ut.done);
	return ut.ret;
}
EXPORT_SYMBOL_IF_KUNIT(reach_run_in_user_task);

// SPDX-License-Identifier: GPL-2.0
/*
 * With several CPUs a process can run in user space while another CPU changes
 * its page tables. A flush notes what has to be synced; the stub process learns
 * of it when it is entered the next time, so it has to be interrupted.
 */

#include <linux/mm.h>
#include <linux/processor.h>
#include <linux/sched.h>

#include <asm/tlbflush.h>
#include <os.h>
#include <skas.h>

/*
 * Called with the turnstile held, which makes this task the only one that
 * enters. Whoever flushes sees @in_user, or we see the range.
 */
void current_mm_enter_user(void)
{
	struct mm_context *context = &current->mm->context;

	for (;;) {
		um_tlb_sync(current->mm);
		WRITE_ONCE(context->in_user, current);
		smp_mb(); /* pairs with um_tlb_leave_user() */
		if (!READ_ONCE(context->sync_tlb_range_to))
			return;
		WRITE_ONCE(context->in_user, NULL);
	}
}

void current_mm_left_user(void)
{
	/* User space has written for the last time before others see this */
	smp_store_release(&current->mm->context.in_user, NULL);
}

/**
 * um_tlb_leave_user() - wait until nobody uses old mappings of an mm
 * @mm: the mm, with what has changed marked for a sync
 *
 * User space that runs now is interrupted; it syncs before it goes on.
 *
 * Context: any but an interrupt that came while user space of @mm ran on this
 *	CPU. The CPU waited for takes no lock before it is seen to have left.
 */
void um_tlb_leave_user(struct mm_struct *mm)
{
	struct mm_context *context = &mm->context;
	struct task_struct *task;

	smp_mb(); /* pairs with current_mm_enter_user() */
	task = READ_ONCE(context->in_user);
	if (!task || task == current)
		return;
	os_alarm_process(context->id.pid);
	while (READ_ONCE(context->in_user) == task && READ_ONCE(context->id.pid) > 0)
		cpu_relax();
}

// SPDX-License-Identifier: GPL-2.0
/*
 * With several CPUs, a process can run in user space while another CPU changes
 * its page tables. A flush only records the range to synchronize. The stub process
 * synchronizes when the kernel enters it, so a flush has to interrupt it.
 */

#include <linux/mm.h>
#include <linux/processor.h>
#include <linux/sched.h>

#include <asm/tlbflush.h>
#include <os.h>
#include <skas.h>

/*
 * The caller holds the turnstile, so no other task of the mm enters user space.
 * Either a concurrent flush sees @in_user, or this function sees its range.
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
	/* Other CPUs must see all writes of user space before they see this one */
	smp_store_release(&current->mm->context.in_user, NULL);
}

/**
 * um_tlb_leave_user() - wait until no CPU uses old mappings of an mm
 * @mm: the mm; the range to synchronize is recorded already
 *
 * Interrupts user space of @mm, which synchronizes before it continues.
 *
 * Context: any but an interrupt of user space of @mm on this CPU. The interrupted
 *	CPU takes no lock before it clears @in_user, so the wait cannot deadlock.
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

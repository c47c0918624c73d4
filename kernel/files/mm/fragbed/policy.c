// SPDX-License-Identifier: GPL-2.0
/* For the fragbed module: which memory policy decides about migrate-on-fault. */
#include <linux/fragbed.h>
#include <linux/mempolicy.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>

#include "allocator_kunit.h"

static const char *const owner_names[] = {
	[FRAGBED_POLICY_OF_RANGE] = "range",
	[FRAGBED_POLICY_OF_MAPPING] = "mapping",
	[FRAGBED_POLICY_OF_TASK] = "task",
	[FRAGBED_POLICY_OF_SYSTEM] = "system",
};

/**
 * fragbed_policy_owner_name() - name of a policy's owner
 * @owner: the owner
 *
 * Context: any.
 * Return: the name.
 */
const char *fragbed_policy_owner_name(enum fragbed_policy_owner owner)
{
	return owner_names[owner];
}
EXPORT_SYMBOL_FOR_MODULES(fragbed_policy_owner_name, "fragbed");

/* The task may free its policy at any time: the caller gets a reference. */
static struct mempolicy *get_policy_of_task(struct task_struct *task)
{
	struct mempolicy *policy;

	task_lock(task);
	policy = task->mempolicy;
	mpol_get(policy);
	task_unlock(task);
	return policy;
}

static struct mempolicy *exchange_own_policy(struct mempolicy *policy)
{
	struct mempolicy *old;

	task_lock(current);
	old = current->mempolicy;
	current->mempolicy = policy;
	task_unlock(current);
	return old;
}

static enum fragbed_policy_owner owner_of(struct vm_area_struct *vma, bool own)
{
	if (own)
		return vma->vm_ops && vma->vm_ops->get_policy ?
			FRAGBED_POLICY_OF_RANGE : FRAGBED_POLICY_OF_MAPPING;
	return current->mempolicy ? FRAGBED_POLICY_OF_TASK : FRAGBED_POLICY_OF_SYSTEM;
}

/* As the NUMA balancing scan does, which runs in the task itself. */
static void ask_as_current(struct vm_area_struct *vma, struct fragbed_mof_report *report)
{
	struct mempolicy *policy, *own;
	pgoff_t ilx;

	own = __get_vma_policy(vma, vma->vm_start, &ilx);
	policy = own ?: get_task_policy(current);
	mpol_to_str(report->policy, sizeof(report->policy), policy);
	mpol_cond_put(policy);
	report->owner = owner_of(vma, own);
	report->start = vma->vm_start;
	report->end = vma->vm_end;
	report->migratable = vma_migratable(vma);
	report->mof = vma_policy_mof(vma);
}

/*
 * vma_policy_mof() falls back to the policy of the calling task: install the policy
 * of @task during the call.
 */
static int ask_as_task(struct task_struct *task, struct mm_struct *mm,
		       unsigned long address, struct fragbed_mof_report *report)
{
	struct mempolicy *policy = get_policy_of_task(task), *old;
	struct vm_area_struct *vma;
	int ret = -EFAULT;

	mmap_read_lock(mm);
	vma = vma_lookup(mm, address);
	if (vma) {
		old = exchange_own_policy(policy);
		ask_as_current(vma, report);
		exchange_own_policy(old);
		ret = 0;
	}
	mmap_read_unlock(mm);
	mpol_put(policy);
	return ret;
}

/**
 * fragbed_policy_mof() - call vma_policy_mof() for a mapping of a task
 * @pid: the task, in the caller's pid namespace
 * @address: an address in the mapping
 * @report: filled in
 *
 * Context: may sleep; takes the mmap lock of the task's mm.
 * Return: 0; -ESRCH no such task, or it has no mm; -EFAULT @address is not mapped.
 */
int fragbed_policy_mof(pid_t pid, unsigned long address,
		       struct fragbed_mof_report *report)
{
	struct task_struct *task = find_get_task_by_vpid(pid);
	struct mm_struct *mm;
	int ret = -ESRCH;

	if (!task)
		return ret;
	mm = get_task_mm(task);
	if (mm) {
		ret = ask_as_task(task, mm, address, report);
		mmput(mm);
	}
	put_task_struct(task);
	return ret;
}
EXPORT_SYMBOL_FOR_MODULES(fragbed_policy_mof, "fragbed");

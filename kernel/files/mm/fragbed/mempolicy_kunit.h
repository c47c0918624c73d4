/* SPDX-License-Identifier: GPL-2.0 */
/* Included at the end of mm/mempolicy.c: see allocator_kunit.h. */
#ifdef CONFIG_FRAGBED
#include <kunit/visibility.h>
#include "allocator_kunit.h"

/**
 * reach_vma_policy_mof() - vma_policy_mof()
 * @vma: the mapping
 *
 * Context: mmap lock of the mapping's mm held.
 * Return: true if the policy asks for migrate-on-fault.
 */
bool reach_vma_policy_mof(struct vm_area_struct *vma)
{
	return vma_policy_mof(vma);
}
EXPORT_SYMBOL_IF_KUNIT(reach_vma_policy_mof);

/**
 * reach_vma_migratable() - vma_migratable()
 * @vma: the mapping
 *
 * Context: mmap lock of the mapping's mm held.
 * Return: true if NUMA balancing may migrate its pages.
 */
bool reach_vma_migratable(struct vm_area_struct *vma)
{
	return vma_migratable(vma);
}
EXPORT_SYMBOL_IF_KUNIT(reach_vma_migratable);

/**
 * reach_set_mempolicy() - set_mempolicy() for the calling task
 * @mode: MPOL_* with flags that user space may set
 * @nodes: the nodes
 *
 * Context: may sleep.
 * Return: 0 or a negative errno, like the system call.
 */
int reach_set_mempolicy(int mode, nodemask_t *nodes)
{
	unsigned short flags;
	int err = sanitize_mpol_flags(&mode, &flags);

	return err ?: do_set_mempolicy(mode, flags, nodes);
}
EXPORT_SYMBOL_IF_KUNIT(reach_set_mempolicy);

/**
 * reach_mbind() - mbind() for the calling task's mm
 * @start: first address
 * @len: bytes
 * @mode: MPOL_* with flags that user space may set
 * @nodes: the nodes
 *
 * Context: takes the mmap lock.
 * Return: 0 or a negative errno, like the system call.
 */
int reach_mbind(unsigned long start, unsigned long len, int mode,
		nodemask_t *nodes)
{
	unsigned short flags;
	int err = sanitize_mpol_flags(&mode, &flags);

	return err ?: do_mbind(start, len, mode, flags, nodes, 0);
}
EXPORT_SYMBOL_IF_KUNIT(reach_mbind);

/**
 * reach_preferred_node_policy() - the policy of tasks without policy on a node
 * @nid: the node
 *
 * Return: the policy.
 */
struct mempolicy *reach_preferred_node_policy(int nid)
{
	return &preferred_node_policy[nid];
}
EXPORT_SYMBOL_IF_KUNIT(reach_preferred_node_policy);

/** reach_policy_zone() - lowest zone that policies apply to */
enum zone_type reach_policy_zone(void)
{
	return policy_zone;
}
EXPORT_SYMBOL_IF_KUNIT(reach_policy_zone);
#endif /* CONFIG_FRAGBED */

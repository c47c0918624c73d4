// SPDX-License-Identifier: GPL-2.0
/*
 * Fake NUMA nodes: numa=fake= splits the memory, and the CPUs are assigned in turn.
 */

#include <linux/cpumask.h>
#include <linux/find.h>
#include <linux/memblock.h>
#include <linux/nodemask.h>
#include <linux/smp.h>
#include <linux/topology.h>

static void __init assign_node(unsigned int cpu)
{
	int nid = find_nth_bit(node_online_map.bits, MAX_NUMNODES,
			       cpu % num_online_nodes());

	early_map_cpu_to_node(cpu, nid);
	cpumask_set_cpu(cpu, node_to_cpumask_map[nid]);
}

/* Call after the possible CPUs, the memory and the early parameters are set up. */
void __init um_numa_init(void)
{
	unsigned int cpu;

	/* The emulation uses max_pfn as the end of memory. */
	max_pfn = max_low_pfn;
	arch_numa_init();
	/* It is true because there are no real nodes, and would put all CPUs on node 0. */
	numa_off = false;
	for_each_possible_cpu(cpu)
		assign_node(cpu);
}

/* The first function that may write per-cpu variables. */
void __init smp_prepare_boot_cpu(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		numa_store_cpu_info(cpu);
}

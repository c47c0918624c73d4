/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __UM_TOPOLOGY_H
#define __UM_TOPOLOGY_H

#ifdef CONFIG_NUMA
#include <asm/numa.h>

void um_numa_init(void);

#define pcibus_to_node(bus)	((void)(bus), NUMA_NO_NODE)
#define cpumask_of_pcibus(bus)	((void)(bus), cpu_all_mask)
#else
static inline void um_numa_init(void) { }
#endif

#include <asm-generic/topology.h>

#endif /* __UM_TOPOLOGY_H */

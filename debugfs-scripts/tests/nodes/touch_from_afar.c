// SPDX-License-Identifier: GPL-2.0
/*
 * touch_from_afar MAPPING TASK-POLICY RANGE-POLICY SECONDS: maps memory, fills it
 * on node 0 and keeps touching it from node 1 for so many seconds of CPU time.
 *
 * MAPPING is file (shared and writable, on tmpfs), readonly (the same, not
 * writable), anon, huge (hugetlb), device (the BIOS, by /dev/mem) or closed (no
 * access). A policy is none, bind (to both nodes) or balance (bind, and migrate
 * on fault). CPU 0 has to be on node 0, CPU 1 on node 1.
 *
 * Prints the start of the mapping, the number of its pages and how many of them
 * are on node 1 at the end.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PAGE		4096UL
#define NR_PAGES	2048UL
#define BIOS_START	0xf0000
#define BIOS_PAGES	16

struct mapping {
	const char *name;
	int prot;
	int flags;
	unsigned long pages;
	const char *path;
	off_t offset;
};

static const struct mapping mappings[] = {
	{ "file", PROT_READ | PROT_WRITE, MAP_SHARED, NR_PAGES, "/dev/shm" },
	{ "readonly", PROT_READ, MAP_SHARED, NR_PAGES, "/dev/shm" },
	{ "anon", PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, NR_PAGES },
	{ "huge", PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, NR_PAGES },
	{ "device", PROT_READ, MAP_SHARED, BIOS_PAGES, "/dev/mem", BIOS_START },
	{ "closed", PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, NR_PAGES },
	{ NULL }
};

static const struct mapping *find_mapping(const char *name)
{
	const struct mapping *mapping;

	for (mapping = mappings; mapping->name; mapping++)
		if (!strcmp(mapping->name, name))
			return mapping;
	errx(2, "%s: no such mapping", name);
}

/* Returns -1 for no policy. */
static int find_policy(const char *name)
{
	if (!strcmp(name, "none"))
		return -1;
	if (!strcmp(name, "bind"))
		return MPOL_BIND;
	if (!strcmp(name, "balance"))
		return MPOL_BIND | MPOL_F_NUMA_BALANCING;
	errx(2, "%s: no such policy", name);
}

static void run_on(int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		err(2, "CPU %d", cpu);
}

/* If the path is a folder, makes a temporary file in it. */
static int open_file(const struct mapping *mapping)
{
	int fd;

	if (!mapping->path)
		return -1;
	if (mapping->offset)
		fd = open(mapping->path, O_RDONLY);
	else
		fd = open(mapping->path, O_TMPFILE | O_RDWR, 0600);
	if (fd < 0 || (!mapping->offset && ftruncate(fd, mapping->pages * PAGE)))
		err(2, "%s", mapping->path);
	return fd;
}

static char *map(const struct mapping *mapping, int policy)
{
	size_t size = mapping->pages * PAGE;
	unsigned long both = 3;
	char *start;

	start = mmap(NULL, size, mapping->prot, mapping->flags, open_file(mapping),
		     mapping->offset);
	if (start == MAP_FAILED)
		err(2, "%s", mapping->name);
	if (policy >= 0 && syscall(SYS_mbind, start, size, policy, &both, 64, 0))
		err(2, "mbind");
	return start;
}

/* Writes if it may, so that no page is shared. */
static void touch(const struct mapping *mapping, char *start)
{
	unsigned long i;

	for (i = 0; i < mapping->pages && mapping->prot != PROT_NONE; i++) {
		if (mapping->prot & PROT_WRITE)
			__atomic_add_fetch(start + i * PAGE, 1, __ATOMIC_RELAXED);
		else
			__atomic_load_n(start + i * PAGE, __ATOMIC_RELAXED);
	}
}

static double cpu_seconds(void)
{
	return (double)clock() / CLOCKS_PER_SEC;
}

static int pages_on_node_1(const struct mapping *mapping, char *start)
{
	static void *pages[NR_PAGES];
	static int nodes[NR_PAGES];
	unsigned long i;
	int count = 0;

	for (i = 0; i < mapping->pages; i++)
		pages[i] = start + i * PAGE;
	if (syscall(SYS_move_pages, 0, mapping->pages, pages, NULL, nodes, 0))
		err(2, "move_pages");
	for (i = 0; i < mapping->pages; i++)
		count += nodes[i] == 1;
	return count;
}

int main(int argc, char **argv)
{
	const struct mapping *mapping;
	unsigned long both = 3;
	int policy;
	char *start;

	if (argc != 5)
		errx(2, "usage: touch_from_afar MAPPING TASK-POLICY RANGE-POLICY SECONDS");
	mapping = find_mapping(argv[1]);
	policy = find_policy(argv[2]);
	if (policy >= 0 && syscall(SYS_set_mempolicy, policy, &both, 64))
		err(2, "set_mempolicy");
	run_on(0);
	start = map(mapping, find_policy(argv[3]));
	touch(mapping, start);
	run_on(1);
	while (cpu_seconds() < atof(argv[4]))
		touch(mapping, start);
	printf("start %lX\npages %lu\nnode1 %d\n", (unsigned long)start, mapping->pages,
	       pages_on_node_1(mapping, start));
	return 0;
}

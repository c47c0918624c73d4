// SPDX-License-Identifier: GPL-2.0
/*
 * write_while_moved: a process keeps writing while another one moves its pages
 * between nodes 0 and 1. Exit code: 0 no write was lost, 1 a write was lost, 2 no
 * page was moved.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NR_PAGES	64
#define PAGE_LONGS	(4096 / sizeof(long))
#define SECONDS		4

/* Counts up in every page; returns if a page's count differs. */
static int keep_writing(void)
{
	long *pages = mmap(NULL, NR_PAGES * PAGE_LONGS * sizeof(long),
			   PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long count, seen;
	int i;

	if (pages == MAP_FAILED)
		return 1;
	for (count = 1;; count++) {
		for (i = 0; i < NR_PAGES; i++) {
			seen = __atomic_add_fetch(&pages[i * PAGE_LONGS], 1,
						  __ATOMIC_RELAXED);
			if (seen == count)
				continue;
			printf("# page %d has %ld, wants %ld\n", i, seen, count);
			return 1;
		}
	}
}

static long move(pid_t pid, unsigned long from, unsigned long to)
{
	return syscall(SYS_migrate_pages, pid, 8, &from, &to);
}

int main(void)
{
	time_t end = time(NULL) + SECONDS;
	long moves = 0;
	int status;
	pid_t pid;

	pid = fork();
	if (!pid)
		_exit(keep_writing());
	while (pid > 0 && time(NULL) < end) {
		moves += !move(pid, 1, 2);
		moves += !move(pid, 2, 1);
		if (waitpid(pid, &status, WNOHANG) == pid)
			return 1;
	}
	kill(pid, SIGKILL);
	printf("# moved %ld times\n", moves);
	return moves ? 0 : 2;
}

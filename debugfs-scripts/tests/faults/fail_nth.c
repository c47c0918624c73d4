// SPDX-License-Identifier: GPL-2.0
/*
 * fail_nth TASK N ACTION: runs one action while the Nth allocation of a task fails.
 *
 *   write FILE LINE, read FILE, insert MODULE, remove NAME
 *
 * TASK is a process or "self". Prints OK or the name of the errno, then "hit", or
 * "missed" if there were fewer allocations.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Faulted in and opened before the allocations are counted. */
static char buffer[65536];

struct action {
	const char *file;
	const char *line;
	size_t length;
	int fd;
};

static int do_write(const struct action *a)
{
	return write(a->fd, a->line, a->length) < 0 ? errno : 0;
}

static int do_read(const struct action *a)
{
	int fd = open(a->file, O_RDONLY);
	int error = 0;
	ssize_t nr;

	if (fd < 0)
		return errno;
	do {
		nr = read(fd, buffer, sizeof(buffer));
		if (nr < 0)
			error = errno;
	} while (nr > 0);
	close(fd);
	return error;
}

static int do_insert(const struct action *a)
{
	return syscall(SYS_finit_module, a->fd, "", 0) ? errno : 0;
}

static int do_remove(const struct action *a)
{
	return syscall(SYS_delete_module, a->file, O_NONBLOCK) ? errno : 0;
}

static const struct {
	const char *name;
	int flags;	/* of the file, -1: not opened */
	int (*run)(const struct action *a);
} kinds[] = {
	{ "write", O_WRONLY, do_write },
	{ "read", -1, do_read },
	{ "insert", O_RDONLY, do_insert },
	{ "remove", -1, do_remove },
};

/* Exits on an error of this program, which is no result of the action. */
static int must(int result, const char *what)
{
	if (result >= 0)
		return result;
	perror(what);
	exit(2);
}

static int open_counter(const char *task)
{
	char path[64];

	if (!strcmp(task, "self"))
		return must(open("/proc/thread-self/fail-nth", O_RDWR), "fail-nth");
	snprintf(path, sizeof(path), "/proc/%s/fail-nth", task);
	return must(open(path, O_RDWR), path);
}

/* Returns the number of allocations that were left until the failing one. */
static int read_counter(int counter)
{
	char text[16] = "";

	must(pread(counter, text, sizeof(text) - 1, 0), "fail-nth");
	must(pwrite(counter, "0", 1, 0), "fail-nth");
	return atoi(text);
}

int main(int argc, char **argv)
{
	struct action a = { .fd = -1 };
	size_t kind = 0;
	int counter, error, left;

	while (argc >= 5 && kind < 4 && strcmp(argv[3], kinds[kind].name))
		kind++;
	if (argc < 5 || kind == 4) {
		fputs("usage: fail_nth TASK N write|read|insert|remove FILE [LINE]\n", stderr);
		return 2;
	}
	a.file = argv[4];
	a.line = argc > 5 ? argv[5] : "";
	a.length = strlen(a.line);
	if (kinds[kind].flags >= 0)
		a.fd = must(open(a.file, kinds[kind].flags), a.file);
	memset(buffer, 1, sizeof(buffer));
	counter = open_counter(argv[1]);
	must(pwrite(counter, argv[2], strlen(argv[2]), 0), "fail-nth");
	error = kinds[kind].run(&a);
	left = read_counter(counter);
	printf("%s %s\n", error ? strerrorname_np(error) : "OK", left ? "missed" : "hit");
	return 0;
}

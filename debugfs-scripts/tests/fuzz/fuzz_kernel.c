// SPDX-License-Identifier: GPL-2.0
/*
 * What fuzz.c needs from the kernel besides writes: loading and unloading the module, the
 * coverage of its code, and the log.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/kcov.h>

#include "fuzz.h"

#define COVER_WORDS	16384	/* enough for most writes */
#define CODE_MAX	1048576	/* bytes of a module's code */
#define TICK_US		10000

/* For klogctl(); no user space header defines them. */
#define SYSLOG_ACTION_READ		2
#define SYSLOG_ACTION_SIZE_UNREAD	9
#define SYSLOG_ACTION_SIZE_BUFFER	10

static unsigned long module_base;	/* address of its code, 0 if unknown */
static unsigned char seen[CODE_MAX];	/* code that some line reached */
static unsigned long nr_seen;
static regex_t trouble_regex;
static bool trouble;
static bool late;

/* --- the module --------------------------------------------------------------------- */

static unsigned long find_code(void)
{
	unsigned long base = 0;
	char line[512];
	FILE *file = fopen("/proc/modules", "r");

	while (file && fgets(line, sizeof(line), file)) {
		if (!strncmp(line, "fragbed ", 8))
			sscanf(line, "%*s %*s %*s %*s %*s %lx", &base);
	}
	if (file)
		fclose(file);
	return base;
}

/* Follows the module that is loaded now. */
void module_follow(void)
{
	__atomic_store_n(&module_base, find_code(), __ATOMIC_RELAXED);
}

bool module_is_loaded(void)
{
	return find_code();
}

/* Loads a module; if @followed, its coverage counts. */
void module_load(const char *path, bool followed)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || syscall(SYS_finit_module, fd, "", 0))
		die("# %s: %s\n", path, strerror(errno));
	close(fd);
	if (followed)
		module_follow();
}

/* Fails while a file is open; a writer may open one at any moment. */
bool module_unload(void)
{
	unsigned long base = module_base;

	__atomic_store_n(&module_base, 0, __ATOMIC_RELAXED);
	if (!syscall(SYS_delete_module, "fragbed", O_NONBLOCK))
		return true;
	if (errno != EAGAIN && errno != EBUSY)
		die("# rmmod: %s\n", strerror(errno));
	__atomic_store_n(&module_base, base, __ATOMIC_RELAXED);
	return false;
}

/* --- coverage ----------------------------------------------------------------------- */

/* Returns the buffer of the calling thread, or NULL if the kernel has no kcov. */
unsigned long *cover_open(void)
{
	int fd = open("/sys/kernel/debug/kcov", O_RDWR);
	size_t size = COVER_WORDS * sizeof(unsigned long);
	void *map;

	if (fd < 0)
		return NULL;
	if (ioctl(fd, KCOV_INIT_TRACE, COVER_WORDS))
		die("# kcov: %s\n", strerror(errno));
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED || ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC))
		die("# kcov: %s\n", strerror(errno));
	return map;
}

/* Returns the module's address for cover_is_new(), since it may be unloaded meanwhile. */
unsigned long cover_start(unsigned long *cover)
{
	if (!cover)
		return 0;
	__atomic_store_n(&cover[0], 0, __ATOMIC_RELAXED);
	return __atomic_load_n(&module_base, __ATOMIC_RELAXED);
}

/* Did the write reach code of the module that no write reached before? */
bool cover_is_new(const unsigned long *cover, unsigned long base)
{
	unsigned long i, nr = cover && base ? cover[0] : 0;
	bool is_new = false;

	for (i = 1; i <= nr && i < COVER_WORDS; i++) {
		unsigned long at = cover[i] - base;

		if (at >= CODE_MAX || __atomic_exchange_n(&seen[at], 1, __ATOMIC_RELAXED))
			continue;
		__atomic_fetch_add(&nr_seen, 1, __ATOMIC_RELAXED);
		is_new = true;
	}
	return is_new;
}

unsigned long cover_places(void)
{
	return __atomic_load_n(&nr_seen, __ATOMIC_RELAXED);
}

/* --- the kernel's log --------------------------------------------------------------- */

/* "<4>[   12.345678] text". Ignores the module's messages, thousands per second. */
static void look_at_line(FILE *file, const char *line)
{
	const char *text = strstr(line, "] ");

	if (text && !strncmp(text, "] fragbed: ", 11))
		return;
	fprintf(file, "%s\n", line);
	fflush(file);
	if (!regexec(&trouble_regex, line, 0, NULL, 0))
		__atomic_store_n(&trouble, true, __ATOMIC_RELAXED);
}

/* Reads as many complete records as fit. */
static void read_log(FILE *file)
{
	static char text[1 << 18];
	int len = klogctl(SYSLOG_ACTION_READ, text, sizeof(text) - 1);
	char *line, *rest = text;

	if (len < 0)
		return;
	text[len] = '\0';
	while ((line = strsep(&rest, "\n"))) {
		if (*line)
			look_at_line(file, line);
	}
}

/*
 * Polls every tick, since a wake-up for each record is expensive. If this thread does not run
 * for a while, the ring buffer may overflow: if half of it is unread, that is reported as a
 * possible loss.
 */
static void *log_thread(void *data)
{
	int size = klogctl(SYSLOG_ACTION_SIZE_BUFFER, NULL, 0);
	int unread;

	for (;;) {
		unread = klogctl(SYSLOG_ACTION_SIZE_UNREAD, NULL, 0);
		if (unread > size / 2)
			__atomic_store_n(&late, true, __ATOMIC_RELAXED);
		if (unread > 0)
			read_log(data);
		else
			usleep(TICK_US);
	}
	return NULL;
}

/* Ignores messages from before the start. */
void log_start(const char *folder, const char *regex)
{
	char path[256];
	pthread_t thread;
	FILE *file;
	int error;

	if (regcomp(&trouble_regex, regex, REG_EXTENDED | REG_NOSUB))
		die("# not a regular expression: %s\n", regex);
	snprintf(path, sizeof(path), "%s/log", folder);
	file = fopen(path, "w");
	if (!file)
		die("# %s: %s\n", path, strerror(errno));
	while (klogctl(SYSLOG_ACTION_SIZE_UNREAD, NULL, 0) > 0)
		read_log(file);
	trouble = false;
	error = pthread_create(&thread, NULL, log_thread, file);
	if (error)
		die("# pthread_create: %s\n", strerror(error));
}

bool log_has_trouble(void)
{
	return __atomic_load_n(&trouble, __ATOMIC_RELAXED);
}

bool log_was_late(void)
{
	return __atomic_load_n(&late, __ATOMIC_RELAXED);
}

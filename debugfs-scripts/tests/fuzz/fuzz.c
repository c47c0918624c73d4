// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz -w WRITES -s SEED [-t THREADS] [-h SECONDS] -c CORPUS -o OUT -x REGEX MODULE...
 *
 * Writes valid and invalid lines (fuzz_lines.c) to the knobs that are in the corpus, from
 * several threads. Meanwhile another thread interrupts them, unloads the module and loads
 * one of the given ones, mostly the first. Copies the kernel's log, but for the module's
 * messages, to OUT/log and searches it for REGEX.
 *
 * With CONFIG_KCOV a line that reaches new code is used like a line of the corpus, and is
 * saved in OUT/corpus, whose folders must exist.
 *
 * Exit code: 0 done, 1 REGEX matched or log lines may be lost, 2 cannot run. A hang panics
 * the kernel.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

#define FOLDER		"/sys/kernel/debug/fragbed"
#define THREADS_MAX	32
#define KNOBS_MAX	64
#define FILES_MAX	64
#define LAST_LINES	8
#define TICK_US		10000
#define REPORT_SECONDS	15
#define PAGE		4096
#define HUGE		1048576

struct last_line {
	const struct knob *knob;
	struct line line;
};

struct writer {
	pthread_t thread;
	struct dice dice;
	struct knob *knob;		/* of the current write, or NULL */
	unsigned long done;		/* number of writes */
	unsigned long *cover;		/* buffer of kcov, or NULL */
	struct last_line last[LAST_LINES];	/* a ring; @done is the next index */
	char *edge;			/* one page, followed by an unreadable one */
};

static struct knob knobs[KNOBS_MAX];
static unsigned int nr_knobs;
static char *files[FILES_MAX];		/* readable files of the module */
static unsigned int nr_files;
static struct writer writers[THREADS_MAX];

/* Options */
static unsigned long nr_writes;
static unsigned long seed = 1;
static unsigned int nr_writers = 4;
static unsigned int hang_seconds = 120;
static const char *corpus, *out, *regex;
static char **modules;			/* NULL-terminated */

static long writes_left;
static bool let_go;			/* keep no file open: the module is to be unloaded */
static bool over;
static unsigned long unloads, refused_unloads, signals;
static unsigned long moves;		/* of mover_thread(): if it grows, the thread is alive */

void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	exit(2);
}

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool done = fd >= 0 && write(fd, text, strlen(text)) > 0;

	if (fd >= 0)
		close(fd);
	return done;
}

/* --- writing ------------------------------------------------------------------------ */

/* The end of the buffer cannot be read: -EFAULT. */
static ssize_t write_over_edge(struct writer *me, int fd, const struct line *line)
{
	size_t inside = dice_below(&me->dice, line->len + 1);
	char *start = me->edge + PAGE - inside;

	memcpy(start, line->text, inside);
	return write(fd, start, line->len + 1);
}

static ssize_t write_pieces(struct writer *me, int fd, struct line *line)
{
	size_t cut = dice_below(&me->dice, line->len + 1);
	struct iovec pieces[] = {
		{ line->text, cut },
		{ line->text + cut, line->len - cut },
		{ line->text, 1 },
	};

	return writev(fd, pieces, 1 + dice_below(&me->dice, 3));
}

static ssize_t write_in_two(struct writer *me, int fd, const struct line *line)
{
	size_t cut = dice_below(&me->dice, line->len + 1);

	write(fd, line->text, cut);
	return write(fd, line->text + cut, line->len - cut);
}

static ssize_t write_somehow(struct writer *me, int fd, struct line *line)
{
	static char huge[HUGE];

	switch (dice_below(&me->dice, 64)) {
	case 0:
		return pwrite(fd, line->text, line->len, dice_roll(&me->dice) >> 1);
	case 1:
		return write_pieces(me, fd, line);
	case 2:
		return write_in_two(me, fd, line);
	case 3:
		return write_over_edge(me, fd, line);
	case 4:
		return write(fd, line->text, 0);
	case 5:
		return write(fd, huge, 1 + dice_below(&me->dice, HUGE));
	default:
		return write(fd, line->text, line->len);
	}
}

static void write_once(struct writer *me, struct knob *knob, int fd)
{
	struct last_line *last = &me->last[me->done % LAST_LINES];
	unsigned long base;
	ssize_t ret;
	int error;

	last->knob = knob;
	line_make(&last->line, knob, &me->dice);
	base = cover_start(me->cover);
	ret = write_somehow(me, fd, &last->line);
	error = ret < 0 ? errno : 0;
	__atomic_fetch_add(&knob->results[error < ERRNOS ? error : ERRNOS - 1], 1,
			   __ATOMIC_RELAXED);
	if (cover_is_new(me->cover, base))
		lines_add(knob, &last->line);
	__atomic_store_n(&me->done, me->done + 1, __ATOMIC_RELAXED);
}

static bool take_turn(void)
{
	return !__atomic_load_n(&over, __ATOMIC_RELAXED) &&
	       __atomic_fetch_sub(&writes_left, 1, __ATOMIC_RELAXED) > 0;
}

/* These two end everything that other writes started. */
static bool ends_all(const struct knob *knob)
{
	return !strcmp(knob->path, "reset") || !strcmp(knob->path, "lease");
}

/* The one of two that took less time so far: otherwise all threads would be in slow ones. */
static struct knob *pick_knob(struct dice *dice)
{
	struct knob *a = &knobs[dice_below(dice, nr_knobs)];
	struct knob *b = &knobs[dice_below(dice, nr_knobs)];
	struct knob *knob = a->busy < b->busy ? a : b;

	return ends_all(knob) && !one_in(dice, 256) ? pick_knob(dice) : knob;
}

static void read_something(struct dice *dice)
{
	static char text[1 << 16];	/* not used */
	int fd = open(files[dice_below(dice, nr_files)], O_RDONLY);

	if (fd < 0)
		return;
	read(fd, text, 1 + dice_below(dice, sizeof(text)));
	close(fd);
}

/* There is no file while the module is unloaded. */
static void write_for_a_while(struct writer *me)
{
	struct knob *knob = pick_knob(&me->dice);
	unsigned int nr = 1 + dice_below(&me->dice, 32);
	char path[256];
	int fd;

	snprintf(path, sizeof(path), FOLDER "/%s", knob->path);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0) {
		usleep(1000);
		return;
	}
	__atomic_store_n(&me->knob, knob, __ATOMIC_RELAXED);
	while (nr-- && take_turn()) {
		write_once(me, knob, fd);
		if (__atomic_load_n(&let_go, __ATOMIC_RELAXED) || ends_all(knob))
			break;
	}
	close(fd);
	__atomic_store_n(&me->knob, NULL, __ATOMIC_RELAXED);
	/* Otherwise this thread opens the next file before the module can be unloaded. */
	if (__atomic_load_n(&let_go, __ATOMIC_RELAXED))
		usleep(dice_below(&me->dice, 2000));
}

static void *writer_thread(void *data)
{
	struct writer *me = data;

	me->cover = cover_open();
	while (!__atomic_load_n(&over, __ATOMIC_RELAXED) &&
	       __atomic_load_n(&writes_left, __ATOMIC_RELAXED) > 0) {
		write_for_a_while(me);
		if (one_in(&me->dice, 64))
			read_something(&me->dice);
	}
	return NULL;
}

/* --- unloading and loading the module -------------------------------------------------- */

static void reload(struct dice *dice)
{
	unsigned int nr = 0;

	while (modules[nr])
		nr++;
	nr = one_in(dice, 8) ? dice_below(dice, nr) : 0;
	module_load(modules[nr], !nr);
}

static bool unload(void)
{
	bool unloaded = module_unload();

	if (unloaded)
		unloads++;
	else
		refused_unloads++;
	return unloaded;
}

/* Writers continue, but keep no file open, so that the module can be unloaded. */
static void reload_for_sure(struct dice *dice)
{
	__atomic_store_n(&let_go, true, __ATOMIC_RELAXED);
	while (!unload() && !over) {
		moves++;
		usleep(dice_below(dice, 2000));
	}
	__atomic_store_n(&let_go, false, __ATOMIC_RELAXED);
	if (!module_is_loaded())
		reload(dice);
}

static void move_once(struct dice *dice)
{
	struct writer *writer = &writers[dice_below(dice, nr_writers)];

	switch (dice_below(dice, 64)) {
	case 0:
		reload_for_sure(dice);
		break;
	case 1 ... 8:
		if (unload())
			reload(dice);
		break;
	case 9 ... 16:
		pthread_kill(writer->thread, SIGUSR1);
		signals++;
		break;
	}
	moves++;
}

static void *mover_thread(void *data)
{
	struct dice *dice = data;

	while (!__atomic_load_n(&over, __ATOMIC_RELAXED)) {
		move_once(dice);
		usleep(dice_below(dice, 40000));
	}
	return NULL;
}

/* --- reports and hangs ----------------------------------------------------------------- */

static unsigned long sum_of(const struct knob *knob)
{
	unsigned long sum = 0;
	int i;

	for (i = 0; i < ERRNOS; i++)
		sum += knob->results[i];
	return sum;
}

static unsigned long all_done(void)
{
	unsigned long done = 0;
	unsigned int i;

	for (i = 0; i < nr_writers; i++)
		done += __atomic_load_n(&writers[i].done, __ATOMIC_RELAXED);
	return done;
}

static unsigned int lines_found(void)
{
	unsigned int i, nr = 0;

	for (i = 0; i < nr_knobs; i++)
		nr += knobs[i].nr_lines - knobs[i].nr_read;
	return nr;
}

static void report(long seconds)
{
	printf("# %ld s: %lu writes, %lu unloads and %lu refused, %lu signals",
	       seconds, all_done(), unloads, refused_unloads, signals);
	printf(", %lu places, %u lines kept\n", cover_places(), lines_found());
	fflush(stdout);
}

static void report_knob(const struct knob *knob, unsigned long all_busy)
{
	static const int shown[] = { 0, EINVAL, EBUSY, EINTR, ENOMEM, ENXIO, E2BIG };
	unsigned long sum = sum_of(knob), other = sum;
	size_t i;

	printf("# %-16s %9lu", knob->path, sum);
	for (i = 0; i < ARRAY_SIZE(shown); i++) {
		printf(" %8lu", knob->results[shown[i]]);
		other -= knob->results[shown[i]];
	}
	printf(" %7lu %4lu%%\n", other, all_busy ? knob->busy * 100 / all_busy : 0);
}

static void report_knobs(void)
{
	unsigned long busy = 0;
	unsigned int i;

	for (i = 0; i < nr_knobs; i++)
		busy += knobs[i].busy;
	printf("# %-16s %9s %8s %8s %8s %8s %8s %8s %8s %7s  time\n", "knob", "writes", "OK",
	       "EINVAL", "EBUSY", "EINTR", "ENOMEM", "ENXIO", "E2BIG", "other");
	for (i = 0; i < nr_knobs; i++)
		report_knob(&knobs[i], busy);
}

/* The last writes of a thread, and the one that is running. */
static void report_last_lines(const struct writer *writer)
{
	char text[4 * LINE_ROOM + 2];
	unsigned long i, done = writer->done;

	for (i = done < LAST_LINES ? 0 : done - LAST_LINES + 1; i <= done; i++) {
		const struct last_line *last = &writer->last[i % LAST_LINES];

		if (!last->knob)
			continue;
		line_escape(text, sizeof(text), &last->line);
		printf("# thread %d, %s: %s%s\n", (int)(writer - writers), last->knob->path, text,
		       i == done && writer->knob ? " (running)" : "");
	}
}

static void report_all_last_lines(void)
{
	unsigned int i;

	for (i = 0; i < nr_writers; i++)
		report_last_lines(&writers[i]);
	fflush(stdout);
}

/* A thread that hangs cannot be killed: prints all stacks to the console and panics. */
static void panic_for_hang(const char *who)
{
	printf("# %s made no progress for %u s\n", who, hang_seconds);
	report_all_last_lines();
	sync();
	write_file("/proc/sysrq-trigger", "8");
	write_file("/proc/sysrq-trigger", "w");
	write_file("/proc/sysrq-trigger", "t");
	write_file("/proc/sysrq-trigger", "c");
}

/* Called about once a second; after half of the time a signal ends a write that is only slow. */
static void look_for_hang(void)
{
	static unsigned long before[THREADS_MAX + 1];
	static unsigned int still[THREADS_MAX + 1];
	unsigned int i;
	char who[32];

	for (i = 0; i <= nr_writers; i++) {
		unsigned long now = i < nr_writers ? writers[i].done : moves;
		bool idle = i < nr_writers && !writers[i].knob;

		still[i] = now == before[i] && !idle ? still[i] + 1 : 0;
		before[i] = now;
		if (i < nr_writers && still[i] == hang_seconds / 2)
			pthread_kill(writers[i].thread, SIGUSR1);
		if (still[i] < hang_seconds)
			continue;
		snprintf(who, sizeof(who), i < nr_writers ? "thread %u" : "rmmod or insmod", i);
		panic_for_hang(who);
	}
}

static bool all_idle(void)
{
	unsigned int i;

	for (i = 0; i < nr_writers; i++) {
		if (__atomic_load_n(&writers[i].knob, __ATOMIC_RELAXED))
			return false;
	}
	return true;
}

static void note_busy(void)
{
	unsigned int i;

	for (i = 0; i < nr_writers; i++) {
		struct knob *knob = __atomic_load_n(&writers[i].knob, __ATOMIC_RELAXED);

		if (knob)
			knob->busy++;
	}
}

static time_t uptime(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* Runs until all lines are written, or REGEX matches a line of the log. */
static void look_on(void)
{
	time_t start = uptime(), reported = start, looked = start, now;

	while ((writes_left > 0 || !all_idle()) && !log_has_trouble()) {
		usleep(TICK_US);
		note_busy();
		now = uptime();
		if (now != looked)
			look_for_hang();
		looked = now;
		if (now < reported + REPORT_SECONDS)
			continue;
		report(now - start);
		reported = now;
	}
	report(uptime() - start);
}

/* --- start and end --------------------------------------------------------------------- */

static int note_knob(const char *path, const struct stat *unused, int type, struct FTW *unused2)
{
	struct knob *knob = &knobs[nr_knobs];

	if (type != FTW_F)
		return 0;
	if (nr_knobs == KNOBS_MAX)
		die("# more than %d knobs\n", KNOBS_MAX);
	knob->path = strdup(path + strlen(corpus) + 1);
	if (!lines_read(knob, corpus))
		die("# %s: no line\n", path);
	nr_knobs++;
	return 0;
}

static int note_file(const char *path, const struct stat *status, int type, struct FTW *unused)
{
	if (type == FTW_F && status->st_mode & 0400 && nr_files < FILES_MAX)
		files[nr_files++] = strdup(path);
	return 0;
}

static void read_options(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "w:s:t:h:c:o:x:")) != -1) {
		switch (option) {
		case 'w':
			nr_writes = strtoul(optarg, NULL, 10);
			break;
		case 's':
			seed = strtoul(optarg, NULL, 10);
			break;
		case 't':
			nr_writers = strtoul(optarg, NULL, 10);
			break;
		case 'h':
			hang_seconds = strtoul(optarg, NULL, 10);
			break;
		case 'c':
			corpus = optarg;
			break;
		case 'o':
			out = optarg;
			break;
		case 'x':
			regex = optarg;
			break;
		}
	}
	modules = argv + optind;
	if (!nr_writes || !nr_writers || nr_writers > THREADS_MAX || !hang_seconds || !corpus ||
	    !out || !regex || !modules[0])
		die("# usage: fuzz -w WRITES -s SEED [-t THREADS] [-h SECONDS] %s\n",
		    "-c CORPUS -o OUT -x REGEX MODULE...");
}

static void prepare_writer(struct writer *writer, unsigned int nr)
{
	writer->dice.state = seed * THREADS_MAX + nr;
	writer->edge = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);
	if (writer->edge == MAP_FAILED || mprotect(writer->edge + PAGE, PAGE, PROT_NONE))
		die("# mmap: %s\n", strerror(errno));
}

static void start(pthread_t *thread, void *(*function)(void *), void *data)
{
	int error = pthread_create(thread, NULL, function, data);

	if (error)
		die("# pthread_create: %s\n", strerror(error));
}

/* A signal with a handler ends a write that waits in the kernel. */
static void interrupted(int unused)
{
}

static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = interrupted };

	sigaction(SIGUSR1, &action, NULL);
}

static bool save_lines(void)
{
	bool saved = true;
	char folder[256];
	unsigned int i;

	snprintf(folder, sizeof(folder), "%s/corpus", out);
	for (i = 0; i < nr_knobs; i++)
		saved &= lines_save(&knobs[i], folder);
	return saved;
}

static bool judge(void)
{
	sleep(1);	/* for the last lines of the log */
	report_knobs();
	if (!save_lines())
		printf("# cannot write the kept lines to %s/corpus\n", out);
	if (log_was_late())
		printf("# log lines may be lost: boot the kernel with a larger log_buf_len\n");
	if (!log_has_trouble())
		return !log_was_late();
	printf("# the kernel's log has a splat, see %s/log; the last writes:\n", out);
	report_all_last_lines();
	return false;
}

int main(int argc, char **argv)
{
	struct dice mover_dice;
	pthread_t mover;
	unsigned int i;

	read_options(argc, argv);
	nftw(corpus, note_knob, 16, FTW_PHYS);
	nftw(FOLDER, note_file, 16, FTW_PHYS);
	if (!nr_knobs || !nr_files)
		die("# no corpus in %s, or no module loaded\n", corpus);
	catch_signals();
	log_start(out, regex);
	module_follow();
	writes_left = nr_writes;
	for (i = 0; i < nr_writers; i++) {
		prepare_writer(&writers[i], i);
		start(&writers[i].thread, writer_thread, &writers[i]);
	}
	mover_dice.state = seed * THREADS_MAX + THREADS_MAX - 1;
	start(&mover, mover_thread, &mover_dice);
	look_on();
	over = true;
	pthread_join(mover, NULL);
	for (i = 0; i < nr_writers; i++)
		pthread_join(writers[i].thread, NULL);
	return judge() ? 0 : 1;
}

/* SPDX-License-Identifier: GPL-2.0 */
/* Shared by fuzz.c (the threads), fuzz_lines.c (the lines) and fuzz_kernel.c (module, log). */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>

#define LINE_ROOM	1024	/* a knob accepts up to 256 */
#define LINES_MAX	512	/* of a knob; further lines are not kept */
#define ERRNOS		160

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

/* A random generator; each thread has its own. */
struct dice {
	unsigned long state;
};

unsigned long dice_roll(struct dice *dice);
unsigned int dice_below(struct dice *dice, unsigned int limit);

static inline bool one_in(struct dice *dice, unsigned int chances)
{
	return !dice_below(dice, chances);
}

struct line {
	size_t len;
	char text[LINE_ROOM];
};

/**
 * struct knob - a file that is written to
 * @path: below the module's folder and below the corpus
 * @lines: never removed, so that reads need no lock
 * @nr_lines: number of lines
 * @nr_read: number of lines from the corpus
 * @busy: number of ticks at which a write was running
 * @results: number of writes by errno, 0: success
 */
struct knob {
	char *path;
	struct line *lines[LINES_MAX];
	unsigned int nr_lines;
	unsigned int nr_read;
	unsigned long busy;
	unsigned long results[ERRNOS];
};

bool lines_read(struct knob *knob, const char *folder);
bool lines_save(const struct knob *knob, const char *folder);
void lines_add(struct knob *knob, const struct line *line);
void line_make(struct line *line, const struct knob *knob, struct dice *dice);
size_t line_escape(char *text, size_t room, const struct line *line);

/* The coverage of a module that is followed counts: the first one, or the one loaded now. */
void module_load(const char *path, bool followed);
void module_follow(void);
bool module_unload(void);
bool module_is_loaded(void);

unsigned long *cover_open(void);
unsigned long cover_start(unsigned long *cover);
bool cover_is_new(const unsigned long *cover, unsigned long base);
unsigned long cover_places(void);

void log_start(const char *folder, const char *regex);
bool log_has_trouble(void);
bool log_was_late(void);

void die(const char *format, ...);

#endif

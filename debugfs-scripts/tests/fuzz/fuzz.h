/* SPDX-License-Identifier: GPL-2.0 */
/* What fuzz.c, which writes, fuzz_lines.c, which knows what, and fuzz_kernel.c share. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>

#define LINE_ROOM	1024	/* what a knob takes is 256 */
#define LINES_MAX	512	/* of a knob; what comes after is not kept */
#define ERRNOS		160

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

/* Dice of which each thread has its own. */
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
 * @path: below the module's folder and below that of the corpus
 * @lines: only ever added to, so they are read without a lock
 * @nr_lines: how many
 * @nr_read: how many of them are from the corpus
 * @busy: how often it was found at work by somebody who looks every tick
 * @results: writes by errno, 0: taken
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

/* The first of those loaded, or the one that is loaded, is followed: its code counts. */
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

// SPDX-License-Identifier: GPL-2.0
/*
 * The lines that fuzz.c writes: lines of the corpus with words of other lines and other
 * numbers, some of which are then damaged.
 *
 * A file of the corpus has one line per line, with the escapes of a C string; # begins a
 * comment.
 */
#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

static pthread_mutex_t lines_lock = PTHREAD_MUTEX_INITIALIZER;

/* splitmix64: short, and works with any seed. */
unsigned long dice_roll(struct dice *dice)
{
	unsigned long x = dice->state += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

unsigned int dice_below(struct dice *dice, unsigned int limit)
{
	return (dice_roll(dice) >> 32) * limit >> 32;
}

/* --- the corpus ---------------------------------------------------------------- */

void lines_add(struct knob *knob, const struct line *line)
{
	struct line *copy;
	unsigned int nr;

	pthread_mutex_lock(&lines_lock);
	nr = knob->nr_lines;
	copy = nr < LINES_MAX ? malloc(sizeof(*copy)) : NULL;
	if (copy) {
		*copy = *line;
		knob->lines[nr] = copy;
		__atomic_store_n(&knob->nr_lines, nr + 1, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&lines_lock);
}

size_t line_escape(char *text, size_t room, const struct line *line)
{
	size_t i, len = 0;

	for (i = 0; i < line->len && len + 5 < room; i++) {
		unsigned char c = line->text[i];

		if (isprint(c) && c != '\\' && (c != '#' || i))
			text[len++] = c;
		else
			len += sprintf(text + len, "\\x%02x", c);
	}
	text[len] = '\0';
	return len;
}

static void line_unescape(struct line *line, const char *text)
{
	unsigned int c;
	int used;

	for (line->len = 0; *text && line->len < LINE_ROOM; text += used) {
		if (sscanf(text, "\\x%2x%n", &c, &used) != 1) {
			c = (unsigned char)*text;
			used = 1;
		}
		line->text[line->len++] = c;
	}
}

static FILE *open_lines(const struct knob *knob, const char *folder, const char *mode)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", folder, knob->path);
	return fopen(path, mode);
}

bool lines_read(struct knob *knob, const char *folder)
{
	FILE *file = open_lines(knob, folder, "r");
	char text[4 * LINE_ROOM + 2];
	struct line line;

	while (file && fgets(text, sizeof(text), file)) {
		text[strcspn(text, "\n")] = '\0';
		if (text[0] == '#' || !text[0])
			continue;
		line_unescape(&line, text);
		lines_add(knob, &line);
	}
	if (file)
		fclose(file);
	knob->nr_read = knob->nr_lines;
	return knob->nr_lines;
}

/* Saves the lines that reached new code; the folder must exist. */
bool lines_save(const struct knob *knob, const char *folder)
{
	FILE *file = open_lines(knob, folder, "w");
	char text[4 * LINE_ROOM + 2];
	unsigned int i;

	if (!file)
		return false;
	for (i = knob->nr_read; i < knob->nr_lines; i++) {
		line_escape(text, sizeof(text), knob->lines[i]);
		fprintf(file, "%s\n", text);
	}
	return !fclose(file);
}

static const struct line *any_line(const struct knob *knob, struct dice *dice)
{
	unsigned int nr = __atomic_load_n(&knob->nr_lines, __ATOMIC_ACQUIRE);

	return knob->lines[dice_below(dice, nr)];
}

/* --- parts of lines -------------------------------------------------------------- */

/* A part of a line: bytes from @at on. */
struct part {
	size_t at;
	size_t len;
};

/* Replaces a part by other bytes; cuts a line that gets too long. */
static void line_replace(struct line *line, struct part part, const char *bytes, size_t nr)
{
	size_t after = part.at + part.len;
	size_t tail = line->len - after;

	if (nr > LINE_ROOM - part.at)
		nr = LINE_ROOM - part.at;
	if (tail > LINE_ROOM - part.at - nr)
		tail = LINE_ROOM - part.at - nr;
	memmove(line->text + part.at + nr, line->text + after, tail);
	memcpy(line->text + part.at, bytes, nr);
	line->len = part.at + nr + tail;
}

static struct part any_part(const struct line *line, struct dice *dice)
{
	struct part part;

	part.at = dice_below(dice, line->len + 1);
	part.len = dice_below(dice, line->len - part.at + 1);
	return part;
}

/* The word that begins at @at or after it; empty at the end. */
static struct part word_at(const struct line *line, size_t at)
{
	struct part word = { .at = at };

	while (word.at < line->len && line->text[word.at] == ' ')
		word.at++;
	while (word.at + word.len < line->len && line->text[word.at + word.len] != ' ')
		word.len++;
	return word;
}

static struct part any_word(const struct line *line, struct dice *dice)
{
	size_t at = dice_below(dice, line->len + 1);

	while (at && line->text[at - 1] != ' ')
		at--;
	return word_at(line, at);
}

/* The number at or after @at; empty if there is none. */
static struct part number_at(const struct line *line, size_t at)
{
	struct part number = { .at = at };

	while (number.at < line->len && !isdigit((unsigned char)line->text[number.at]))
		number.at++;
	while (number.at + number.len < line->len &&
	       isdigit((unsigned char)line->text[number.at + number.len]))
		number.len++;
	return number;
}

/* --- valid lines ------------------------------------------------------------------- */

/* Limits of ranges and of types, and malformed numbers. */
static const char *const edges[] = {
	"0", "1", "10", "11", "31", "32", "100", "101", "255", "256", "1000", "1001", "4096",
	"65536", "2147483647", "2147483648", "4294967295", "4294967296",
	"9223372036854775807", "9223372036854775808", "18446744073709551615",
	"18446744073709551616", "100000000000000000000", "01", "-1", "+1", "0x10", "1e3", "",
};

/* Most are small: large ones are rejected or slow. */
static void any_number(char *text, size_t room, struct dice *dice)
{
	unsigned int bits = 1 + dice_below(dice, one_in(dice, 64) ? 64 : 9);

	if (one_in(dice, 8))
		snprintf(text, room, "%s", edges[dice_below(dice, ARRAY_SIZE(edges))]);
	else
		snprintf(text, room, "%lu", dice_roll(dice) >> (64 - bits));
}

static void renumber(struct line *line, size_t at, struct dice *dice)
{
	struct part number = number_at(line, at);
	char text[32];

	if (!number.len)
		return;
	any_number(text, sizeof(text), dice);
	line_replace(line, number, text, strlen(text));
}

/* The key of a word, with its =; the whole word if it has none. */
static size_t key_length(const struct line *line, struct part word)
{
	const char *equals = memchr(line->text + word.at, '=', word.len);

	return equals ? (size_t)(equals - line->text) + 1 - word.at : word.len;
}

/* The same key with its value from another line. */
static void take_value(struct line *line, struct part word, const struct line *other)
{
	size_t key = key_length(line, word);
	struct part theirs = word_at(other, 0);

	for (; theirs.len; theirs = word_at(other, theirs.at + theirs.len)) {
		if (theirs.len < key ||
		    memcmp(other->text + theirs.at, line->text + word.at, key))
			continue;
		line_replace(line, word, other->text + theirs.at, theirs.len);
		return;
	}
}

static void change_values(struct line *line, const struct knob *knob, struct dice *dice)
{
	struct part word = word_at(line, 0);

	for (; word.len; word = word_at(line, word.at + word.len)) {
		switch (dice_below(dice, 4)) {
		case 0:
			take_value(line, word, any_line(knob, dice));
			break;
		case 1:
			if (number_at(line, word.at).at < word.at + word.len)
				renumber(line, word.at, dice);
			break;
		}
		word = word_at(line, word.at);
	}
}

/* --- damaged lines ------------------------------------------------------------------- */

static void flip_bit(struct line *line, struct dice *dice)
{
	if (line->len)
		line->text[dice_below(dice, line->len)] ^= 1 << dice_below(dice, 8);
}

static void put_odd_byte(struct line *line, struct dice *dice)
{
	static const char odd[] = "\0\n\r\t =,#%\\\x7f\x80\xff";
	struct part here = { .at = dice_below(dice, line->len + 1) };

	line_replace(line, here, &odd[dice_below(dice, sizeof(odd) - 1)], 1);
}

static void cut(struct line *line, struct dice *dice)
{
	line_replace(line, any_part(line, dice), "", 0);
}

/* Replaces a part of the line by a part of another line. */
static void splice(struct line *line, const struct line *other, struct dice *dice)
{
	struct part part = any_part(other, dice);

	line_replace(line, any_part(line, dice), other->text + part.at, part.len);
}

static void drop_word(struct line *line, struct dice *dice)
{
	line_replace(line, any_word(line, dice), "", 0);
}

static void add_word(struct line *line, const struct line *other, struct dice *dice)
{
	struct part word = any_word(other, dice);
	struct part end = { .at = line->len };

	line_replace(line, end, " ", 1);
	end.at = line->len;
	line_replace(line, end, other->text + word.at, word.len);
}

/* Lines as long as a knob accepts, a little and much longer. */
static void lengthen(struct line *line, struct dice *dice)
{
	size_t wanted = one_in(dice, 4) ? LINE_ROOM : 250 + dice_below(dice, 12);
	struct part end = { .at = line->len };
	char filling[LINE_ROOM];

	memset(filling, one_in(dice, 2) ? ' ' : '0' + dice_below(dice, 64), sizeof(filling));
	if (wanted > line->len)
		line_replace(line, end, filling, wanted - line->len);
}

static void damage(struct line *line, const struct knob *knob, struct dice *dice)
{
	struct line other = *any_line(knob, dice);

	switch (dice_below(dice, 9)) {
	case 0:
		flip_bit(line, dice);
		break;
	case 1:
		put_odd_byte(line, dice);
		break;
	case 2:
		cut(line, dice);
		break;
	case 3:
		splice(line, &other, dice);
		break;
	case 4:
		other = *line;
		splice(line, &other, dice);
		break;
	case 5:
		drop_word(line, dice);
		break;
	case 6:
		add_word(line, &other, dice);
		break;
	case 7:
		renumber(line, dice_below(dice, line->len + 1), dice);
		break;
	case 8:
		lengthen(line, dice);
		break;
	}
}

/* Half of the lines are valid, as a user might write them. */
void line_make(struct line *line, const struct knob *knob, struct dice *dice)
{
	*line = *any_line(knob, dice);
	if (!one_in(dice, 8))
		change_values(line, knob, dice);
	while (one_in(dice, 2))
		damage(line, knob, dice);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Strict parsing of the lines written to command files, by their tables of keys. A
 * rejected line leaves one line in the log, which says what would be accepted.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpumask.h>
#include <linux/ctype.h>
#include <linux/kernel.h>
#include <linux/nodemask.h>
#include <linux/stdarg.h>
#include <linux/string.h>

#include "fragbed.h"

const struct fragbed_lead fragbed_start_or_stop[] = {
	[FRAGBED_START] = { "start", .keys = true },
	[FRAGBED_STOP] = { "stop" },
	{ }
};

const struct fragbed_lead fragbed_just_one[] = { { "1" }, { } };

const char *const fragbed_type_words[] = {
	[FRAGBED_UNMOVABLE] = "unmovable",
	[FRAGBED_MOVABLE] = "movable",
	[FRAGBED_RECLAIMABLE] = "reclaimable",
	[FRAGBED_NR_TYPES] = NULL,
};

/* Append "WORD" or ", WORD"; a list that does not fit ends early. */
static size_t list_add_word(char *buf, size_t size, size_t len,
			    const char *word)
{
	return len + scnprintf(buf + len, size - len, "%s%s", len ? ", " : "",
			       word);
}

static int refuse_unknown(const struct fragbed_knob *knob, const char *token)
{
	const struct fragbed_key *key;
	char known[128] = "";
	size_t len = 0;

	for (key = knob->keys; key->name; key++)
		len = list_add_word(known, sizeof(known), len, key->name);
	pr_warn("%s: %s: unknown key, the keys are %s\n", knob->path, token, known);
	return -EINVAL;
}

static int refuse_word(const struct fragbed_write *w, unsigned int key)
{
	const char *const *words = w->knob->keys[key].words;
	char known[128] = "";
	size_t i, len = 0;

	for (i = 0; words[i]; i++)
		len = list_add_word(known, sizeof(known), len, words[i]);
	return fragbed_refuse(w, key, -EINVAL, "must be one of %s", known);
}

/**
 * fragbed_refuse() - log why a value is rejected
 * @w: the line
 * @key: index of the key
 * @error: a negative errno
 * @fmt: what would be accepted, a format without newline
 *
 * Context: any that may print. No locks.
 * Return: @error.
 */
int fragbed_refuse(const struct fragbed_write *w, unsigned int key, int error,
		   const char *fmt, ...)
{
	const struct fragbed_value *value = &w->values[key];
	const char *name = w->knob->keys[key].name;
	struct va_format vaf = { .fmt = fmt };
	char number[24];
	va_list args;

	snprintf(number, sizeof(number), "%llu", value->number);
	va_start(args, fmt);
	vaf.va = &args;
	pr_warn("%s: %s%s%s: %pV\n", w->knob->path, w->knob->plain ? "" : name,
		w->knob->plain ? "" : "=", value->text ?: number, &vaf);
	va_end(args);
	return error;
}

/**
 * fragbed_number_parse() - read a plain decimal number
 * @text: digits only: no sign, no blank, no leading zero, nothing after
 * @value: the result, unchanged on error
 *
 * A leading zero is rejected because 010 is 8 to some readers and 10 to others.
 *
 * Context: any.
 * Return: 0, -EINVAL when malformed, -ERANGE when it does not fit 64 bits.
 */
int fragbed_number_parse(const char *text, u64 *value)
{
	u64 number = 0;
	const char *p;

	if (!*text || (text[0] == '0' && text[1]))
		return -EINVAL;
	for (p = text; *p; p++) {
		if (!isdigit(*p))
			return -EINVAL;
		if (number > (U64_MAX - (*p - '0')) / 10)
			return -ERANGE;
		number = number * 10 + (*p - '0');
	}
	*value = number;
	return 0;
}

static int parse_number(struct fragbed_write *w, unsigned int key)
{
	const struct fragbed_key *k = &w->knob->keys[key];
	struct fragbed_value *value = &w->values[key];
	u64 number;

	if (fragbed_number_parse(value->text, &number) || number < k->min ||
	    number > k->max)
		return fragbed_refuse(w, key, -EINVAL,
				      "must be a decimal number from %llu to %llu",
				      k->min, k->max);
	value->number = number;
	return 0;
}

static int parse_word(struct fragbed_write *w, unsigned int key)
{
	const char *const *words = w->knob->keys[key].words;
	struct fragbed_value *value = &w->values[key];
	u64 i;

	for (i = 0; words[i]; i++) {
		if (!strcmp(value->text, words[i])) {
			value->number = i;
			return 0;
		}
	}
	return refuse_word(w, key);
}

static int parse_value(struct fragbed_write *w, unsigned int key, const char *text)
{
	w->values[key].given = true;
	w->values[key].text = text;
	switch (w->knob->keys[key].kind) {
	case FRAGBED_NUMBER:
		return parse_number(w, key);
	case FRAGBED_WORD:
		return parse_word(w, key);
	default:
		return 0;
	}
}

/* Return: the index of the key, or -1. */
static int find_key(const struct fragbed_knob *knob, const char *name)
{
	int i;

	for (i = 0; knob->keys[i].name; i++) {
		if (!strcmp(knob->keys[i].name, name))
			return i;
	}
	return -1;
}

static int parse_token(struct fragbed_write *w, char *token)
{
	const char *path = w->knob->path;
	char *text = strchr(token, '=');
	int key;

	if (text)
		*text++ = '\0';
	key = find_key(w->knob, token);
	if (key < 0)
		return refuse_unknown(w->knob, token);
	if (!text) {
		pr_warn("%s: %s: has no value, write %s=VALUE\n", path, token,
			token);
		return -EINVAL;
	}
	if (w->values[key].given) {
		pr_warn("%s: %s=%s: given twice\n", path, token, text);
		return -EINVAL;
	}
	return parse_value(w, key, text);
}

/* Is the key there if it must be, and not there if it must not? */
static int check_presence(const struct fragbed_write *w, unsigned int key)
{
	const struct fragbed_key *k = &w->knob->keys[key];
	const struct fragbed_value *value = &w->values[key], *other;

	if (k->required && !value->given) {
		pr_warn("%s: %s: missing, write %s=VALUE\n", w->knob->path,
			k->name, k->name);
		return -EINVAL;
	}
	if (k->with && value->given != w->values[find_key(w->knob, k->with)].given) {
		pr_warn("%s: %s: must be given with %s=, and only then\n",
			w->knob->path, k->name, k->with);
		return -EINVAL;
	}
	if (!k->without || !value->given)
		return 0;
	other = &w->values[find_key(w->knob, k->without)];
	return other->given ? fragbed_refuse(w, key, -EINVAL,
					     "cannot be combined with %s=%s",
					     k->without, other->text) : 0;
}

/* Blank-separated KEY=VALUE. */
static int parse_keys(struct fragbed_write *w, char *line)
{
	unsigned int key;
	char *token;
	int ret;

	while ((token = strsep(&line, " \t"))) {
		ret = *token ? parse_token(w, token) : 0;
		if (ret)
			return ret;
	}
	for (key = 0; w->knob->keys[key].name; key++) {
		ret = check_presence(w, key);
		if (ret)
			return ret;
	}
	return 0;
}

static int refuse_missing_value(const struct fragbed_knob *knob, unsigned int key)
{
	char names[64] = "";
	size_t i, len = 0;

	for (i = 0; knob->keys[i].name; i++)
		len += scnprintf(names + len, sizeof(names) - len, " %s",
				 knob->keys[i].name);
	pr_warn("%s: %s: missing, write%s\n", knob->path, knob->keys[key].name, names);
	return -EINVAL;
}

/* Values alone, each after one blank; the last one is the rest of the line. */
static int parse_plain_values(struct fragbed_write *w, char *line)
{
	const struct fragbed_key *keys = w->knob->keys;
	unsigned int key;
	int ret = 0;

	for (key = 0; keys[key].name && !ret; key++) {
		char *text = keys[key + 1].name ? strsep(&line, " \t") : line;

		if (!text || !*text)
			return refuse_missing_value(w->knob, key);
		ret = parse_value(w, key, text);
	}
	return ret;
}

/* A line that has to be one word is logged as a whole, of others the first word. */
static int refuse_lead(const struct fragbed_knob *knob, const char *line, int len)
{
	const struct fragbed_lead *lead;
	char known[64] = "";
	size_t end = 0;

	for (lead = knob->leads; lead->word; lead++)
		end += scnprintf(known + end, sizeof(known) - end, "%s%s%s",
				 end ? " or " : "", lead->word,
				 lead->keys ? " KEY=VALUE..." : (end ? " alone" : ""));
	pr_warn("%s: %.*s: must be %s\n", knob->path,
		knob->keys ? len : (int)strlen(line), line, known);
	return -EINVAL;
}

/* Leaves in *@line what follows the word, NULL if nothing does. */
static int parse_lead(struct fragbed_write *w, char **line)
{
	const struct fragbed_lead *leads = w->knob->leads;
	size_t len = strcspn(*line, " \t");
	bool alone = !(*line)[len];
	unsigned int i;

	for (i = 0; leads[i].word; i++) {
		if (strlen(leads[i].word) != len || strncmp(leads[i].word, *line, len))
			continue;
		if (!alone && !leads[i].keys)
			break;
		w->lead = i;
		*line = alone ? NULL : *line + len + 1;
		return 0;
	}
	return refuse_lead(w->knob, *line, len);
}

/**
 * fragbed_line_parse() - read a line by the keys of the file it was written to
 * @w: names the file; takes the values
 * @line: is cut into pieces, must outlive @w
 *
 * Context: any that may print. No locks.
 * Return: 0, or -EINVAL after one line in the log.
 */
int fragbed_line_parse(struct fragbed_write *w, char *line)
{
	const struct fragbed_knob *knob = w->knob;
	unsigned int key;
	int ret;

	for (key = 0; knob->keys && knob->keys[key].name; key++)
		w->values[key].number = knob->keys[key].preset;
	if (knob->leads) {
		ret = parse_lead(w, &line);
		if (ret || !knob->leads[w->lead].keys)
			return ret;
	}
	return knob->plain ? parse_plain_values(w, line) : parse_keys(w, line);
}

/**
 * fragbed_name_check() - is this a usable set name?
 * @w: the line, parsed
 * @key: index of a FRAGBED_TEXT key
 *
 * Context: any that may print. No locks.
 * Return: 0, or -EINVAL after one line in the log.
 */
int fragbed_name_check(const struct fragbed_write *w, unsigned int key)
{
	const char *p, *name = w->values[key].text;
	size_t len = strlen(name);

	if (!len || len > FRAGBED_NAME_MAX)
		goto refuse;
	for (p = name; *p; p++) {
		if (!isalnum(*p) && !strchr("_.-", *p))
			goto refuse;
	}
	return 0;
refuse:
	return fragbed_refuse(w, key, -EINVAL, "must be 1 to %d of A-Z a-z 0-9 _ . -",
			      FRAGBED_NAME_MAX);
}

/**
 * fragbed_new_name_check() - may a new set have this name?
 * @w: the line, parsed
 * @key: index of a FRAGBED_TEXT key
 *
 * Context: any that may print. No locks.
 * Return: 0, or -EINVAL after one line in the log.
 */
int fragbed_new_name_check(const struct fragbed_write *w, unsigned int key)
{
	const char *name = w->values[key].text;
	int ret = fragbed_name_check(w, key);

	if (ret)
		return ret;
	if (strcmp(name, "all") && strcmp(name, FRAGBED_FRAGMENT_SET))
		return 0;
	return fragbed_refuse(w, key, -EINVAL, "is reserved, use another name");
}

/**
 * fragbed_node_check() - does the node exist and have memory?
 * @w: the line, parsed
 * @key: index of a FRAGBED_NUMBER key; without it the node is the writer's
 * @nid: the node
 *
 * Context: any that may print. No locks: if a node goes offline later,
 * allocations fail.
 * Return: 0, or -ENXIO after one line in the log.
 */
int fragbed_node_check(const struct fragbed_write *w, unsigned int key, int *nid)
{
	const struct fragbed_value *value = &w->values[key];

	if (!value->given) {
		*nid = numa_mem_id();
		return 0;
	}
	if (value->number >= MAX_NUMNODES || !node_state(value->number, N_MEMORY))
		return fragbed_refuse(w, key, -ENXIO,
				      "no such node with memory, try %*pbl",
				      nodemask_pr_args(&node_states[N_MEMORY]));
	*nid = value->number;
	return 0;
}

/**
 * fragbed_cpus_check() - read a list of CPUs that are online
 * @w: the line, parsed
 * @key: index of a FRAGBED_TEXT key
 * @cpus: the result
 *
 * Context: any that may print. No locks: if a CPU goes offline later, its thread
 * moves to another one.
 * Return: 0, -EINVAL no list, -ENXIO one is not online, each after one line in
 * the log.
 */
int fragbed_cpus_check(const struct fragbed_write *w, unsigned int key,
		       struct cpumask *cpus)
{
	if (cpulist_parse(w->values[key].text, cpus) || cpumask_empty(cpus))
		return fragbed_refuse(w, key, -EINVAL,
				      "must be a list such as 0 or 0-1,3");
	if (!cpumask_subset(cpus, cpu_online_mask))
		return fragbed_refuse(w, key, -ENXIO, "not all online, try %*pbl",
				      cpumask_pr_args(cpu_online_mask));
	return 0;
}

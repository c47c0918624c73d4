// SPDX-License-Identifier: GPL-2.0
/*
 * Lines of key=value pairs, read strictly: whatever is not understood is
 * refused with one line in the log that says what would have worked.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpumask.h>
#include <linux/ctype.h>
#include <linux/kernel.h>
#include <linux/nodemask.h>
#include <linux/string.h>

#include "fragbed.h"

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

static int refuse_unknown(const char *knob, const char *token,
			  const struct fragbed_key *keys, size_t nr)
{
	char known[128] = "";
	size_t i, len = 0;

	for (i = 0; i < nr; i++)
		len = list_add_word(known, sizeof(known), len, keys[i].name);
	pr_warn("%s: %s: unknown key, the keys are %s\n", knob, token, known);
	return -EINVAL;
}

static int refuse_word(const char *knob, const struct fragbed_key *key)
{
	char known[128] = "";
	size_t i, len = 0;

	for (i = 0; key->words[i]; i++)
		len = list_add_word(known, sizeof(known), len, key->words[i]);
	pr_warn("%s: %s=%s: must be one of %s\n", knob, key->name, key->text,
		known);
	return -EINVAL;
}

static int refuse_number(const char *knob, const struct fragbed_key *key)
{
	pr_warn("%s: %s=%s: must be a decimal number from %llu to %llu\n",
		knob, key->name, key->text, key->min, key->max);
	return -EINVAL;
}

/**
 * fragbed_number_parse() - read a plain decimal number
 * @text: digits only: no sign, no blank, no leading zero, nothing after
 * @value: the result, untouched on error
 *
 * A leading zero is refused rather than guessed at: 010 is 8 to some readers
 * and 10 to others.
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

static int parse_number(const char *knob, struct fragbed_key *key)
{
	u64 number;

	if (fragbed_number_parse(key->text, &number) || number < key->min ||
	    number > key->max)
		return refuse_number(knob, key);
	key->value = number;
	return 0;
}

static int parse_word(const char *knob, struct fragbed_key *key)
{
	u64 i;

	for (i = 0; key->words[i]; i++) {
		if (!strcmp(key->text, key->words[i])) {
			key->value = i;
			return 0;
		}
	}
	return refuse_word(knob, key);
}

static struct fragbed_key *find_key(const char *name, struct fragbed_key *keys,
				    size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		if (!strcmp(keys[i].name, name))
			return &keys[i];
	}
	return NULL;
}

static int parse_token(const char *knob, char *token, struct fragbed_key *keys,
		       size_t nr)
{
	char *text = strchr(token, '=');
	struct fragbed_key *key;

	if (text)
		*text++ = '\0';
	key = find_key(token, keys, nr);
	if (!key)
		return refuse_unknown(knob, token, keys, nr);
	if (!text) {
		pr_warn("%s: %s: has no value, write %s=VALUE\n", knob, token,
			token);
		return -EINVAL;
	}
	if (key->given) {
		pr_warn("%s: %s=%s: given twice\n", knob, token, text);
		return -EINVAL;
	}
	key->given = true;
	key->text = text;
	if (key->kind == FRAGBED_NUMBER)
		return parse_number(knob, key);
	return key->kind == FRAGBED_WORD ? parse_word(knob, key) : 0;
}

/**
 * fragbed_keys_parse() - read the key=value pairs of one line
 * @knob: name of the knob, for the log
 * @line: blank-separated pairs; cut up in place, must outlive @keys
 * @keys: the keys known, with defaults; takes the values
 * @nr: length of @keys
 *
 * Context: any that may print. No locks.
 * Return: 0, or -EINVAL after one line in the log.
 */
int fragbed_keys_parse(const char *knob, char *line, struct fragbed_key *keys,
		       size_t nr)
{
	char *token;
	size_t i;
	int ret;

	while ((token = strsep(&line, " \t"))) {
		if (!*token)
			continue;
		ret = parse_token(knob, token, keys, nr);
		if (ret)
			return ret;
	}
	for (i = 0; i < nr; i++) {
		if (keys[i].required && !keys[i].given) {
			pr_warn("%s: %s: missing, write %s=VALUE\n", knob,
				keys[i].name, keys[i].name);
			return -EINVAL;
		}
	}
	return 0;
}

/**
 * fragbed_name_check() - is this a usable set name?
 * @knob: name of the knob, for the log
 * @key: a parsed FRAGBED_TEXT key
 *
 * Context: any that may print. No locks.
 * Return: 0, or -EINVAL after one line in the log.
 */
int fragbed_name_check(const char *knob, const struct fragbed_key *key)
{
	size_t len = strlen(key->text);
	const char *p;

	if (!len || len > FRAGBED_NAME_MAX)
		goto refuse;
	for (p = key->text; *p; p++) {
		if (!isalnum(*p) && !strchr("_.-", *p))
			goto refuse;
	}
	return 0;
refuse:
	pr_warn("%s: %s=%s: must be 1 to %d of A-Z a-z 0-9 _ . -\n", knob,
		key->name, key->text, FRAGBED_NAME_MAX);
	return -EINVAL;
}

/**
 * fragbed_new_name_check() - may a new set be called so?
 * @knob: name of the knob, for the log
 * @key: a parsed FRAGBED_TEXT key
 *
 * Context: any that may print. No locks.
 * Return: 0, or -EINVAL after one line in the log.
 */
int fragbed_new_name_check(const char *knob, const struct fragbed_key *key)
{
	int ret = fragbed_name_check(knob, key);

	if (ret)
		return ret;
	if (strcmp(key->text, "all") && strcmp(key->text, FRAGBED_FRAGMENT_SET))
		return 0;
	pr_warn("%s: %s=%s: is reserved, use another name\n", knob, key->name,
		key->text);
	return -EINVAL;
}

/**
 * fragbed_node_check() - does the node exist and have memory?
 * @knob: name of the knob, for the log
 * @key: a parsed FRAGBED_NUMBER key; not given means the writer's node
 *
 * Context: any that may print. No locks: a node that goes offline later only
 * makes allocations fail.
 * Return: 0, or -ENXIO after one line in the log.
 */
int fragbed_node_check(const char *knob, struct fragbed_key *key)
{
	if (!key->given) {
		key->value = numa_mem_id();
		return 0;
	}
	if (key->value < MAX_NUMNODES && node_state(key->value, N_MEMORY))
		return 0;
	pr_warn("%s: %s=%s: no such node with memory, try %*pbl\n", knob,
		key->name, key->text, nodemask_pr_args(&node_states[N_MEMORY]));
	return -ENXIO;
}

/**
 * fragbed_cpus_check() - read a list of CPUs that are online
 * @knob: name of the knob, for the log
 * @key: a parsed FRAGBED_TEXT key
 * @cpus: the result
 *
 * Context: any that may print. No locks: a CPU that goes offline later only
 * moves the thread.
 * Return: 0, -EINVAL no list, -ENXIO one is not online, each after one line in
 * the log.
 */
int fragbed_cpus_check(const char *knob, const struct fragbed_key *key,
		       struct cpumask *cpus)
{
	if (cpulist_parse(key->text, cpus) || cpumask_empty(cpus)) {
		pr_warn("%s: cpus=%s: must be a list such as 0 or 0-1,3\n",
			knob, key->text);
		return -EINVAL;
	}
	if (!cpumask_subset(cpus, cpu_online_mask)) {
		pr_warn("%s: cpus=%s: not all online, try %*pbl\n", knob,
			key->text, cpumask_pr_args(cpu_online_mask));
		return -ENXIO;
	}
	return 0;
}

/**
 * fragbed_start_or_stop() - a knob that starts and stops something
 * @knob: name of the knob, for the log
 * @line: start KEY=VALUE... or stop alone; is cut into pieces
 * @start: gets what follows start
 * @stop: fine if nothing runs
 *
 * Context: as @start and @stop. No locks.
 * Return: 0, what @start says, or -EINVAL after one line in the log.
 */
int fragbed_start_or_stop(const char *knob, char *line, int (*start)(char *line),
			  void (*stop)(void))
{
	const char *verb = strsep(&line, " \t");

	if (!strcmp(verb, "start"))
		return start(line);
	if (!strcmp(verb, "stop") && !line) {
		stop();
		return 0;
	}
	pr_warn("%s: %s: must be start KEY=VALUE... or stop alone\n", knob, verb);
	return -EINVAL;
}

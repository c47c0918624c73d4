// SPDX-License-Identifier: GPL-2.0
/*
 * All files in debugfs: the read-only file knobs, which describes each of them for
 * scripts (docs/knobs.md has its format), and those that this kernel lacks.
 */
#include <linux/kernel.h>
#include <linux/seq_file.h>

#include "fragbed.h"

/**
 * fragbed_each_knob() - call a function for each file
 * @call: the function
 * @data: for @call
 *
 * Context: as @call.
 */
void fragbed_each_knob(void (*call)(struct fragbed_knob *knob, void *data), void *data)
{
#define FRAGBED_KNOB(name) call(&fragbed_knob_##name, data)
#include "knobs.h"
#undef FRAGBED_KNOB
}

static const struct {
	const char *word;
	umode_t mode;
} files[] = {
	[FRAGBED_COMMAND] = { "command", 0200 },
	[FRAGBED_ANSWERING] = { "answering", 0600 },
	[FRAGBED_TUNABLE] = { "tunable", 0600 },
	[FRAGBED_READ_ONLY] = { "read-only", 0444 },
	[FRAGBED_LEASE] = { "lease", 0200 },
};

/**
 * fragbed_knob_mode() - permissions of a file
 * @knob: the file
 *
 * Context: any.
 * Return: the mode.
 */
umode_t fragbed_knob_mode(const struct fragbed_knob *knob)
{
	return files[knob->file].mode;
}

static void show_need(struct seq_file *m, const struct fragbed_key *key)
{
	if (key->with)
		seq_printf(m, " with=%s", key->with);
	else if (key->without)
		seq_printf(m, " without=%s", key->without);
	else
		seq_puts(m, key->required ? " required" : " optional");
}

static void show_number(struct seq_file *m, const struct fragbed_key *key)
{
	if (key->required || key->with || key->preset < key->min || key->preset > key->max)
		seq_puts(m, " -");
	else
		seq_printf(m, " %llu", key->preset);
	seq_printf(m, " %llu %llu", key->min, key->max);
}

static void show_words(struct seq_file *m, const struct fragbed_key *key)
{
	const char *const *word;

	if (key->kind == FRAGBED_WORD && !key->required)
		seq_printf(m, " %s", key->words[key->preset]);
	else
		seq_puts(m, " -");
	for (word = key->words; word && *word; word++)
		seq_printf(m, " %s", *word);
}

static void show_key(struct seq_file *m, const struct fragbed_knob *knob,
		     const struct fragbed_key *key)
{
	static const char *const kinds[] = {
		[FRAGBED_NUMBER] = "number",
		[FRAGBED_WORD] = "word",
		[FRAGBED_TEXT] = "text",
	};

	seq_printf(m, "%s %s %s %s", knob->plain ? "value" : "key", knob->path,
		   key->name, kinds[key->kind]);
	show_need(m, key);
	if (key->kind == FRAGBED_NUMBER)
		show_number(m, key);
	else
		show_words(m, key);
	seq_putc(m, '\n');
}

static void show_knob(struct fragbed_knob *knob, void *data)
{
	const struct fragbed_lead *lead;
	const struct fragbed_key *key;
	struct seq_file *m = data;

	seq_printf(m, "file %s %04o %s %s\n", knob->path, files[knob->file].mode,
		   files[knob->file].word, knob->lacks ? "no" : "yes");
	for (lead = knob->leads; lead && lead->word; lead++)
		seq_printf(m, "word %s %s %s\n", knob->path, lead->word,
			   lead->keys ? "keys" : "alone");
	for (key = knob->keys; key && key->name; key++)
		show_key(m, knob, key);
}

static int knobs_show(struct seq_file *m, void *unused)
{
	seq_puts(m, "# file PATH MODE KIND HERE\n"
		    "# word PATH WORD keys|alone\n"
		    "# key|value PATH NAME number|word|text NEED DEFAULT MIN MAX|WORD...\n");
	fragbed_each_knob(show_knob, m);
	return 0;
}

struct fragbed_knob fragbed_knob_knobs = {
	.path = "knobs",
	.file = FRAGBED_READ_ONLY,
	.show = knobs_show,
};

/* Files that every kernel has, so that a script gets an error with a reason. */

static int __maybe_unused lacking_show(struct seq_file *m, void *unused)
{
	return -EOPNOTSUPP;
}

#ifndef FRAGBED_MOF
struct fragbed_knob fragbed_knob_mof = {
	.path = "mof",
	.file = FRAGBED_ANSWERING,
	.lacks = "CONFIG_FRAGBED or CONFIG_NUMA",
	.show = lacking_show,
};
#endif

#ifndef FRAGBED_SPB
#define SPB_LACKS "CONFIG_FRAGBED or CONFIG_SUPERPAGEBLOCK"

struct fragbed_knob fragbed_knob_spb_defrag = {
	.path = "spb/defrag",
	.file = FRAGBED_ANSWERING,
	.lacks = SPB_LACKS,
	.show = lacking_show,
};

struct fragbed_knob fragbed_knob_spb_evacuate = {
	.path = "spb/evacuate",
	.file = FRAGBED_ANSWERING,
	.lacks = SPB_LACKS,
	.show = lacking_show,
};

struct fragbed_knob fragbed_knob_spb_taint = {
	.path = "spb/taint",
	.file = FRAGBED_COMMAND,
	.lacks = SPB_LACKS,
};
#endif

/* SPDX-License-Identifier: GPL-2.0 */
/* Declarations that the files of fragbed.ko share. */
#ifndef FRAGBED_MODULE_H
#define FRAGBED_MODULE_H

#include <linux/cpumask.h>
#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/prandom.h>
#include <linux/types.h>

#include "compat.h"

struct file;
struct file_operations;
struct page;
struct seq_file;
struct zone;

#define FRAGBED_LINE_MAX	256	/* longest line that a command file accepts */
#define FRAGBED_NAME_MAX	31	/* longest set name */
#define FRAGBED_KEYS_MAX	10	/* most keys of a file */
#define FRAGBED_FRAGMENT_SET	"fragment"

/* Type of the allocations; the order is that of the words in keys.c. */
enum fragbed_type {
	FRAGBED_UNMOVABLE,
	FRAGBED_MOVABLE,
	FRAGBED_RECLAIMABLE,
	FRAGBED_NR_TYPES,
};

/* The files in debugfs, and the keys of the lines written to them */

enum fragbed_key_kind {
	FRAGBED_NUMBER,		/* decimal, within min and max */
	FRAGBED_WORD,		/* one of words[], the value is its index */
	FRAGBED_TEXT,		/* free text, checked by the file's code */
};

/* As a default, which is outside the range then: the file's code computes the value. */
#define FRAGBED_COMPUTED U64_MAX

/**
 * struct fragbed_key - one key of a command file
 * @name: how it is spelt
 * @kind: what the value must be
 * @min: smallest number
 * @max: largest number
 * @words: NULL-terminated; of FRAGBED_WORD all that are allowed, of FRAGBED_TEXT those
 *	   with a meaning of their own, or NULL
 * @preset: number, or index of the word, of a line without the key; none if it is out
 *	    of range
 * @required: a line without the key is rejected
 * @with: name of the key that this one must be written with, and only then, or NULL
 * @without: name of a key that this one cannot be combined with, or NULL
 *
 * An entry without a name ends a table of keys.
 */
struct fragbed_key {
	const char *name;
	enum fragbed_key_kind kind;
	u64 min;
	u64 max;
	const char *const *words;
	u64 preset;
	bool required;
	const char *with;
	const char *without;
};

/**
 * struct fragbed_lead - a word that a line begins with
 * @word: the word; NULL ends a table
 * @keys: keys follow; otherwise the word stands alone
 */
struct fragbed_lead {
	const char *word;
	bool keys;
};

enum fragbed_file {
	FRAGBED_COMMAND,	/* 0200: runs each line that is written */
	FRAGBED_ANSWERING,	/* 0600: so does this one, and a read returns the answer */
	FRAGBED_TUNABLE,	/* 0600: a setting */
	FRAGBED_READ_ONLY,	/* 0444 */
	FRAGBED_LEASE,		/* 0200: takes no line, it is held open */
};

struct fragbed_write;

/**
 * struct fragbed_knob - one file in debugfs
 * @path: below the module's directory
 * @file: what can be done with it
 * @leads: words of which each line begins with one, or NULL
 * @keys: the keys of a line, or NULL
 * @plain: a line has the values alone, in the order of @keys
 * @lacks: what the kernel was built without, so that the file can only refuse
 * @run: runs a line in the writing task, one at a time unless it is a tunable
 * @show: prints what a read returns
 * @fops: used instead of @run and @show
 * @busy: bit 0 is set while @run runs
 */
struct fragbed_knob {
	const char *path;
	enum fragbed_file file;
	const struct fragbed_lead *leads;
	const struct fragbed_key *keys;
	bool plain;
	const char *lacks;
	int (*run)(const struct fragbed_write *w);
	int (*show)(struct seq_file *m, void *unused);
	const struct file_operations *fops;
	unsigned long busy;
};

/**
 * struct fragbed_value - the value of a key in one write
 * @given: the line has the key
 * @number: number or index of the word; the default if not @given
 * @text: the value as written, NULL if not @given
 */
struct fragbed_value {
	bool given;
	u64 number;
	const char *text;
};

/**
 * struct fragbed_write - one line, parsed
 * @knob: the file it was written to
 * @lead: index of the word it begins with
 * @values: in the order of the keys; texts point into the line
 */
struct fragbed_write {
	const struct fragbed_knob *knob;
	unsigned int lead;
	struct fragbed_value values[FRAGBED_KEYS_MAX];
};

#define FRAGBED_KNOB(name) extern struct fragbed_knob fragbed_knob_##name
#include "knobs.h"
#undef FRAGBED_KNOB

/* knobs.c */

void fragbed_each_knob(void (*call)(struct fragbed_knob *knob, void *data), void *data);
umode_t fragbed_knob_mode(const struct fragbed_knob *knob);

/* keys.c */

/* The lines "start KEY=VALUE..." and "stop". */
enum { FRAGBED_START, FRAGBED_STOP };

extern const struct fragbed_lead fragbed_start_or_stop[];
extern const struct fragbed_lead fragbed_just_one[];
extern const char *const fragbed_type_words[];

/* Keys that several files have. */
#define FRAGBED_NODE_KEY { "node", FRAGBED_NUMBER, 0, INT_MAX, .preset = FRAGBED_COMPUTED }
#define FRAGBED_SEED_KEY { "seed", FRAGBED_NUMBER, 0, U64_MAX, .required = true }
#define FRAGBED_FORCE_KEY { "force", FRAGBED_NUMBER, 0, 1 }
#define FRAGBED_UNMOVABLE_KEY { "unmovable", FRAGBED_NUMBER, 0, 100, .required = true }
#define FRAGBED_TYPE_KEY \
	{ "type", FRAGBED_WORD, .words = fragbed_type_words, .required = true }

int fragbed_line_parse(struct fragbed_write *w, char *line);
int fragbed_number_parse(const char *text, u64 *value);
__printf(4, 5)
int fragbed_refuse(const struct fragbed_write *w, unsigned int key, int error,
		   const char *fmt, ...);
int fragbed_name_check(const struct fragbed_write *w, unsigned int key);
int fragbed_new_name_check(const struct fragbed_write *w, unsigned int key);
int fragbed_node_check(const struct fragbed_write *w, unsigned int key, int *nid);
int fragbed_cpus_check(const struct fragbed_write *w, unsigned int key,
		       struct cpumask *cpus);

/* pages.c: one chunk at a time, never down to the watermarks */

unsigned long fragbed_spare_pages(int nid, gfp_t gfp, bool force);
const char *fragbed_limit_words(bool force);
unsigned long fragbed_node_pages(int nid);
gfp_t fragbed_gfp(enum fragbed_type type);
struct page *fragbed_chunk_alloc(int nid, gfp_t gfp, unsigned int order,
				 bool force);
void fragbed_chunk_adopt(void);
void fragbed_chunk_free(struct page *page, unsigned int order);
void fragbed_chunk_split(struct page *page, unsigned int order);
long fragbed_chunks_held(void);
struct file *fragbed_shmem_open(void);
void fragbed_shmem_close(struct file *file);
int fragbed_shmem_alloc(struct file *file, pgoff_t index, gfp_t gfp,
			struct page **pagep);
int fragbed_shmem_node_check(const char *path, const struct page *page,
			     int nid);
void fragbed_shmem_drop(struct file *file, pgoff_t first, unsigned long nr);
bool fragbed_shmem_has(struct file *file, pgoff_t index);

/* sets.c: the store of held pages */

/**
 * struct fragbed_set - pages held under one name by one write
 * @link: in the list of sets, or in the private list of the task that took it out
 * @name: several sets may share it
 * @type: of the pages; a fragment set has unmovable and movable ones
 * @order: of each chunk
 * @nid: node of the pages
 * @chunks: raw chunks, linked through page->lru
 * @nr_chunks: their number
 * @file: shmem pages, or NULL
 * @end: one past the highest index used in @file
 * @shrunk: chunks that the shrinker freed
 */
struct fragbed_set {
	struct list_head link;
	char name[FRAGBED_NAME_MAX + 1];
	enum fragbed_type type;
	unsigned int order;
	int nid;
	struct list_head chunks;
	unsigned long nr_chunks;
	struct file *file;
	pgoff_t end;
	unsigned long shrunk;
};

/**
 * struct fragbed_pattern - which chunks of a set to free
 * @every: each chunk whose number is a multiple of this; 1 is all
 * @permille: chance of each chunk, used instead of @every when not zero
 * @rnd: random numbers for @permille
 * @seen: chunks counted so far
 */
struct fragbed_pattern {
	unsigned long every;
	unsigned int permille;
	struct rnd_state *rnd;
	unsigned long seen;
};

int fragbed_sets_init(void);
void fragbed_sets_exit(void);
struct fragbed_set *fragbed_set_new(const char *name, enum fragbed_type type,
				    unsigned int order, int nid);
void fragbed_set_add(struct fragbed_set *set, struct page *page);
void fragbed_set_destroy(struct fragbed_set *set);
void fragbed_set_publish(struct fragbed_set *set);
int fragbed_sets_free(const char *name, struct fragbed_pattern *pattern);
unsigned long fragbed_sets_destroy_all(void);

/* plant.c: split chunks, and keep one page of each */

/**
 * struct fragbed_planted - counts of a planter
 * @kept_unmovable: unmovable pages kept
 * @kept_movable: movable pages kept
 * @fallbacks: chunks for which a movable page was wanted and an unmovable one kept
 * @misses: pages planted that landed elsewhere
 * @visited: pages in all chunks that were split
 */
struct fragbed_planted {
	unsigned long kept_unmovable;
	unsigned long kept_movable;
	unsigned long fallbacks;
	unsigned long misses;
	unsigned long visited;
};

/**
 * struct fragbed_planter - what to split, and where to keep the pages
 * @path: of the command file, for the log
 * @nid: node with memory
 * @order: of the chunks
 * @share: percent of the kept pages that are unmovable
 * @force: down to the watermarks
 * @rnd: random numbers
 * @set: takes the pages, raw ones and those of its file; of order 0
 * @first: no index of the file below has a page
 * @stats: counts
 */
struct fragbed_planter {
	const char *path;
	int nid;
	unsigned int order;
	unsigned int share;
	bool force;
	struct rnd_state rnd;
	struct fragbed_set *set;
	pgoff_t first;
	struct fragbed_planted stats;
};

int fragbed_plant(struct fragbed_planter *planter);
bool fragbed_unplant(struct fragbed_planter *planter);

/* runs.c: whether a long run should end, and everything that frees all memory */

int fragbed_stop_ticket(void);
bool fragbed_should_stop(int ticket);
void fragbed_run_begins(void);
void fragbed_run_ends(void);
int fragbed_runs_init(void);
void fragbed_runs_exit(void);

/* unusable_index.c */

unsigned int fragbed_unusable_index(int nid, unsigned int order);
unsigned long fragbed_nr_free_blocks(int nid);
unsigned long fragbed_nr_free_pages(int nid);

/* churn.c */

unsigned long fragbed_churn_yield(void);
void fragbed_churn_stop(void);

/* keep.c */

unsigned long fragbed_keep_yield(void);
void fragbed_keep_stop(void);

/* counters.c: what a compaction changes */

#define FRAGBED_NR_EVENTS 13

/**
 * struct fragbed_counters - a snapshot
 * @events: of the whole machine
 * @free_pages: of the node
 * @free_blocks: of the node, wholly free pageblocks
 * @index: of the node, permille, at the order of the request
 */
struct fragbed_counters {
	unsigned long events[FRAGBED_NR_EVENTS];
	unsigned long free_pages;
	unsigned long free_blocks;
	unsigned int index;
};

int fragbed_counters_take(struct fragbed_counters *counters, int nid,
			  unsigned int order);
void fragbed_counters_show(struct seq_file *m,
			   const struct fragbed_counters *before,
			   const struct fragbed_counters *after);
unsigned long fragbed_counters_delta(const struct fragbed_counters *before,
				     const struct fragbed_counters *after,
				     int item);

#ifdef FRAGBED_SPB

/* spb_target.c: which superpageblocks (SPBs) a line names */

/* As the kernel counts them in struct spb_info. */
enum fragbed_spb_category {
	FRAGBED_SPB_EMPTY,
	FRAGBED_SPB_CLEAN,
	FRAGBED_SPB_TAINTED,
};

extern const char *const fragbed_spb_categories[];

/* The keys of each command file in spb/ begin with these. */
enum {
	FRAGBED_KEY_SPB,
	FRAGBED_KEY_NODE,
	FRAGBED_KEY_ZONE,
	NR_FRAGBED_SPB_KEYS,
};

struct zone *fragbed_spb_next_zone(int nid, struct zone *zone);
int fragbed_spb_zone(const struct fragbed_write *w, int *nid, struct zone **found);
int fragbed_spb_find(const struct fragbed_write *w, u64 nr, struct zone **found,
		     struct spb_info *info);

#endif /* FRAGBED_SPB */

#endif /* FRAGBED_MODULE_H */

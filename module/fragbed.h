/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of fragbed.ko share. */
#ifndef FRAGBED_MODULE_H
#define FRAGBED_MODULE_H

#include <linux/cpumask.h>
#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/prandom.h>
#include <linux/types.h>

#include "compat.h"

struct dentry;
struct file;
struct page;
struct seq_file;
struct zone;

#define FRAGBED_LINE_MAX	256	/* longest line a knob takes */
#define FRAGBED_NAME_MAX	31	/* longest set name */
#define FRAGBED_FRAGMENT_SET	"fragment"

/* What the pages are for; the order is that of the words in keys.c. */
enum fragbed_type {
	FRAGBED_UNMOVABLE,
	FRAGBED_MOVABLE,
	FRAGBED_RECLAIMABLE,
	FRAGBED_NR_TYPES,
};

/* keys.c: lines of key=value pairs */

enum fragbed_key_kind {
	FRAGBED_NUMBER,		/* decimal, within min and max */
	FRAGBED_WORD,		/* one of words[], the value is its index */
	FRAGBED_TEXT,		/* free text, checked by the caller */
};

/**
 * struct fragbed_key - one key of a knob, and after parsing its value
 * @name: how it is spelt
 * @kind: what the value must be
 * @min: smallest number
 * @max: largest number
 * @words: the words allowed, NULL-terminated
 * @required: the line is refused without it
 * @given: set by the parser when the line has it
 * @value: number or index of the word; keep the default here before parsing
 * @text: the value as written, inside the parsed line
 */
struct fragbed_key {
	const char *name;
	enum fragbed_key_kind kind;
	u64 min;
	u64 max;
	const char *const *words;
	bool required;
	bool given;
	u64 value;
	const char *text;
};

extern const char *const fragbed_type_words[];

int fragbed_keys_parse(const char *knob, char *line, struct fragbed_key *keys,
		       size_t nr);
int fragbed_number_parse(const char *text, u64 *value);
int fragbed_name_check(const char *knob, const struct fragbed_key *key);
int fragbed_new_name_check(const char *knob, const struct fragbed_key *key);
int fragbed_node_check(const char *knob, struct fragbed_key *key);
int fragbed_cpus_check(const char *knob, const struct fragbed_key *key,
		       struct cpumask *cpus);
int fragbed_start_or_stop(const char *knob, char *line, int (*start)(char *line),
			  void (*stop)(void));

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
int fragbed_shmem_take(struct file *file, pgoff_t index, gfp_t gfp,
		       struct page **pagep);
int fragbed_shmem_node_check(const char *knob, const struct page *page,
			     int nid);
void fragbed_shmem_drop(struct file *file, pgoff_t first, unsigned long nr);
bool fragbed_shmem_has(struct file *file, pgoff_t index);

/* sets.c: what is held, and how it is given back */

/**
 * struct fragbed_set - pages held under one name by one write
 * @link: in the list of sets, or in the private list of whoever took it
 * @name: several sets may share it
 * @type: of the pages; a fragment set has unmovable and movable ones
 * @order: of each chunk
 * @nid: where the pages are
 * @chunks: raw chunks, linked through page->lru
 * @nr_chunks: how many
 * @file: shmem pages, or NULL
 * @end: one past the highest index used in @file
 * @given_back: chunks the shrinker took
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
	unsigned long given_back;
};

/**
 * struct fragbed_pattern - which chunks of a set to free
 * @every: each chunk whose number is a multiple of this; 1 is all
 * @permille: chance of each chunk, used instead of @every when not zero
 * @rnd: the dice for @permille
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
int fragbed_sets_show(struct seq_file *m, void *unused);

/* plant.c: chunks broken, one page of each kept */

/**
 * struct fragbed_planted - what planting did
 * @kept_unmovable: pages kept that cannot move
 * @kept_movable: pages kept that can
 * @fallbacks: movable asked, unmovable kept
 * @misses: pages planted that landed elsewhere
 * @visited: pages in the chunks taken
 */
struct fragbed_planted {
	unsigned long kept_unmovable;
	unsigned long kept_movable;
	unsigned long fallbacks;
	unsigned long misses;
	unsigned long visited;
};

/**
 * struct fragbed_planter - what to break, and where to keep the pages
 * @knob: path of the knob, for the log
 * @nid: node with memory
 * @order: of the chunks
 * @share: percent of the pages kept that cannot move
 * @force: down to the watermarks
 * @rnd: the dice
 * @set: takes the pages, raw ones and those of its file; of order 0
 * @first: no index of the file below has a page
 * @stats: what was done
 */
struct fragbed_planter {
	const char *knob;
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

/* runs.c: whether a long run should end; everything given back */

int fragbed_stop_ticket(void);
bool fragbed_should_stop(int ticket);
void fragbed_stop_runs(void);
void fragbed_run_begins(void);
void fragbed_run_ends(void);
int fragbed_reset(char *line);
void fragbed_lease_create(struct dentry *dir);
void fragbed_sleep_watch(void);
void fragbed_runs_exit(void);

/* hold.c */

int fragbed_hold_alloc(char *line);
int fragbed_hold_free(char *line);

/* unusable_index.c */

unsigned int fragbed_unusable_index(int nid, unsigned int order);
unsigned long fragbed_free_blocks(int nid);
unsigned long fragbed_free_pages(int nid);
int fragbed_index_show(struct seq_file *m, void *unused);

/* fragment.c */

int fragbed_fragment_run(char *line);
int fragbed_fragment_free(char *line);
int fragbed_fragment_result_show(struct seq_file *m, void *unused);

/* churn.c */

int fragbed_churn(char *line);
int fragbed_churn_status_show(struct seq_file *m, void *unused);
unsigned long fragbed_churn_yield(void);
void fragbed_churn_stop(void);

/* keep.c */

int fragbed_keep(char *line);
int fragbed_keep_status_show(struct seq_file *m, void *unused);
unsigned long fragbed_keep_yield(void);
void fragbed_keep_stop(void);

/* counters.c: what a compaction changes */

#define FRAGBED_NR_EVENTS 13

/**
 * struct fragbed_counters - a snapshot
 * @events: of the whole machine
 * @free_pages: of the node
 * @free_blocks: of the node, wholly free pageblocks
 * @index: of the node, permille, at the order asked for
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

/* compact_direct.c with our series, compact_alloc.c without */

int fragbed_compact_run(char *line);
int fragbed_compact_last_show(struct seq_file *m, void *unused);

/* map.c */

void fragbed_map_init(struct dentry *dir);

#ifdef FRAGBED_SPB

/* spb.c: what is known of superpageblocks (SPBs) */

int fragbed_spb_table_show(struct seq_file *m, void *unused);
int fragbed_spb_stats_show(struct seq_file *m, void *unused);
int fragbed_spb_check_show(struct seq_file *m, void *unused);

/* spb_target.c: which of them a line is about */

/* As the kernel counts them in struct spb_info. */
enum fragbed_spb_category {
	FRAGBED_SPB_EMPTY,
	FRAGBED_SPB_CLEAN,
	FRAGBED_SPB_TAINTED,
};

extern const char *const fragbed_spb_categories[];

/* The keys with which those of each verb in spb/ begin. */
enum {
	FRAGBED_KEY_SPB,
	FRAGBED_KEY_NODE,
	FRAGBED_KEY_ZONE,
	NR_FRAGBED_SPB_KEYS,
};

struct zone *fragbed_spb_next_zone(int nid, struct zone *zone);
int fragbed_spb_zone(const char *knob, struct fragbed_key *keys,
		     struct zone **found);
int fragbed_spb_find(const char *knob, struct fragbed_key *keys, u64 nr,
		     struct zone **found, struct spb_info *info);

#endif /* FRAGBED_SPB */

#endif /* FRAGBED_MODULE_H */

// SPDX-License-Identifier: GPL-2.0
/*
 * spb/defrag and spb/evacuate: have what can move moved out of tainted or clean
 * superpageblocks (SPBs), and what came of it. A read tells how far it is while the
 * writer is still at it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/compiler.h>
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/nodemask.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/superpageblock.h>

#include "fragbed.h"

#define MS_DEFAULT 60000
#define MS_MAX 3600000
#define WAYS_MAX 8	/* SPBs that could not be emptied, told one by one */

enum { MOVE_KEY_PAGES = NR_FRAGBED_SPB_KEYS, MOVE_KEY_MS, NR_MOVE_KEYS };

enum move_state { MOVE_NONE, MOVE_RUNNING, MOVE_DONE };

/* What the two verbs differ in. */
struct move_verb {
	const char *knob;
	enum fragbed_spb_category category;	/* spb=WORD: all of them */
	const char *refusal;
	int (*move)(struct zone *zone, unsigned int nr,
		    const struct spb_limits *limits, struct spb_moved *moved);
};

/* An SPB that could not be emptied. */
struct move_way {
	const struct zone *zone;
	unsigned int nr;
	struct spb_moved moved;
};

/* Everything a read tells, but for what was done in the SPB being worked at. */
struct move_record {
	enum move_state state;
	char asked[12];		/* a number or a word */
	int nid;		/* NUMA_NO_NODE: all */
	const struct zone *zone;	/* NULL: all of the node */
	unsigned long pages;	/* the limits */
	unsigned int ms;
	u64 begun;		/* ns */
	u64 ns;
	int error;
	unsigned int done;	/* SPBs gone through */
	unsigned int left;	/* not gone through: out of limits, or told to stop */
	unsigned int emptied;
	unsigned int already_empty;
	unsigned int not_emptied;
	int stop;		/* enum spb_stop of the last one, -1 none */
	unsigned long ended[NR_SPB_STOPS];
	struct spb_moved sum;
	struct move_way ways[WAYS_MAX];
};

/**
 * struct move_run - one of the two verbs
 * @verb: which
 * @lock: protects @record; only the writer changes it, so it reads without
 * @record: what is told
 * @now: filled in by the kernel for the SPB being worked at, read with READ_ONCE; added
 *	 to the record with @lock held
 */
struct move_run {
	const struct move_verb verb;
	spinlock_t lock;	/* see above */
	struct move_record record;
	struct spb_moved now;
};

/* One write. */
struct move_plan {
	struct move_run *run;
	const char *asked;
	int nid;		/* as in struct move_record */
	struct zone *zone;
	bool single;
	unsigned int nr;	/* if single */
	unsigned long pages;
	unsigned int ms;
	unsigned long until;	/* jiffies */
	int ticket;		/* see fragbed_should_stop() */
};

/* What is to be gone through in a zone. */
struct move_candidate {
	unsigned int nr;
	unsigned int used;	/* pageblocks */
};

static struct move_run defrag = {
	.verb = {
		.knob = "spb/defrag",
		.category = FRAGBED_SPB_TAINTED,
		.refusal = "only tainted ones are defragmented",
		.move = spb_defrag,
	},
	.lock = __SPIN_LOCK_UNLOCKED(defrag.lock),
};

static struct move_run evacuate = {
	.verb = {
		.knob = "spb/evacuate",
		.category = FRAGBED_SPB_CLEAN,
		.refusal = "only clean ones are evacuated",
		.move = spb_evacuate,
	},
	.lock = __SPIN_LOCK_UNLOCKED(evacuate.lock),
};

static const char *verb_word(const struct move_verb *verb)
{
	return fragbed_spb_categories[verb->category];
}

/* An empty SPB may be evacuated, too: there is nothing to do. */
static int check_category(const struct move_verb *verb, u64 nr,
			  unsigned int category)
{
	bool is_tainted = category == FRAGBED_SPB_TAINTED;
	bool wants_tainted = verb->category == FRAGBED_SPB_TAINTED;

	if (is_tainted == wants_tainted)
		return 0;
	pr_warn("%s: spb=%llu: is %s, %s\n", verb->knob, nr,
		fragbed_spb_categories[category], verb->refusal);
	return -EINVAL;
}

static int check_all(const struct move_verb *verb, const struct fragbed_key *keys)
{
	int key, nid;

	for (key = FRAGBED_KEY_NODE; key <= FRAGBED_KEY_ZONE; key++) {
		if (!keys[key].given)
			continue;
		pr_warn("%s: %s=%s: does not go with spb=all, which is all nodes and zones; write spb=%s\n",
			verb->knob, keys[key].name, keys[key].text, verb_word(verb));
		return -EINVAL;
	}
	for_each_node_state(nid, N_MEMORY) {
		if (fragbed_spb_next_zone(nid, NULL))
			return 0;
	}
	pr_warn("%s: spb=all: no zone has superpageblocks\n", verb->knob);
	return -EOPNOTSUPP;
}

static int parse_single(const struct move_verb *verb, struct fragbed_key *keys,
			struct move_plan *plan)
{
	struct spb_info info;
	u64 nr;
	int ret;

	if (fragbed_number_parse(plan->asked, &nr) || nr > INT_MAX) {
		pr_warn("%s: spb=%s: must be a decimal number, %s or all\n",
			verb->knob, plan->asked, verb_word(verb));
		return -EINVAL;
	}
	ret = fragbed_spb_find(verb->knob, keys, nr, &plan->zone, &info);
	if (!ret)
		ret = check_category(verb, nr, info.category);
	if (ret)
		return ret;
	plan->single = true;
	plan->nr = nr;
	return 0;
}

static int parse_which(const struct move_verb *verb, struct fragbed_key *keys,
		       struct move_plan *plan)
{
	int ret;

	plan->asked = keys[FRAGBED_KEY_SPB].text;
	if (!strcmp(plan->asked, "all")) {
		plan->nid = NUMA_NO_NODE;
		return check_all(verb, keys);
	}
	if (!strcmp(plan->asked, verb_word(verb)))
		ret = fragbed_spb_zone(verb->knob, keys, &plan->zone);
	else
		ret = parse_single(verb, keys, plan);
	plan->nid = keys[FRAGBED_KEY_NODE].value;
	return ret;
}

static int parse_move(char *line, struct move_plan *plan)
{
	const struct move_verb *verb = &plan->run->verb;
	struct fragbed_key keys[NR_MOVE_KEYS] = {
		[FRAGBED_KEY_SPB] = { "spb", FRAGBED_TEXT, .required = true },
		[FRAGBED_KEY_NODE] = { "node", FRAGBED_NUMBER, 0, INT_MAX },
		[FRAGBED_KEY_ZONE] = { "zone", FRAGBED_TEXT },
		[MOVE_KEY_PAGES] = { "pages", FRAGBED_NUMBER, 1, LONG_MAX,
				.value = ULONG_MAX },
		[MOVE_KEY_MS] = { "ms", FRAGBED_NUMBER, 1, MS_MAX,
			     .value = MS_DEFAULT },
	};
	int ret = fragbed_keys_parse(verb->knob, line, keys, NR_MOVE_KEYS);

	if (!ret)
		ret = parse_which(verb, keys, plan);
	if (ret)
		return ret;
	plan->pages = keys[MOVE_KEY_PAGES].value;
	plan->ms = keys[MOVE_KEY_MS].value;
	return 0;
}

/* Both may be written to at any time, the one by the kernel, the other by its owner. */
static void add_moved(struct spb_moved *sum, const struct spb_moved *moved)
{
	sum->pages += READ_ONCE(moved->pages);
	sum->pinned += READ_ONCE(moved->pinned);
	sum->busy += READ_ONCE(moved->busy);
	sum->no_target += READ_ONCE(moved->no_target);
	sum->fixed += READ_ONCE(moved->fixed);
}

static void note_emptied(struct move_run *run, const struct zone *zone,
			 const struct spb_info *before, unsigned int nr, int error)
{
	struct move_record *r = &run->record;

	if (error) {
		if (r->not_emptied < WAYS_MAX)
			r->ways[r->not_emptied] =
				(struct move_way) { zone, nr, run->now };
		r->not_emptied++;
	} else if (before->category == FRAGBED_SPB_EMPTY) {
		r->already_empty++;
	} else {
		r->emptied++;
	}
}

/* One SPB was gone through. */
static void note_done(struct move_run *run, const struct zone *zone,
		      const struct spb_info *before, unsigned int nr, int error)
{
	struct move_record *r = &run->record;

	spin_lock(&run->lock);
	add_moved(&r->sum, &run->now);
	r->done++;
	r->stop = run->now.stop;
	if (r->stop < NR_SPB_STOPS)
		r->ended[r->stop]++;
	if (run->verb.category == FRAGBED_SPB_CLEAN)
		note_emptied(run, zone, before, nr, error);
	run->now = (struct spb_moved) { };
	spin_unlock(&run->lock);
}

/* Return: as spb_defrag() and spb_evacuate(). */
static int move_spb(const struct move_plan *plan, struct zone *zone,
		    unsigned int nr)
{
	struct move_run *run = plan->run;
	const struct spb_limits limits = {
		.pages = plan->pages - run->record.sum.pages,
		.until = plan->until,
	};
	struct spb_info before;
	int ret = spb_get_info(zone, nr, &before);

	if (!ret)
		ret = run->verb.move(zone, nr, &limits, &run->now);
	if (!ret || ret == -EBUSY || ret == -EINTR)
		note_done(run, zone, &before, nr, ret);
	return ret;
}

static const char *stop_word(int stop)
{
	const char *name = stop < 0 ? NULL : spb_stop_name(stop);

	return name ?: "-";
}

static int move_single(const struct move_plan *plan)
{
	const struct move_record *r = &plan->run->record;
	const struct move_verb *verb = &plan->run->verb;
	int ret = move_spb(plan, plan->zone, plan->nr);

	if (ret == -EINVAL)
		pr_warn("%s: spb=%u: has just changed, %s\n", verb->knob,
			plan->nr, verb->refusal);
	if (ret == -EBUSY)
		pr_warn("%s: spb=%u: not emptied, %s: %lu pages moved, %lu pinned, %lu busy, %lu without target, %lu fixed\n",
			verb->knob, plan->nr, stop_word(r->stop), r->sum.pages,
			r->sum.pinned, r->sum.busy, r->sum.no_target,
			r->sum.fixed);
	return ret;
}

static int less_used_first(const void *a, const void *b)
{
	const struct move_candidate *left = a, *right = b;

	return cmp_int(left->used, right->used) ?: cmp_int(left->nr, right->nr);
}

/*
 * How many SPBs of a zone there are to go through. Those that are empty already are
 * told, if it is about that.
 */
static unsigned int count_candidates(struct move_run *run, struct zone *zone)
{
	unsigned int at, nr = 0, empty = 0;
	struct spb_info info;

	for (at = 0; !spb_get_info(zone, at, &info); at++) {
		nr += info.category == run->verb.category;
		empty += info.category == FRAGBED_SPB_EMPTY && info.usable;
		cond_resched();
	}
	spin_lock(&run->lock);
	if (run->verb.category == FRAGBED_SPB_CLEAN)
		run->record.already_empty += empty;
	spin_unlock(&run->lock);
	return nr;
}

/*
 * The least to move comes first: what is moved goes to fuller ones, which so get later
 * still. In *@nr how many; to be freed by kvfree().
 */
static struct move_candidate *list_candidates(struct move_run *run, struct zone *zone,
					      unsigned int *nr)
{
	unsigned int room = count_candidates(run, zone);
	struct move_candidate *list;
	struct spb_info info;
	unsigned int at;

	*nr = 0;
	list = kvmalloc_array(max(room, 1U), sizeof(*list), GFP_KERNEL);
	if (!list)
		return NULL;
	for (at = 0; *nr < room && !spb_get_info(zone, at, &info); at++) {
		if (info.category != run->verb.category)
			continue;
		list[*nr] = (struct move_candidate) { at, info.usable - info.free };
		++*nr;
	}
	sort(list, *nr, sizeof(*list), less_used_first, NULL);
	return list;
}

static bool is_out_of_limits(const struct move_plan *plan)
{
	return plan->run->record.sum.pages >= plan->pages ||
	       time_after_eq(jiffies, plan->until);
}

/* One that stays as it is, or is no longer of that kind, is no reason to stop. */
static bool goes_on(int error)
{
	return !error || error == -EBUSY || error == -EINVAL;
}

/* Each SPB of the zone at most once. */
static int move_zone(const struct move_plan *plan, struct zone *zone)
{
	struct move_run *run = plan->run;
	struct move_candidate *list;
	unsigned int i, nr;
	int ret = 0;

	list = list_candidates(run, zone, &nr);
	if (!list)
		return -ENOMEM;
	for (i = 0; i < nr && !is_out_of_limits(plan); i++) {
		ret = fragbed_should_stop(plan->ticket) ? -EINTR :
		      move_spb(plan, zone, list[i].nr);
		if (!goes_on(ret))
			break;
		cond_resched();
	}
	kvfree(list);
	spin_lock(&run->lock);
	run->record.left += nr - i;
	spin_unlock(&run->lock);
	return goes_on(ret) ? 0 : ret;
}

static int move_node(const struct move_plan *plan, int nid)
{
	struct zone *zone = NULL;
	int ret = 0;

	if (plan->zone)
		return move_zone(plan, plan->zone);
	while (!ret && (zone = fragbed_spb_next_zone(nid, zone)))
		ret = move_zone(plan, zone);
	return ret;
}

static int move_each(const struct move_plan *plan)
{
	int nid, ret = 0;

	if (plan->nid != NUMA_NO_NODE)
		return move_node(plan, plan->nid);
	for_each_node_state(nid, N_MEMORY) {
		ret = move_node(plan, nid);
		if (ret)
			break;
	}
	return ret;
}

static void begin_run(const struct move_plan *plan)
{
	struct move_run *run = plan->run;
	struct move_record *r = &run->record;

	spin_lock(&run->lock);
	memset(r, 0, sizeof(*r));
	r->state = MOVE_RUNNING;
	strscpy(r->asked, plan->asked, sizeof(r->asked));
	r->nid = plan->nid;
	r->zone = plan->zone;
	r->pages = plan->pages;
	r->ms = plan->ms;
	r->begun = ktime_get_ns();
	r->stop = -1;
	run->now = (struct spb_moved) { };
	spin_unlock(&run->lock);
}

static void end_run(struct move_run *run, int error)
{
	spin_lock(&run->lock);
	run->record.state = MOVE_DONE;
	run->record.error = error;
	run->record.ns = ktime_get_ns() - run->record.begun;
	spin_unlock(&run->lock);
}

/* What is refused leaves the record of the last run alone. */
static int move_line(struct move_run *run, char *line)
{
	struct move_plan plan = {
		.run = run,
		.ticket = fragbed_stop_ticket(),
	};
	int ret = parse_move(line, &plan);

	if (ret)
		return ret;
	plan.until = jiffies + msecs_to_jiffies(plan.ms);
	begin_run(&plan);
	ret = plan.single ? move_single(&plan) : move_each(&plan);
	end_run(run, ret);
	return ret;
}

/**
 * fragbed_spb_defrag() - the verb spb/defrag
 * @line: spb=N|tainted|all [node=] [zone=] [pages=] [ms=]
 *
 * Context: may sleep, interruptible.
 * Return: 0, -EINVAL malformed, out of range or not tainted, -ENXIO no such node, zone
 * or SPB, -EOPNOTSUPP there are none, -EINTR on a signal or reset, -ENOMEM.
 */
int fragbed_spb_defrag(char *line)
{
	return move_line(&defrag, line);
}

/**
 * fragbed_spb_evacuate() - the verb spb/evacuate
 * @line: spb=N|clean|all [node=] [zone=] [pages=] [ms=]
 *
 * Context: may sleep, interruptible.
 * Return: as fragbed_spb_defrag(), -EINVAL if it is tainted, and -EBUSY if spb=N could
 * not be emptied. With a word it is for the reader to see how many were.
 */
int fragbed_spb_evacuate(char *line)
{
	return move_line(&evacuate, line);
}

static void show_asked(struct seq_file *m, const struct move_record *r)
{
	seq_printf(m, "spb %s\n", r->asked);
	if (r->nid == NUMA_NO_NODE)
		seq_puts(m, "node all\n");
	else
		seq_printf(m, "node %d\n", r->nid);
	seq_printf(m, "zone %s\n", r->zone ? r->zone->name : "all");
	if (r->pages == ULONG_MAX)
		seq_puts(m, "pages_limit none\n");
	else
		seq_printf(m, "pages_limit %lu\n", r->pages);
	seq_printf(m, "ms_limit %u\nstate %s\n", r->ms,
		   r->state == MOVE_RUNNING ? "running" : "done");
	if (r->error)
		seq_printf(m, "error %pe\n", ERR_PTR(r->error));
	else
		seq_puts(m, "error none\n");
}

/* What was done so far, in the SPB being worked at, too. */
static void show_progress(struct seq_file *m, const struct move_run *run)
{
	const struct move_record *r = &run->record;
	struct spb_moved sum = r->sum;
	unsigned int stop;

	add_moved(&sum, &run->now);
	seq_printf(m, "spbs %u\nleft %u\npages %lu\npinned %lu\nbusy %lu\nno_target %lu\nfixed %lu\n",
		   r->done, r->left, sum.pages, sum.pinned, sum.busy,
		   sum.no_target, sum.fixed);
	seq_printf(m, "stop %s\n", stop_word(r->stop));
	for (stop = 0; stop < NR_SPB_STOPS; stop++)
		seq_printf(m, "ended_%s %lu\n", stop_word(stop), r->ended[stop]);
	seq_printf(m, "ns %llu\n", r->state == MOVE_RUNNING ?
		   ktime_get_ns() - r->begun : r->ns);
}

static void show_emptied(struct seq_file *m, const struct move_record *r)
{
	unsigned int i;

	seq_printf(m, "emptied %u\nalready_empty %u\nnot_emptied %u\n",
		   r->emptied, r->already_empty, r->not_emptied);
	for (i = 0; i < min(r->not_emptied, WAYS_MAX); i++) {
		const struct move_way *way = &r->ways[i];

		seq_printf(m, "in_the_way spb=%u node=%d zone=%s stop=%s pinned=%lu busy=%lu no_target=%lu fixed=%lu\n",
			   way->nr, zone_to_nid(way->zone), way->zone->name,
			   stop_word(way->moved.stop), way->moved.pinned,
			   way->moved.busy, way->moved.no_target,
			   way->moved.fixed);
	}
}

static int show_run(struct seq_file *m, struct move_run *run)
{
	spin_lock(&run->lock);
	if (run->record.state == MOVE_NONE) {
		seq_puts(m, "state none\n");
	} else {
		show_asked(m, &run->record);
		show_progress(m, run);
		if (run->verb.category == FRAGBED_SPB_CLEAN)
			show_emptied(m, &run->record);
	}
	spin_unlock(&run->lock);
	return 0;
}

/**
 * fragbed_spb_defrag_show() - what the last spb/defrag did, or does
 * @m: where to
 * @unused: none
 *
 * Context: takes the lock of the run.
 * Return: 0.
 */
int fragbed_spb_defrag_show(struct seq_file *m, void *unused)
{
	return show_run(m, &defrag);
}

/**
 * fragbed_spb_evacuate_show() - what the last spb/evacuate did, or does
 * @m: where to
 * @unused: none
 *
 * Context: takes the lock of the run.
 * Return: 0.
 */
int fragbed_spb_evacuate_show(struct seq_file *m, void *unused)
{
	return show_run(m, &evacuate);
}

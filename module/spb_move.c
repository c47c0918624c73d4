// SPDX-License-Identifier: GPL-2.0
/*
 * spb/defrag and spb/evacuate: move movable memory out of tainted or clean superpageblocks
 * (SPBs), and report the result. A read prints the progress while the writer still runs.
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
#define WAYS_MAX 8	/* SPBs that could not be emptied, listed one by one */

enum { MOVE_KEY_PAGES = NR_FRAGBED_SPB_KEYS, MOVE_KEY_MS };

#define MOVE_LIMIT_KEYS							\
	[FRAGBED_KEY_NODE] = FRAGBED_NODE_KEY,				\
	[FRAGBED_KEY_ZONE] = { "zone", FRAGBED_TEXT },			\
	[MOVE_KEY_PAGES] = { "pages", FRAGBED_NUMBER, 1, LONG_MAX,	\
			     .preset = FRAGBED_COMPUTED },		\
	[MOVE_KEY_MS] = { "ms", FRAGBED_NUMBER, 1, MS_MAX, .preset = MS_DEFAULT },	\
	{ }

static const char *const defrag_words[] = { "tainted", "all", NULL };

static const struct fragbed_key defrag_keys[] = {
	[FRAGBED_KEY_SPB] = { "spb", FRAGBED_TEXT, .words = defrag_words, .required = true },
	MOVE_LIMIT_KEYS
};

static const char *const evacuate_words[] = { "clean", "all", NULL };

static const struct fragbed_key evacuate_keys[] = {
	[FRAGBED_KEY_SPB] = { "spb", FRAGBED_TEXT, .words = evacuate_words, .required = true },
	MOVE_LIMIT_KEYS
};

enum move_state { MOVE_NONE, MOVE_RUNNING, MOVE_DONE };

/* The differences between defragmentation and evacuation. */
struct move_action {
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

/* Everything that a read prints, except the progress in the current SPB. */
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
	unsigned int done;	/* SPBs processed */
	unsigned int left;	/* not processed: limit reached, or stopped */
	unsigned int emptied;
	unsigned int already_empty;
	unsigned int not_emptied;
	int stop;		/* enum spb_stop of the last one, -1 none */
	unsigned long ended[NR_SPB_STOPS];
	struct spb_moved sum;
	struct move_way ways[WAYS_MAX];
};

/**
 * struct move_run - state of defragmentation or evacuation
 * @action: which of the two
 * @lock: protects @record; only the writer changes it, so it reads without
 * @record: what a read prints
 * @now: filled in by the kernel for the current SPB, read with READ_ONCE; added to the
 *	 record with @lock held
 */
struct move_run {
	const struct move_action action;
	spinlock_t lock;	/* see above */
	struct move_record record;
	struct spb_moved now;
};

/* One write. */
struct move_plan {
	const char *path;	/* of the command file */
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

/* An SPB to process. */
struct move_candidate {
	unsigned int nr;
	unsigned int used;	/* pageblocks */
};

static struct move_run defrag = {
	.action = {
		.category = FRAGBED_SPB_TAINTED,
		.refusal = "only tainted ones are defragmented",
		.move = spb_defrag,
	},
	.lock = __SPIN_LOCK_UNLOCKED(defrag.lock),
};

static struct move_run evacuate = {
	.action = {
		.category = FRAGBED_SPB_CLEAN,
		.refusal = "only clean ones are evacuated",
		.move = spb_evacuate,
	},
	.lock = __SPIN_LOCK_UNLOCKED(evacuate.lock),
};

static const char *category_word(const struct move_run *run)
{
	return fragbed_spb_categories[run->action.category];
}

/* An empty SPB may be evacuated, too: there is nothing to do. */
static int check_category(const struct fragbed_write *w, const struct move_action *action,
			  unsigned int category)
{
	bool is_tainted = category == FRAGBED_SPB_TAINTED;
	bool wants_tainted = action->category == FRAGBED_SPB_TAINTED;

	if (is_tainted == wants_tainted)
		return 0;
	return fragbed_refuse(w, FRAGBED_KEY_SPB, -EINVAL, "is %s, %s",
			      fragbed_spb_categories[category], action->refusal);
}

static int check_all(const struct fragbed_write *w, const struct move_run *run)
{
	int key, nid;

	for (key = FRAGBED_KEY_NODE; key <= FRAGBED_KEY_ZONE; key++) {
		if (w->values[key].given)
			return fragbed_refuse(w, key, -EINVAL,
					      "does not go with spb=all, which is all nodes and zones; write spb=%s",
					      category_word(run));
	}
	for_each_node_state(nid, N_MEMORY) {
		if (fragbed_spb_next_zone(nid, NULL))
			return 0;
	}
	return fragbed_refuse(w, FRAGBED_KEY_SPB, -EOPNOTSUPP,
			      "no zone has superpageblocks");
}

static int read_single(const struct fragbed_write *w, struct move_plan *plan)
{
	struct spb_info info;
	u64 nr;
	int ret;

	if (fragbed_number_parse(plan->asked, &nr) || nr > INT_MAX)
		return fragbed_refuse(w, FRAGBED_KEY_SPB, -EINVAL,
				      "must be a decimal number, %s or all",
				      category_word(plan->run));
	ret = fragbed_spb_find(w, nr, &plan->zone, &info);
	if (!ret)
		ret = check_category(w, &plan->run->action, info.category);
	if (ret)
		return ret;
	plan->single = true;
	plan->nr = nr;
	plan->nid = zone_to_nid(plan->zone);
	return 0;
}

static int read_values(const struct fragbed_write *w, struct move_plan *plan)
{
	const struct fragbed_value *pages = &w->values[MOVE_KEY_PAGES];

	plan->pages = pages->given ? pages->number : ULONG_MAX;
	plan->ms = w->values[MOVE_KEY_MS].number;
	plan->asked = w->values[FRAGBED_KEY_SPB].text;
	if (!strcmp(plan->asked, "all")) {
		plan->nid = NUMA_NO_NODE;
		return check_all(w, plan->run);
	}
	if (!strcmp(plan->asked, category_word(plan->run)))
		return fragbed_spb_zone(w, &plan->nid, &plan->zone);
	return read_single(w, plan);
}

/* The kernel may change @moved at any time, the writer @sum. */
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

/* One SPB was processed. */
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
	if (run->action.category == FRAGBED_SPB_CLEAN)
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
		ret = run->action.move(zone, nr, &limits, &run->now);
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
	int ret = move_spb(plan, plan->zone, plan->nr);

	if (ret == -EINVAL)
		pr_warn("%s: spb=%u: has just changed, %s\n", plan->path,
			plan->nr, plan->run->action.refusal);
	if (ret == -EBUSY)
		pr_warn("%s: spb=%u: not emptied, %s: %lu pages moved, %lu pinned, %lu busy, %lu without target, %lu fixed\n",
			plan->path, plan->nr, stop_word(r->stop), r->sum.pages,
			r->sum.pinned, r->sum.busy, r->sum.no_target,
			r->sum.fixed);
	return ret;
}

static int less_used_first(const void *a, const void *b)
{
	const struct move_candidate *left = a, *right = b;

	return cmp_int(left->used, right->used) ?: cmp_int(left->nr, right->nr);
}

/* Count the SPBs of a zone to process. An evacuation also reports the empty ones. */
static unsigned int count_candidates(struct move_run *run, struct zone *zone)
{
	unsigned int at, nr = 0, empty = 0;
	struct spb_info info;

	for (at = 0; !spb_get_info(zone, at, &info); at++) {
		nr += info.category == run->action.category;
		empty += info.category == FRAGBED_SPB_EMPTY && info.usable;
		cond_resched();
	}
	spin_lock(&run->lock);
	if (run->action.category == FRAGBED_SPB_CLEAN)
		run->record.already_empty += empty;
	spin_unlock(&run->lock);
	return nr;
}

/*
 * SPBs with the least used pageblocks come first: their pages move to fuller ones, which
 * come later still. Leaves the number in *@nr; the caller frees the list with kvfree().
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
		if (info.category != run->action.category)
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

/* An SPB that cannot be emptied, or has changed its category, does not stop the run. */
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

/* A rejected line leaves the record of the last run unchanged. */
static int move_line(struct move_run *run, const struct fragbed_write *w)
{
	struct move_plan plan = {
		.path = w->knob->path,
		.run = run,
		.ticket = fragbed_stop_ticket(),
	};
	int ret = read_values(w, &plan);

	if (ret)
		return ret;
	plan.until = jiffies + msecs_to_jiffies(plan.ms);
	begin_run(&plan);
	ret = plan.single ? move_single(&plan) : move_each(&plan);
	end_run(run, ret);
	return ret;
}

/*
 * Context: may sleep, interruptible.
 * Return: 0, -EINVAL out of range or not tainted, -ENXIO no such node, zone or SPB,
 * -EOPNOTSUPP there are none, -EINTR on a signal or reset, -ENOMEM.
 */
static int defrag_run(const struct fragbed_write *w)
{
	return move_line(&defrag, w);
}

/*
 * Context: may sleep, interruptible.
 * Return: as defrag_run(), -EINVAL if it is tainted, and -EBUSY if spb=N could not be
 * emptied. With spb=WORD a read prints how many were emptied.
 */
static int evacuate_run(const struct fragbed_write *w)
{
	return move_line(&evacuate, w);
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

/* The sums so far, those of the current SPB included. */
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
		if (run->action.category == FRAGBED_SPB_CLEAN)
			show_emptied(m, &run->record);
	}
	spin_unlock(&run->lock);
	return 0;
}

static int defrag_show(struct seq_file *m, void *unused)
{
	return show_run(m, &defrag);
}

struct fragbed_knob fragbed_knob_spb_defrag = {
	.path = "spb/defrag",
	.file = FRAGBED_ANSWERING,
	.keys = defrag_keys,
	.run = defrag_run,
	.show = defrag_show,
};

static int evacuate_show(struct seq_file *m, void *unused)
{
	return show_run(m, &evacuate);
}

struct fragbed_knob fragbed_knob_spb_evacuate = {
	.path = "spb/evacuate",
	.file = FRAGBED_ANSWERING,
	.keys = evacuate_keys,
	.run = evacuate_run,
	.show = evacuate_show,
};

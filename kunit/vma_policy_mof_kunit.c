// SPDX-License-Identifier: GPL-2.0
/*
 * vma_policy_mof(): does the memory policy of a mapping ask for migrate-on-fault?
 * The mappings are real ones in the case's mm, and the policies are set as a process
 * sets them.
 */
#include <kunit/test.h>
#include <linux/file.h>
#include <linux/mempolicy.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/shmem_fs.h>

#include "../fragbed/allocator_kunit.h"

#define NR_PAGES	4
#define SIZE		(NR_PAGES * PAGE_SIZE)

/* Policies in table rows: an MPOL_* mode with flags, or NONE. */
#define NONE		(-1)
#define DEFAULT		MPOL_DEFAULT
#define BIND		MPOL_BIND
#define BIND_MOF	(MPOL_BIND | MPOL_F_NUMA_BALANCING)
#define MANY		MPOL_PREFERRED_MANY
#define MANY_MOF	(MPOL_PREFERRED_MANY | MPOL_F_NUMA_BALANCING)

enum mapping { ANON, SHMEM };

static nodemask_t policy_nodes(int mode)
{
	nodemask_t nodes = nodemask_of_node(first_node(node_states[N_MEMORY]));

	mode &= ~MPOL_MODE_FLAGS;
	return mode == MPOL_DEFAULT || mode == MPOL_LOCAL ? NODE_MASK_NONE : nodes;
}

static int set_task_policy(int mode)
{
	nodemask_t nodes = policy_nodes(mode);

	return mode == NONE ? 0 : reach_set_mempolicy(mode, &nodes);
}

static int set_range_policy(unsigned long start, unsigned long len, int mode)
{
	nodemask_t nodes = policy_nodes(mode);

	return mode == NONE ? 0 : reach_mbind(start, len, mode, &nodes);
}

static void put_file(void *file)
{
	fput(file);
	flush_delayed_fput();
}

static struct file *new_shmem_file(struct kunit *test)
{
	struct file *file = shmem_file_setup("fragbed", SIZE,
					     mk_vma_flags(VMA_NORESERVE_BIT));

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, file);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, put_file, file));
	return file;
}

/* Maps @file from page @first on, or anonymous memory if @file is NULL. */
static unsigned long map_pages(struct kunit *test, struct file *file, unsigned long first)
{
	unsigned long addr = kunit_vm_mmap(test, file, 0, SIZE - first * PAGE_SIZE,
					   PROT_READ | PROT_WRITE,
					   file ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS,
					   first * PAGE_SIZE);

	KUNIT_ASSERT_FALSE(test, !addr || IS_ERR_VALUE(addr));
	return addr;
}

static unsigned long map_of_kind(struct kunit *test, enum mapping kind)
{
	return map_pages(test, kind == SHMEM ? new_shmem_file(test) : NULL, 0);
}

/* A get_policy() that records its calls. */
struct stub {
	const struct vm_operations_struct ops;
	struct mempolicy *answer;
	unsigned long addr;
	unsigned int asked;
};

static struct mempolicy *stub_get_policy(struct vm_area_struct *vma, unsigned long addr,
					 pgoff_t *ilx)
{
	struct stub *stub = container_of(vma->vm_ops, struct stub, ops);

	stub->addr = addr;
	stub->asked++;
	if (mpol_needs_cond_ref(stub->answer))
		mpol_get(stub->answer);
	return stub->answer;
}

/* Reference counts of the policies in use; 0 if there is none. */
struct references {
	int task;
	int vma;
	int shared;
	int stub;
};

static int references_of(struct mempolicy *policy)
{
	return policy ? atomic_read(&policy->refcnt) : 0;
}

/* Without the reference that the lookup itself takes. */
static int shared_references(struct vm_area_struct *vma)
{
	struct mempolicy *policy;
	pgoff_t ilx;

	if (!vma->vm_file)
		return 0;
	policy = vma->vm_ops->get_policy(vma, vma->vm_start, &ilx);
	return policy ? atomic_dec_return(&policy->refcnt) : 0;
}

static void count_references(struct vm_area_struct *vma, struct stub *stub,
			     struct references *refs)
{
	refs->task = references_of(current->mempolicy);
	refs->vma = references_of(vma->vm_policy);
	refs->stub = stub ? references_of(stub->answer) : 0;
	refs->shared = stub ? 0 : shared_references(vma);
}

/* Calls vma_policy_mof() once, which must not leak or drop a reference. */
static bool ask(struct kunit *test, unsigned long addr, struct stub *stub)
{
	struct references before, after;
	const struct vm_operations_struct *ops;
	struct vm_area_struct *vma;
	bool mof;

	mmap_write_lock(current->mm);
	vma = vma_lookup(current->mm, addr);
	ops = vma->vm_ops;
	if (stub)
		vma->vm_ops = &stub->ops;
	count_references(vma, stub, &before);
	mof = reach_vma_policy_mof(vma);
	count_references(vma, stub, &after);
	vma->vm_ops = ops;
	mmap_write_unlock(current->mm);

	KUNIT_EXPECT_EQ_MSG(test, after.task, before.task, "task policy");
	KUNIT_EXPECT_EQ_MSG(test, after.vma, before.vma, "policy of the mapping");
	KUNIT_EXPECT_EQ_MSG(test, after.shared, before.shared, "shared policy");
	KUNIT_EXPECT_EQ_MSG(test, after.stub, before.stub, "policy of the stub");
	return mof;
}

/* Mappings with their own get_policy(), if any; mbind() sets @range. */
struct mof {
	const char *name;
	enum mapping mapping;
	int range;
	int task;
	bool mof;
};

static const struct mof mofs[] = {
	{ .name = "shared policy with mof", .mapping = SHMEM, .range = BIND_MOF,
	  .task = NONE, .mof = true },
	{ .name = "shared policy with mof, task without", .mapping = SHMEM,
	  .range = BIND_MOF, .task = BIND, .mof = true },
	{ .name = "shared policy without mof", .mapping = SHMEM, .range = BIND,
	  .task = NONE },
	{ .name = "shared policy without mof, task with", .mapping = SHMEM,
	  .range = BIND, .task = BIND_MOF },
	{ .name = "shared preferred-many with mof", .mapping = SHMEM,
	  .range = MANY_MOF, .task = BIND, .mof = true },

	{ .name = "no shared policy, no task policy", .mapping = SHMEM,
	  .range = NONE, .task = NONE, .mof = true },
	{ .name = "no shared policy, default task policy", .mapping = SHMEM,
	  .range = NONE, .task = DEFAULT, .mof = true },
	{ .name = "no shared policy, task bind", .mapping = SHMEM,
	  .range = NONE, .task = BIND },
	{ .name = "no shared policy, task bind with mof", .mapping = SHMEM,
	  .range = NONE, .task = BIND_MOF, .mof = true },
	{ .name = "no shared policy, task preferred-many", .mapping = SHMEM,
	  .range = NONE, .task = MANY },
	{ .name = "no shared policy, task preferred-many with mof", .mapping = SHMEM,
	  .range = NONE, .task = MANY_MOF, .mof = true },
	{ .name = "shared policy taken away, task bind with mof", .mapping = SHMEM,
	  .range = DEFAULT, .task = BIND_MOF, .mof = true },

	{ .name = "own policy with mof", .mapping = ANON, .range = BIND_MOF,
	  .task = NONE, .mof = true },
	{ .name = "own policy with mof, task without", .mapping = ANON,
	  .range = BIND_MOF, .task = BIND, .mof = true },
	{ .name = "own policy without mof", .mapping = ANON, .range = BIND,
	  .task = NONE },
	{ .name = "own policy without mof, task with", .mapping = ANON,
	  .range = BIND, .task = BIND_MOF },
	{ .name = "own preferred-many with mof", .mapping = ANON,
	  .range = MANY_MOF, .task = MANY, .mof = true },

	{ .name = "no policy at all", .mapping = ANON, .range = NONE,
	  .task = NONE, .mof = true },
	{ .name = "no own policy, default task policy", .mapping = ANON,
	  .range = NONE, .task = DEFAULT, .mof = true },
	{ .name = "no own policy, task bind", .mapping = ANON, .range = NONE,
	  .task = BIND },
	{ .name = "no own policy, task bind with mof", .mapping = ANON,
	  .range = NONE, .task = BIND_MOF, .mof = true },
	{ .name = "no own policy, task preferred-many", .mapping = ANON,
	  .range = NONE, .task = MANY },
	{ .name = "no own policy, task preferred-many with mof", .mapping = ANON,
	  .range = NONE, .task = MANY_MOF, .mof = true },
	{ .name = "no own policy, task interleave", .mapping = ANON,
	  .range = NONE, .task = MPOL_INTERLEAVE },
	{ .name = "no own policy, task local", .mapping = ANON,
	  .range = NONE, .task = MPOL_LOCAL },
};

static void mof_desc(const struct mof *m, char *desc)
{
	strscpy(desc, m->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(mof, mofs, mof_desc);

static void mof_of_mapping(struct kunit *test)
{
	const struct mof *m = test->param_value;
	unsigned long addr = map_of_kind(test, m->mapping);

	KUNIT_ASSERT_EQ(test, 0, set_range_policy(addr, SIZE, m->range));
	KUNIT_ASSERT_EQ(test, 0, set_task_policy(m->task));
	KUNIT_EXPECT_EQ_MSG(test, ask(test, addr, NULL), m->mof, "%s", m->name);
}

/* A mapping with a stub for get_policy() and with a policy of its own. */
struct stubbed {
	const char *name;
	bool answers;
	unsigned short flags;
	int own;
	int task;
	bool mof;
};

static const struct stubbed stubbeds[] = {
	{ .name = "shared, with mof", .answers = true,
	  .flags = MPOL_F_SHARED | MPOL_F_MOF, .own = BIND, .task = BIND, .mof = true },
	{ .name = "shared, without mof", .answers = true,
	  .flags = MPOL_F_SHARED, .own = BIND_MOF, .task = BIND_MOF },
	{ .name = "unshared, with mof", .answers = true,
	  .flags = MPOL_F_MOF, .own = BIND, .task = BIND, .mof = true },
	{ .name = "unshared, without mof", .answers = true,
	  .own = BIND_MOF, .task = BIND_MOF },
	{ .name = "shared, other flags", .answers = true,
	  .flags = MPOL_F_SHARED | MPOL_F_MORON, .own = NONE, .task = NONE },
	{ .name = "nothing, task with mof", .own = BIND, .task = BIND_MOF, .mof = true },
	{ .name = "nothing, task without", .own = BIND_MOF, .task = BIND },
	{ .name = "nothing, no task policy", .own = BIND, .task = NONE, .mof = true },
};

static void stubbed_desc(const struct stubbed *s, char *desc)
{
	strscpy(desc, s->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(stubbed, stubbeds, stubbed_desc);

static void mof_of_get_policy(struct kunit *test)
{
	const struct stubbed *s = test->param_value;
	unsigned long addr = map_of_kind(test, ANON);
	/* So many references that a wrong put does not free it: it is on the stack. */
	struct mempolicy policy = {
		.refcnt = ATOMIC_INIT(8), .mode = MPOL_BIND, .flags = s->flags,
	};
	struct stub stub = {
		.ops.get_policy = stub_get_policy,
		.answer = s->answers ? &policy : NULL,
	};

	KUNIT_ASSERT_EQ(test, 0, set_range_policy(addr, SIZE, s->own));
	KUNIT_ASSERT_EQ(test, 0, set_task_policy(s->task));
	KUNIT_EXPECT_EQ_MSG(test, ask(test, addr, &stub), s->mof, "%s", s->name);
	KUNIT_EXPECT_EQ(test, stub.asked, 1);
	KUNIT_EXPECT_EQ_MSG(test, stub.addr, addr, "not called for the start of the mapping");
}

/*
 * Only the last pages of a file have a shared policy. One mapping starts before
 * them, one at the first of them.
 */
static void mof_at_start(struct kunit *test)
{
	struct file *file = new_shmem_file(test);
	unsigned long whole = map_pages(test, file, 0);
	unsigned long other = map_pages(test, file, 0);
	unsigned long tail = map_pages(test, file, 2);

	KUNIT_ASSERT_EQ(test, 0, set_range_policy(other + 2 * PAGE_SIZE,
						  2 * PAGE_SIZE, BIND_MOF));
	KUNIT_ASSERT_EQ(test, 0, set_task_policy(BIND));
	KUNIT_EXPECT_FALSE(test, ask(test, whole, NULL));
	KUNIT_EXPECT_TRUE(test, ask(test, tail, NULL));
}

/* Before the nodes' policies are initialised, a task without policy has the default one. */
static void mof_before_init(struct kunit *test)
{
	unsigned long addr = map_of_kind(test, ANON);
	struct mempolicy *policy;
	bool mof;

	KUNIT_ASSERT_NULL(test, current->mempolicy);
	migrate_disable();
	policy = reach_preferred_node_policy(numa_node_id());
	KUNIT_EXPECT_EQ(test, policy->mode, MPOL_PREFERRED);
	WRITE_ONCE(policy->mode, MPOL_DEFAULT);
	mof = ask(test, addr, NULL);
	WRITE_ONCE(policy->mode, MPOL_PREFERRED);
	migrate_enable();
	KUNIT_EXPECT_FALSE(test, mof);
}

/* Modes that accept MPOL_F_NUMA_BALANCING. */
struct refused {
	const char *name;
	int mode;
	int error;
};

static const struct refused refuseds[] = {
	{ .name = "default", .mode = MPOL_DEFAULT, .error = -EINVAL },
	{ .name = "preferred", .mode = MPOL_PREFERRED, .error = -EINVAL },
	{ .name = "bind", .mode = MPOL_BIND },
	{ .name = "interleave", .mode = MPOL_INTERLEAVE, .error = -EINVAL },
	{ .name = "local", .mode = MPOL_LOCAL, .error = -EINVAL },
	{ .name = "preferred-many", .mode = MPOL_PREFERRED_MANY },
	{ .name = "weighted interleave", .mode = MPOL_WEIGHTED_INTERLEAVE,
	  .error = -EINVAL },
	{ .name = "no such mode", .mode = MPOL_MAX, .error = -EINVAL },
};

static void refused_desc(const struct refused *r, char *desc)
{
	strscpy(desc, r->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(refused, refuseds, refused_desc);

static void mof_refused(struct kunit *test)
{
	const struct refused *r = test->param_value;
	int mode = r->mode | MPOL_F_NUMA_BALANCING;
	unsigned long addr = map_of_kind(test, ANON);
	struct vm_area_struct *vma = vma_lookup(current->mm, addr);

	KUNIT_EXPECT_EQ_MSG(test, set_task_policy(mode), r->error, "%s", r->name);
	KUNIT_EXPECT_EQ_MSG(test, set_range_policy(addr, SIZE, mode), r->error, "%s", r->name);
	if (r->error) {
		KUNIT_EXPECT_NULL(test, current->mempolicy);
		KUNIT_EXPECT_NULL(test, vma->vm_policy);
		return;
	}
	KUNIT_ASSERT_NOT_NULL(test, current->mempolicy);
	KUNIT_ASSERT_NOT_NULL(test, vma->vm_policy);
	KUNIT_EXPECT_TRUE(test, current->mempolicy->flags & MPOL_F_MOF);
	KUNIT_EXPECT_TRUE(test, vma->vm_policy->flags & MPOL_F_MOF);
}

/* vma_migratable(), the other condition to scan a mapping. */
struct migratable {
	const char *name;
	enum mapping mapping;
	vm_flags_t flags;
	gfp_t gfp;
	bool migratable;
};

static const struct migratable migratables[] = {
	{ .name = "anonymous", .mapping = ANON, .migratable = true },
	{ .name = "shmem", .mapping = SHMEM, .gfp = GFP_HIGHUSER_MOVABLE,
	  .migratable = true },
	{ .name = "shmem, just in the policy zone", .mapping = SHMEM, .gfp = GFP_USER,
	  .migratable = true },
	{ .name = "i/o", .mapping = ANON, .flags = VM_IO },
	{ .name = "pfn map", .mapping = ANON, .flags = VM_PFNMAP },
	{ .name = "below the policy zone", .mapping = SHMEM, .gfp = GFP_DMA32 },
};

static void migratable_desc(const struct migratable *m, char *desc)
{
	strscpy(desc, m->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(migratable, migratables, migratable_desc);

static void mof_migratable(struct kunit *test)
{
	const struct migratable *m = test->param_value;
	unsigned long addr = map_of_kind(test, m->mapping);
	struct vm_area_struct *vma;
	bool migratable;

	if (m->gfp && !m->migratable && gfp_zone(m->gfp) >= reach_policy_zone())
		kunit_skip(test, "no zone is below the policy zone; needs CONFIG_ZONE_DMA32");
	mmap_write_lock(current->mm);
	vma = vma_lookup(current->mm, addr);
	vm_flags_set(vma, m->flags);
	if (m->gfp)
		mapping_set_gfp_mask(vma->vm_file->f_mapping, m->gfp);
	migratable = reach_vma_migratable(vma);
	vm_flags_clear(vma, m->flags);
	mmap_write_unlock(current->mm);
	KUNIT_EXPECT_EQ_MSG(test, migratable, m->migratable, "%s", m->name);
}

static struct kunit_case mof_cases[] = {
	KUNIT_CASE_PARAM(mof_of_mapping, mof_gen_params),
	KUNIT_CASE_PARAM(mof_of_get_policy, stubbed_gen_params),
	KUNIT_CASE(mof_at_start),
	KUNIT_CASE(mof_before_init),
	KUNIT_CASE_PARAM(mof_refused, refused_gen_params),
	KUNIT_CASE_PARAM(mof_migratable, migratable_gen_params),
	{}
};

static struct kunit_suite mof_suite = {
	.name = "fragbed_vma_policy_mof",
	.test_cases = mof_cases,
};

kunit_test_suite(mof_suite);

MODULE_DESCRIPTION("KUnit tests for vma_policy_mof()");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");

// SPDX-License-Identifier: GPL-2.0
/* Cases that go wrong on purpose: a test runner has to distinguish them. */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/slab.h>

static void passes(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, true);
}

static void fails(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, 1, 2);
}

static void skips(struct kunit *test)
{
	kunit_skip(test, "on purpose");
}

static void warns(struct kunit *test)
{
	WARN(1, "on purpose");
}

/*
 * Many, and zeroed: the slab allocator's lists still hold the addresses of the last
 * objects allocated, which hides those from kmemleak.
 */
static void leaks(struct kunit *test)
{
	int i;

	for (i = 0; i < 256; i++)
		KUNIT_EXPECT_NOT_NULL(test, kzalloc(512, GFP_KERNEL));
}

static void crashes(struct kunit *test)
{
	panic("on purpose");
}

/* Longer than any runner waits; an interruptible sleep does not count as a hung task. */
static void hangs(struct kunit *test)
{
	for (;;)
		msleep_interruptible(1000);
}

static struct kunit_case canary_cases[] = {
	KUNIT_CASE(passes),
	KUNIT_CASE(fails),
	KUNIT_CASE(skips),
	KUNIT_CASE(warns),
	KUNIT_CASE(leaks),
	KUNIT_CASE(crashes),
	KUNIT_CASE(hangs),
	{}
};

static struct kunit_suite canary_suite = {
	.name = "canary",
	.test_cases = canary_cases,
};

kunit_test_suite(canary_suite);

MODULE_DESCRIPTION("KUnit cases that fail on purpose");
MODULE_LICENSE("GPL");

// SPDX-License-Identifier: GPL-2.0
/*
 * Drains the per-cpu lists of free pages on demand:
 *
 *   echo 1 > /sys/module/fragbed_drain/parameters/now
 *
 * In /proc/kpageflags a page on such a list looks like one that the kernel uses, and
 * everything else in user space that drains the lists also migrates pages.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kprobes.h>
#include <linux/mmzone.h>
#include <linux/module.h>

static void (*drain)(struct zone *zone);

/* drain_all_pages() is not exported; a disabled probe has its address. */
static int find_drain(void)
{
	struct kprobe probe = { .symbol_name = "drain_all_pages", .flags = KPROBE_FLAG_DISABLED };
	int err;

	err = register_kprobe(&probe);
	if (err)
		return err;
	drain = (void *)probe.addr;
	unregister_kprobe(&probe);
	return 0;
}

/* For fragbed_hold.ko. */
void fragbed_drain(void);
void fragbed_drain(void)
{
	drain(NULL);
}
EXPORT_SYMBOL_GPL(fragbed_drain);

static int now_set(const char *value, const struct kernel_param *param)
{
	if (!sysfs_streq(value, "1"))
		return -EINVAL;
	if (!drain)
		return -EAGAIN;
	fragbed_drain();
	return 0;
}

static const struct kernel_param_ops now_ops = { .set = now_set };

module_param_cb(now, &now_ops, NULL, 0200);
MODULE_PARM_DESC(now, "write 1 to drain all per-cpu lists of free pages");

static int __init drain_init(void)
{
	return find_drain();
}

static void __exit drain_exit(void)
{
}

module_init(drain_init);
module_exit(drain_exit);
MODULE_DESCRIPTION("Gives back per-cpu lists of free pages");
MODULE_LICENSE("GPL");

/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM superpageblock

#if !defined(_TRACE_SUPERPAGEBLOCK_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_SUPERPAGEBLOCK_H

#include <linux/mmzone.h>
#include <linux/tracepoint.h>
#include <trace/events/mmflags.h>

TRACE_EVENT(spb_category,

	TP_PROTO(struct zone *zone, unsigned int spb, unsigned int category),

	TP_ARGS(zone, spb, category),

	TP_STRUCT__entry(
		__field(int, nid)
		__string(zone, zone->name)
		__field(unsigned int, spb)
		__field(unsigned int, category)
	),

	TP_fast_assign(
		__entry->nid = zone_to_nid(zone);
		__assign_str(zone);
		__entry->spb = spb;
		__entry->category = category;
	),

	TP_printk("node=%d zone=%s spb=%u category=%s",
		  __entry->nid, __get_str(zone), __entry->spb,
		  __print_symbolic(__entry->category, { 0, "empty" },
				   { 1, "clean" }, { 2, "tainted" }))
);

#endif /* _TRACE_SUPERPAGEBLOCK_H */

#include <trace/define_trace.h>

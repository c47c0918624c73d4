/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM superpageblock

#if !defined(_TRACE_SUPERPAGEBLOCK_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_SUPERPAGEBLOCK_H

#include <linux/mmzone.h>
#include <linux/tracepoint.h>

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

/* Who: the task the event is recorded for. */
TRACE_EVENT(spb_taint,

	TP_PROTO(struct page *page, unsigned int order, int migratetype),

	TP_ARGS(page, order, migratetype),

	TP_STRUCT__entry(
		__field(unsigned long, pfn)
		__field(unsigned int, order)
		__field(int, migratetype)
	),

	TP_fast_assign(
		__entry->pfn = page_to_pfn(page);
		__entry->order = order;
		__entry->migratetype = migratetype;
	),

	TP_printk("pfn=0x%lx order=%u migratetype=%d",
		  __entry->pfn, __entry->order, __entry->migratetype)
);

TRACE_EVENT(spb_refuse,

	TP_PROTO(struct zone *zone, unsigned int order, gfp_t gfp),

	TP_ARGS(zone, order, gfp),

	TP_STRUCT__entry(
		__field(int, nid)
		__string(zone, zone->name)
		__field(unsigned int, order)
		__field(unsigned long, gfp)
	),

	TP_fast_assign(
		__entry->nid = zone_to_nid(zone);
		__assign_str(zone);
		__entry->order = order;
		__entry->gfp = (__force unsigned long)gfp;
	),

	TP_printk("node=%d zone=%s order=%u gfp=0x%lx",
		  __entry->nid, __get_str(zone), __entry->order,
		  __entry->gfp)
);

DECLARE_EVENT_CLASS(spb_moved,

	TP_PROTO(struct zone *zone, unsigned int spb, unsigned long pages,
		 unsigned int stop),

	TP_ARGS(zone, spb, pages, stop),

	TP_STRUCT__entry(
		__field(int, nid)
		__string(zone, zone->name)
		__field(unsigned int, spb)
		__field(unsigned long, pages)
		__field(unsigned int, stop)
	),

	TP_fast_assign(
		__entry->nid = zone_to_nid(zone);
		__assign_str(zone);
		__entry->spb = spb;
		__entry->pages = pages;
		__entry->stop = stop;
	),

	TP_printk("node=%d zone=%s spb=%u pages=%lu stop=%s",
		  __entry->nid, __get_str(zone), __entry->spb, __entry->pages,
		  __print_symbolic(__entry->stop, { 0, "room" }, { 1, "empty" },
				   { 2, "stuck" }, { 3, "no_target" }, { 4, "pages" },
				   { 5, "time" }, { 6, "signal" }))
);

/* Out of a tainted superpageblock, in the background or on demand. */
DEFINE_EVENT(spb_moved, spb_defrag,
	TP_PROTO(struct zone *zone, unsigned int spb, unsigned long pages, unsigned int stop),
	TP_ARGS(zone, spb, pages, stop)
);

/* Out of a clean one, on demand. */
DEFINE_EVENT(spb_moved, spb_evacuate,
	TP_PROTO(struct zone *zone, unsigned int spb, unsigned long pages, unsigned int stop),
	TP_ARGS(zone, spb, pages, stop)
);

/* Out of a block of a tainted one, by a request that would have tainted another one. */
DEFINE_EVENT(spb_moved, spb_make_room,
	TP_PROTO(struct zone *zone, unsigned int spb, unsigned long pages, unsigned int stop),
	TP_ARGS(zone, spb, pages, stop)
);

#endif /* _TRACE_SUPERPAGEBLOCK_H */

#include <trace/define_trace.h>

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The one list of all files in debugfs, in the order in which they are created and
 * described by the file knobs. FRAGBED_KNOB(name) stands for fragbed_knob_name; who
 * includes this list defines FRAGBED_KNOB, so there is no include guard.
 */
FRAGBED_KNOB(version);
FRAGBED_KNOB(caps);
FRAGBED_KNOB(knobs);
FRAGBED_KNOB(hold_alloc);
FRAGBED_KNOB(hold_free);
FRAGBED_KNOB(hold_sets);
FRAGBED_KNOB(fragment_run);
FRAGBED_KNOB(fragment_free);
FRAGBED_KNOB(fragment_result);
FRAGBED_KNOB(fragment_index);
FRAGBED_KNOB(fragment_churn);
FRAGBED_KNOB(fragment_churn_status);
FRAGBED_KNOB(fragment_keep);
FRAGBED_KNOB(fragment_keep_status);
FRAGBED_KNOB(compact_run);
FRAGBED_KNOB(compact_last);
FRAGBED_KNOB(mof);
FRAGBED_KNOB(map);
FRAGBED_KNOB(map_chunk);
FRAGBED_KNOB(spb_defrag);
FRAGBED_KNOB(spb_evacuate);
FRAGBED_KNOB(spb_taint);
#ifdef FRAGBED_SPB
FRAGBED_KNOB(spb_table);
FRAGBED_KNOB(spb_stats);
FRAGBED_KNOB(spb_check);
#endif
FRAGBED_KNOB(reset);
FRAGBED_KNOB(lease);

# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0
#
# Part of lib.sh: how much memory is free or in use.

# Free pages: in the free lists and on per-cpu lists.
free_pages() {
	awk '$1 == "nr_free_pages" || $1 == "count:" { sum += $2 } END { print sum }' /proc/zoneinfo
}

# meminfo NAME: in KiB.
meminfo() {
	while read -r lib_name lib_value _; do
		[ "$lib_name" = "$1:" ] || continue
		echo "$lib_value"
		return 0
	done </proc/meminfo
	return 1
}

# Freed pages that the quarantine of KASAN may hold.
kasan_pages() {
	if grep -q ' kasan_report$' /proc/kallsyms; then
		echo $(($(meminfo MemTotal) / 4 / 32))
	else
		echo 0
	fi
}

# Permille of memory in use: neither free nor reclaimable page cache.
used_permille() {
	lib_total=$(meminfo MemTotal)
	echo $(((lib_total - $(meminfo MemAvailable)) * 1000 / lib_total))
}

# shellcheck shell=sh disable=SC2034  # $dice is for the scripts
# SPDX-License-Identifier: GPL-2.0
#
# Part of lib.sh: random choices, and files of random size.

# One generator for all choices: dice N sets $dice to a number below N. $random is the
# seed, and then the generator's state.
random=1
dice=0

dice() {
	random=$(((random * 1103515245 + 12345) % 2147483648))
	dice=$((random / 65536 % $1))
}

type_of() {
	case $1 in
	0) echo movable ;;
	1) echo reclaimable ;;
	*) echo unmovable ;;
	esac
}

# write_files FOLDER: 80 files in a folder of tmpfs, half of them empty; one call in three
# removes all files of the folder.
write_files() {
	dice 60
	lib_count=0
	while [ $lib_count -lt 40 ]; do
		head -c $(((dice + 1) * 8192)) /dev/zero >"$1/$lib_count" 2>/dev/null
		: >"$1/empty$dice.$lib_count"
		lib_count=$((lib_count + 1))
	done
	dice 3
	[ "$dice" -ne 0 ] || rm -f "$1"/*
}

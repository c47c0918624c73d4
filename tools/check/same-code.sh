#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# same-code.sh: checks that mm/page_alloc.o with the superpageblock patches, but with
# CONFIG_SUPERPAGEBLOCK off, is the same as without these patches. Compares the
# disassembly of every function in the configuration uml. Both are compiled with
# -D__LINE__=0, because WARN() puts line numbers into the code.
#
# Exit: 0 the same, 1 a function differs.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

# Makes a copy of kernel/ without superpageblocks.
kernel_without() {
	cp -r "$KERNEL_DIR" "$1"
	sed -i '\,^superpageblock/,d' "$1/patches/series"
	rm -rf "$1/files/mm/superpageblock" "$1/files/include/linux/superpageblock.h" \
		"$1/files/include/trace/events/superpageblock.h"
}

# object KERNEL-DIR FILE: compiles mm/page_alloc.o with that kernel/ to FILE.
object() {
	local tree build
	tree=$(FRAGBED_KERNEL_DIR=$1 "$TOOLS/prepare.sh")
	build=$CACHE/build/$(basename "$(dirname "$tree")")/uml
	rm -f "$build/mm/page_alloc.o"
	make -C "$tree" ARCH=um O="$build" -j"$JOBS" --no-print-directory \
		KCFLAGS='-Wno-builtin-macro-redefined -D__LINE__=0' mm/page_alloc.o >"$2.log" 2>&1 ||
		die "mm/page_alloc.o does not build: $(tail -n 5 "$2.log")"
	cp "$build/mm/page_alloc.o" "$2"
	rm -f "$build/mm/page_alloc.o"
}

# Prints one line per instruction, without its address.
disassembly() {
	objdump -dr --no-show-raw-insn "$1" | sed -E '
		/^[0-9a-f]+ </{s/^[0-9a-f]+ //;b}
		s/^[ \t]*[0-9a-f]+:[ \t]*//
		s/\b[0-9a-f]+ (<[^>]*>)/\1/
		s/\.text\+0x[0-9a-f]+/.text/
		/^[^\t]*file format/d'
}

build=$CACHE/build/$(basename "$(dirname "$("$TOOLS/prepare.sh")")")/uml
[ -f "$build/.config" ] || "$TOOLS/build.sh" uml >/dev/null
make_run_folder
kernel_without "$run/without"
object "$KERNEL_DIR" "$run/with.o"
object "$run/without" "$run/without.o"
"$TOOLS/prepare.sh" >/dev/null
for name in with without; do
	disassembly "$run/$name.o" >"$run/$name.txt"
done
functions=$(grep -c '^<.*>:$' "$run/with.txt")
if ! diff -u "$run/without.txt" "$run/with.txt" >"$run/diff"; then
	head -n 60 "$run/diff"
	die "mm/page_alloc.o differs with the option off: $(grep -c "^[-+]" "$run/diff") lines"
fi
printf 'mm/page_alloc.o: %s functions, %s lines of disassembly, the same with the option off as without the patches\n' \
	"$functions" "$(wc -l <"$run/with.txt")"

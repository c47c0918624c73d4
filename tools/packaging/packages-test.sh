#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# packages-test.sh [TEST...]: installs, upgrades and removes fragbed with "make install" and as a
# package, each in a clean Debian 12 and Debian 13, with supported kernels, unsupported ones and
# without headers. One KTAP line for each test; the tests are the functions test_*.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
. "$TOOLS/harness/expect.sh"
. "$TOOLS/packaging/folders.sh"
. "$TOOLS/packaging/export.sh"

REFUSED=6.1.0-99-refused

### Checks

# module_is VERSION KERNEL: dkms installed that version for the kernel.
module_is() {
	local version
	version=$(in_folder "$root" sh -c "modinfo -F version /lib/modules/$2/updates/dkms/fragbed.ko*" 2>>"$log" || :)
	[ "$version" = "$1" ] && return
	printf '# Linux %s has fragbed "%s", not "%s"\n' "$2" "$version" "$1"
	return 1
}

only_version() {
	local have
	have=$(cd "$root/usr/src" && printf '%s ' fragbed-*; cd "$root/var/lib/dkms/fragbed" && printf '%s ' [0-9]*)
	[ "$have" = "fragbed-$1 $1 " ] && return
	printf '# there are: %s\n' "$have"
	return 1
}

# Without the caches and logs of apt, dpkg, dkms and depmod.
files() {
	(cd "$root" && find . -xdev \( -path ./proc -o -path ./tmp -o -path ./root -o -path './var/log' -o \
		-path './var/cache/*' -o -path './var/lib/dkms/mok.*' -o -path './var/lib/dpkg/*-old' -o \
		-path './lib/modules/*/modules.*' -o -path './usr/lib/modules/*/modules.*' \) -prune -o \
		\( ! -type d -o -name '*fragbed*' \) -print | sort)
}

remember_files() { files >"$work/before"; }

nothing_left() {
	files | diff "$work/before" - >"$work/diff" && return
	sed 's/^/# /' "$work/diff" | grep '[<>]'
	return 1
}

command_works() { exits 0 fragbed --version && exits 0 test -r "$1/share/bash-completion/completions/fragbed"; }

### Set-up

# bring VERSION: copies the tree with that version to /root/VERSION of the folder.
bring() {
	cp -r "$run/tree-$1" "$root/root/$1"
}

make_in() { exits "$1" make -C "/root/$2" FRAGBED_NO_INSTALL=1 "${@:3}"; }
install_deb() { cp "$run/deb/fragbed-dkms_$2_all.deb" "$root/root/" && exits "$1" dpkg -i "/root/fragbed-dkms_$2_all.deb"; }

# other_headers SED: a copy of the older headers with a changed .config.
other_headers() {
	mkdir -p "$root/usr/src/$REFUSED" "$root/lib/modules/$REFUSED"
	cp -a "$root$(readlink -f "$root/lib/modules/$old/build" | sed "s,^$root,,")/." "$root/usr/src/$REFUSED/"
	sed -i "$1" "$root/usr/src/$REFUSED/.config"
	ln -sfn "/usr/src/$REFUSED" "$root/lib/modules/$REFUSED/build"
}

refused_headers() { other_headers 's/^CONFIG_COMPACTION=y/# CONFIG_COMPACTION is not set/'; }
refusal="no module for Linux $REFUSED: it was built without CONFIG_COMPACTION"

### make install

test_make_install_and_uninstall() {
	bring "$VERSION" && remember_files &&
		make_in 0 "$VERSION" install "KVER=$old" && module_is "$VERSION" "$old" && command_works /usr/local &&
		make_in 0 "$VERSION" uninstall && nothing_left
}

test_make_install_over_an_older_version() {
	bring 0.1.0 && bring "$VERSION" && remember_files &&
		make_in 0 0.1.0 install "KVER=$old" && module_is 0.1.0 "$old" &&
		make_in 0 "$VERSION" install "KVER=$old" && module_is "$VERSION" "$old" && only_version "$VERSION" &&
		make_in 0 "$VERSION" uninstall && nothing_left
}

test_make_install_follows_a_kernel_upgrade() {
	bring "$VERSION" && make_in 0 "$VERSION" install "KVER=$old" &&
		exits 0 apt-get install -y "linux-headers-$new" && module_is "$VERSION" "$new"
}

test_make_install_refuses_a_kernel() {
	bring "$VERSION" && refused_headers && remember_files &&
		make_in 2 "$VERSION" install "KVER=$REFUSED" && says "$refusal" && nothing_left
}

test_make_install_without_headers() {
	bring "$VERSION" && remember_files && make_in 2 "$VERSION" install KVER=6.1.0-1-amd64 &&
		says "apt-get install linux-headers-6.1.0-1-amd64" && nothing_left
}

test_make_install_without_headers_elsewhere() {
	printf 'ID=fedora\n' >"$work/os-release" && rm "$root/etc/os-release" && cp "$work/os-release" "$root/etc/" &&
		bring "$VERSION" && make_in 2 "$VERSION" install KVER=6.1.0-1.fc &&
		says "on Fedora kernel-devel-6.1.0-1.fc"
}

test_make_install_names_the_missing_clang() {
	other_headers 's/^CONFIG_CC_IS_GCC=y/CONFIG_CC_IS_CLANG=y/; s/^CONFIG_CLANG_VERSION=.*/CONFIG_CLANG_VERSION=190107/' &&
		bring "$VERSION" && make_in 2 "$VERSION" install "KVER=$REFUSED" &&
		says "it was built by clang, please install: clang lld llvm"
}

# Debian has no kernel built by clang, so a fake make prints its arguments instead.
test_dkms_takes_the_clang_of_the_kernel() {
	local tool
	other_headers 's/^CONFIG_CC_IS_GCC=y/CONFIG_CC_IS_CLANG=y/' && bring "$VERSION" || return 1
	printf 'CC = clang-19\n' >"$root/usr/src/$REFUSED/.kernelvariables"
	printf '#!/bin/sh\necho make "$@"\n' >"$root/usr/local/bin/make"
	for tool in clang-19 ld.lld-19 llvm-nm-19; do
		cp "$root/usr/local/bin/make" "$root/usr/local/bin/$tool"
	done
	chmod +x "$root/usr/local/bin"/*
	exits 0 "/root/$VERSION/tools/packaging/dkms-build.sh" --check "$REFUSED" "/lib/modules/$REFUSED/build" &&
		exits 0 "/root/$VERSION/tools/packaging/dkms-build.sh" "/lib/modules/$REFUSED/build" CC=clang LD=ld.lld &&
		says "LLVM=-19 modules"
}

# A file takes the place of the EFI variable.
test_make_install_explains_secure_boot() {
	mkdir "$root/root/efivars" && printf '\6\0\0\0\1' >"$root/root/efivars/SecureBoot-0" &&
		bring "$VERSION" &&
		exits 0 env FRAGBED_EFIVARS=/root/efivars make -C "/root/$VERSION" install "KVER=$old" &&
		says "Secure Boot is on" && says "mokutil --import /var/lib/dkms/mok.pub" &&
		exits 0 test -s /var/lib/dkms/mok.pub
}

### The package

test_deb_install_remove_and_purge() {
	remember_files && install_deb 0 "$VERSION" && module_is "$VERSION" "$old" && command_works /usr &&
		exits 0 dpkg --remove fragbed-dkms && nothing_left &&
		exits 0 dpkg --purge fragbed-dkms && nothing_left
}

test_deb_over_an_older_version() {
	remember_files && install_deb 0 0.1.0 && module_is 0.1.0 "$old" &&
		install_deb 0 "$VERSION" && module_is "$VERSION" "$old" && only_version "$VERSION" &&
		exits 0 dpkg --purge fragbed-dkms && nothing_left
}

# The last upgrade is to an unsupported kernel, by the hook that packages of headers call.
test_deb_follows_kernel_upgrades() {
	install_deb 0 "$VERSION" && exits 0 apt-get install -y "linux-headers-$new" &&
		module_is "$VERSION" "$old" && module_is "$VERSION" "$new" && refused_headers &&
		exits 0 run-parts --exit-on-error --arg="$REFUSED" /etc/kernel/header_postinst.d && says "$refusal"
}

test_deb_beside_headers_it_cannot_serve() {
	refused_headers && remember_files && install_deb 0 "$VERSION" && says "$refusal" && module_is "$VERSION" "$old" &&
		exits 0 dpkg --purge fragbed-dkms && nothing_left
}

test_deb_without_headers() {
	remember_files && install_deb 0 "$VERSION" && says "linux-headers-$(uname -r)" &&
		exits 0 dpkg --purge fragbed-dkms && nothing_left
}

test_deb_and_make_do_not_mix() {
	bring "$VERSION" && cp "$run/deb/fragbed-dkms_${VERSION}_all.deb" "$root/root/" &&
		exits 0 dpkg --unpack "/root/fragbed-dkms_${VERSION}_all.deb" && make_in 2 "$VERSION" install "KVER=$old" &&
		says "apt-get remove fragbed-dkms"
}

### Running them

list_tests() { declare -F | sed -n 's/^declare -f test_//p'; }

# The two newest headers of a series of which Debian has several.
find_headers() {
	local series=6.1.0-
	[ "$1" -lt 13 ] || series=7.2.
	apt_root=$CACHE/apt-$1
	mapfile -t headers < <(packages_like "linux-headers-${series//./\\.}[0-9]+(\+[a-z0-9]+)?-amd64" | tail -n 2)
	[ ${#headers[@]} -eq 2 ] || die "Debian $1 no longer has two kernels of one series"
	old=${headers[0]#linux-headers-} new=${headers[1]#linux-headers-}
}

# Without headers, or with the older ones.
choose_folder() {
	case $1 in
	*_without_headers*) base_folder "$release" ;;
	*) kernel_folder "$release" "headers-$release" "${headers[0]}" ;;
	esac
}

run_test() {
	local name=$1 rc=0 root=$run/test-$release/root
	local work=$run/work-$release log=$run/work-$release/log
	local inside=(in_folder "$root")
	rm -rf "$work"
	mkdir -p "$work"
	: >"$log"
	choose_folder "$name" || exit 1
	throw_away "$folder" "test-$release"
	("test_$name") >"$work/notes" 2>&1 || rc=$?
	drop "test-$release"
	number=$((number + 1))
	if [ $rc -eq 0 ]; then
		passed=$((passed + 1))
		printf 'ok %s - Debian %s: %s\n' $number "$release" "${name//_/ }"
		return
	fi
	failed=$((failed + 1))
	cat "$work/notes"
	tail -n 30 "$log" | sed 's/^/# /'
	printf 'not ok %s - Debian %s: %s\n' $number "$release" "${name//_/ }"
}

# run_tests RELEASE NUMBER: all tests in that Debian, counted from NUMBER + 1.
run_tests() {
	local name
	release=$1 number=$2 passed=0 failed=0
	find_headers "$release"
	for name in "${tests[@]}"; do
		run_test "$name"
	done
	printf '%s %s\n' $passed $failed >"$run/counts-$release"
}

# Trees and packages of this version and of an older one.
prepare() {
	VERSION=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' "$REPO/dkms.conf")
	export VERSION run
	export_tree "$run/tree-$VERSION"
	export_tree "$run/tree-0.1.0" 0.1.0
	"$TOOLS/packaging/deb.sh" "$run/deb" >/dev/null
	"$TOOLS/packaging/deb.sh" --as 0.1.0 "$run/deb" >/dev/null
	take_lock folders
	look_up 12
	look_up 13
}

# Both Debians in parallel, with xargs, so that Ctrl-C ends both; the output of the second one
# is printed at the end. A Debian without counts has failed.
run_both() {
	local release passed failed
	printf '%s\n' 12 13 | xargs -P 2 -I{} "$0" --on {} "${tests[@]}" || :
	cat "$run/said-13"
	for release in 12 13; do
		passed=0 failed=1
		[ ! -s "$run/counts-$release" ] || read -r passed failed <"$run/counts-$release"
		all_passed=$((all_passed + passed)) all_failed=$((all_failed + failed))
	done
}

if [ "${1:-}" = --on ]; then
	tests=("${@:3}")
	case $2 in
	12) run_tests 12 0 ;;
	13) run_tests 13 ${#tests[@]} >"$run/said-13" ;;
	esac
	exit
fi
"$TOOLS/packages.sh" run qemu deb matrix
own_mounts "$@"
make_run_folder
trap release_mounts EXIT
tests=("$@")
[ $# -gt 0 ] || mapfile -t tests < <(list_tests)
prepare
all_passed=0 all_failed=0
printf 'KTAP version 1\n1..%s\n' $((2 * ${#tests[@]}))
run_both
[ $((all_passed + all_failed)) -ge $((2 * ${#tests[@]})) ] || all_failed=$((all_failed + 1))
write_counts deb-test $all_passed $all_failed 0
printf '# deb-test: %s passed, %s failed of %s\n' $all_passed $all_failed $((2 * ${#tests[@]}))
[ $all_failed -eq 0 ] && [ $all_passed -gt 0 ]

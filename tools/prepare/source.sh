# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034  # the variables are for the other files
#
# Sourced by prepare.sh: chooses the kernel source: a .deb in the cache, or the tarball or
# tree of KERNEL_SRC.

SERIES=${KERNEL:-7.2}
PACKAGE=linux-source-$SERIES
SUITE=trixie-backports
SOURCES=$CACHE/sources

# The Linux versions that the patches are for. The patches of kernel/patches/TOPIC are
# made for the oldest one; kernel/patches/VERSION/TOPIC has the hunks that differ.
known_series() {
	printf '7.2\n'
	find "$KERNEL_DIR/patches" -mindepth 1 -maxdepth 1 -type d -name '[0-9]*' -printf '%f\n' | sort -V
}

check_series() {
	local known
	known=$(known_series)
	grep -Fqx -- "$SERIES" <<<"$known" ||
		die "KERNEL=$SERIES: there are no patches for Linux $SERIES, only for ${known//$'\n'/ }; or give a source with KERNEL_SRC=..."
}

# apt-get writes an unfinished download under its final name: download into a separate
# folder and move the finished file out.
fetch_deb() {
	local apt=(apt-get -c "$1/apt.conf")
	rm -rf "$SOURCES/partial"
	mkdir -p "$SOURCES/partial"
	"${apt[@]}" -o APT::Update::Error-Mode=any update &&
		cd "$SOURCES/partial" &&
		"${apt[@]}" download "$PACKAGE" &&
		mv -- "$PACKAGE"_*.deb "$SOURCES/"
}

newest_deb() { find "$SOURCES" -maxdepth 1 -name "${PACKAGE}_*.deb" 2>/dev/null | sort -V | tail -n 1; }

no_debian() {
	die "only a Debian machine can download the source by itself; give a tree or tarball: KERNEL_SRC=..."
}

# In a subshell, so that the lock is released at its end.
download_deb() (
	local mirror mirrors before=$1
	take_lock sources
	[ "$(newest_deb)" = "$before" ] || exit 0 # the run that held the lock downloaded one
	command -v apt-get >/dev/null || no_debian
	[ -r "$KEYRING" ] || no_debian
	mirrors=${FRAGBED_MIRROR:-$(apt_mirrors)}
	[ -n "$mirrors" ] || die "apt knows no mirror; give one with FRAGBED_MIRROR=... or a source with KERNEL_SRC=..."
	for mirror in $mirrors; do
		write_apt_root "$CACHE/apt" "deb $mirror $SUITE"
		PROGRESS_FILE=$SOURCES/partial/ run_logged "downloading the Linux $SERIES source (about 165 MB)" \
			"$CACHE/logs/download.log" fetch_deb "$CACHE/apt" && exit 0
	done
	exit 1
)

# Sets DEB to the newest one in the cache. If an update fails, an older one will do.
choose_deb() {
	DEB=$(newest_deb)
	[ -z "$DEB" ] || [ "${FRAGBED_UPDATE:-}" = 1 ] || return 0
	if ! download_deb "$DEB"; then
		[ -n "$DEB" ] || die "cannot download the kernel source; see above, or give one with KERNEL_SRC=..."
		warn "staying with the source of an earlier run"
	fi
	DEB=$(newest_deb)
}

# Sets KIND (deb, tar or dir), STAMP (identifies the source that a tree was unpacked from),
# KEY and BASE (name and folder of all that belongs to this source and clone) and TREE.
choose_source() {
	local name
	if [ -z "${KERNEL_SRC:-}" ]; then
		check_series
		choose_deb
		KIND=deb STAMP=$(basename "$DEB") name=${STAMP#"$PACKAGE"_}
		name=${name%%-*}
	else
		SRC=$(realpath -e -- "$KERNEL_SRC") || die "KERNEL_SRC=$KERNEL_SRC: no such file or folder"
		KIND=tar STAMP=$(stat -c '%n %s %y' "$SRC") name=own-$(short_hash "$SRC")
		[ ! -d "$SRC" ] || KIND=dir STAMP=$SRC
	fi
	KEY=$name-$(clone_hash)
	[ "${FRAGBED_NO_SERIES:-}" != 1 ] || KEY=$KEY-mainline
	BASE=$CACHE/trees/$KEY
	TREE=$BASE/linux
}

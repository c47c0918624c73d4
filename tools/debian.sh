# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced by the tools that download from Debian: the machine's mirrors, other releases.

KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

apt_repositories() {
	# shellcheck disable=SC2016  # apt fills these in
	apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages'
}

# The machine's mirrors: those without and those of security updates, which have no backports.
apt_mirrors() { apt_repositories | grep -v security | cut -d' ' -f1 | sort -u; }
apt_security_mirrors() { apt_repositories | { grep security || :; } | cut -d' ' -f1 | sort -u; }

# write_apt_root DIR "deb|deb-src MIRROR SUITE"...: makes a separate apt root, so that the
# machine's sources, lists and cache do not change.
write_apt_root() {
	local root=$1 kind mirror suite source
	mkdir -p "$root/lists/partial" "$root/cache/archives/partial"
	for source in "${@:2}"; do
		read -r kind mirror suite <<<"$source"
		printf '%s [signed-by=%s] %s %s main\n' "$kind" "$KEYRING" "$mirror" "$suite"
	done >"$root/sources.list"
	cat >"$root/apt.conf" <<-CONF
		Dir::Etc::sourcelist "$root/sources.list";
		Dir::Etc::sourceparts "-";
		Dir::State::Lists "$root/lists";
		Dir::Cache "$root/cache";
		Acquire::Languages "none";
		Acquire::Retries "3";
		APT::Sandbox::User "$(id -un)";
		#clear APT::Update::Pre-Invoke;
		#clear APT::Update::Post-Invoke;
		#clear APT::Update::Post-Invoke-Success;
	CONF
}

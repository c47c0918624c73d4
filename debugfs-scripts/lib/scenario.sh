# shellcheck shell=sh source-path=SCRIPTDIR source-path=SCRIPTDIR/../../lib
# SPDX-License-Identifier: GPL-2.0
#
# What the guest.sh of each scenario sources: lib.sh, and the scenario's parameters. A
# parameter NAME of scenario.toml is $FRAGBED_JOB_NAME, with its default if it is not set.
#
#   scenario_meta     lines "name value": the scenario, its parameters, the kernel, caps

# shellcheck source=lib.sh
. "$(dirname "$0")/../../lib/lib.sh"

scenario_folder=$(cd "$(dirname "$0")" && pwd)

# Of the section [parameters], whose lines are NAME = { default = VALUE, meaning = "..." }:
# a line "NAME VALUE" each.
scenario_parameters() {
	sed -n '/^\[parameters\]/,$s/^\([A-Z_]*\) = { default = "\{0,1\}\([^",]*\)"\{0,1\}, .*/\1 \2/p' \
		"$scenario_folder/scenario.toml"
}

# Values are numbers or words without blanks.
while read -r lib_name lib_value; do
	[ -z "$lib_name" ] || eval "export FRAGBED_JOB_$lib_name=\${FRAGBED_JOB_$lib_name:-$lib_value}"
done <<END
$(scenario_parameters)
END

scenario_meta() {
	echo "scenario $(basename "$scenario_folder")"
	echo "fragbed $(fact version fragbed)"
	echo "kernel $(uname -r)"
	echo "kernel_build $(uname -v)"
	echo "cmdline $(cat /proc/cmdline)"
	scenario_parameters | while read -r lib_name _; do
		eval "echo \"$(echo "$lib_name" | tr '[:upper:]' '[:lower:]') \$FRAGBED_JOB_$lib_name\""
	done
	cat "$FRAGBED_DIR/caps"
}

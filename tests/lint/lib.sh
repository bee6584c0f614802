# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# lib - what the house rules share. A rule is a script beside this file that
# starts with
#
#     . "${0%/*}/lib.sh"
#
# reports each offence with `offend`, and ends with `verdict`. It runs at the
# top of the source tree, and never writes there.

set -eu
cd "${top_srcdir:-${0%/*}/../..}"

LC_ALL=C.UTF-8
export LC_ALL

# Scratch space that goes with the script.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM

: >"$scratch/offences"

# offend TEXT...: one rule is broken, here is where and how.
offend() {
	printf '%s\n' "$*" | tee -a "$scratch/offences"
}

# offend_lines: every line of standard input is an offence.
offend_lines() {
	tee -a "$scratch/offences"
}

# need TOOL: skip the script, by name, where the tool is not installed.
need() {
	command -v "$1" >/dev/null 2>&1 && return
	echo "SKIP: $1 is not installed"
	exit 77
}

# verdict: pass, or fail with the number of offences. A rule that looked at
# nothing has not been checked: say how many things it saw.
verdict() {
	offences=$(wc -l <"$scratch/offences")
	echo "$1 looked at, $offences offences"
	[ "${1%% *}" -gt 0 ] && [ "$offences" -eq 0 ]
}

# c_files: our C, one file a line.
c_files() {
	find src tests bench -type f -name '*.[ch]' | sort
}

# our_files: every text file that we wrote, one a line.
our_files() {
	find src tests bench tools man etc doc debian .ci -type f \
	    ! -name '*.pyc' ! -name '*.o' ! -path '*/corpus/*' \
	    ! -path '*/__pycache__/*' ! -path '*/.*/*' \
	    ! -name '*.png' ! -name '*.svg' ! -name .dirstamp 2>/dev/null |
	    sort
	find . -maxdepth 1 -type f \( -name README -o -name NEWS \
	    -o -name HACKING -o -name configure.ac -o -name Makefile.am \
	    -o -name autogen.sh -o -name bootstrap \) | sort
}

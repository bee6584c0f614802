#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# coverage - which lines of src/mqtt and src/topic, where every byte that a
# peer sends is first looked at, do their unit tests and the fuzz corpus take?
#
#   make coverage        or        tests/coverage.sh FOLDER
#
# Builds with gcc in FOLDER, a tree of its own, prints each file with the lines
# that nothing took, and fails where those are more than 5 %.
set -eu

layers='mqtt topic'
fuzz='fuzz_filter fuzz_framer fuzz_packet fuzz_property fuzz_subject'
tests="test_mqtt test_topic $fuzz"
least=95

top=$(cd "${0%/*}/.." && pwd)
folder=${1:?folder}

mkdir -p "$folder"
cd "$folder"
[ -e Makefile ] || "$top/configure" -q CC="${COVERAGE_CC:-gcc}" \
    CFLAGS='-O0 -g --coverage'
find . -name '*.gcda' -exec rm -f {} +
make -s -j"$(getconf _NPROCESSORS_ONLN)" check TESTS="$tests" \
    check_PROGRAMS="$tests" >check.log 2>&1 || {
	cat check.log
	exit 1
}

# measure LAYER FILE: one line, then the lines that were not taken.
measure() {
	gcov --stdout -o "src/$1/${2%.c}.o" "$top/src/$1/$2" | awk \
	    -v name="src/$1/$2" -v least="$least" '
	/^ *-: *0:Source:/ { ours = $0 ~ name "$" }
	!ours { next }
	/^ *[0-9]+\*?:/ { taken++; n++ }
	/^ *[#=]+:/ { n++; split($0, part, ":"); missed[++m] = part[2] + 0 }
	END {
		if (n == 0)
			exit 1
		printf "%-26s %4d of %4d lines %5.1f %%", name, taken, n,
		    100 * taken / n
		for (i = 1; i <= m; i++)
			printf "%s%d", i == 1 ? "  not " : ", ", missed[i]
		print ""
		exit 100 * taken < least * n
	}'
}

failed=0
for layer in $layers; do
	for file in "$top/src/$layer"/*.c; do
		measure "$layer" "${file##*/}" || failed=$((failed + 1))
	done
done
[ "$failed" -eq 0 ] || {
	echo "$failed files have less than $least %" >&2
	exit 1
}

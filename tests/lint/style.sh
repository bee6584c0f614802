#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# style - the small rules of HACKING that a grep can check: licence lines,
# no unbounded calls, no sleeping tests, no promises without an issue.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"

our_files | grep -v '^tests/lint/style\.sh$' >"$scratch/files"

# forbid WHY PATTERN [GREP OPTION...]: no line of the files on standard input
# matches.
forbid() {
	why=$1 pattern=$2
	shift 2
	xargs -r grep -nEH "$@" -e "$pattern" >"$scratch/found" || :
	awk -v why="$why" '{ print $0 "   <- " why }' "$scratch/found" |
	    offend_lines
}

grep -E '\.([ch]|tbl|sh|py|ac|am)$|/run$|^\./bootstrap$' \
    "$scratch/files" >"$scratch/sources"
while read -r file; do
	head -n 3 "$file" | grep -q 'SPDX-License-Identifier: Apache-2\.0' ||
	    offend "$file: no SPDX line at its beginning"
done <"$scratch/sources"

c_files | grep '\.h$' | while read -r file; do
	grep -q '^#pragma once$' "$file" || echo "$file: no #pragma once"
done | offend_lines

c_files | forbid 'unbounded or unsafe, use what base/ has' \
    '(^|[^[:alnum:]_])(strcpy|strcat|sprintf|vsprintf|gets|alloca|strtok|atoi|atol)[[:space:]]*\('
c_files | forbid '// comments are not ours' '^[[:space:]]*//'
grep '^src/.*\.[ch]$' "$scratch/files" |
    forbid 'a mark in the code needs an issue number, as in (#12)' \
    '(TODO|FIXME|XXX)($|[^(#]|\([^#])'
grep -vE '^src/|^\./HACKING$' "$scratch/files" |
    forbid 'needs an issue number, as in (#12)' \
    '(TODO|FIXME)($|[^(#]|\([^#])'

# A test waits for a condition. The loops that look for one again and again
# are in the library of the conversations; one elsewhere says "poll".
grep '^tests/' "$scratch/files" | grep -E '\.([ch]|py|sh)$' |
    grep -v '^tests/conversation/conversation/' |
    xargs -r grep -nEH '(^|[^[:alnum:]_])(u|nano)?sleep([[:space:]]*\(| +[0-9])' |
    grep -vE 'poll|sleep\(0\)' | sed 's/$/   <- wait for a condition/' | offend_lines

forbid 'blanks at the end of the line' '[[:blank:]]$' <"$scratch/files"
forbid 'a path of one machine' '(^|[^[:alnum:]_])/(home|root)/' -I <"$scratch/files"

# 80 columns, tabs of 8.
c_files | while read -r file; do
	expand "$file" | awk -v f="$file" 'length > 80 {
		print f ":" NR ": " length " columns" }'
done | offend_lines

verdict "$(wc -l <"$scratch/files") files"

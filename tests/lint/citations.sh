#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# citations - which normative statements of MQTT does the code cite, and which
# are named in a test?
#
# The form is "v5 [MQTT-3.3.1-4]" or "v3.1.1 [MQTT-3.3.1-4]" in a comment;
# several numbers may follow one version, and two versions may share a number
# ("v3.1.1 and v5 [MQTT-4.7.3-1]"). statements-*.txt list what a Server has to do
# with; doc/conformance.md says why some need no citation. One that stands in
# neither place is an offence, as is a number that does not exist, or comes
# without its version in src/.
#
# CITATIONS=full lists the excused ones as well.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"

# cited DIRECTORY: "version number file:line" for each citation. Versions are
# remembered to the end of the comment or, in other text, of the line.
cited() {
	# shellcheck disable=SC2016 # awk's $0
	find "$1" -type f \( -name '*.[ch]' -o -name '*.tbl' -o -name '*.py' \) \
	    ! -path '*/lint/*' | sort | xargs -r awk '
	function forget() { n = 0; used = 0 }
	FNR == 1 { forget() }
	{
		line = $0
		comment = line ~ /^[ \t]*\*/ || line ~ /\/\*/
		while (match(line, /v5|v3\.1\.1|\[MQTT-[0-9.]+-[0-9]+\]|\*\//)) {
			word = substr(line, RSTART, RLENGTH)
			between = substr(line, 1, RSTART - 1)
			line = substr(line, RSTART + RLENGTH)
			if (word == "*/") {
				forget()
			} else if (word ~ /^v/) {
				if (used || between !~ /^[ \t]*(and )?$/)
					forget()
				versions[++n] = word
			} else {
				number = substr(word, 2, length(word) - 2)
				for (i = 1; i <= n; i++)
					print versions[i], number, FILENAME ":" FNR
				if (n == 0)
					print "-", number, FILENAME ":" FNR
				used = 1
			}
		}
		if (!comment)
			forget()
	}'
}

# numbers VERSION: what stands in the list of that version.
numbers() {
	case $1 in
	v5) grep '^MQTT' tests/lint/statements-5.0.txt ;;
	v3.1.1) grep '^MQTT' tests/lint/statements-3.1.1.txt ;;
	-) numbers v5; numbers v3.1.1 ;;
	esac | sort -u
}

# excused: "version number" for each that doc/conformance.md gives a reason for.
excused() {
	awk '/^- v/ { v = $2; for (i = 3; i <= NF && $i ~ /^\[MQTT/; i++)
		print v, substr($i, 2, index($i, "]") - 2) }' doc/conformance.md
}

excused >"$scratch/excused"
cited src >"$scratch/src"
cited tests >"$scratch/tests"

grep '^- ' "$scratch/src" | sed 's/^- //; s/$/: which version?/' | offend_lines
for version in v5 v3.1.1 -; do
	numbers "$version" >"$scratch/known"
	cat "$scratch/src" "$scratch/tests" |
	    awk -v v="$version" '$1 == v' |
	    awk 'NR == FNR { known[$1]; next } !($2 in known) {
		print $3 ": " $1 " [" $2 "] is no statement about a Server"
	    }' "$scratch/known" - | offend_lines
done

for version in v3.1.1 v5; do
	numbers "$version" >"$scratch/known"
	for where in src tests; do
		awk -v v="$version" '$1 == v { print $2 }' "$scratch/$where" |
		    sort -u | comm -12 - "$scratch/known" >"$scratch/in-$where"
	done
	echo "$version: $(wc -l <"$scratch/known") statements," \
	    "$(wc -l <"$scratch/in-src") cited in src/," \
	    "$(wc -l <"$scratch/in-tests") named in tests/"
	awk -v v="$version" '$1 == v { print $2 }' "$scratch/excused" |
	    sort -u >"$scratch/reasons"
	for where in src tests; do
		comm -23 "$scratch/known" "$scratch/in-$where" |
		    comm -23 - "$scratch/reasons" |
		    sed "s|.*|$version [&] is cited nowhere in $where/|" |
		    offend_lines
	done
	[ "${CITATIONS:-}" = full ] || continue
	comm -23 "$scratch/known" "$scratch/in-src" | sed 's/^/  not in src: /'
	comm -23 "$scratch/known" "$scratch/in-tests" |
	    sed 's/^/  not in tests: /'
done

verdict "$(cat "$scratch/src" "$scratch/tests" | wc -l) citations"

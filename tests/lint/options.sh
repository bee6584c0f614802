#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# options - every key of option.tbl stands in mqtt-nats.ini(5) and in the
# sample file, in the same section and with the same default; the sample also
# explains it in the words of the table. Neither knows a key of its own.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"

table=src/daemon/option.tbl
sample=etc/mqtt-nats.ini
page=man/mqtt-nats.ini.5

# The table, as the compiler sees it: "SECTION KEY = DEFAULT<TAB>HELP".
{
	echo '#define OPTION(s, k, m, t, d, a, h) @s@k@d@h@'
	cat "$table"
} | "${CC:-cc}" -E -P -x c - | tr '\n' ' ' | awk '
	BEGIN { RS = "@ *@|@ *$"; FS = "@" }
	NF >= 4 {
		sub(/^@/, "")
		for (i = 3; i <= 4; i++) {
			gsub(/" +"/, "", $i)
			gsub(/^ *"|" *$/, "", $i)
		}
		print $1 " " $2 " =" ($3 == "" ? "" : " ") $3 "\t" $4
	}' | sort >"$scratch/table"

# The sample: a key is a comment without a blank, its explanation one with.
awk '
	/^\[/ { gsub(/[][]/, ""); section = $1; help = ""; next }
	section == "ack" { next }
	/^;[a-z0-9_]+ =/ {
		print section " " substr($0, 2) "\t" help
		help = ""
		next
	}
	/^; / { help = help (help == "" ? "" : " ") substr($0, 3); next }
	/^$/ { help = ""; next }
	/^;$/ { next }
	{ print "unexpected: " $0 "\t" }
' "$sample" | sort >"$scratch/sample"

# The manual page: ".Ss [SECTION]" and ".It Ic KEY = Cm DEFAULT".
awk '
	/^\.Ss / { section = $2; gsub(/[][]/, "", section) }
	/^\.It Ic / {
		sub(/^\.It Ic /, "")
		sub(/ = Cm /, " = ")
		print section " " $0
	}
' "$page" | sort >"$scratch/page"

cut -f 1 "$scratch/table" >"$scratch/keys"

# compare FILE WANTED GOT: a line that only one of them has is an offence.
compare() {
	comm -23 "$2" "$3" | sed "s|^|$1: is not there: |" | offend_lines
	comm -13 "$2" "$3" | sed "s|^|$1: is not in $table: |" | offend_lines
}

compare "$sample" "$scratch/table" "$scratch/sample"
compare "$page" "$scratch/keys" "$scratch/page"

verdict "$(wc -l <"$scratch/keys") keys"

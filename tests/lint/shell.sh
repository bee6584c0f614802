#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# shell - every shell script is clean for shellcheck.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"

need shellcheck
our_files | while read -r file; do
	case $(head -n 1 "$file" | tr -d '\000') in
	'#!/bin/sh'* | '#!'*[/\ ]bash*) echo "$file" ;;
	*) case $file in *.sh) echo "$file" ;; esac ;;
	esac
done >"$scratch/scripts"
xargs shellcheck -x -f gcc <"$scratch/scripts" >"$scratch/out" || :
offend_lines <"$scratch/out"

verdict "$(wc -l <"$scratch/scripts") scripts"

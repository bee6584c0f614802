#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# man - manual pages are right for every reader of mdoc, not just for ours.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"

need mandoc
find man -name '*.[1-9]' | sort >"$scratch/pages"
xargs -r mandoc -Tlint -Wwarning <"$scratch/pages" >"$scratch/out" 2>&1 || :
offend_lines <"$scratch/out"

verdict "$(wc -l <"$scratch/pages") pages"

#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# spell - common misspellings, by codespell; spell-ignore.txt lists the words
# that it takes for some.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"

need codespell
our_files | grep -v '^tests/lint/spell-ignore\.txt$' >"$scratch/files"
xargs codespell -I tests/lint/spell-ignore.txt <"$scratch/files" \
    >"$scratch/out" 2>&1 || :
offend_lines <"$scratch/out"

verdict "$(wc -l <"$scratch/files") files"

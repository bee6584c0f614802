#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# format - clang-format settles the layout of C.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"

need clang-format
# Versions disagree about details; .clang-format is written for this one.
case $(clang-format --version) in
*'version 14.'*) ;;
*)
	echo "SKIP: $(clang-format --version), version 14 is wanted"
	exit 77 ;;
esac

c_files >"$scratch/files"
xargs clang-format --dry-run -Werror <"$scratch/files" 2>"$scratch/out" || :
grep -E '(error|warning):' "$scratch/out" | offend_lines

verdict "$(wc -l <"$scratch/files") files"

#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# layers - an #include points down only, and each header compiles alone.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"

layers='base mqtt topic auth store nats broker net daemon'

# Which layers may FILE of LAYER include? Itself and those before it.
check_file() {
	file=$1 layer=$2 allowed=
	for l in $layers; do
		allowed="$allowed $l"
		[ "$l" = "$layer" ] && break
	done
	sed -n 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*"\([^"]*\)".*/\1/p' \
	    "$file" >"$scratch/includes"
	while read -r included; do
		case $included in
		*/../* | ../* | ./*)
			offend "$file: \"$included\": name it from src/" ;;
		config.h | fake/*) ;;
		*/*)
			case " $allowed " in
			*" ${included%%/*} "*) ;;
			*) offend "$file: \"$included\" is above $layer" ;;
			esac ;;
		*)
			case $file in
			src/*) offend "$file: \"$included\": name it from src/" ;;
			esac ;;
		esac
	done <"$scratch/includes"
	if [ "$layer" != nats ] && grep -Hn '#[[:space:]]*include[[:space:]]*<nats/' \
	    "$file" >"$scratch/cnats"; then
		offend_lines <"$scratch/cnats"
	fi
}

for layer in $layers; do
	find "src/$layer" "tests/$layer" -name '*.[ch]' -o -name '*.tbl' \
	    >"$scratch/files"
	while read -r file; do
		check_file "$file" "$layer"
	done <"$scratch/files"
done

# A header is the manual, so it must make sense by itself; twice, because
# `#pragma once` is part of that.
find src -name '*.h' | sort >"$scratch/headers"
cflags=$(pkg-config --cflags libevent_core libnats inih openssl jansson \
    libgsasl \
    2>/dev/null || :)
for cc in gcc clang; do
	command -v "$cc" >/dev/null 2>&1 || {
		echo "$cc is not installed: headers not tried with it"
		continue
	}
	while read -r header; do
		header=${header#src/}
		# shellcheck disable=SC2086 # flags are words
		printf '#include "%s"\n#include "%s"\n' "$header" "$header" |
		    "$cc" -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror \
		    -Isrc $cflags -fsyntax-only -x c - 2>"$scratch/cc" || {
			cat "$scratch/cc"
			offend "src/$header does not compile alone with $cc"
		}
	done <"$scratch/headers"
done

verdict "$(c_files | wc -l) files"

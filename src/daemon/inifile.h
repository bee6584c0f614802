/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inifile - the text of an ini file as a list of sections and keys.
 *
 *   ; comment, or # comment
 *   [SECTION]
 *   KEY = VALUE    ; comment behind a blank and a semicolon
 *
 * What belongs to what is decided here; what it means is not. inih does the
 * cutting. Its silent habits (long lines and names are shortened, bad lines
 * skipped, indented ones taken for the continuation of a value) are kept away
 * from our users by checking every line before inih gets it.
 */
#pragma once

#include <stddef.h>

#include "base/slice.h"

struct inifile_entry {
	unsigned line;
	char *section;
	char *key; /* NULL: the line of the section itself */
	char *value;
	const char *wrong; /* if not NULL, this is wrong with the line, and
	                    * nothing else is set */
};

struct inifile {
	struct inifile_entry *entries;
	size_t n;
};

/*
 * Cut up `text`. In the section `rows` (may be NULL) lines are cut at their
 * last `=` and not at the first. Keys of a section whose own line is wrong
 * are left out.
 */
void inifile_parse(struct inifile *f, struct slice text, const char *rows);

/* Wipes, since values may be secret. */
void inifile_fini(struct inifile *f);

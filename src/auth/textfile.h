/* SPDX-License-Identifier: Apache-2.0 */
/*
 * textfile - a file of ours, read as a whole and wiped when it was looked at,
 * because it may hold secrets.
 */
#pragma once

#include "base/attr.h"
#include "base/slice.h"

/* The whole file; false and errno when it is none, or too large. */
bool textfile_read(const char *path, struct slice *out) MUST_CHECK;
/* Wipe and free it. */
void textfile_free(struct slice *text);

/* Take the next line, without its end, off the front; false at the end. */
bool textfile_next_line(struct slice *rest, struct slice *line);

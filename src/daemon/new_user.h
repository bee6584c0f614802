/* SPDX-License-Identifier: Apache-2.0 */
/* new_user - a line for the password file, made of a name and a password. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "base/attr.h"

/*
 * Read the password from `in`, up to the end of its first line, and print the
 * line that serves SCRAM-SHA-256; at a terminal it is asked for without
 * showing it. False: what is wrong is on `err`.
 */
bool new_user_print(const char *name, FILE *in, FILE *out,
    FILE *err) MUST_CHECK;

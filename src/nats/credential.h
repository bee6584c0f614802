/* SPDX-License-Identifier: Apache-2.0 */
/*
 * credential - what is said to NATS about who we are, made safe to say, and
 * what is said to people about NATS, made safe to read. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * As the inside of a JSON string, on the heap: cnats puts user, password,
 * token and name into its CONNECT as they stand.
 */
char *credential_escape(const char *text);
/* Overwrite and free a string; NULL is fine. */
void credential_wipe(char **text);
/* Overwrite `size` bytes so that the compiler cannot leave it out. */
void credential_cleanse(void *p, size_t size);

/*
 * The servers in a comma separated list, one heap string each, NULL at the
 * end; free with credential_free_urls. With `bare`, user and password or
 * token in the URLs are left out.
 */
char **credential_urls(const char *list, bool bare);
void credential_free_urls(char ***urls);
/* The URL without user and password or token, on the heap. */
char *credential_bare_url(const char *url);

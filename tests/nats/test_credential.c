/* SPDX-License-Identifier: Apache-2.0 */
#include "nats/credential.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <jansson.h>

static const struct {
	const char *text;
	const char *escaped;
} ESCAPED[] = {
	{ "", "" },
	{ "plain", "plain" },
	{ "q\"x", "q\\\"x" },
	{ "back\\slash", "back\\\\slash" },
	{ "a\r\nPUB x 1", "a\\u000d\\u000aPUB x 1" },
	{ "\x01\x1f\x7f", "\\u0001\\u001f\\u007f" },
	{ "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" },
};

Test(credential, is_escaped_for_json)
{
	for (size_t i = 0; i < sizeof(ESCAPED) / sizeof(ESCAPED[0]); i++) {
		char *out = credential_escape(ESCAPED[i].text);

		cr_expect_str_eq(out, ESCAPED[i].escaped);
		credential_wipe(&out);
		cr_expect_null(out);
	}
}

Test(credential, comes_back_from_json_as_it_was)
{
	char text[256] = "", *escaped;
	char json[2048];
	json_t *root;

	for (int c = 1; c < 128; c++)
		text[c - 1] = (char)c;
	escaped = credential_escape(text);
	snprintf(json, sizeof(json), "[\"%s\"]", escaped);
	root = json_loads(json, 0, NULL);
	cr_assert_not_null(root);
	cr_expect_str_eq(json_string_value(json_array_get(root, 0)), text);
	json_decref(root);
	free(escaped);
}

static const struct {
	const char *list;
	bool bare;
	const char *want[4];
} LISTS[] = {
	{ "nats://a:1", false, { "nats://a:1" } },
	{ " nats://a:1 ,\tnats://b:2,, ", false,
	    { "nats://a:1", "nats://b:2" } },
	{ "a:1,u:p@b:2", false, { "a:1", "u:p@b:2" } },
	{ "nats://u:p@a:1,tls://t@b:2", true, { "nats://a:1", "tls://b:2" } },
	{ "u:p@ss@b:2", true, { "b:2" } },
	{ "", false, { NULL } },
};

Test(credential, is_left_out_of_bare_urls)
{
	for (size_t i = 0; i < sizeof(LISTS) / sizeof(LISTS[0]); i++) {
		char **urls = credential_urls(LISTS[i].list, LISTS[i].bare);
		size_t n = 0;

		for (; urls[n] != NULL && LISTS[i].want[n] != NULL; n++)
			cr_expect_str_eq(urls[n], LISTS[i].want[n]);
		cr_expect(urls[n] == NULL && LISTS[i].want[n] == NULL, "%s",
		    LISTS[i].list);
		credential_free_urls(&urls);
	}
}

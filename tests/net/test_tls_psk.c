/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tls_psk.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

static struct tls_psk *
parse_good(struct slice text)
{
	struct buf why = { 0 };
	unsigned line = 0;
	struct tls_psk *p = tls_psk_parse(text, &line, &why);

	cr_assert_not_null(p, "line %u: %.*s", line,
	    SLICE_ARG(buf_slice(&why)));
	cr_expect_eq(buf_len(&why), 0);
	cr_expect_eq(line, 0);
	return p;
}

static void
expect_bad(struct slice text, unsigned expected_line, const char *expected)
{
	struct buf why = { 0 };
	unsigned line = 0;
	struct tls_psk *p = tls_psk_parse(text, &line, &why);

	cr_expect_null(p, "%.*s", SLICE_ARG(text));
	cr_expect_eq(line, expected_line, "%.*s: %u", SLICE_ARG(text), line);
	cr_expect(slice_eq(buf_slice(&why), slice_str(expected)), "%.*s: %.*s",
	    SLICE_ARG(text), SLICE_ARG(buf_slice(&why)));
	buf_fini(&why);
	tls_psk_free(&p);
}

static void
expect_key(const struct tls_psk *p, const char *name, struct slice key)
{
	cr_expect(slice_eq(tls_psk_find(p, name), key), "%s", name);
}

Test(tls_psk, each_name_has_its_key)
{
	struct tls_psk *p = parse_good(SLICE("# who may come\n"
					     "pump:00ff10\n"
					     "\n"
					     "a:b:c:AbCd\r\n"
					     "Pump:01\n"
					     "gr\xc3\xbc\xc3\x9f:7e\n"
					     " x :09\n"
					     "last:deadBEEF"));

	expect_key(p, "pump", SLICE("\x00\xff\x10"));
	expect_key(p, "Pump", SLICE("\x01"));
	/* A key has no colon, a name may. */
	expect_key(p, "a:b:c", SLICE("\xab\xcd"));
	expect_key(p, "gr\xc3\xbc\xc3\x9f", SLICE("\x7e"));
	expect_key(p, " x ", SLICE("\x09"));
	expect_key(p, "last", SLICE("\xde\xad\xbe\xef"));
	tls_psk_free(&p);
	cr_expect_null(p);
	tls_psk_free(&p);
}

Test(tls_psk, others_have_none)
{
	static const char *const others[] = { "", "pum", "pumps", "PUMP", "# a",
		"a", "pump:00" };
	struct tls_psk *p = parse_good(SLICE("pump:00\n# a:01\n"));

	for (size_t i = 0; i < countof(others); i++)
		cr_expect_eq(tls_psk_find(p, others[i]).len, 0, "%s",
		    others[i]);
	tls_psk_free(&p);
}

Test(tls_psk, a_file_may_hold_no_key)
{
	static const char *const texts[] = { "", "\n", "# pump:00\n" };

	for (size_t i = 0; i < countof(texts); i++) {
		struct tls_psk *p = parse_good(slice_str(texts[i]));

		cr_expect_eq(tls_psk_find(p, "pump").len, 0);
		tls_psk_free(&p);
	}
}

Test(tls_psk, names_and_keys_have_a_longest)
{
	char name[TLS_PSK_NAME_MAX + 2], hex[2 * TLS_PSK_KEY_MAX + 3];
	struct buf text = { 0 };
	struct tls_psk *p;

	memset(name, 'n', sizeof(name));
	memset(hex, 'f', sizeof(hex));
	name[TLS_PSK_NAME_MAX] = '\0';
	hex[2 * TLS_PSK_KEY_MAX] = '\0';
	buf_printf(&text, "%s:%s", name, hex);
	p = parse_good(buf_slice(&text));
	cr_expect_eq(tls_psk_find(p, name).len, TLS_PSK_KEY_MAX);
	cr_expect_eq(tls_psk_find(p, name).ptr[TLS_PSK_KEY_MAX - 1], 0xff);
	tls_psk_free(&p);

	buf_fini(&text);
	text = (struct buf){ 0 };
	buf_printf(&text, "n%s:00", name);
	expect_bad(buf_slice(&text), 1, "a name has 1 to 128 bytes of UTF-8");
	buf_fini(&text);
	text = (struct buf){ 0 };
	buf_printf(&text, "n:ff%s", hex);
	expect_bad(buf_slice(&text), 1,
	    "a key has 2 to 1024 hexadecimal digits, an even number");
	buf_fini(&text);
}

Test(tls_psk, what_is_wrong_is_told_with_its_line)
{
#define NAME  "a name has 1 to 128 bytes of UTF-8"
#define COUNT "a key has 2 to 1024 hexadecimal digits, an even number"
#define HEX   "a key has hexadecimal digits"
	static const struct {
		struct slice text;
		unsigned line;
		const char *why;
	} cases[] = {
		{ SLICE("pump"), 1, "expected NAME:KEY" },
		{ SLICE("# a\n\npump\nb"), 3, "expected NAME:KEY" },
		{ SLICE(" # a\n"), 1, "expected NAME:KEY" },
		{ SLICE(":00"), 1, NAME },
		{ SLICE("a\xff:00"), 1, NAME },
		{ SLICE("a\0b:00"), 1, NAME },
		{ SLICE("a:00\nb:"), 2, COUNT },
		{ SLICE("a:0"), 1, COUNT },
		{ SLICE("a:000"), 1, COUNT },
		{ SLICE("a:0g"), 1, HEX },
		{ SLICE("a:g0"), 1, HEX },
		{ SLICE("a:0x"), 1, HEX },
		{ SLICE("a:/0"), 1, HEX },
		{ SLICE("a:0@"), 1, HEX },
		{ SLICE("a:`0"), 1, HEX },
		{ SLICE("a:\x10\x11"), 1, HEX }, /* as digits, but for a bit */
		{ SLICE("a: 00 "), 1, HEX },
		{ SLICE("a:00\nb:0g\nc:00\n"), 2, HEX },
	};

	for (size_t i = 0; i < countof(cases); i++)
		expect_bad(cases[i].text, cases[i].line, cases[i].why);
}

/* Which of two keys counts must not depend on their order. */
Test(tls_psk, a_name_stands_once)
{
	static const char why[] = "this name stands here already";

	expect_bad(SLICE("a:00\na:00\n"), 2, why);
	expect_bad(SLICE("b:00\n# b\na:00\nb:01\nc:00\n"), 4, why);
}

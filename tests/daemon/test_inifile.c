/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/inifile.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/buf.h"
#include "base/xalloc.h"

/* The entries as "LINE|SECTION|KEY|VALUE" lines, or "LINE!WRONG". */
static char *
parsed(struct slice text, const char *rows)
{
	struct inifile f;
	struct buf b = { 0 };
	char *s;

	inifile_parse(&f, text, rows);
	for (size_t i = 0; i < f.n; i++) {
		const struct inifile_entry *e = &f.entries[i];

		if (e->wrong != NULL)
			buf_printf(&b, "%u!%s\n", e->line, e->wrong);
		else if (e->key == NULL)
			buf_printf(&b, "%u|%s\n", e->line, e->section);
		else
			buf_printf(&b, "%u|%s|%s|%s\n", e->line, e->section,
			    e->key, e->value);
	}
	inifile_fini(&f);
	s = xmemdup0(buf_ptr(&b), buf_len(&b));
	buf_fini(&b);
	return s;
}

static void
expect(const char *text, const char *entries)
{
	char *s = parsed(slice_str(text), "rows");

	cr_expect_str_eq(s, entries, "%s", text);
	free(s);
}

Test(inifile, sections_and_keys_have_their_line)
{
	expect("[a]\nx = 1\n\n[b]\ny=2\n", "1|a\n2|a|x|1\n4|b\n5|b|y|2\n");
	expect("", "");
	expect("[a]", "1|a\n");
	expect("[a]\nx =", "1|a\n2|a|x|\n");
}

Test(inifile, a_section_needs_no_keys)
{
	expect("[a]\n[b x]\n", "1|a\n2|b x\n");
}

Test(inifile, blanks_around_do_not_count)
{
	expect("  [ a ]  \n\tx  =  1 2  \n", "1|a\n2|a|x|1 2\n");
	expect("[a]\r\nx = 1\r\n", "1|a\n2|a|x|1\n");
}

Test(inifile, an_indented_key_is_a_key)
{
	expect("[a]\nx = 1\n    y = 2\n", "1|a\n2|a|x|1\n3|a|y|2\n");
}

Test(inifile, a_byte_order_mark_is_skipped)
{
	expect("\xef\xbb\xbf[a]\nx=1\n", "1|a\n2|a|x|1\n");
}

Test(inifile, comments_are_left_out)
{
	expect("; x\n# y\n[a] ; z\n  ; x = 1\n#y = 2\n", "3|a\n");
	expect("[a]\nx = 1 ; one\ny = ;\n", "1|a\n2|a|x|1\n3|a|y|\n");
	expect("# \xff\n", "");
}

Test(inifile, a_semicolon_without_a_blank_belongs_to_the_value)
{
	expect("[a]\nx = p;q\ny=;r\n", "1|a\n2|a|x|p;q\n3|a|y|;r\n");
}

Test(inifile, a_hash_behind_a_value_belongs_to_it)
{
	expect("[a]\nx = a # b\n", "1|a\n2|a|x|a # b\n");
}

Test(inifile, the_first_equals_sign_counts)
{
	expect("[a]\nx = b=c:d\n", "1|a\n2|a|x|b=c:d\n");
}

Test(inifile, in_rows_the_last_equals_sign_counts)
{
	expect("[rows]\nu:v=w/# = x ; y = z\n", "1|rows\n2|rows|u:v=w/#|x\n");
}

Test(inifile, a_colon_does_not_separate)
{
	expect("[a]\nx: 1\n", "1|a\n2!expected KEY = VALUE\n");
}

Test(inifile, wrong_lines_are_told_and_skipped)
{
	expect("[a]\nx\n= 1\ny = 2\n",
	    "1|a\n2!expected KEY = VALUE\n3!expected KEY = VALUE\n"
	    "4|a|y|2\n");
	expect("[a]\nx = \x01\n",
	    "1|a\n2!there is a control character in this line\n");
	expect("[a]\nx = \xc0\x80\n", "1|a\n2!this line is not UTF-8\n");
}

Test(inifile, a_zero_byte_is_wrong)
{
	char *s = parsed(SLICE("[a]\nx = 1\0 2\ny = 3\n"), NULL);

	cr_expect_str_eq(s,
	    "1|a\n2!there is a zero byte in this line\n3|a|y|3\n");
	free(s);
}

Test(inifile, keys_of_a_wrong_section_are_left_out)
{
	expect("[a\nx = 1\n[b]\ny = 2\n", "1!] is missing\n3|b\n4|b|y|2\n");
	expect("[a] b\nx = 1\n", "1!something stands behind ]\n");
}

Test(inifile, a_key_before_the_first_section_is_wrong_once)
{
	expect("x = 1\ny = 2\n[a]\nz = 3\n",
	    "1!expected a [SECTION] first\n3|a\n4|a|z|3\n");
}

/* `n` bytes of value come back whole, or the line is said to be too long. */
static void
expect_long(size_t n, bool is_too_long)
{
	struct buf text = { 0 };
	struct inifile f;

	buf_append_str(&text, "[a]\nkey = ");
	memset(buf_reserve(&text, n), 'v', n);
	buf_commit(&text, n);
	buf_append_str(&text, "\nnext = 1\n");
	inifile_parse(&f, buf_slice(&text), NULL);
	cr_assert_eq(f.n, 3);
	if (is_too_long)
		cr_expect_str_eq(f.entries[1].wrong, "the line is too long");
	else
		cr_expect_eq(strlen(f.entries[1].value), n);
	cr_expect_str_eq(f.entries[2].key, "next");
	inifile_fini(&f);
	buf_fini(&text);
}

Test(inifile, long_lines_are_whole)
{
	expect_long(150, false);
	expect_long(198, false);
	expect_long(200, false);
	expect_long(10000, false);
	expect_long(65000, false);
}

Test(inifile, a_line_is_never_cut)
{
	expect_long(65536, true);
	expect_long(1000000, true);
}

Test(inifile, long_names_are_whole)
{
	struct buf text = { 0 }, entries = { 0 };
	char name[101];

	memset(name, 'n', 100);
	name[100] = '\0';
	buf_printf(&text, "[%s]\n%s = 1\n", name, name);
	buf_append_byte(&text, '\0');
	buf_printf(&entries, "1|%s\n2|%s|%s|1\n", name, name, name);
	buf_append_byte(&entries, '\0');
	expect((const char *)buf_ptr(&text), (const char *)buf_ptr(&entries));
	buf_fini(&text);
	buf_fini(&entries);
}

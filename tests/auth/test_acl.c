/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/acl.h"

#include <stdlib.h>
#include <unistd.h>

#include <criterion/criterion.h>

static const struct mapping nats = { .mode = MAPPING_NATS };

static struct acl *
parse(const char *text)
{
	struct buf why = { 0 };
	unsigned line = 0;
	struct acl *a = acl_parse(slice_str(text), &nats, &line, &why);

	cr_assert_not_null(a, "%u: %.*s", line, SLICE_ARG(buf_slice(&why)));
	buf_fini(&why);
	return a;
}

/* What `user` (NULL: a stranger), as client "dev", may do: "", r, w, rw. */
static const char *
rights(const struct acl *a, const char *user, const char *topic)
{
	static const char *const words[] = { "", "r", "w", "rw" };
	struct acl_client c = { .user = slice_str(user),
		.client_id = SLICE("dev") };

	return words[(acl_allows(a, &c, slice_str(topic), ACL_READ) ? 1 : 0) +
	    (acl_allows(a, &c, slice_str(topic), ACL_WRITE) ? 2 : 0)];
}

static bool
may_subscribe(const struct acl *a, const char *user, const char *filter)
{
	struct acl_client c = { .user = slice_str(user),
		.client_id = SLICE("dev") };

	return acl_allows_filter(a, &c, slice_str(filter));
}

static const char SAMPLE[] = "# strangers\n"
			     "topic read news/#\n"
			     "\n"
			     "user al\n"
			     "topic sensors/+/temp\n"
			     "  topic\t read  $SYS/#\t\r\n"
			     "topic write log\n"
			     "topic readwrite two words\n"
			     "topic read a/#\n"
			     "topic deny a/secret\n"
			     "\n"
			     "user b o\n"
			     "topic #\n"
			     "topic deny a/#\n"
			     "user al\n"
			     "topic read more\n"
			     "\n"
			     "pattern write dev/%c/up\n"
			     "pattern read dev/%u/%c/down\n"
			     "pattern read read\n";

static const struct {
	const char *user;
	const char *topic;
	const char *rights;
} cases[] = {
	{ NULL, "news", "r" },
	{ NULL, "news/today", "r" },
	{ NULL, "log", "" },
	{ NULL, "dev/dev/up", "w" },
	{ NULL, "dev//dev/down", "" },
	{ "al", "news", "" },
	{ "al", "sensors/1/temp", "rw" },
	{ "al", "sensors/temp", "" },
	{ "al", "$SYS/broker", "r" },
	{ "al", "log", "w" },
	{ "al", "two words", "rw" },
	{ "al", "a", "r" },
	{ "al", "a/b", "r" },
	{ "al", "a/secret", "" },
	{ "al", "a/secret/b", "r" },
	{ "al", "more", "r" },
	{ "al", "dev/dev/up", "w" },
	{ "al", "dev/other/up", "" },
	{ "al", "dev/al/dev/down", "r" },
	{ "al", "dev/bo/dev/down", "" },
	{ "al", "read", "r" },
	{ "b o", "x", "rw" },
	{ "b o", "a/b", "" },
	{ "b o", "$SYS/broker", "" },
	{ "b o", "dev/b o/dev/down", "rw" },
	{ "cy", "x", "" },
	{ "cy", "read", "r" },
	{ "", "news", "" },
};

Test(acl, says_who_may_do_what)
{
	struct acl *a = parse(SAMPLE);

	for (size_t i = 0; i < countof(cases); i++)
		cr_expect_str_eq(rights(a, cases[i].user, cases[i].topic),
		    cases[i].rights, "%s %s: %s", cases[i].user, cases[i].topic,
		    rights(a, cases[i].user, cases[i].topic));
	acl_unref(&a);
}

Test(acl, lets_subscribe_where_anything_may_come)
{
	static const struct {
		const char *user;
		const char *filter;
		bool may;
	} filters[] = {
		{ "al", "sensors/+/temp", true },
		{ "al", "sensors/1/temp", true },
		{ "al", "sensors/#", true },
		{ "al", "sensors/1/#", true },
		{ "al", "sensors/1/temp/#", true },
		{ "al", "sensors/1/temp/x/#", false },
		{ "al", "sensors", false },
		{ "al", "sensors/+", false },
		{ "al", "sensors/1/+/x", false },
		{ "al", "#", true },
		{ "al", "+", true }, /* a, more */
		{ "al", "+/+", true },
		{ "al", "log", false }, /* to write only */
		{ "al", "a/secret", false },
		{ "al", "a/+", true },
		{ "al", "$SYS/broker/+", true },
		{ "al", "$SYS/#", true },
		{ "b o", "a/#", false },
		{ "b o", "a/+/c", false },
		{ "b o", "a", false },
		{ "b o", "+/b", true },
		{ "b o", "$SYS/#", false },
		{ "cy", "read/#", true },
		{ "cy", "x", false },
		{ NULL, "news/+", true },
		{ NULL, "+/+/+", true },
		{ NULL, "other/#", false },
	};
	struct acl *a = parse(SAMPLE);

	for (size_t i = 0; i < countof(filters); i++)
		cr_expect_eq(may_subscribe(a, filters[i].user,
				 filters[i].filter),
		    filters[i].may, "%s %s", filters[i].user,
		    filters[i].filter);
	acl_unref(&a);
}

/*
 * Brute force over small filters: what acl_allows_filter says is what the
 * topics say that acl_allows allows.
 */
Test(acl, agrees_about_filters_and_topics)
{
	static const char *const filters[] = { "a", "+", "#", "a/b", "a/+",
		"a/#", "+/b", "+/+", "+/#", "b", "b/#", "a/b/#", "+/b/#", "/",
		"/+", "+/", "a/", "$x", "$x/#", "$x/+" };
	static const char *const topics[] = { "a", "b", "c", "a/b", "a/c",
		"b/b", "c/c", "a/b/c", "a/c/c", "c/b/c", "/", "a/", "/c", "/b",
		"b/", "c/", "$x", "$x/a", "c/c/c" };

	for (size_t i = 0; i < countof(filters); i++) {
		struct buf text = { 0 };
		struct acl *a;

		buf_printf(&text, "topic read %s", filters[i]);
		buf_append_byte(&text, '\0');
		a = parse((const char *)buf_ptr(&text));
		buf_fini(&text);
		for (size_t j = 0; j < countof(filters); j++) {
			struct acl *one;
			bool any = false;

			buf_printf(&text, "topic read %s", filters[j]);
			buf_append_byte(&text, '\0');
			one = parse((const char *)buf_ptr(&text));
			for (size_t k = 0; k < countof(topics); k++)
				any |= *rights(a, NULL, topics[k]) == 'r' &&
				    *rights(one, NULL, topics[k]) == 'r';
			cr_expect_eq(may_subscribe(a, NULL, filters[j]), any,
			    "%s %s", filters[i], filters[j]);
			buf_fini(&text);
			acl_unref(&one);
		}
		acl_unref(&a);
	}
}

Test(acl, knows_the_notation_of_nats)
{
	struct acl *a = parse("subject read sensors.*.temp\n"
			      "user al\n"
			      "subject a.>\n"
			      "subject deny a.b//c\n");

	cr_expect_str_eq(rights(a, NULL, "sensors/1/temp"), "r");
	cr_expect_str_eq(rights(a, "al", "a/b"), "rw");
	cr_expect_str_eq(rights(a, "al", "a/b.c"), "");
	acl_unref(&a);
}

/* CVE-2017-7650 of mosquitto. */
Test(acl, is_not_fooled_by_names_that_are_filters)
{
	static const char *const bad[] = { "+", "#", "a/b", "/", "a+" };
	struct acl *a = parse("topic x\npattern read of/%u/+\n"
			      "pattern write from/%c\n");

	for (size_t i = 0; i < countof(bad); i++) {
		struct acl_client c = { .user = slice_str(bad[i]),
			.client_id = SLICE("dev") };

		cr_expect_not(acl_allows(a, &c, SLICE("of/al/x"), ACL_READ));
		cr_expect_not(acl_allows_filter(a, &c, SLICE("of/#")));
		cr_expect_not(acl_allows(a, &c, SLICE("from/dev"), ACL_WRITE));
		c.user = (struct slice){ 0 };
		cr_expect(acl_allows(a, &c, SLICE("from/dev"), ACL_WRITE));
		c.client_id = slice_str(bad[i]);
		cr_expect_not(acl_allows(a, &c, SLICE("from/dev"), ACL_WRITE));
		cr_expect_not(acl_allows(a, &c, SLICE("x"), ACL_WRITE));
	}
	acl_unref(&a);
}

Test(acl, is_refused_with_the_line_of_the_first_mistake)
{
	static const struct {
		const char *text;
		unsigned line;
		const char *why;
	} bad[] = {
		{ "\ntopic", 2, "not a topic filter" },
		{ "topic a/#/b", 1, "not a topic filter" },
		{ "topic read a+", 1, "not a topic filter" },
		{ "topic $share/g/a", 1, "not a topic filter" },
		{ "topic a\xff", 1, "not a topic filter" },
		{ "pattern", 1, "not a topic filter" },
		{ "user", 1, "user needs a name" },
		{ "topics a", 1,
		    "begins with none of user, topic, subject and pattern" },
		{ "subject a..b", 1,
		    "not a NATS subscription with an MQTT filter" },
		{ "subject a.>.b", 1,
		    "not a NATS subscription with an MQTT filter" },
	};

	for (size_t i = 0; i < countof(bad); i++) {
		struct buf why = { 0 };
		unsigned line = 0;

		cr_expect_null(acl_parse(slice_str(bad[i].text), &nats, &line,
				   &why),
		    "%s", bad[i].text);
		cr_expect_eq(line, bad[i].line);
		cr_expect(slice_eq(buf_slice(&why), slice_str(bad[i].why)),
		    "%.*s", SLICE_ARG(buf_slice(&why)));
		buf_fini(&why);
	}
}

Test(acl, of_an_empty_file_allows_nothing)
{
	struct acl *a = parse("");

	cr_expect_str_eq(rights(a, NULL, "a"), "");
	cr_expect_str_eq(rights(a, "al", "a"), "");
	cr_expect_not(may_subscribe(a, "al", "#"));
	acl_unref(&a);
}

Test(acl, is_read_from_a_file)
{
	char path[] = "/tmp/acl.XXXXXX";
	int fd = mkstemp(path);
	struct buf why = { 0 };
	unsigned line = 7;
	struct acl *a, *mine;

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, "topic x\n", 8), 8);
	close(fd);
	a = acl_load(path, &nats, &line, &why);
	cr_assert_not_null(a);
	mine = acl_ref(a);
	acl_unref(&a);
	cr_expect_str_eq(rights(mine, NULL, "x"), "rw");
	acl_unref(&mine);
	cr_assert_eq(unlink(path), 0);
	cr_expect_null(acl_load(path, &nats, &line, &why));
	cr_expect_eq(line, 0);
	cr_expect_gt(buf_len(&why), 0);
	buf_fini(&why);
}

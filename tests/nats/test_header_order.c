/* SPDX-License-Identifier: Apache-2.0 */
#include "nats/header_order.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "mqtt/property.h"

/* "name=value ..." of the User Properties that were read. */
static char *
users_of(struct header_reading *r)
{
	struct slice rest = buf_slice(&r->properties);
	struct buf out = { 0 };
	struct property p;
	char *text;

	while (property_next(&rest, &p))
		if (p.id == MQTT_PROP_USER_PROPERTY)
			buf_printf(&out, "%.*s=%.*s ", SLICE_ARG(p.name),
			    SLICE_ARG(p.value));
	buf_append_byte(&out, '\0');
	text = strdup((const char *)buf_ptr(&out));
	buf_fini(&out);
	return text;
}

static void
expect_order(const char *order, const char *want)
{
	const char *a[] = { "1", "2" }, *b[] = { "3" }, *c[] = { "4", "5" };
	struct header_field fields[] = {
		{ "c", c, 2, 0 },
		{ "a", a, 2, 0 },
		{ HEADER_ORDER, &order, 1, 0 },
		{ "b", b, 1, 0 },
	};
	struct header_reading r = { 0 };
	char *got;

	header_read_start(&r, 0, NULL);
	header_read_fields(&r, fields, 4);
	got = users_of(&r);
	cr_expect_str_eq(got, want, "%s: %s",
	    order != NULL ? order : "no order", got);
	free(got);
	buf_fini(&r.properties);
}

Test(header_order, is_by_name_unless_it_is_told)
{
	expect_order(NULL, "a=1 a=2 b=3 c=4 c=5 ");
	expect_order("", "a=1 a=2 b=3 c=4 c=5 ");
	expect_order("c b a c a", "c=4 b=3 a=1 c=5 a=2 ");
}

Test(header_order, loses_nothing_when_it_is_wrong)
{
	expect_order("c", "c=4 a=1 a=2 b=3 c=5 ");
	expect_order("x b b b b", "b=3 a=1 a=2 c=4 c=5 ");
	expect_order("   c  Mqtt-Order Mqtt-Order c ", "c=4 c=5 a=1 a=2 b=3 ");
}

/* --- there and back ------------------------------------------------------ */

#define MAX_FIELDS 8

static struct header_field kept[MAX_FIELDS];
static size_t n_kept;

static struct header_field *
field_of(const char *name)
{
	for (size_t i = 0; i < n_kept; i++)
		if (strcmp(kept[i].name, name) == 0)
			return &kept[i];
	cr_assert(n_kept < MAX_FIELDS);
	kept[n_kept].name = strdup(name);
	return &kept[n_kept++];
}

static void
keep(void *arg, const char *name, const char *value)
{
	struct header_field *f = field_of(name);

	(void)arg;
	f->values = realloc(f->values, (size_t)(f->n + 1) * sizeof(char *));
	f->values[f->n++] = strdup(value);
}

static bool
was_kept(const char *name)
{
	for (size_t i = 0; i < n_kept; i++)
		if (strcmp(kept[i].name, name) == 0)
			return true;
	return false;
}

static void
forget_kept(void)
{
	for (size_t i = 0; i < n_kept; i++) {
		for (int v = 0; v < kept[i].n; v++)
			free((char *)kept[i].values[v]);
		free((void *)kept[i].values);
		free((char *)kept[i].name);
	}
	memset(kept, 0, sizeof(kept));
	n_kept = 0;
}

static const struct {
	const char *names; /* of User Properties; values are their places */
	bool says_order;
} WAYS[] = {
	{ "", false },
	{ "a", false },
	{ "aab", false },
	{ "ba", true },
	{ "abab", true },
	{ "cabbac", true },
};

/* v5 [MQTT-3.3.2-18] */
Test(header_order, survives_the_way_through_nats)
{
	for (size_t i = 0; i < sizeof(WAYS) / sizeof(WAYS[0]); i++) {
		struct message_parts parts = { .topic = SLICE("t") };
		struct header_reading r = { 0 };
		struct buf props = { 0 };
		struct message *m;

		for (size_t n = 0; WAYS[i].names[n] != '\0'; n++) {
			char value = (char)('0' + n);

			property_put_user(&props,
			    slice_of(&WAYS[i].names[n], 1),
			    slice_of(&value, 1));
		}
		parts.properties = buf_slice(&props);
		m = message_new(&parts);
		header_each(m, false, 0, NULL, keep, NULL);
		cr_expect(was_kept(HEADER_ORDER) == WAYS[i].says_order, "%s",
		    WAYS[i].names);
		header_read_start(&r, 0, NULL);
		header_read_fields(&r, kept, n_kept);
		cr_expect(slice_eq(buf_slice(&r.properties), buf_slice(&props)),
		    "%s", WAYS[i].names);
		forget_kept();
		message_unref(&m);
		buf_fini(&props);
		buf_fini(&r.properties);
	}
}

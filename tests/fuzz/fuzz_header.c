/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_header - each line is a header of a message from NATS, "name:value".
 *
 * The laws: whatever the headers are, what is read from them are properties
 * that a PUBLISH may have. And as the headers of a message of ours they say
 * the same, read by another node in the order of names that its hash has.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "fuzz/fuzz.h"
#include "mqtt/property.h"
#include "nats/header_order.h"

#define FIELDS_MAX 64
#define VALUES_MAX 64
#define WALL_MS    1000000u

static const char *const PASS[] = { "Nats-Msg-Id", "traceparent", NULL };

/* Headers as cnats has them: the values of a name in order, names not. */
struct fields {
	struct header_field field[FIELDS_MAX];
	const char *value[FIELDS_MAX][VALUES_MAX];
	size_t n;
};

static void
add(void *arg, const char *name, const char *value)
{
	struct fields *f = arg;
	struct header_field *field;
	size_t i = 0;

	while (i < f->n && strcmp(f->field[i].name, name) != 0)
		i++;
	if (i == FIELDS_MAX)
		return;
	field = &f->field[i];
	if (i == f->n) {
		*field = (struct header_field){ .name = xstrdup(name),
			.values = f->value[i] };
		f->n++;
	}
	if (field->n < VALUES_MAX)
		field->values[field->n++] = xstrdup(value);
}

static void
fini(struct fields *f)
{
	for (size_t i = 0; i < f->n; i++) {
		for (int j = 0; j < f->field[i].n; j++)
			free((char *)(uintptr_t)f->field[i].values[j]);
		free((char *)(uintptr_t)f->field[i].name);
	}
	f->n = 0;
}

static void
reverse(struct fields *f)
{
	for (size_t i = 0; i < f->n / 2; i++) {
		struct header_field other = f->field[i];

		f->field[i] = f->field[f->n - 1 - i];
		f->field[f->n - 1 - i] = other;
	}
}

static void
split(char *text, struct fields *out)
{
	char *line, *rest = NULL, *colon;

	for (line = strtok_r(text, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest)) {
		colon = strchr(line, ':');
		if (colon == NULL)
			continue;
		*colon = '\0';
		add(out, line, colon + 1);
	}
}

static void
read_all(struct fields *f, struct header_reading *r)
{
	struct properties props;

	header_read_start(r, WALL_MS, PASS);
	header_read_fields(r, f->field, f->n);
	fini(f);
	assert(r->qos <= 2);
	assert(properties_decode(buf_slice(&r->properties), MQTT_PUBLISH,
		   &props) == MQTT_RC_SUCCESS);
}

/* What was read becomes a message, its headers are read again. */
static void
pass_on(const struct header_reading *from, struct header_reading *to)
{
	static struct fields f;
	struct message_parts parts = { .topic = SLICE("a"),
		.subject = SLICE("a"),
		.properties = buf_slice(&from->properties),
		.qos = from->qos,
		.retain = from->retain,
		.expires_ms = from->expires_ms };
	struct message *m = message_new(&parts);

	header_each(m, false, WALL_MS, PASS, add, &f);
	message_unref(&m);
	reverse(&f);
	read_all(&f, to);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fields f;
	struct header_reading first = { 0 }, second = { 0 }, third = { 0 };
	char *text = xmemdup0(data, size);

	split(text, &f);
	free(text);
	read_all(&f, &first);
	pass_on(&first, &second);
	pass_on(&second, &third);
	assert(first.qos == second.qos && first.retain == second.retain);
	assert(first.expires_ms == second.expires_ms);
	assert(slice_eq(buf_slice(&second.properties),
	    buf_slice(&third.properties)));
	buf_fini(&first.properties);
	buf_fini(&second.properties);
	buf_fini(&third.properties);
	return 0;
}

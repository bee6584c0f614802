/* SPDX-License-Identifier: Apache-2.0 */
/* device - an MQTT client of a test node. */
#include "broker/device.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "broker/plug.h"
#include "mqtt/wire.h"

#define NOTATION_MAX 4096

struct device *
device_new(struct node *n, unsigned home)
{
	struct device *d = xcalloc(1, sizeof(*d));

	d->node = n;
	d->window = SIZE_MAX;
	d->max_packet_size = SIZE_MAX;
	LIST_INSERT_HEAD(&n->devices, d, entry);
	plug_open(d, node_home(n, home));
	return d;
}

void
device_free(struct device **dp)
{
	struct device *d = *dp;

	*dp = NULL;
	cr_assert_not(device_is_open(d), "freed while connected");
	LIST_REMOVE(d, entry);
	buf_fini(&d->sent);
	buf_fini(&d->heard);
	buf_fini(&d->line);
	buf_fini(&d->current);
	free(d);
}

/* The version that answers come in. */
static void
learn_version(struct device *d, struct slice sent)
{
	struct packet_connect p;
	struct frame f;
	enum mqtt_reason reason;

	d->version = MQTT_V311;
	if (framer_next(sent, SIZE_MAX, &f, &reason) != FRAMER_PACKET ||
	    f.type != MQTT_CONNECT)
		return;
	if (packet_decode_connect(&f, &p) == MQTT_RC_SUCCESS ||
	    p.version == MQTT_V5)
		d->version = p.version;
}

static void
put(struct device *d, struct slice packets)
{
	cr_assert(device_is_open(d), "the connection is closed");
	if (d->version == 0)
		learn_version(d, packets);
	buf_append_slice(&d->sent, packets);
	if (d->plug != NULL)
		plug_read(d->plug);
}

static void PRINTF_LIKE(2, 0)
    put_notation(struct device *d, const char *notation, va_list ap)
{
	char text[NOTATION_MAX];
	struct slice packets;

	cr_assert_lt(vsnprintf(text, sizeof(text), notation, ap),
	    (int)sizeof(text));
	packets = wire_new(text);
	put(d, packets);
	wire_free(&packets);
}

void
device_put(struct device *d, const char *notation, ...)
{
	va_list ap;

	va_start(ap, notation);
	put_notation(d, notation, ap);
	va_end(ap);
}

void
device_say(struct device *d, const char *notation, ...)
{
	va_list ap;

	va_start(ap, notation);
	put_notation(d, notation, ap);
	va_end(ap);
	node_run(d->node);
}

struct device *
device_online(struct node *n, unsigned home, unsigned version,
    const char *client_id, bool clean_start)
{
	struct device *d = device_new(n, home);
	const struct any_packet *p;
	const char *properties = "";

	if (version == MQTT_V5)
		properties = clean_start ? "[]" : "[11 ffffffff]";
	device_say(d, "10 [<%s> %02x %02x 0000 %s <%s>]",
	    version == MQTT_V31 ? "MQIsdp" : "MQTT", version,
	    clean_start ? 2u : 0u, properties, client_id);
	p = device_next(d);
	cr_assert_not_null(p);
	cr_assert_eq(p->type, MQTT_CONNACK);
	cr_assert_eq(p->connack.code, 0);
	return d;
}

void
device_drop(struct device *d)
{
	cr_assert(device_is_open(d), "the connection is closed");
	d->is_broken = true;
	if (d->plug != NULL)
		plug_break(d->plug);
}

void
device_hang_up(struct device *d)
{
	device_drop(d);
	node_run(d->node);
}

void
device_set_window(struct device *d, size_t n)
{
	d->window = n;
	if (d->plug != NULL)
		client_touch(&d->plug->client);
}

bool
device_is_open(const struct device *d)
{
	return d->plug != NULL || d->is_moving;
}

struct client *
device_client(const struct device *d)
{
	return &d->plug->client;
}

unsigned
device_home(const struct device *d)
{
	return d->plug->client.home->id;
}

const struct any_packet *
device_next(struct device *d)
{
	enum framer_result result;
	struct frame f;
	enum mqtt_reason reason;

	result =
	    framer_next(buf_slice(&d->heard), d->max_packet_size, &f, &reason);
	cr_assert_neq(result, FRAMER_BAD, "%s",
	    wire_text(buf_slice(&d->heard)));
	if (result == FRAMER_MORE)
		return NULL;
	buf_reset(&d->current);
	buf_append(&d->current, buf_ptr(&d->heard), f.size);
	buf_consume(&d->heard, f.size);
	f.body = slice_skip(buf_slice(&d->current), f.size - f.body.len);
	reason = any_packet_decode(&f, d->version, &d->packet);
	cr_assert_eq(reason, MQTT_RC_SUCCESS, "%s: %s",
	    wire_text(buf_slice(&d->current)), mqtt_reason_text(reason));
	return &d->packet;
}

/* packet_print, but with the payload instead of its length. */
static void
print(struct device *d)
{
	struct frame f;
	enum mqtt_reason reason;
	struct slice payload = d->packet.publish.payload;
	struct buf line = { 0 };
	const char *text, *at;

	cr_assert_eq(framer_next(buf_slice(&d->current), SIZE_MAX, &f, &reason),
	    FRAMER_PACKET);
	packet_print(&line, &f, d->version);
	buf_append_byte(&line, 0);
	text = (const char *)buf_ptr(&line);
	at = f.type == MQTT_PUBLISH ? strstr(text, " payload=") : NULL;
	if (at != NULL && payload.len < 100) {
		size_t digits;

		at += strlen(" payload=");
		digits = strspn(at, "0123456789");
		buf_append(&d->line, text, (size_t)(at - text));
		buf_append_slice(&d->line, payload);
		buf_append_str(&d->line, at + digits);
	} else {
		buf_append_str(&d->line, text);
	}
	buf_fini(&line);
}

const char *
device_read(struct device *d)
{
	buf_reset(&d->line);
	if (device_next(d) != NULL)
		print(d);
	else if (!device_is_open(d))
		buf_append_str(&d->line, "CLOSED");
	buf_append_byte(&d->line, 0);
	return (const char *)buf_ptr(&d->line);
}

size_t
device_skip(struct device *d)
{
	size_t n = 0;

	while (device_next(d) != NULL)
		n++;
	return n;
}

void
device_subscribe(struct device *d, const char *filter, unsigned qos)
{
	const struct any_packet *p;

	if (d->version == MQTT_V5)
		device_say(d, "82 [0001 [] <%s> %02x]", filter, qos);
	else
		device_say(d, "82 [0001 <%s> %02x]", filter, qos);
	p = device_next(d);
	cr_assert_not_null(p);
	cr_assert_eq(p->type, MQTT_SUBACK);
	cr_assert_eq(p->suback.codes.ptr[0], qos);
}

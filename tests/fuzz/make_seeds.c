/* SPDX-License-Identifier: Apache-2.0 */
/*
 * make_seeds - writes the seeds of the fuzz targets of the codec.
 *
 *   make_seeds tests/fuzz/corpus
 *
 * They are made from tests/mqtt/samples.c; run it after changing that file
 * and commit the result. Files that fuzzers have found stay.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/xalloc.h"
#include "mqtt/any_packet.h"
#include "mqtt/samples.h"
#include "mqtt/wire.h"

static const char *corpus;

static void
die(const char *path)
{
	fprintf(stderr, "%s: %s\n", path, strerror(errno));
	exit(1);
}

/* Write corpus/TARGET/NAME; what is no letter or digit becomes "_". */
static void
write_seed(const char *target, const char *name, const struct buf *b)
{
	char *path = xasprintf("%s/%s/%s", corpus, target, name);
	char *p = path + strlen(path) - strlen(name);
	FILE *f;

	for (p += strcspn(p, " ,"); *p != 0; p += strcspn(p, " ,"))
		*p = '_';
	f = fopen(path, "wb");
	if (f == NULL || fwrite(buf_ptr(b), 1, buf_len(b), f) != buf_len(b) ||
	    fclose(f) != 0)
		die(path);
	free(path);
}

static void
write_packet(const struct sample *s, struct buf *stream)
{
	struct slice wire = wire_new(s->wire);
	struct buf b = { 0 };

	buf_append_byte(&b, (uint8_t)('0' + s->version));
	buf_append_slice(&b, wire);
	write_seed("packet", s->name, &b);
	buf_append_slice(stream, wire);
	buf_fini(&b);
	wire_free(&wire);
}

static void
write_properties(const char *name, unsigned packet_type, struct slice raw)
{
	struct buf b = { 0 };

	if (raw.len == 0)
		return;
	buf_append_byte(&b, (uint8_t)packet_type);
	buf_append_slice(&b, raw);
	write_seed("property", name, &b);
	buf_fini(&b);
}

/* The properties of a sample, if it has any. */
static void
write_properties_of(const struct sample *s)
{
	struct slice wire = wire_new(s->wire), raw = { 0 };
	struct any_packet p;
	struct frame f;
	enum mqtt_reason rc;

	if (framer_next(wire, SIZE_MAX, &f, &rc) != FRAMER_PACKET ||
	    any_packet_decode(&f, s->version, &p) != MQTT_RC_SUCCESS)
		abort();
	if (p.type == MQTT_CONNECT && p.connect.has_will)
		write_properties(s->name, MQTT_WILL_PROPERTIES,
		    p.connect.will_properties.raw);
	else if (p.type == MQTT_CONNECT)
		raw = p.connect.properties.raw;
	else if (p.type == MQTT_CONNACK)
		raw = p.connack.properties.raw;
	else if (p.type == MQTT_PUBLISH)
		raw = p.publish.properties.raw;
	else if (p.type == MQTT_SUBSCRIBE)
		raw = p.subscribe.properties.raw;
	else if (p.type == MQTT_DISCONNECT || p.type == MQTT_AUTH)
		raw = p.disconnect.properties.raw;
	write_properties(s->name, p.type, raw);
	wire_free(&wire);
}

/*
 * Streams for the framer: all samples in a row, and what it refuses. Here the
 * number is that of the first byte, the power of two of the largest packet.
 */
static void
write_streams(const struct buf *all)
{
	static const struct sample streams[] = {
		{ "one packet", 20, "30 [<a/b> 'hello']", NULL },
		{ "too large", 3, "30 [<a/b> 'hello']", NULL },
		{ "length of four bytes", 31, "30 80808001 00*16", NULL },
		{ "length of five bytes", 31, "30 8080808001", NULL },
		{ "length not shortest", 20, "30 858000 <a/b>", NULL },
		{ "cut in the length", 20, "30 80", NULL },
		{ "cut in the body", 20, "30 05 <a>", NULL },
		{ "nothing", 20, "", NULL },
	};
	struct buf b = { 0 };
	struct slice wire;
	size_t i;

	buf_append_byte(&b, 20);
	buf_append_slice(&b, buf_slice(all));
	write_seed("framer", "all_samples", &b);
	for (i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
		wire = wire_new(streams[i].wire);
		buf_reset(&b);
		buf_append_byte(&b, (uint8_t)streams[i].version);
		buf_append_slice(&b, wire);
		write_seed("framer", streams[i].name, &b);
		wire_free(&wire);
	}
	buf_fini(&b);
}

int
main(int argc, char **argv)
{
	struct buf stream = { 0 };
	size_t i;

	if (argc != 2) {
		fprintf(stderr, "usage: make_seeds DIRECTORY\n");
		return 2;
	}
	corpus = argv[1];
	for (i = 0; i < n_samples; i++) {
		write_packet(samples + i, &stream);
		write_properties_of(samples + i);
	}
	for (i = 0; i < n_odd_samples; i++)
		write_packet(odd_samples + i, &stream);
	write_streams(&stream);
	buf_fini(&stream);
	return 0;
}

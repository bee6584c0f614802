/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decode(encode(packet)) = packet, for packets at random and for those that
 * were written by hand.
 */
#include <criterion/criterion.h>

#include "base/attr.h"
#include "mqtt/any_packet.h"
#include "mqtt/generate.h"
#include "mqtt/samples.h"
#include "mqtt/wire.h"

#define ROUNDS 400 /* of each type and version */
#define SEED   20240607

static void
go_round(struct generator *g, unsigned type, unsigned version)
{
	struct any_packet p;
	const char *wrong;
	unsigned i;

	for (i = 0; i < ROUNDS; i++) {
		generate_packet(g, type, version, &p);
		wrong = any_packet_round_trip(&p);
		cr_assert_null(wrong, "%s of version %u, round %u: %s",
		    mqtt_type_name(type), version, i, wrong);
	}
}

Test(round_trip, gives_back_every_generated_packet)
{
	static const unsigned versions[] = { MQTT_V31, MQTT_V311, MQTT_V5 };
	static struct generator g;
	unsigned type;
	size_t i;

	generator_init(&g, SEED);
	for (i = 0; i < countof(versions); i++)
		for (type = MQTT_CONNECT; type <= MQTT_AUTH; type++)
			if (type != MQTT_AUTH || versions[i] == MQTT_V5)
				go_round(&g, type, versions[i]);
}

/* A test of the generator: a law about nothing would hold as well. */
Test(round_trip, generator_reaches_every_property)
{
	static struct generator g;
	struct any_packet p;
	uint64_t seen = 0;
	unsigned i;

	generator_init(&g, SEED);
	for (i = 0; i < 200; i++) {
		generate_packet(&g, MQTT_CONNACK, MQTT_V5, &p);
		seen |= p.connack.properties.set;
		generate_packet(&g, MQTT_SUBSCRIBE, MQTT_V5, &p);
		seen |= p.subscribe.properties.set;
		generate_packet(&g, MQTT_PUBLISH, MQTT_V5, &p);
		seen |= p.publish.properties.set;
		generate_packet(&g, MQTT_CONNECT, MQTT_V5, &p);
		seen |= p.connect.properties.set;
		seen |= p.connect.will_properties.set;
	}
	cr_expect_eq(__builtin_popcountll(seen), 27);
}

static void
sample_goes_round(const struct sample *sample)
{
	struct slice wire = wire_new(sample->wire);
	struct any_packet p;
	struct frame f;
	enum mqtt_reason rc;
	const char *wrong;

	cr_assert_eq(framer_next(wire, SIZE_MAX, &f, &rc), FRAMER_PACKET, "%s",
	    sample->name);
	cr_assert_eq(any_packet_decode(&f, sample->version, &p),
	    MQTT_RC_SUCCESS, "%s", sample->name);
	wrong = any_packet_round_trip(&p);
	cr_expect_null(wrong, "%s: %s", sample->name, wrong);
	wire_free(&wire);
}

Test(round_trip, gives_back_every_sample)
{
	size_t i;

	for (i = 0; i < n_samples; i++)
		sample_goes_round(samples + i);
	for (i = 0; i < n_odd_samples; i++)
		sample_goes_round(odd_samples + i);
}

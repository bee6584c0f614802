/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/framer.h"

#include <criterion/criterion.h>

#include "base/attr.h"
#include "mqtt/samples.h"
#include "mqtt/wire.h"

static enum framer_result
frame(struct slice in, size_t max_size, struct frame *f)
{
	enum mqtt_reason rc = MQTT_RC_SUCCESS;
	enum framer_result res = framer_next(in, max_size, f, &rc);

	cr_expect_eq(res == FRAMER_BAD, rc != MQTT_RC_SUCCESS);
	return res;
}

Test(framer, cuts_type_flags_and_body)
{
	struct slice s = wire_new("3d [<a> 0001 'payload'] c000");
	struct frame f;

	cr_assert_eq(frame(s, SIZE_MAX, &f), FRAMER_PACKET);
	cr_expect_eq(f.type, MQTT_PUBLISH);
	cr_expect_eq(f.flags, 0x0D);
	cr_expect_eq(f.size, 2 + 5 + 7);
	cr_expect_eq(f.body.ptr, s.ptr + 2);
	cr_expect_eq(f.body.len, 5 + 7);
	wire_free(&s);
}

Test(framer, needs_more_until_the_last_byte)
{
	struct slice all, part;
	struct frame f;
	size_t i, n;

	for (i = 0; i < n_samples; i++) {
		all = wire_new(samples[i].wire);
		for (n = 0; n < all.len; n++) {
			part = wire_copy(all, n);
			cr_expect_eq(frame(part, all.len, &f), FRAMER_MORE,
			    "%s, %zu bytes", samples[i].name, n);
			cr_expect(f.size == 0 || f.size == all.len);
			cr_expect(n < 5 || f.size == all.len);
			wire_free(&part);
		}
		cr_expect_eq(frame(all, all.len, &f), FRAMER_PACKET);
		wire_free(&all);
	}
}

Test(framer, knows_the_size_as_soon_as_the_length_is_there)
{
	struct slice s = wire_new("30 ffffff7f");
	struct frame f;
	size_t n;

	for (n = 0; n < s.len; n++) {
		cr_expect_eq(frame(slice_of(s.ptr, n), SIZE_MAX, &f),
		    FRAMER_MORE);
		cr_expect_eq(f.size, 0);
	}
	cr_expect_eq(frame(s, SIZE_MAX, &f), FRAMER_MORE);
	cr_expect_eq(f.size, 5 + (size_t)MQTT_VARINT_MAX);
	wire_free(&s);
}

Test(framer, walks_many_packets_in_one_buffer)
{
	struct buf all = { 0 };
	struct slice s, rest;
	struct frame f;
	size_t i;

	for (i = 0; i < n_samples; i++) {
		s = wire_new(samples[i].wire);
		buf_append_slice(&all, s);
		wire_free(&s);
	}
	rest = buf_slice(&all);
	for (i = 0; i < n_samples; i++) {
		s = wire_new(samples[i].wire);
		cr_assert_eq(frame(rest, 1024, &f), FRAMER_PACKET, "%s",
		    samples[i].name);
		cr_expect(slice_eq(slice_of(rest.ptr, f.size), s), "%s",
		    samples[i].name);
		rest = slice_skip(rest, f.size);
		wire_free(&s);
	}
	cr_expect_eq(frame(rest, 1024, &f), FRAMER_MORE);
	buf_fini(&all);
}

Test(framer, refuses_what_is_too_large_before_it_is_there)
{
	static const struct {
		const char *wire;
		size_t max_size;
		enum framer_result want;
	} cases[] = {
		{ "30 05", 7, FRAMER_MORE },
		{ "30 05", 6, FRAMER_BAD },
		{ "30 00*1", 2, FRAMER_PACKET },
		{ "30 00*1", 1, FRAMER_BAD },
		{ "30 [00*5]", 7, FRAMER_PACKET },
		{ "30 [00*5]", 6, FRAMER_BAD },
		{ "30 ffffff7f", MQTT_VARINT_MAX + 5u, FRAMER_MORE },
		{ "30 ffffff7f", MQTT_VARINT_MAX + 4u, FRAMER_BAD },
		{ "30 ffffff", 10, FRAMER_MORE },
	};
	enum mqtt_reason rc;
	struct slice s;
	struct frame f;
	size_t i;

	for (i = 0; i < countof(cases); i++) {
		s = wire_new(cases[i].wire);
		rc = MQTT_RC_SUCCESS;
		cr_expect_eq(framer_next(s, cases[i].max_size, &f, &rc),
		    cases[i].want, "%s, %zu", cases[i].wire, cases[i].max_size);
		if (cases[i].want == FRAMER_BAD)
			cr_expect_eq(rc, MQTT_RC_PACKET_TOO_LARGE);
		wire_free(&s);
	}
}

Test(framer, refuses_a_length_of_five_bytes)
{
	struct slice s = wire_new("30 80808080 01");
	struct slice four = slice_of(s.ptr, 4);
	struct frame f;
	enum mqtt_reason rc = MQTT_RC_SUCCESS;

	cr_expect_eq(frame(four, SIZE_MAX, &f), FRAMER_MORE);
	cr_expect_eq(framer_next(slice_of(s.ptr, 5), SIZE_MAX, &f, &rc),
	    FRAMER_BAD);
	cr_expect_eq(rc, MQTT_RC_MALFORMED_PACKET);
	cr_expect_eq(f.type, MQTT_PUBLISH);
	wire_free(&s);
}

Test(framer, passes_every_type_and_any_length_form)
{
	struct slice s = wire_new("00 00 fb 00 e0 808000");
	struct slice rest = s;
	struct frame f;

	cr_assert_eq(frame(rest, 100, &f), FRAMER_PACKET);
	cr_expect_eq(f.type, 0);
	rest = slice_skip(rest, f.size);
	cr_assert_eq(frame(rest, 100, &f), FRAMER_PACKET);
	cr_expect_eq(f.type, MQTT_AUTH);
	cr_expect_eq(f.flags, 0x0B);
	rest = slice_skip(rest, f.size);
	cr_assert_eq(frame(rest, 100, &f), FRAMER_PACKET);
	cr_expect_eq(f.size, 4);
	cr_expect_eq(f.body.len, 0);
	wire_free(&s);
}

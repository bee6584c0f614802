/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/reader.h"

#include <criterion/criterion.h>

#include "base/attr.h"
#include "mqtt/wire.h"

Test(reader, takes_every_type_in_order)
{
	struct slice s = wire_new("07 0102 01020304 c0c407 <abc> 0002ff00"
				  " 'xyz' 'rest'");
	struct reader r = reader_of(s);

	cr_expect_eq(reader_left(&r), s.len);
	cr_expect_eq(reader_u8(&r), 7);
	cr_expect_eq(reader_u16(&r), 0x0102);
	cr_expect_eq(reader_u32(&r), 0x01020304);
	cr_expect_eq(reader_varint(&r), 0x40 | 0x44 << 7 | 7 << 14);
	cr_expect(slice_eq(reader_string(&r), SLICE("abc")));
	cr_expect(slice_eq(reader_binary(&r), SLICE("\xff\0")));
	cr_expect(slice_eq(reader_bytes(&r, 3), SLICE("xyz")));
	cr_expect_eq(reader_left(&r), 4);
	cr_expect(slice_eq(reader_rest(&r), SLICE("rest")));
	cr_expect_eq(reader_left(&r), 0);
	cr_expect_not(r.bad);
	cr_expect_eq(reader_rest(&r).len, 0);
	cr_expect_not(r.bad);
	wire_free(&s);
}

Test(reader, of_nothing_is_at_its_end_and_not_bad)
{
	struct reader r = reader_of(slice_of(NULL, 0));

	cr_expect_eq(reader_left(&r), 0);
	cr_expect_eq(reader_bytes(&r, 0).len, 0);
	cr_expect_eq(reader_rest(&r).len, 0);
	cr_expect_not(r.bad);
	cr_expect_eq(reader_u8(&r), 0);
	cr_expect(r.bad);
}

/* One read each, that needs more than the bytes given. */
static uint64_t
read_one(struct reader *r, char what)
{
	switch (what) {
	case '1':
		return reader_u8(r);
	case '2':
		return reader_u16(r);
	case '4':
		return reader_u32(r);
	case 'v':
		return reader_varint(r);
	case 's':
		return reader_string(r).len;
	case 'b':
		return reader_binary(r).len;
	default:
		return reader_bytes(r, 3).len;
	}
}

Test(reader, error_sticks_and_everything_after_it_is_zero)
{
	static const struct {
		char what;
		const char *wire;
	} cases[] = {
		{ '1', "" },
		{ '2', "" },
		{ '2', "01" },
		{ '4', "" },
		{ '4', "010203" },
		{ 'v', "" },
		{ 'v', "80" },
		{ 'v', "ffffff" },
		{ 'v', "ffffffff 01" }, /* five bytes */
		{ 'v', "8000" },        /* v5 [MQTT-1.5.5-1]: not shortest */
		{ 'v', "81808000" },
		{ 's', "00" },
		{ 's', "0001" },
		{ 's', "0003 'ab'" },
		{ 's', "0002 c328" },       /* v5 [MQTT-1.5.4-1] */
		{ 's', "0003 eda080" },     /* a surrogate */
		{ 's', "0003 'a' 00 'b'" }, /* v5 [MQTT-1.5.4-2] */
		{ 'b', "00" },
		{ 'b', "0003 'ab'" },
		{ '3', "0102" },
	};
	static const char reads[] = "124vsb3";
	struct slice s;
	struct reader r;
	size_t i, k;

	for (i = 0; i < countof(cases); i++) {
		s = wire_new(cases[i].wire);
		r = reader_of(s);
		cr_expect_eq(read_one(&r, cases[i].what), 0, "%c of \"%s\"",
		    cases[i].what, cases[i].wire);
		cr_expect(r.bad, "%c of \"%s\"", cases[i].what, cases[i].wire);
		cr_expect_eq(reader_left(&r), 0);
		for (k = 0; reads[k] != 0; k++)
			cr_expect_eq(read_one(&r, reads[k]), 0,
			    "%c after \"%s\"", reads[k], cases[i].wire);
		cr_expect(r.bad);
		wire_free(&s);
	}
}

Test(reader, varint_takes_all_lengths)
{
	static const struct {
		const char *wire;
		uint32_t value;
	} cases[] = {
		{ "00", 0 },
		{ "7f", 127 },
		{ "8001", 128 },
		{ "ff7f", 16383 },
		{ "808001", 16384 },
		{ "ffff7f", 2097151 },
		{ "80808001", 2097152 },
		{ "ffffff7f", 268435455 },
	};
	struct slice s;
	struct reader r;
	size_t i;

	for (i = 0; i < countof(cases); i++) {
		s = wire_new(cases[i].wire);
		r = reader_of(s);
		cr_expect_eq(reader_varint(&r), cases[i].value, "%s",
		    cases[i].wire);
		cr_expect_not(r.bad);
		cr_expect_eq(reader_left(&r), 0);
		wire_free(&s);
	}
}

Test(reader, string_keeps_a_byte_order_mark)
{
	/* v5 [MQTT-1.5.4-3], v3.1.1 [MQTT-1.5.3-3] */
	struct slice s = wire_new("0004 efbbbf 'a'");
	struct reader r = reader_of(s);

	cr_expect(slice_eq(reader_string(&r),
	    SLICE("\xef\xbb\xbf"
		  "a")));
	wire_free(&s);
}

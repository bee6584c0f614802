/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/writer.h"

#include <criterion/criterion.h>
#include <signal.h>

#include "base/attr.h"
#include "mqtt/mqtt.h"
#include "mqtt/wire.h"

Test(writer, appends_every_type_in_network_order)
{
	struct slice want = wire_new("07 0102 01020304 c0c407 <abc> 0000");
	struct buf b = { 0 };

	writer_u8(&b, 7);
	writer_u16(&b, 0x0102);
	writer_u32(&b, 0x01020304);
	writer_varint(&b, 0x40 | 0x44 << 7 | 7 << 14);
	writer_string(&b, SLICE("abc"));
	writer_string(&b, slice_of(NULL, 0));
	cr_expect(slice_eq(buf_slice(&b), want), "%s",
	    wire_text(buf_slice(&b)));
	buf_fini(&b);
	wire_free(&want);
}

Test(writer, varint_is_as_short_as_it_can_be)
{
	static const struct {
		uint32_t value;
		const char *wire;
	} cases[] = {
		{ 0, "00" },
		{ 127, "7f" },
		{ 128, "8001" },
		{ 16383, "ff7f" },
		{ 16384, "808001" },
		{ 2097151, "ffff7f" },
		{ 2097152, "80808001" },
		{ MQTT_VARINT_MAX, "ffffff7f" },
	};
	struct buf b = { 0 };
	struct slice want;
	size_t i;

	for (i = 0; i < countof(cases); i++) {
		want = wire_new(cases[i].wire);
		buf_reset(&b);
		writer_varint(&b, cases[i].value);
		cr_expect(slice_eq(buf_slice(&b), want), "%u: %s",
		    (unsigned)cases[i].value, wire_text(buf_slice(&b)));
		cr_expect_eq(writer_varint_len(cases[i].value), want.len);
		wire_free(&want);
	}
	buf_fini(&b);
}

Test(writer, varint_above_its_maximum_is_refused, .signal = SIGABRT)
{
	struct buf b = { 0 };

	writer_varint(&b, MQTT_VARINT_MAX + 1);
}

Test(writer, string_above_its_maximum_is_refused, .signal = SIGABRT)
{
	static const uint8_t text[MQTT_STRING_MAX + 1];
	struct buf b = { 0 };

	writer_string(&b, slice_of(text, sizeof(text)));
}

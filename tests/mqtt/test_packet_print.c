/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/packet.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/attr.h"
#include "mqtt/samples.h"
#include "mqtt/wire.h"

/* What is printed for the packet, in a static buffer. */
static const char *
printed(const char *notation, unsigned version)
{
	static struct buf out;
	struct slice wire = wire_new(notation);
	struct frame f;
	enum mqtt_reason rc;

	cr_assert_eq(framer_next(wire, SIZE_MAX, &f, &rc), FRAMER_PACKET, "%s",
	    notation);
	buf_reset(&out);
	packet_print(&out, &f, version);
	buf_append_byte(&out, 0);
	wire_free(&wire);
	return (const char *)buf_ptr(&out);
}

Test(packet_print, says_what_is_in_the_packet)
{
	size_t i;

	for (i = 0; i < n_samples; i++) {
		if (samples[i].print == NULL)
			continue;
		cr_expect_str_eq(printed(samples[i].wire, samples[i].version),
		    samples[i].print, "%s", samples[i].name);
	}
}

Test(packet_print, names_every_packet_and_never_a_secret)
{
	const char *line;
	size_t i;

	for (i = 0; i < n_samples; i++) {
		line = printed(samples[i].wire, samples[i].version);
		cr_expect(line[0] >= 'A' && line[0] <= 'Z', "%s", line);
		cr_expect_null(strstr(line, "secret"), "%s", line);
		cr_expect_null(strstr(line, "token"), "%s", line);
		cr_expect_null(strstr(line, "n=joe"), "%s", line);
		cr_expect_null(strstr(line, "hello"), "%s", line);
		cr_expect_null(strstr(line, "gone"), "%s", line);
	}
}

Test(packet_print, says_what_is_wrong)
{
	static const struct {
		const char *wire;
		unsigned version;
		const char *want;
	} cases[] = {
		{ "00 00", 4, "packet type 0 size=2: malformed packet" },
		{ "10 [<MQTT> 07]", 4,
		    "CONNECT size=9: unsupported protocol version" },
		{ "20 [00]", 4, "CONNACK size=3: malformed packet" },
		{ "36 [<a> 0001]", 4, "PUBLISH size=7: malformed packet" },
		{ "40 [0000]", 4, "PUBACK size=4: protocol error" },
		{ "80 [0001]", 4, "SUBSCRIBE size=4: malformed packet" },
		{ "90 [0001 00 03]", 4, "SUBACK size=6: protocol error" },
		{ "c0 [00]", 4, "PINGREQ size=3: malformed packet" },
		{ "e0 [00]", 4, "DISCONNECT size=3: malformed packet" },
		{ "f0 []", 4, "AUTH size=2: malformed packet" },
	};
	size_t i;

	for (i = 0; i < countof(cases); i++)
		cr_expect_str_eq(printed(cases[i].wire, cases[i].version),
		    cases[i].want);
}

Test(packet_print, bounds_its_line)
{
	static const char *const long_packets[] = {
		"30 [ffdc 61*65500]",
		"82 [0001 [] 03e8 61*1000 00 03e8 61*1000 00]",
		"30 [<a> [26 03e8 61*1000 03e8 61*1000]]",
		"90 [0001 [] 00*5000]",
		"a2 [0001 [] 0080 61*128]", /* nothing behind it */
	};
	size_t i;

	for (i = 0; i < countof(long_packets); i++)
		cr_expect_lt(strlen(printed(long_packets[i], 5)), 600, "%s",
		    long_packets[i]);
	cr_expect_str_eq(printed("90 [0001 00*18]", 4),
	    "SUBACK packet_id=1 codes=0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00"
	    ",0x00,0x00,0x00,0x00,0x00,0x00,0x00,0x00 and 2 more");
}

Test(packet_print, cuts_long_text_between_characters)
{
	static const char *const cases[] = {
		"30 [0080 61*128]",               /* just fits */
		"30 [0083 61*128 'bcd']",         /* cut at 128 */
		"30 [0084 61*127 e282ac 'bc']",   /* a character across */
		"30 [0084 61*125 e282ac 'bcde']", /* a character before */
	};
	static const size_t kept[] = { 128, 128, 127, 128 };
	const char *topic, *end;
	size_t i;

	for (i = 0; i < countof(cases); i++) {
		topic = strstr(printed(cases[i], 4), "topic=") + 6;
		end = strstr(topic, i == 0 ? " payload" : "... payload");
		cr_assert_not_null(end, "%s", cases[i]);
		cr_expect_eq((size_t)(end - topic), kept[i], "%s: %zu",
		    cases[i], (size_t)(end - topic));
	}
}

Test(packet_print, counts_the_filters_that_it_leaves_out)
{
	const char *line =
	    printed("a2 [0001 <a> <a> <a> <a> <a> <a> <a> <a> <a> <a> <a> <a>"
		    " <a> <a> <a> <a> <b> <c>]",
		4);

	cr_expect_not_null(strstr(line, " and 2 more"), "%s", line);
	cr_expect_null(strstr(line, "filter=b"), "%s", line);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "net/ws_frames.h"

#include <string.h>

#include <criterion/criterion.h>

#include "net/ws_client.h"

/* Decode in parts of this size; the payload is appended. */
static void
decode(struct ws_frames *f, const struct buf *in, size_t part, struct buf *out)
{
	struct slice rest = buf_slice(in);

	while (rest.len > 0) {
		size_t n = part < rest.len ? part : rest.len;
		uint8_t *p = buf_reserve(out, n);

		memcpy(p, rest.ptr, n);
		buf_commit(out, ws_frames_decode(f, p, n));
		rest = slice_skip(rest, n);
	}
}

static void
put(struct buf *b, unsigned first, const char *text)
{
	ws_client_put(b, first, slice_str(text));
}

#define expect_text(buf, text)                                                 \
	cr_expect(slice_eq(buf_slice(buf), slice_str(text)), "%.*s",           \
	    SLICE_ARG(buf_slice(buf)))

Test(ws_frames, are_one_stream_however_they_are_cut)
{
	struct buf in = { 0 };

	put(&in, WS_FIN | WS_BIN, "one ");
	put(&in, WS_BIN, "two ");
	put(&in, WS_FIN | WS_PING, "hello");
	put(&in, WS_CONT, "");
	put(&in, WS_FIN | WS_PONG, "ignored");
	put(&in, WS_FIN | WS_CONT, "three");
	put(&in, WS_FIN | WS_BIN, "");
	for (size_t part = 1; part <= buf_len(&in); part++) {
		struct ws_frames f = { 0 };
		struct buf out = { 0 }, pong = { 0 };

		decode(&f, &in, part, &out);
		expect_text(&out, "one two three");
		cr_expect_eq(f.close, 0);
		cr_assert(f.has_pong);
		ws_frames_put_pong(&f, &pong);
		expect_text(&pong, "\x8a\x05hello");
		cr_expect_not(f.has_pong);
		/* Idle: no buffer is left. */
		cr_expect_null(f.wslay);
		cr_expect_null(f.control.base);
		cr_expect_null(f.pong.base);
		buf_fini(&out);
		buf_fini(&pong);
		ws_frames_fini(&f);
	}
	buf_fini(&in);
}

Test(ws_frames, may_have_any_length)
{
	static const size_t sizes[] = { 0, 1, 125, 126, 127, 4095, 4096, 65535,
		65536, 200000 };

	for (size_t i = 0; i < countof(sizes); i++) {
		struct ws_frames f = { 0 };
		struct buf payload = { 0 }, in = { 0 }, out = { 0 };

		for (size_t n = 0; n < sizes[i]; n++)
			buf_append_byte(&payload, (uint8_t)(n * 7));
		ws_client_put(&in, WS_FIN | WS_BIN, buf_slice(&payload));
		decode(&f, &in, 10000, &out);
		cr_expect(slice_eq(buf_slice(&out), buf_slice(&payload)));
		cr_expect_null(f.wslay, "%zu", sizes[i]);
		buf_fini(&payload);
		buf_fini(&in);
		buf_fini(&out);
		ws_frames_fini(&f);
	}
}

Test(ws_frames, answer_the_last_of_many_pings)
{
	struct ws_frames f = { 0 };
	struct buf in = { 0 }, out = { 0 };

	for (int i = 0; i < 1000; i++)
		put(&in, WS_FIN | WS_PING, i < 999 ? "many" : "last");
	decode(&f, &in, 4000, &out);
	cr_assert(f.has_pong);
	ws_frames_put_pong(&f, &out);
	expect_text(&out, "\x8a\x04last");
	buf_fini(&in);
	buf_fini(&out);
	ws_frames_fini(&f);
}

Test(ws_frames, end_with_a_close_that_is_answered)
{
	static const struct {
		const char *payload;
		size_t len;
		unsigned code;
	} cases[] = {
		{ "", 0, 1000 },
		{ "\x03\xe8", 2, 1000 },
		{ "\x03\xe9going away", 12, 1001 },
		{ "\x0b\xb8", 2, 3000 },
		{ "\x03", 1, 1002 },
		{ "\x00\x00", 2, 1002 },
		{ "\x03\xed", 2, 1002 }, /* 1005 is never said */
		{ "\xff\xff", 2, 1002 },
	};

	for (size_t i = 0; i < countof(cases); i++) {
		struct ws_frames f = { 0 };
		struct buf in = { 0 }, out = { 0 };

		put(&in, WS_FIN | WS_BIN, "before");
		ws_client_put(&in, WS_FIN | WS_CLOSE,
		    slice_of(cases[i].payload, cases[i].len));
		put(&in, WS_FIN | WS_BIN, "behind");
		decode(&f, &in, 1000, &out);
		expect_text(&out, "before");
		cr_expect_eq(f.close, cases[i].code, "%zu: %u", i, f.close);
		cr_expect(f.is_closed_by_peer);
		buf_reset(&out);
		ws_frames_put_close(&f, &out);
		cr_expect_eq(buf_len(&out), 4);
		cr_expect_eq(buf_ptr(&out)[0], 0x88);
		cr_expect_eq(buf_ptr(&out)[2] << 8 | buf_ptr(&out)[3],
		    (int)cases[i].code);
		buf_fini(&in);
		buf_fini(&out);
		ws_frames_fini(&f);
	}
}

Test(ws_frames, must_not_be)
{
	static const struct {
		const char *bytes;
		size_t len;
		unsigned code;
	} cases[] = {
		{ "\x81\x81xxxxa", 7, 1003 }, /* text */
		{ "\x01\x81xxxxa", 7, 1003 },
		{ "\x82\x01"
		  "a",
		    3, 1002 },                /* no mask */
		{ "\x83\x81xxxxa", 7, 1002 }, /* unknown opcodes */
		{ "\x8b\x81xxxxa", 7, 1002 },
		{ "\xc2\x81xxxxa", 7, 1002 }, /* RSV1, 2, 3 */
		{ "\xa2\x81xxxxa", 7, 1002 },
		{ "\x92\x81xxxxa", 7, 1002 },
		{ "\x80\x81xxxxa", 7, 1002 }, /* goes on with nothing */
		{ "\x02\x80xxxx\x82\x80xxxx", 12, 1002 }, /* in a message */
		{ "\x09\x80xxxx", 6, 1002 },          /* control, in parts */
		{ "\x89\xfe\x00\x7exxxxa", 9, 1002 }, /* control, too long */
		{ "\x82\xfe\x00\x05xxxxa", 9, 1002 }, /* length, too long */
		{ "\x82\xff\x00\x00\x00\x00\x00\x00\x00\x05xxxxa", 15, 1002 },
		{ "\x82\xff\x80\x00\x00\x00\x00\x00\x00\x05xxxxa", 15, 1002 },
	};

	for (size_t i = 0; i < countof(cases); i++) {
		struct ws_frames f = { 0 };
		struct buf in = { 0 }, out = { 0 };

		buf_append(&in, cases[i].bytes, cases[i].len);
		decode(&f, &in, 1000, &out);
		cr_expect_eq(f.close, cases[i].code, "%zu: %u", i, f.close);
		cr_expect_not(f.is_closed_by_peer);
		cr_expect_eq(buf_len(&out), 0);
		cr_expect_null(f.wslay);
		buf_fini(&in);
		buf_fini(&out);
		ws_frames_fini(&f);
	}
}

Test(ws_frames, of_ours_have_the_shortest_header)
{
	static const struct {
		size_t payload;
		const char *header;
		size_t len;
	} cases[] = {
		{ 0, "\x82\x00", 2 },
		{ 125, "\x82\x7d", 2 },
		{ 126, "\x82\x7e\x00\x7e", 4 },
		{ 65535, "\x82\x7e\xff\xff", 4 },
		{ 65536, "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 10 },
	};

	for (size_t i = 0; i < countof(cases); i++) {
		uint8_t header[WS_HEADER_MAX];
		size_t len = ws_frames_put_header(header, cases[i].payload);

		cr_expect(slice_eq(slice_of(header, len),
			      slice_of(cases[i].header, cases[i].len)),
		    "%zu", i);
	}
}

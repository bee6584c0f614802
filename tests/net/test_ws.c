/* SPDX-License-Identifier: Apache-2.0 */
#include "net/ws.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/xalloc.h"
#include "net/ws_client.h"
#include "net/ws_frames.h"

#define REQUEST                                                                \
	"GET /mqtt HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"              \
	"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"                 \
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"                      \
	"Sec-WebSocket-Protocol: mqtt\r\n\r\n"

/*
 * The stream below: what stands in `in` can be read, and `room` bytes
 * written. What it has refused must be tried again, as TLS wants it.
 */
struct pipe {
	struct stream stream;
	struct buf in, out, refused;
	size_t room;
	bool has_ended;
	bool is_free;
};

static struct pipe the_pipe;

static ssize_t
pipe_read(struct stream *s, int fd, void *p, size_t size)
{
	struct pipe *pipe = (struct pipe *)(void *)s;
	size_t n = buf_len(&pipe->in);

	(void)fd;
	if (n == 0)
		return pipe->has_ended ? 0 : -EAGAIN;
	if (n > size)
		n = size;
	memcpy(p, buf_ptr(&pipe->in), n);
	buf_consume(&pipe->in, n);
	return (ssize_t)n;
}

static ssize_t
pipe_write(struct stream *s, int fd, const void *p, size_t size)
{
	struct pipe *pipe = (struct pipe *)(void *)s;
	struct slice given = slice_of(p, size);
	size_t n = size < pipe->room ? size : pipe->room;

	(void)fd;
	cr_assert_gt(size, 0);
	cr_assert(slice_starts(given, buf_slice(&pipe->refused)),
	    "something else than what was refused");
	buf_reset(&pipe->refused);
	if (n == 0) {
		buf_append_slice(&pipe->refused, given);
		return -EAGAIN;
	}
	buf_append(&pipe->out, p, n);
	pipe->room -= n;
	return (ssize_t)n;
}

static void
pipe_free(struct stream *s)
{
	struct pipe *pipe = (struct pipe *)(void *)s;

	buf_fini(&pipe->in);
	buf_fini(&pipe->out);
	buf_fini(&pipe->refused);
	pipe->is_free = true;
}

static const struct transport transport_pipe = { .name = "pipe",
	.read = pipe_read,
	.write = pipe_write,
	.free = pipe_free };

static struct stream *
new_ws(void)
{
	static char *origins[] = { NULL };
	static const struct ws_rules rules = { "/mqtt", origins };

	the_pipe =
	    (struct pipe){ .stream = { &transport_pipe }, .room = SIZE_MAX };
	return ws_new(&the_pipe.stream, &rules);
}

static void
free_ws(struct stream **s)
{
	stream_free(s);
	cr_expect(the_pipe.is_free);
}

static void
hear(const char *bytes, size_t len)
{
	buf_append(&the_pipe.in, bytes, len);
}

static void
hear_frame(unsigned first, const char *payload)
{
	ws_client_put(&the_pipe.in, first, slice_str(payload));
}

/* Read all that there is; what the last read has said goes to *end. */
static struct slice
read_all(struct stream *s, ssize_t *end)
{
	static uint8_t bytes[100000];
	size_t len = 0;
	ssize_t n;

	while ((n = stream_read(s, -1, bytes + len, 1000)) > 0)
		len += (size_t)n;
	*end = n;
	return slice_of(bytes, len);
}

static struct stream *
open_ws(void)
{
	struct stream *s = new_ws();
	ssize_t end;

	hear(REQUEST, strlen(REQUEST));
	cr_assert_eq(read_all(s, &end).len, 0);
	cr_assert_eq(end, -EAGAIN);
	cr_assert(
	    slice_starts(buf_slice(&the_pipe.out), SLICE("HTTP/1.1 101 ")));
	buf_reset(&the_pipe.out);
	return s;
}

/* The payload of our binary frames in `out`; control frames are counted. */
static void
take_apart(struct slice out, struct buf *payload, unsigned *n_controls)
{
	*n_controls = 0;
	while (out.len > 0) {
		size_t at = 2, len = out.ptr[1];

		cr_assert_geq(out.len, 2);
		if (len == 126) {
			at = 4;
			len = (size_t)out.ptr[2] << 8 | out.ptr[3];
		}
		cr_assert_geq(out.len, at + len);
		if (out.ptr[0] == 0x82)
			buf_append(payload, out.ptr + at, len);
		else
			++*n_controls;
		out = slice_skip(out, at + len);
	}
}

Test(ws, takes_frames_with_the_request)
{
	struct stream *s = new_ws();
	ssize_t end;
	struct slice got;

	hear(REQUEST, strlen(REQUEST));
	hear_frame(WS_FIN | WS_BIN, "one");
	hear_frame(WS_FIN | WS_BIN, "two");
	got = read_all(s, &end);
	cr_expect(slice_eq(got, SLICE("onetwo")));
	cr_expect_eq(end, -EAGAIN);
	free_ws(&s);
}

/* With room for so many bytes at a time, in whatever moment a ping comes. */
Test(ws, writes_whole_frames_in_any_parts)
{
	static uint8_t bytes[50000];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 31 >> 3);
	for (size_t room = 1; room < 20000; room = room * 3 + 1) {
		struct stream *s = open_ws();
		struct buf payload = { 0 };
		size_t done = 0, size = room < 100 ? 1000 : sizeof(bytes);
		unsigned n_controls, rounds = 0;
		ssize_t end, n;

		while (done < size || stream_wants_write(s)) {
			the_pipe.room = rounds % 2 ? room : 0;
			if (rounds++ % 5 == 0 && done < size) {
				hear_frame(WS_FIN | WS_PING, "?");
				(void)read_all(s, &end);
				cr_assert_eq(end, -EAGAIN);
			}
			if (done == size) {
				(void)read_all(s, &end);
				continue;
			}
			n = stream_write(s, -1, bytes + done, size - done);
			cr_assert(n > 0 || n == -EAGAIN);
			if (n > 0)
				done += (size_t)n;
		}
		take_apart(buf_slice(&the_pipe.out), &payload, &n_controls);
		cr_expect(slice_eq(buf_slice(&payload), slice_of(bytes, size)),
		    "%zu", room);
		cr_expect_gt(n_controls, 0);
		buf_fini(&payload);
		free_ws(&s);
	}
}

Test(ws, reads_no_more_while_an_answer_waits)
{
	struct stream *s = open_ws();
	ssize_t end;

	the_pipe.room = 0;
	hear_frame(WS_FIN | WS_PING, "?");
	cr_expect_eq(read_all(s, &end).len, 0);
	cr_expect(stream_wants_write(s));
	hear_frame(WS_FIN | WS_BIN, "x");
	cr_expect_eq(read_all(s, &end).len, 0);
	cr_expect_eq(stream_write(s, -1, "y", 1), -EAGAIN);
	the_pipe.room = SIZE_MAX;
	cr_expect_eq(read_all(s, &end).len, 1);
	cr_expect_not(stream_wants_write(s));
	cr_expect(slice_eq(buf_slice(&the_pipe.out), SLICE("\x8a\x01?")));
	free_ws(&s);
}

Test(ws, gives_what_came_before_the_end)
{
	struct stream *s = open_ws();
	uint8_t bytes[1000];

	hear_frame(WS_FIN | WS_BIN, "last");
	hear_frame(WS_FIN | WS_CLOSE, "\x03\xe8");
	cr_expect_eq(stream_read(s, -1, bytes, sizeof(bytes)), 4);
	/* Although nothing more will come from below. */
	cr_expect(stream_has_more(s));
	cr_expect_eq(stream_read(s, -1, bytes, sizeof(bytes)), 0);
	cr_expect_eq(stream_write(s, -1, "x", 1), -EPIPE);
	cr_expect(
	    slice_eq(buf_slice(&the_pipe.out), SLICE("\x88\x02\x03\xe8")));
	cr_expect_str_eq(stream_why(s, 0), "connection closed by client");
	stream_goodbye(s, -1);
	cr_expect_eq(buf_len(&the_pipe.out), 4);
	free_ws(&s);
}

Test(ws, says_why_it_ends)
{
	struct stream *s = open_ws();
	ssize_t end;

	hear_frame(WS_FIN | WS_TEXT, "x");
	cr_expect_eq(read_all(s, &end).len, 0);
	cr_expect_eq(end, 0);
	cr_expect_str_eq(stream_why(s, 0), "WebSocket messages of text");
	cr_expect(
	    slice_eq(buf_slice(&the_pipe.out), SLICE("\x88\x02\x03\xeb")));
	free_ws(&s);
	s = new_ws();
	hear("GET / HTTP/1.1\r\n", 16);
	cr_expect_eq(read_all(s, &end).len, 0);
	cr_expect_eq(end, 0);
	cr_expect_str_eq(stream_why(s, 0), "another path");
	free_ws(&s);
}

Test(ws, says_goodbye_between_frames_only)
{
	struct stream *s = open_ws();

	stream_goodbye(s, -1);
	cr_expect(
	    slice_eq(buf_slice(&the_pipe.out), SLICE("\x88\x02\x03\xe8")));
	free_ws(&s);
	s = open_ws();
	the_pipe.room = 4;
	cr_expect_eq(stream_write(s, -1, "abcd", 4), 2);
	the_pipe.room = SIZE_MAX;
	stream_goodbye(s, -1);
	cr_expect(slice_eq(buf_slice(&the_pipe.out),
	    SLICE("\x82\x04"
		  "ab")));
	free_ws(&s);
	/* Nor before there are frames. */
	s = new_ws();
	stream_goodbye(s, -1);
	cr_expect_eq(buf_len(&the_pipe.out), 0);
	free_ws(&s);
}

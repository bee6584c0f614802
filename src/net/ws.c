/* SPDX-License-Identifier: Apache-2.0 */
/* ws - a stream in a WebSocket: the server's side. */
#include "net/ws.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "net/ws_frames.h"

/* One frame of ours with its header, which fits into one record of TLS. */
#define FRAME_MAX  16384
/* Frames that one write makes at most. */
#define WRITE_TURN 16

enum ws_state { WS_OPENING, WS_OPEN, WS_CLOSED };

struct ws {
	struct stream stream;
	struct stream *below;
	const struct ws_rules *rules;
	struct ws_frames frames;
	struct buf head;  /* OPENING: the request so far */
	struct buf reply; /* ours, between two frames: not yet taken below */
	const char *why;
	/* The frame that is being written: what is still to come of it. */
	size_t left;
	uint8_t header[WS_HEADER_MAX];
	uint8_t header_len; /* 0: written */
	uint8_t state;
	bool has_said_close;
};

static struct ws *
ws_of(struct stream *s)
{
	return (struct ws *)(void *)s;
}

static bool
is_in_frame(const struct ws *w)
{
	return w->left > 0 || w->header_len > 0;
}

/* Write what is in `reply`; true when nothing is left. */
static bool
flush_reply(struct ws *w, int fd)
{
	ssize_t n;

	if (buf_len(&w->reply) == 0)
		return true;
	n = stream_write(w->below, fd, buf_ptr(&w->reply), buf_len(&w->reply));
	if (n > 0)
		buf_consume(&w->reply, (size_t)n);
	if (buf_len(&w->reply) > 0)
		return false;
	buf_fini(&w->reply);
	return true;
}

/* Say what is to be said between two frames. */
static void
settle(struct ws *w, int fd)
{
	if (is_in_frame(w) || !flush_reply(w, fd) || w->has_said_close)
		return;
	if (w->frames.close != 0) {
		ws_frames_put_close(&w->frames, &w->reply);
		w->has_said_close = true;
	} else if (w->frames.has_pong) {
		ws_frames_put_pong(&w->frames, &w->reply);
	}
	(void)flush_reply(w, fd);
}

/* --- opening --- */

/*
 * Bytes of the request; returns how many frames' bytes stood behind it, which
 * are at `p` then.
 */
static size_t
on_request(struct ws *w, int fd, uint8_t *p, size_t n)
{
	struct ws_upgrade u;
	size_t rest = 0;

	buf_append(&w->head, p, n);
	switch (ws_upgrade_decode(buf_slice(&w->head), w->rules, &u)) {
	case WS_UPGRADE_MORE:
		return 0;
	case WS_UPGRADE_DONE:
		ws_upgrade_accept(&u, &w->reply);
		w->state = WS_OPEN;
		/* Before these bytes it was not whole. */
		rest = buf_len(&w->head) - u.size;
		memcpy(p, buf_ptr(&w->head) + u.size, rest);
		break;
	case WS_UPGRADE_REFUSED:
		ws_upgrade_refuse(&u, &w->reply);
		w->state = WS_CLOSED;
		w->why = u.why;
		break;
	}
	buf_fini(&w->head);
	(void)flush_reply(w, fd);
	return rest;
}

/* --- reading --- */

static const char *
close_reason(const struct ws_frames *f)
{
	if (f->is_closed_by_peer)
		return NULL;
	if (f->close == WS_CLOSE_UNACCEPTABLE)
		return "WebSocket messages of text";
	return "malformed WebSocket frames";
}

static size_t
on_frames(struct ws *w, int fd, uint8_t *p, size_t n)
{
	n = ws_frames_decode(&w->frames, p, n);
	if (w->frames.close != 0) {
		w->state = WS_CLOSED;
		w->why = close_reason(&w->frames);
	}
	settle(w, fd);
	return n;
}

static ssize_t
ws_read(struct stream *s, int fd, void *p, size_t size)
{
	struct ws *w = ws_of(s);
	ssize_t got;
	size_t n;

	settle(w, fd);
	if (w->state == WS_CLOSED)
		return 0;
	/* What it says next would have to be answered, too. */
	if (buf_len(&w->reply) > 0)
		return -EAGAIN;
	got = stream_read(w->below, fd, p, size);
	if (got <= 0)
		return got;
	n = (size_t)got;
	if (w->state == WS_OPENING)
		n = on_request(w, fd, p, n);
	if (w->state == WS_OPEN)
		n = on_frames(w, fd, p, n);
	if (n > 0 && w->state != WS_OPENING)
		return (ssize_t)n;
	return w->state == WS_CLOSED ? 0 : -EAGAIN;
}

/* --- writing --- */

static void
begin_frame(struct ws *w, size_t len)
{
	if (len > FRAME_MAX - WS_HEADER_MAX)
		len = FRAME_MAX - WS_HEADER_MAX;
	w->header_len = (uint8_t)ws_frames_put_header(w->header, len);
	w->left = len;
}

/* `n` bytes of header and payload were taken below; returns how many of the
 * payload. */
static size_t
end_part(struct ws *w, size_t n)
{
	size_t of_header = n < w->header_len ? n : w->header_len;

	memmove(w->header, w->header + of_header, w->header_len - of_header);
	w->header_len = (uint8_t)(w->header_len - of_header);
	w->left -= n - of_header;
	return n - of_header;
}

/*
 * A frame, or the rest of one, in one write: what was begun goes on with the
 * same bytes until it is done. Returns how many bytes of the payload were
 * taken, which may be none; `*is_all` when the frame is done.
 */
static ssize_t
write_frame(struct ws *w, int fd, const uint8_t *p, size_t size, bool *is_all)
{
	uint8_t bytes[FRAME_MAX];
	size_t len = w->left < size ? w->left : size;
	ssize_t n;

	memcpy(bytes, w->header, w->header_len);
	memcpy(bytes + w->header_len, p, len);
	n = stream_write(w->below, fd, bytes, w->header_len + len);
	if (n < 0)
		return n;
	n = (ssize_t)end_part(w, (size_t)n);
	*is_all = !is_in_frame(w);
	return n;
}

static ssize_t
ws_write(struct stream *s, int fd, const void *p, size_t size)
{
	struct ws *w = ws_of(s);
	size_t done = 0;
	bool is_all = true;
	ssize_t n = 0;

	settle(w, fd);
	if (w->state == WS_CLOSED)
		return -EPIPE;
	if (w->state == WS_OPENING || buf_len(&w->reply) > 0)
		return -EAGAIN;
	for (unsigned i = 0; i < WRITE_TURN && done < size && is_all; i++) {
		if (!is_in_frame(w))
			begin_frame(w, size - done);
		n = write_frame(w, fd, (const uint8_t *)p + done, size - done,
		    &is_all);
		if (n < 0)
			break;
		done += (size_t)n;
	}
	settle(w, fd);
	if (done > 0)
		return (ssize_t)done;
	return n < 0 ? n : -EAGAIN;
}

/* --- the rest --- */

static bool
ws_has_more(const struct stream *s)
{
	const struct ws *w = (const struct ws *)(const void *)s;

	/* That it has ended is still to be read. */
	return w->state == WS_CLOSED || stream_has_more(w->below);
}

static bool
ws_wants_write(const struct stream *s)
{
	const struct ws *w = (const struct ws *)(const void *)s;

	return buf_len(&w->reply) > 0 || stream_wants_write(w->below);
}

static void
ws_goodbye(struct stream *s, int fd)
{
	struct ws *w = ws_of(s);

	if (w->state == WS_OPEN && w->frames.close == 0)
		w->frames.close = WS_CLOSE_NORMAL;
	w->state = WS_CLOSED;
	settle(w, fd);
	stream_goodbye(w->below, fd);
}

static const char *
ws_why(const struct stream *s)
{
	const struct ws *w = (const struct ws *)(const void *)s;
	const struct transport *t = w->below->transport;

	if (w->why != NULL)
		return w->why;
	return t->why != NULL ? t->why(w->below) : NULL;
}

static const char *
ws_peer(const struct stream *s)
{
	return stream_peer(((const struct ws *)(const void *)s)->below);
}

static void
ws_free(struct stream *s)
{
	struct ws *w = ws_of(s);

	stream_free(&w->below);
	ws_frames_fini(&w->frames);
	buf_fini(&w->head);
	buf_fini(&w->reply);
	free(w);
}

static const struct transport transport_ws = {
	.name = "ws",
	.read = ws_read,
	.write = ws_write,
	.has_more = ws_has_more,
	.wants_write = ws_wants_write,
	.goodbye = ws_goodbye,
	.why = ws_why,
	.peer = ws_peer,
	.free = ws_free,
};

struct stream *
ws_new(struct stream *below, const struct ws_rules *rules)
{
	struct ws *w = xcalloc(1, sizeof(*w));

	w->stream.transport = &transport_ws;
	w->below = below;
	w->rules = rules;
	return &w->stream;
}

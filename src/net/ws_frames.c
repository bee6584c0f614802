/* SPDX-License-Identifier: Apache-2.0 */
/* ws_frames - frames of a WebSocket client taken apart. */
#include "net/ws_frames.h"

#include <assert.h>
#include <string.h>

#include <wslay/wslay.h>

#define CONTROL_MAX 125
#define FIN         0x80

static ssize_t
give_input(uint8_t *p, size_t size, int flags, void *arg)
{
	struct ws_frames *f = arg;
	size_t n = size < f->n_input ? size : f->n_input;

	(void)flags;
	if (n == 0)
		return -1; /* no more now */
	memcpy(p, f->input, n);
	f->input += n;
	f->n_input -= n;
	f->n_inside += n;
	return (ssize_t)n;
}

static void
drop_wslay(struct ws_frames *f)
{
	if (f->wslay != NULL)
		wslay_frame_context_free(f->wslay);
	f->wslay = NULL;
}

static bool
make_wslay(struct ws_frames *f)
{
	const struct wslay_frame_callbacks callbacks = { .recv_callback =
							     give_input };

	return f->wslay != NULL ||
	    wslay_frame_context_init(&f->wslay, &callbacks, f) == 0;
}

void
ws_frames_fini(struct ws_frames *f)
{
	drop_wslay(f);
	buf_fini(&f->control);
	buf_fini(&f->pong);
}

/* Of a client's frame: two bytes, the length if it is longer, the mask. */
static size_t
header_len(uint64_t payload)
{
	if (payload < 126)
		return 6;
	return payload <= UINT16_MAX ? 8 : 14;
}

static bool
is_control(const struct ws_frames *f)
{
	return wslay_is_ctrl_frame(f->opcode);
}

/* RFC 6455 5.2, 5.4, 5.5: 0, or why it must not be. */
static unsigned
check_frame(const struct ws_frames *f, const struct wslay_frame_iocb *frame)
{
	if (!frame->mask || frame->rsv != 0)
		return WS_CLOSE_PROTOCOL_ERROR;
	switch (frame->opcode) {
	case WSLAY_CONTINUATION_FRAME:
		return f->is_message ? 0 : WS_CLOSE_PROTOCOL_ERROR;
	case WSLAY_TEXT_FRAME: /* v5 [MQTT-6.0.0-1] */
		return WS_CLOSE_UNACCEPTABLE;
	case WSLAY_BINARY_FRAME:
		return f->is_message ? WS_CLOSE_PROTOCOL_ERROR : 0;
	case WSLAY_CONNECTION_CLOSE:
	case WSLAY_PING:
	case WSLAY_PONG:
		return frame->fin && frame->payload_length <= CONTROL_MAX
		    ? 0
		    : WS_CLOSE_PROTOCOL_ERROR;
	default:
		return WS_CLOSE_PROTOCOL_ERROR;
	}
}

static void
begin_frame(struct ws_frames *f, const struct wslay_frame_iocb *frame)
{
	f->close = (uint16_t)check_frame(f, frame);
	f->is_inside = true;
	f->opcode = frame->opcode;
	f->left = frame->payload_length;
	f->n_inside -= header_len(frame->payload_length);
	if (!is_control(f))
		f->is_message = !frame->fin;
}

/* RFC 6455 7.4: may a client say that? */
static bool
is_close_code(unsigned code)
{
	return (code >= 1000 && code <= 1003) ||
	    (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

/* The answer to a close frame says the same. */
static void
on_close(struct ws_frames *f)
{
	const uint8_t *p = buf_ptr(&f->control);
	size_t len = buf_len(&f->control);
	unsigned code = len >= 2 ? (unsigned)p[0] << 8 | p[1] : WS_CLOSE_NORMAL;

	f->is_closed_by_peer = true;
	f->close = len == 1 || !is_close_code(code) ? WS_CLOSE_PROTOCOL_ERROR
						    : (uint16_t)code;
}

static void
end_frame(struct ws_frames *f)
{
	f->is_inside = false;
	if (f->opcode == WSLAY_CONNECTION_CLOSE) {
		on_close(f);
	} else if (f->opcode == WSLAY_PING) {
		buf_fini(&f->pong);
		f->pong = f->control;
		f->control = (struct buf){ 0 };
		f->has_pong = true;
	}
	if (is_control(f))
		buf_fini(&f->control);
}

/* Part of a frame's payload; all of it is left behind in `out`. Returns what
 * of it is MQTT. */
static size_t
on_part(struct ws_frames *f, const struct wslay_frame_iocb *frame, uint8_t *out)
{
	size_t len = 0;

	if (!f->is_inside)
		begin_frame(f, frame);
	if (f->close != 0)
		return 0;
	assert(frame->data_length <= f->left);
	f->left -= frame->data_length;
	f->n_inside -= frame->data_length;
	if (is_control(f)) {
		buf_append(&f->control, frame->data, frame->data_length);
	} else if (frame->data_length > 0) {
		len = frame->data_length;
		memcpy(out, frame->data, len);
	}
	if (f->left == 0)
		end_frame(f);
	return len;
}

size_t
ws_frames_decode(struct ws_frames *f, uint8_t *p, size_t n)
{
	size_t len = 0;

	/* wslay copies before we write, and payload is never longer than the
	 * input that it was in: at most a header is kept in between. */
	f->input = p;
	f->n_input = n;
	if (n > 0 && f->close == 0 && !make_wslay(f))
		f->close = WS_CLOSE_PROTOCOL_ERROR;
	while (n > 0 && f->close == 0) {
		struct wslay_frame_iocb frame = { 0 };
		ssize_t got = wslay_frame_recv(f->wslay, &frame);

		if (got == WSLAY_ERR_WANT_READ)
			break;
		if (got < 0)
			f->close = WS_CLOSE_PROTOCOL_ERROR;
		else
			len += on_part(f, &frame, p + len);
	}
	f->input = NULL;
	if (f->close != 0 || (!f->is_inside && f->n_inside == 0))
		drop_wslay(f);
	return len;
}

/* --- what we say --- */

size_t
ws_frames_put_header(uint8_t header[WS_HEADER_MAX], size_t payload)
{
	size_t len = 2;

	header[0] = FIN | WSLAY_BINARY_FRAME;
	if (payload < 126) {
		header[1] = (uint8_t)payload;
		return len;
	}
	header[1] = payload <= UINT16_MAX ? 126 : 127;
	len += payload <= UINT16_MAX ? 2 : 8;
	for (size_t i = len; i > 2; i--) {
		header[i - 1] = (uint8_t)payload;
		payload >>= 8;
	}
	return len;
}

static void
put_control(uint8_t opcode, struct slice payload, struct buf *out)
{
	buf_append_byte(out, (uint8_t)(FIN | opcode));
	buf_append_byte(out, (uint8_t)payload.len);
	buf_append_slice(out, payload);
}

void
ws_frames_put_pong(struct ws_frames *f, struct buf *out)
{
	put_control(WSLAY_PONG, buf_slice(&f->pong), out);
	buf_fini(&f->pong);
	f->has_pong = false;
}

void
ws_frames_put_close(const struct ws_frames *f, struct buf *out)
{
	const uint8_t code[2] = { (uint8_t)(f->close >> 8), (uint8_t)f->close };

	put_control(WSLAY_CONNECTION_CLOSE, slice_of(code, sizeof(code)), out);
}

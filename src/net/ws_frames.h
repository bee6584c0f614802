/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ws_frames - frames of a WebSocket client taken apart, RFC 6455 section 5.
 *
 * What is in its binary messages is one stream of bytes, however it is cut
 * into messages and these into frames. Nothing is collected but a control
 * frame, of at most 125 bytes; wslay's buffer is there only in the middle of
 * a frame. It knows no socket.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"

struct wslay_frame_context;

/* Of a close frame. */
enum ws_close {
	WS_CLOSE_NORMAL = 1000,
	WS_CLOSE_PROTOCOL_ERROR = 1002,
	WS_CLOSE_UNACCEPTABLE = 1003 /* we take binary only */
};

struct ws_frames {
	struct wslay_frame_context *wslay; /* NULL: between two frames */
	const uint8_t *input;              /* while decoding */
	size_t n_input;
	uint64_t n_inside;  /* bytes that went in and were not accounted for */
	uint64_t left;      /* of the frame's payload */
	struct buf control; /* payload of a control frame, so far */
	struct buf pong;    /* to be said, if has_pong */
	uint16_t close;     /* nothing more is taken: to be said; 0: not yet */
	uint8_t opcode;     /* of the frame */
	bool is_inside;     /* a frame has begun */
	bool is_message;    /* more frames of a message will come */
	bool has_pong;
	bool is_closed_by_peer; /* it has said so first */
};

/* All zero is the beginning. */
void ws_frames_fini(struct ws_frames *f);

/*
 * Take `n` bytes apart, which are overwritten by the payload that was in
 * them; returns how much that is. Look at `close` and `has_pong` afterwards.
 * When many pings came, only the last is answered (RFC 6455 5.5.3).
 */
size_t ws_frames_decode(struct ws_frames *f, uint8_t *p, size_t n) MUST_CHECK;

/* The largest header of ours. */
#define WS_HEADER_MAX 10
/* The header of a frame that is a binary message; returns its length. */
size_t ws_frames_put_header(uint8_t header[WS_HEADER_MAX], size_t payload);
/* A whole control frame that says what is to be said; `has_pong` or `close`
 * must be set. */
void ws_frames_put_pong(struct ws_frames *f, struct buf *out);
void ws_frames_put_close(const struct ws_frames *f, struct buf *out);

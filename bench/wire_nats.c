/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire_nats - just enough of the NATS client protocol to put load on it.
 *
 * A publish that wants an answer (qos above 0) names the reply subject
 * _BENCH.RUN.PUBLISHER.ID, where ID has five digits, and the publisher
 * subscribes to _BENCH.RUN.PUBLISHER.* before it is ready.
 */
#include <string.h>

#include "peer.h"
#include "stencil.h"

#define SID_INBOX "inbox"

/* Topics and filters of the bench have no empty levels and no dots. */
static void
append_subject(struct buf *b, const char *topic)
{
	static const char mqtt[] = "/+#", nats[] = ".*>";

	for (; *topic != '\0'; topic++) {
		const char *special = strchr(mqtt, *topic);
		buf_append_byte(b,
		    (uint8_t)(special != NULL ? nats[special - mqtt] : *topic));
	}
}

static void
nats_hello(struct peer *p, const char *id)
{
	buf_printf(&p->out,
	    "CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true,"
	    "\"no_responders\":false,\"protocol\":1,\"lang\":\"c\","
	    "\"version\":\"0\",\"name\":\"%s\"}\r\n",
	    id);
	if (p->inbox)
		buf_printf(&p->out, "SUB _BENCH.%u.%u.* " SID_INBOX "\r\n",
		    run_number(), p->number);
	buf_append_str(&p->out, "PING\r\n");
	peer_dirty(p);
}

static void
nats_subscribe(struct peer *p, const char *const *filters, unsigned n,
    unsigned qos)
{
	(void)qos;
	for (unsigned i = 0; i < n; i++) {
		buf_append_str(&p->out, "SUB ");
		append_subject(&p->out, filters[i]);
		buf_printf(&p->out, " %u\r\n", i + 1);
	}
	buf_append_str(&p->out, "PING\r\n");
	p->awaiting++;
	peer_dirty(p);
}

static void
nats_ping(struct peer *p)
{
	buf_append_str(&p->out, "PING\r\n");
	peer_dirty(p);
}

static void
nats_compose(const struct wire *w, struct stencil *s)
{
	struct buf *b = &s->bytes;

	(void)w;
	buf_append_str(b, "PUB ");
	append_subject(b, s->topic);
	if (s->qos > 0) {
		buf_printf(b, " _BENCH.%u.%u.", run_number(), s->publisher);
		s->id_form = ID_DECIMAL;
		s->id_at = buf_len(b);
		buf_append_str(b, "00000");
	}
	buf_printf(b, " %u\r\n", s->size);
	s->payload_at = buf_len(b);
	memset(buf_reserve(b, s->size), 'x', s->size);
	buf_commit(b, s->size);
	buf_append_str(b, "\r\n");
}

/* The arguments of MSG and HMSG, separated by single spaces. */
struct words {
	struct slice word[6];
	unsigned n;
};

static struct words
words_split(const uint8_t *p, const uint8_t *end)
{
	struct words w = { .n = 0 };

	while (p < end && w.n < countof(w.word)) {
		const uint8_t *space = memchr(p, ' ', (size_t)(end - p));
		if (space == NULL)
			space = end;
		w.word[w.n++] = slice_of(p, (size_t)(space - p));
		p = space + 1;
	}
	return w;
}

static size_t
read_decimal(struct slice s)
{
	size_t value = 0;

	for (size_t i = 0; i < s.len; i++)
		value = value * 10 + (size_t)(s.ptr[i] - '0');
	return value;
}

static void
on_answer(struct peer *p, struct slice subject)
{
	size_t digits = subject.len < 5 ? subject.len : 5;

	p->events->acked(p,
	    (uint32_t)read_decimal(slice_skip(subject, subject.len - digits)));
}

static void
answer(struct peer *p, struct slice reply)
{
	buf_append_str(&p->out, "PUB ");
	buf_append_slice(&p->out, reply);
	buf_append_str(&p->out, " 0\r\n\r\n");
	peer_dirty(p);
}

/*
 * MSG subject sid [reply] length, HMSG subject sid [reply] headers length;
 * returns the length of it all, 0 when it is not yet complete.
 */
static size_t
take_message(struct peer *p, const uint8_t *data, const uint8_t *eol,
    size_t len)
{
	bool headers = data[0] == 'H';
	struct words w = words_split(data + (headers ? 5 : 4), eol);
	size_t line = (size_t)(eol - data) + 2;
	size_t total = read_decimal(w.word[w.n - 1]);
	size_t skip = headers ? read_decimal(w.word[w.n - 2]) : 0;

	if (len < line + total + 2)
		return 0;
	if (slice_eq(w.word[1], SLICE(SID_INBOX))) {
		on_answer(p, w.word[0]);
		return line + total + 2;
	}
	if (p->answers && w.n - headers == 4)
		answer(p, w.word[2]);
	p->events->message(p, data + line + skip, total - skip);
	return line + total + 2;
}

static void
on_pong(struct peer *p)
{
	if (p->connecting) {
		p->connecting = false;
		p->events->ready(p);
	} else if (p->awaiting > 0) {
		p->awaiting--;
		p->events->subscribed(p);
	} else {
		p->events->pong(p);
	}
}

static void
nats_pong(struct peer *p)
{
	buf_append_str(&p->out, "PONG\r\n");
	peer_dirty(p);
}

static void
on_line(struct peer *p, struct slice line)
{
	if (slice_starts(line, SLICE("PONG")))
		on_pong(p);
	else if (slice_starts(line, SLICE("PING")))
		nats_pong(p);
	else if (slice_starts(line, SLICE("-ERR")))
		peer_fail(p, "-ERR");
	else if (!slice_starts(line, SLICE("INFO")) &&
	    !slice_starts(line, SLICE("+OK")))
		peer_fail(p, "line that a client does not expect");
}

static size_t
nats_take(struct peer *p, const uint8_t *data, size_t len)
{
	size_t at = 0, used;

	while (p->fd >= 0 && at < len) {
		const uint8_t *eol = memchr(data + at, '\r', len - at);
		if (eol == NULL || eol + 1 == data + len)
			break;
		if (data[at] == 'M' || data[at] == 'H') {
			used = take_message(p, data + at, eol, len - at);
			if (used == 0)
				break;
			at += used;
		} else {
			used = (size_t)(eol - (data + at));
			on_line(p, slice_of(data + at, used));
			at += used + 2;
		}
	}
	return at;
}

const struct wire wire_nats = {
	.scheme = "nats",
	.separator = '.',
	.hello = nats_hello,
	.subscribe = nats_subscribe,
	.ping = nats_ping,
	.compose = nats_compose,
	.take = nats_take,
};

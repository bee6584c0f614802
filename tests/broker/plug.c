/* SPDX-License-Identifier: Apache-2.0 */
/* plug - a device's Network Connection at one home. */
#include "broker/plug.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "broker/promise.h"
#include "mqtt/framer.h"

/* On its way to another home. */
struct moving {
	struct mail mail;
	struct device *device;
	struct client client; /* as it was left */
};

static struct plug *
plug_new(struct device *d)
{
	struct plug *p = xcalloc(1, sizeof(*p));

	p->device = d;
	d->plug = p;
	d->is_moving = false;
	return p;
}

void
plug_open(struct device *d, struct home *h)
{
	struct plug *p = plug_new(d);

	client_init(&p->client, h, &d->node->rules, "10.0.0.9:50122");
}

static void
plug_free(struct plug *p)
{
	p->device->plug = NULL;
	client_fini(&p->client);
	free(p);
}

static void
on_moved(struct mail *mail, void *owner)
{
	struct moving *m = container_of(mail, struct moving, mail);
	struct plug *p = plug_new(m->device);

	client_init_moved(&p->client, owner, &m->client);
	client_start_moved(&p->client);
	p->client.is_paused = true;
	client_touch(&p->client);
	if (m->device->is_broken)
		plug_break(p);
	free(m);
}

static void
move(struct plug *p)
{
	struct moving *m = xcalloc(1, sizeof(*m));
	struct client *c = &p->client;
	struct home *to = node_home(p->device->node, c->move_to);

	m->mail.handle = on_moved;
	m->device = p->device;
	client_pack(c, &m->client);
	m->device->is_moving = true;
	plug_free(p);
	mailbox_post(&to->mailbox, &m->mail);
}

/* True when everything was written. */
static bool
flush(struct plug *p)
{
	struct device *d = p->device;
	struct buf *out = &p->client.out;
	size_t ready = promise_ready(&p->client);
	size_t n = ready < d->window ? ready : d->window;

	if (d->is_broken) {
		promise_forget(&p->client);
		buf_fini(out);
		return true;
	}
	if (d->window != SIZE_MAX)
		d->window -= n;
	buf_append(&d->heard, buf_ptr(out), n);
	buf_consume(out, n);
	promise_written(&p->client, n);
	if (buf_len(out) > 0)
		return false;
	buf_fini(out);
	return true;
}

static void
take_packets(struct plug *p)
{
	struct client *c = &p->client;
	struct buf *in = &p->device->sent;
	struct frame f;
	enum mqtt_reason reason;

	while (buf_len(in) > 0 && client_may_read(c)) {
		switch (framer_next(buf_slice(in), client_max_packet(c), &f,
		    &reason)) {
		case FRAMER_PACKET:
			client_on_packet(c, &f);
			buf_consume(in, f.size);
			break;
		case FRAMER_MORE:
			return;
		case FRAMER_BAD:
			client_on_bad_frame(c, reason);
			return;
		}
	}
}

void
plug_read(struct plug *p)
{
	if (client_may_read(&p->client))
		take_packets(p);
	if (!client_may_read(&p->client))
		p->client.is_paused = true;
	if (p->client.is_moving)
		client_touch(&p->client);
}

void
plug_attend(struct plug *p)
{
	struct client *c = &p->client;
	bool drained;

	if (c->is_moving) {
		move(p);
		return;
	}
	drained = flush(p);
	if (c->state == CLIENT_CLOSING) {
		if (drained)
			plug_free(p);
		return;
	}
	if (drained)
		client_on_drained(c);
	if (c->is_paused && client_may_read(c)) {
		c->is_paused = false;
		plug_read(p);
	}
}

void
plug_break(struct plug *p)
{
	p->device->is_broken = true;
	client_on_hangup(&p->client, "connection reset");
	client_touch(&p->client);
}

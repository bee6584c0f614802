/* SPDX-License-Identifier: Apache-2.0 */
/* login - a client whose credentials somebody looks at. */
#include "broker/login.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "broker/ask.h"
#include "broker/client.h"
#include "broker/verify.h"

struct pending_login *
login_begin(struct client *c, struct verify *verify)
{
	struct pending_login *l = xcalloc(1, sizeof(*l));

	l->p.kind = PENDING_LOGIN;
	l->client = c;
	l->verify = verify;
	pending_add(c->home, &l->p);
	c->login = &l->p;
	c->state = CLIENT_LOGIN;
	return l;
}

void
login_forget(struct client *c)
{
	struct pending_login *l;

	if (c->login == NULL)
		return;
	if (c->login->kind == PENDING_ASK) {
		ask_forget(c->home, c->login);
		c->login = NULL;
		return;
	}
	l = container_of(c->login, struct pending_login, p);
	l->client = NULL;
	c->login = NULL;
	if (l->verify != NULL)
		verify_forget(l->verify);
}

static void WORKER_THREAD
give_back(struct home *h, uint32_t link)
{
	struct bus_request r = { .type = BUS_FORGET, .link = link };

	if (link != 0)
		home_request(h, &r);
}

/* Take it out; its client, if that is still there. */
static struct client *WORKER_THREAD
end(struct home *h, struct pending *p)
{
	struct pending_login *l = container_of(p, struct pending_login, p);
	struct client *c = l->client;

	pending_remove(h, p);
	free(l);
	if (c != NULL)
		c->login = NULL;
	return c;
}

void
login_granted(struct home *h, struct pending *p, struct grant *g,
    const char *why)
{
	struct client *c = end(h, p);

	if (c == NULL)
		return;
	if (g != NULL) {
		client_on_grant(c, g);
		return;
	}
	client_log(c, LOG_INFO, "token refused: %s", why);
	client_on_login(c, LOGIN_WRONG, 0);
}

void
login_settled(struct home *h, struct pending *p, enum login_result result,
    uint32_t link)
{
	struct client *c = end(h, p);

	if (c != NULL)
		client_on_login(c, result, link);
	else if (result == LOGIN_GOOD)
		give_back(h, link);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/renew.h"

#include "auth/acl.h"
#include "auth/samples.h"
#include "auth/users.h"
#include "broker/device.h"

static struct users *
users(const char *text)
{
	struct buf why = { 0 };
	unsigned line;
	struct users *u = users_parse(slice_str(text), &line, &why);

	cr_assert_not_null(u);
	return u;
}

/* The node learns of other options; what they refer to may go then. */
static void
renew(struct node *n, struct broker_options *o)
{
	broker_renew(n->broker, o);
	node_run(n);
	users_unref(&o->users);
	acl_unref(&o->acl);
}

static struct device *
online(struct node *n, unsigned home, const char *id, const char *user,
    const char *password)
{
	struct device *d = device_new(n, home);

	device_say(d, "10 [<MQTT> 04 c0 0000 <%s> <%s> <%s>]", id, user,
	    password);
	device_hears(d, "CONNACK session_present=0 code=0");
	return d;
}

Test(renew, disconnects_who_is_nobody_any_more)
{
	struct broker_options o = node_options(), next;
	struct node *n;
	struct device *al, *bo, *cy, *stranger, *d;

	o.users =
	    users("al:" HASH_SECRET "\nbo:" HASH_GEHEIM "\ncy:" HASH_SECRET);
	next = o;
	n = node_new_with(&o);
	users_unref(&o.users);
	n->options.users = NULL;
	al = online(n, 0, "al", "al", "secret");
	bo = online(n, 1, "bo", "bo", "geheim");
	cy = online(n, 0, "cy", "cy", "secret");
	stranger = device_online(n, 1, MQTT_V311, "x", true);
	next.users = users("al:" HASH_SECRET "\ncy:" HASH_GEHEIM);
	renew(n, &next);
	device_hears_nothing(al);
	device_hears_it_closed(bo);
	device_hears_it_closed(cy);
	device_hears_nothing(stranger);
	/* and what they were is not good any more */
	d = device_new(n, 0);
	device_say(d, "10 [<MQTT> 04 c0 0000 <cy> <cy> <secret>]");
	device_hears(d, "CONNACK session_present=0 code=4");
	d = device_new(n, 0);
	device_say(d, "10 [<MQTT> 04 c0 0000 <cy> <cy> <geheim>]");
	device_hears(d, "CONNACK session_present=1 code=0");
	node_free(&n);
}

Test(renew, does_not_let_in_who_was_good_when_it_was_asked)
{
	struct broker_options o = node_options(), next = o;
	struct node *n;
	struct device *d;

	o.users = users("al:" HASH_SECRET);
	n = node_new_with(&o);
	users_unref(&o.users);
	n->options.users = NULL;
	d = device_new(n, 0);
	device_put(d, "10 [<MQTT> 04 c0 0000 <al> <al> <secret>]");
	cr_assert_eq(device_client(d)->state, CLIENT_LOGIN);
	/* The answer is in the mail; the news come before it. */
	next.users = users("bo:" HASH_SECRET);
	n->broker->options = &next;
	users_unref(&node_home(n, 0)->users);
	node_home(n, 0)->users = users_ref(next.users);
	node_run(n);
	device_hears(d, "CONNACK session_present=0 code=4");
	node_free(&n);
	users_unref(&next.users);
}

Test(renew, tells_a_v5_client_why_it_goes)
{
	static struct client_rules closed;
	struct node *n = node_new();
	struct broker_options next = n->options;
	struct device *d = device_online(n, 0, MQTT_V5, "d", true), *e;

	closed = n->rules;
	closed.is_open = false;
	n->rules.newer = &closed;
	renew(n, &next);
	device_hears(d,
	    "DISCONNECT reason=0x87 (not authorized) { Reason String=not "
	    "authorized: anonymous clients are not allowed any more }");
	device_hears_it_closed(d);
	e = device_new(n, 1);
	device_say(e, "10 [<MQTT> 04 02 0000 <e>]");
	device_hears(e, "CONNACK session_present=0 code=5");
	node_free(&n);
}

Test(renew, changes_rights_and_limits_of_those_who_stay)
{
	static const struct mapping nats = { .mode = MAPPING_NATS };
	struct node *n = node_new();
	struct broker_options next = n->options;
	struct device *d = device_online(n, 0, MQTT_V311, "d", true);
	struct buf why = { 0 };
	unsigned line;

	device_subscribe(d, "a/#", 0);
	device_subscribe(d, "b/#", 0);
	next.acl = acl_parse(SLICE("topic read a/#\n"), &nats, &line, &why);
	next.max_topic_levels = 3;
	renew(n, &next);
	node_from_nats(n, "b/1", "", 0, "1");
	node_from_nats(n, "a/2", "", 0, "2");
	device_hears(d, "PUBLISH qos=0 topic=a/2 payload=2");
	device_say(d, "82 [0009 <a/b/c/d> 00 <b/+> 00 <a/c> 00]");
	device_hears(d, "SUBACK packet_id=9 codes=0x80,0x80,0x00");
	device_hears_nothing(d);
	node_free(&n);
}

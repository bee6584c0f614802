/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/rights.h"

#include <stdio.h>

#include "auth/samples.h"
#include "auth/users.h"
#include "broker/device.h"

static struct acl *
acl(const char *text)
{
	static const struct mapping nats = { .mode = MAPPING_NATS };
	struct buf why = { 0 };
	unsigned line;
	struct acl *a = acl_parse(slice_str(text), &nats, &line, &why);

	cr_assert_not_null(a, "%u: %.*s", line, SLICE_ARG(buf_slice(&why)));
	return a;
}

/* A node with this ACL file; al: secret and bo: geheim are its users. */
static struct node *
node_with_acl(const char *text)
{
	struct broker_options o = node_options();
	struct buf why = { 0 };
	unsigned line;
	struct node *n;

	o.users = users_parse(SLICE("al:" HASH_SECRET "\nbo:" HASH_GEHEIM),
	    &line, &why);
	o.acl = acl(text);
	n = node_new_with(&o);
	users_unref(&o.users);
	acl_unref(&o.acl);
	n->options.users = NULL;
	n->options.acl = NULL;
	return n;
}

static struct device *
al(struct node *n, unsigned home, const char *id)
{
	struct device *d = device_new(n, home);

	device_say(d, "10 [<MQTT> 04 c2 0000 <%s> <al> <secret>]", id);
	device_hears(d, "CONNACK session_present=0 code=0");
	return d;
}

static const char RULES[] = "topic read news/#\n"
			    "user al\n"
			    "topic write news/#\n"
			    "topic read own/+\n"
			    "topic deny own/secret\n"
			    "pattern readwrite dev/%c\n";

/* Somebody says something on each of these topics; d hears some of them. */
static void
say_all(struct device *from)
{
	device_say(from,
	    "30 [<news/a> 'x'] 30 [<own/b> 'x']"
	    " 30 [<dev/d> 'x'] 30 [<own/secret> 'x']");
}

Test(rights, are_asked_when_a_client_publishes)
{
	struct node *n = node_with_acl(RULES);
	struct device *d = al(n, 0, "d");
	struct device *reader = device_online(n, 1, MQTT_V311, "r", true);

	device_subscribe(reader, "news/#", 0);
	say_all(d);
	device_hears(reader, "PUBLISH qos=0 topic=news/a payload=x");
	device_hears_nothing(reader);
	cr_expect_eq(node_count(n, refused_publishes), 2); /* own/... */
	/* 3.x has no word for it: acknowledged and dropped */
	device_say(d, "32 [<own/b> 0007 'x']");
	device_hears(d, "PUBACK packet_id=7");
	node_free(&n);
}

Test(rights, that_lack_are_told_to_who_understands)
{
	struct node *n = node_with_acl(RULES);
	struct device *d = device_online(n, 0, MQTT_V5, "d", true);

	device_say(d, "32 [<news/a> 0007 [] 'x']");
	device_hears(d,
	    "PUBACK packet_id=7 reason=0x87 (not authorized) { Reason "
	    "String=the ACL file does not allow it }");
	device_say(d, "82 [0008 [] <own/#> 00 <news/+> 00]");
	device_hears(d,
	    "SUBACK packet_id=8 codes=0x87,0x00 { Reason String=the ACL file "
	    "allows none of it }");
	device_hears_nothing(d);
	node_free(&n);
}

Test(rights, are_asked_when_a_client_subscribes_and_when_it_receives)
{
	struct node *n = node_with_acl(RULES);
	struct device *d = al(n, 0, "d");

	device_say(d, "82 [0001 <own/secret> 00 <own/b/c> 01 <x> 00]");
	device_hears(d, "SUBACK packet_id=1 codes=0x80,0x80,0x80");
	device_subscribe(d, "#", 0);
	node_from_nats(n, "own/b", "", 0, "1");
	node_from_nats(n, "own/secret", "", 0, "2");
	node_from_nats(n, "news/a", "", 0, "3");
	node_from_nats(n, "dev/d", "", 0, "4");
	node_from_nats(n, "dev/e", "", 0, "5");
	node_from_nats(n, "own/b", "", 0, "6");
	device_hears(d, "PUBLISH qos=0 topic=own/b payload=1");
	device_hears(d, "PUBLISH qos=0 topic=dev/d payload=4");
	device_hears(d, "PUBLISH qos=0 topic=own/b payload=6");
	device_hears_nothing(d);
	node_free(&n);
}

Test(rights, hold_retained_messages_back)
{
	struct node *n = node_with_acl("topic write #\nuser al\n"
				       "topic read a/#\ntopic deny a/no\n");
	struct device *e = device_online(n, 1, MQTT_V311, "e", true);
	struct device *d = al(n, 0, "d");

	device_say(e, "31 [<a/yes> 'x'] 31 [<a/no> 'x'] 31 [<b> 'x']");
	device_subscribe(d, "#", 0);
	device_hears(d, "PUBLISH qos=0 retain topic=a/yes payload=x");
	device_hears_nothing(d);
	node_free(&n);
}

Test(rights, are_needed_for_a_will)
{
	struct node *n = node_with_acl(RULES);
	struct device *d = device_new(n, 0);

	device_say(d, "10 [<MQTT> 04 c6 0000 <d> <own/b> <x> <al> <secret>]");
	device_hears(d, "CONNACK session_present=0 code=5");
	device_hears_it_closed(d);
	d = device_new(n, 0);
	device_say(d, "10 [<MQTT> 04 c6 0000 <d> <news/b> <x> <al> <secret>]");
	device_hears(d, "CONNACK session_present=0 code=0");
	node_free(&n);
}

Test(rights, may_change_while_all_are_online)
{
	struct node *n = node_with_acl(RULES);
	struct device *d = al(n, 0, "d");
	struct acl *other = acl("user al\ntopic read own/secret\n");

	device_subscribe(d, "own/#", 0);
	node_from_nats(n, "own/b", "", 0, "1");
	node_from_nats(n, "own/secret", "", 0, "2");
	device_hears(d, "PUBLISH qos=0 topic=own/b payload=1");
	device_hears_nothing(d);
	rights_set(node_home(n, 0), &other);
	cr_expect_null(other);
	node_from_nats(n, "own/b", "", 0, "1");
	node_from_nats(n, "own/secret", "", 0, "2");
	device_hears(d, "PUBLISH qos=0 topic=own/secret payload=2");
	device_hears_nothing(d);
	rights_set(node_home(n, 0), &other);
	node_from_nats(n, "own/b", "", 0, "1");
	device_hears(d, "PUBLISH qos=0 topic=own/b payload=1");
	node_free(&n);
}

/* What was known of a session holds no longer when it has become al's. */
Test(rights, are_the_users_whose_session_it_is)
{
	struct node *n = node_with_acl("topic read news/#\nuser al\n"
				       "topic read own/#\n");
	struct device *d = device_online(n, 0, MQTT_V311, "d", false);

	device_subscribe(d, "news/#", 1);
	node_from_nats(n, "news/a", "", 0, "1");
	device_hears(d, "PUBLISH qos=0 topic=news/a payload=1");
	device_hang_up(d);
	d = device_new(n, 0);
	device_say(d, "10 [<MQTT> 04 c0 0000 <d> <al> <secret>]");
	device_hears(d, "CONNACK session_present=1 code=0");
	node_from_nats(n, "news/a", "", 0, "1");
	device_hears_nothing(d);
	node_free(&n);
}

/* The table is smaller than the number of topics: answers are forgotten. */
Test(rights, are_right_for_many_topics)
{
	struct node *n = node_with_acl("topic read t/+/yes\n");
	struct device *d = device_online(n, 0, MQTT_V311, "d", true);
	struct home *h = node_home(n, 0);
	const struct session *s = device_client(d)->session;

	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 10000; i++) {
			char topic[32];
			struct slice t;
			bool yes = i % 3 == 0;

			(void)snprintf(topic, sizeof(topic), "t/%u/%s", i,
			    yes ? "yes" : "no");
			t = slice_str(topic);
			cr_assert_eq(rights_may(h, s, t, rights_key(h, t),
					 ACL_READ),
			    yes);
			cr_assert_not(
			    rights_may(h, s, t, rights_key(h, t), ACL_WRITE));
		}
	}
	node_free(&n);
}

Test(rights, cost_nothing_where_there_is_no_file)
{
	struct node *n = node_new();
	struct device *d = device_online(n, 0, MQTT_V311, "d", true);
	struct home *h = node_home(n, 0);

	cr_expect_eq(rights_key(h, SLICE("a")), 0);
	cr_expect(
	    rights_may(h, device_client(d)->session, SLICE("a"), 0, ACL_WRITE));
	cr_expect_null(h->answers);
	node_free(&n);
}

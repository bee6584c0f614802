/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/verify.h"

#include "auth/samples.h"
#include "broker/device.h"

/* A node whose password file has al: secret and bo: geheim. */
static struct node *
node_with_users(struct broker_options *o)
{
	struct buf why = { 0 };
	unsigned line;
	struct node *n;

	o->users = users_parse(SLICE("al:" HASH_SECRET "\nbo:" HASH_GEHEIM),
	    &line, &why);
	cr_assert_not_null(o->users);
	n = node_new_with(o);
	users_unref(&o->users);
	n->options.users = NULL;
	return n;
}

#define AL  "10 [<MQTT> 04 c0 0000 <%s> <al> <secret>]"
#define BO  "10 [<MQTT> 04 c0 0000 <%s> <bo> <geheim>]"
#define OK  "CONNACK session_present=0 code=0"
#define BAD "CONNACK session_present=0 code=4"

static const struct {
	const char *connect;
	const char *heard;
} cases[] = {
	{ "10 [<MQTT> 04 c2 0000 <id> <al> <secret>]", OK },
	{ "10 [<MQIsdp> 03 c2 0000 <id> <bo> <geheim>]", OK },
	{ "10 [<MQTT> 04 c2 0000 <id> <al> <geheim>]", BAD },
	{ "10 [<MQTT> 04 c2 0000 <id> <AL> <secret>]", BAD },
	{ "10 [<MQTT> 04 c2 0000 <id> <cy> <secret>]", BAD },
	{ "10 [<MQTT> 04 c2 0000 <id> <> <secret>]", BAD },
	{ "10 [<MQTT> 04 c2 0000 <id> <al> <>]", BAD },
	{ "10 [<MQTT> 04 82 0000 <id> <al>]", BAD },
	{ "10 [<MQTT> 05 c2 0000 [] <id> <al> <geheim>]",
	    "CONNACK session_present=0 reason=0x86 (bad User Name or Password)"
	    " { Reason String=bad User Name or Password }" },
	/* anonymous, which the node allows */
	{ "10 [<MQTT> 04 02 0000 <id>]", OK },
	{ "10 [<MQTT> 05 42 0000 [17 00] <id> <secret>]", NULL },
};

Test(verify, lets_in_who_knows_the_password)
{
	for (size_t i = 0; i < countof(cases); i++) {
		struct broker_options o = node_options();
		struct node *n = node_with_users(&o);
		struct device *d = device_new(n, 0);

		device_say(d, "%s", cases[i].connect);
		if (cases[i].heard != NULL)
			device_hears(d, cases[i].heard);
		else
			cr_expect_eq(device_next(d)->connack.code, 0);
		if (cases[i].heard != NULL && strcmp(cases[i].heard, OK) != 0)
			device_hears_it_closed(d);
		else
			device_hears_nothing(d);
		cr_expect_eq(atomic_load(&n->broker->n_verifying), 0);
		node_free(&n);
	}
}

Test(verify, refuses_strangers_where_there_is_nobody_else)
{
	struct broker_options o = node_options();
	struct node *n;
	struct device *d;

	n = node_with_users(&o);
	n->rules.is_open = false;
	d = device_new(n, 0);
	device_say(d, "10 [<MQTT> 04 02 0000 <id>]");
	device_hears(d, "CONNACK session_present=0 code=5");
	d = device_new(n, 0);
	device_say(d, AL, "id");
	device_hears(d, OK);
	node_free(&n);
}

Test(verify, does_not_read_on_before_it_is_known_who_it_is)
{
	struct broker_options o = node_options();
	struct node *n = node_with_users(&o);
	struct device *d = device_new(n, 0);

	device_say(d, AL " c0 []", "id");
	device_hears(d, OK);
	device_hears(d, "PINGRESP");
	node_free(&n);
}

Test(verify, has_a_limit)
{
	struct broker_options o = node_options();
	struct node *n = node_with_users(&o);
	struct device *d[4];

	/* The answers are read in the next turn, so all wait at once. */
	for (size_t i = 0; i < 4; i++) {
		d[i] = device_new(n, 0);
		device_put(d[i],
		    i == 3 ? "10 [<MQTT> 05 c2 0000 [] <%s> <al> <secret>]"
			   : "10 [<MQTT> 04 c2 0000 <%s> <al> <secret>]",
		    i == 0       ? "a"
			: i == 1 ? "b"
			: i == 2 ? "c"
				 : "d");
	}
	node_run(n);
	device_hears(d[0], OK);
	device_hears(d[1], OK);
	device_hears(d[2], "CONNACK session_present=0 code=3");
	device_hears_it_closed(d[2]);
	device_hears(d[3],
	    "CONNACK session_present=0 reason=0x89 (server busy) "
	    "{ Reason String=too many logins at once }");
	d[2] = device_new(n, 0);
	device_say(d[2], AL, "c");
	device_hears(d[2], OK);
	node_free(&n);
}

Test(verify, forgets_who_has_gone)
{
	struct broker_options o = node_options();
	struct node *n = node_with_users(&o);
	struct device *d = device_new(n, 0);

	device_put(d, AL, "id");
	cr_expect_eq(device_client(d)->state, CLIENT_LOGIN);
	device_hang_up(d);
	cr_expect_eq(atomic_load(&n->broker->n_verifying), 0);
	cr_expect_eq(node_count(n, connects), 0);
	node_free(&n);
}

/* A session is its user's: nobody else gets hold of it by its identifier. */
Test(verify, keeps_sessions_of_users_apart)
{
	struct broker_options o = node_options();
	struct node *n = node_with_users(&o);
	struct device *d = device_new(n, 0);

	device_say(d, AL, "id");
	device_hears(d, OK);
	device_hang_up(d);
	d = device_new(n, 0);
	device_say(d, BO, "id");
	device_hears(d, "CONNACK session_present=0 code=5");
	d = device_new(n, 0);
	device_say(d, "10 [<MQTT> 04 00 0000 <id>]");
	device_hears(d, "CONNACK session_present=0 code=5");
	d = device_new(n, 0);
	device_say(d, AL, "id");
	device_hears(d, "CONNACK session_present=1 code=0");
	node_free(&n);
}

/* The session is at another home: who it is was found out and comes along. */
Test(verify, asks_once_when_the_connection_moves)
{
	struct broker_options o = node_options();
	struct node *n = node_with_users(&o);
	struct device *d = device_new(n, 1);

	device_say(d, AL, "id");
	device_hears(d, OK);
	device_hang_up(d);
	d = device_new(n, 0);
	device_put(d, AL, "id");
	cr_expect_eq(atomic_load(&n->broker->n_verifying), 1);
	node_turn(n, 0); /* answered: it moves */
	cr_expect_eq(atomic_load(&n->broker->n_verifying), 0);
	node_turn(n, 1);
	cr_expect_eq(atomic_load(&n->broker->n_verifying), 0);
	node_run(n);
	cr_expect_eq(device_home(d), 1);
	device_hears(d, "CONNACK session_present=1 code=0");
	node_free(&n);
}

Test(verify, shares_retained_messages_among_users)
{
	struct broker_options o = node_options();
	struct node *n = node_with_users(&o);
	struct device *d = device_new(n, 0), *e = device_new(n, 0);

	device_say(d, AL " 31 [<t> 'x']", "a");
	device_hears(d, OK);
	device_say(e, BO, "b");
	device_hears(e, OK);
	device_subscribe(e, "t", 0);
	device_hears(e, "PUBLISH qos=0 retain topic=t payload=x");
	node_free(&n);
}

/* [auth] client_id_prefix */
Test(verify, keeps_identifiers_of_users_apart)
{
	struct broker_options o = node_options();
	struct node *n;
	struct device *d;

	o.client_id_prefix = "%u-";
	n = node_with_users(&o);
	d = device_new(n, 0);
	device_say(d, AL, "al-1");
	device_hears(d, OK);
	d = device_new(n, 1);
	device_say(d, AL, "al-1"); /* which moves */
	device_hears(d, "CONNACK session_present=1 code=0");
	d = device_new(n, 0);
	device_say(d, AL, "bo-1");
	device_hears(d, "CONNACK session_present=0 code=2");
	device_hears_it_closed(d);
	d = device_new(n, 0);
	device_say(d, AL, "al");
	device_hears(d, "CONNACK session_present=0 code=2");
	d = device_new(n, 0);
	device_say(d, "10 [<MQTT> 05 02 0000 [] <al-1>]");
	device_hears(d,
	    "CONNACK session_present=0 reason=0x87 (not authorized) { Reason "
	    "String=the Client Identifier must begin with the prefix of its "
	    "user }");
	/* One that we assign has it. */
	d = device_new(n, 0);
	device_say(d, "10 [<MQTT> 04 c2 0000 <> <al> <secret>]");
	device_hears(d, OK);
	cr_expect(slice_starts(session_client_id(device_client(d)->session),
	    SLICE("al-")));
	cr_expect_eq(device_client(d)->session->client_id_len, 3 + 22);
	node_free(&n);
}

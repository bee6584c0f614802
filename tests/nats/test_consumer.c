/* SPDX-License-Identifier: Apache-2.0 */
#include "nats/consumer.h"

#include <criterion/criterion.h>

static struct consumer_ack
parse(const char *reply)
{
	struct consumer_ack ack;

	cr_assert(consumer_parse(slice_str(reply), &ack), "%s", reply);
	return ack;
}

Test(consumer, reads_the_short_acknowledgement_subject)
{
	struct consumer_ack ack =
	    parse("$JS.ACK.ORDERS.pusher.2.17.5.1700000000000000000.9");

	cr_assert(slice_eq(ack.stream, SLICE("ORDERS")));
	cr_assert(slice_eq(ack.consumer, SLICE("pusher")));
	cr_assert_eq(ack.domain.len, 0);
	cr_assert_eq(ack.sequence, 5);
}

Test(consumer, reads_the_long_one_with_domain_and_account)
{
	struct consumer_ack ack = parse(
	    "$JS.ACK.hub.ACCHASH.ORDERS.pusher.1.17.6.1700000000000000000.0");

	cr_assert(slice_eq(ack.domain, SLICE("hub")));
	cr_assert(slice_eq(ack.stream, SLICE("ORDERS")));
	cr_assert(slice_eq(ack.consumer, SLICE("pusher")));
	cr_assert_eq(ack.sequence, 6);
	ack = parse("$JS.ACK._.ACCHASH.S.c.1.1.1.1.0.random");
	cr_assert_eq(ack.domain.len, 0);
}

Test(consumer, leaves_other_replies_alone)
{
	static const char *const others[] = { "", "$JS.ACK.", "$JS.ACK.a.b.c",
		"_INBOX.a.b.c.d.e.f.g.h", "$JS.ACKS.a.b.1.1.1.1.1",
		"$JS.ACK.a.b.1.1.1.1.1.1", "$JS.ACK...1.1.1.1.1" };
	struct consumer_ack ack;

	for (size_t i = 0; i < countof(others); i++)
		cr_expect_not(consumer_parse(slice_str(others[i]), &ack), "%s",
		    others[i]);
}

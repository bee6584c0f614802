/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/settings.h"

#include <criterion/criterion.h>

#include "daemon/config.h"

static struct config *
load(const char *text)
{
	struct config_report r = { 0 };
	struct config *c = config_parse(text, "x.ini", NULL, 0, &r);

	cr_assert_not_null(c);
	config_report_fini(&r);
	return c;
}

Test(settings, are_what_the_configuration_says)
{
	struct config *c = load("[server]\nworkers = 3\n"
				"[listener a]\nprotocols = 5\nmax_qos = 1\n"
				"[listener b]\naddress = 0.0.0.0\nport = 1\n"
				"[ack]\na/# = local\n"
				"[limits]\nmax_subscriptions = 7\n");
	struct settings *s = settings_new(c, NULL);

	cr_expect_eq(s->broker.n_workers, 3);
	cr_expect_eq(s->broker.max_subscriptions, 7);
	cr_expect_eq(s->broker.n_ack_rules, 1);
	cr_expect_str_eq(s->broker.ack_rules[0].filter, "a/#");
	cr_expect_str_eq(s->rules[0].listener, "a");
	cr_expect_eq(s->rules[0].protocols, 1 << 5);
	cr_expect_eq(s->rules[0].max_qos, 1);
	cr_expect(s->rules[0].is_open);
	cr_expect_not(s->rules[1].is_open);
	settings_free(&s);
	cr_expect_null(s);
	config_free(&c);
}

Test(settings, of_a_reload_keep_what_takes_a_restart)
{
	struct config *c = load("[server]\nworkers = 3\n"
				"[mapping]\nmode = swap\n");
	struct settings *s = settings_new(c, NULL);

	s = settings_new(load("[server]\nworkers = 9\n"
			      "[qos]\nreceive_maximum = 1\nack = local\n"
			      "[nats]\nidentity = user\nsend_client_id = yes\n"
			      "max_control_line = 100\n"),
	    s);
	cr_expect_eq(s->broker.n_workers, 3);
	cr_expect_eq(s->broker.mapping.mode, MAPPING_SWAP);
	cr_expect_eq(s->broker.receive_maximum, 1024);
	cr_expect_eq(s->broker.max_control_line, 4000);
	cr_expect_not(s->broker.identity_user);
	cr_expect_not(s->broker.send_client_id);
	cr_expect_eq(s->broker.ack, ACK_LOCAL);
	settings_free(&s);
	config_free(&c);
}

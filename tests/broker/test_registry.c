/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/registry.h"

#include <criterion/criterion.h>
#include <stdio.h>

/* v5 [MQTT-3.1.3-2], v3.1.1 [MQTT-3.1.3-2] */
Test(registry, gives_an_identifier_to_one_session_only)
{
	struct registry *r = registry_new();
	struct session *a = session_new(SLICE("pump"));
	struct session *b = session_new(SLICE("pump"));

	a->handle = 11;
	b->handle = 12;
	cr_assert_eq(registry_find(r, SLICE("pump")), 0);
	cr_assert_eq(registry_claim(r, a), 0);
	cr_assert_eq(registry_claim(r, b), 11);
	cr_assert_eq(registry_find(r, SLICE("pump")), 11);
	cr_assert_eq(registry_len(r), 1);
	registry_release(r, a);
	cr_assert_eq(registry_claim(r, b), 0);
	registry_release(r, b);
	cr_assert_eq(registry_find(r, SLICE("pump")), 0);
	session_free(&a);
	session_free(&b);
	registry_free(&r);
}

Test(registry, finds_each_of_many)
{
	struct registry *r = registry_new();
	struct session *sessions[500];
	char id[16];

	for (unsigned i = 0; i < 500; i++) {
		(void)snprintf(id, sizeof(id), "device-%u", i);
		sessions[i] = session_new(slice_str(id));
		sessions[i]->handle = i + 1;
		cr_assert_eq(registry_claim(r, sessions[i]), 0);
	}
	for (unsigned i = 0; i < 500; i++) {
		(void)snprintf(id, sizeof(id), "device-%u", i);
		cr_assert_eq(registry_find(r, slice_str(id)), i + 1);
	}
	for (unsigned i = 0; i < 500; i++) {
		registry_release(r, sessions[i]);
		session_free(&sessions[i]);
	}
	cr_assert_eq(registry_len(r), 0);
	registry_free(&r);
}

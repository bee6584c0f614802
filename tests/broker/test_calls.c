/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/calls.h"

#include <stdio.h>

#include <criterion/criterion.h>

static struct calls *calls;

static void
open_calls(void)
{
	calls = calls_new();
}

static void
close_calls(void)
{
	calls_free(&calls);
}

TestSuite(calls, .init = open_calls, .fini = close_calls);

Test(calls, are_answered_until_their_time_is_over)
{
	cr_expect_not(calls_has(calls, SLICE("_INBOX.a"), 0));
	calls_add(calls, SLICE("_INBOX.a"), 1000);
	cr_expect(calls_has(calls, SLICE("_INBOX.a"), 1000));
	cr_expect_not(calls_has(calls, SLICE("_INBOX.b"), 1000));
	/* Another answer to the same one. */
	cr_expect(
	    calls_has(calls, SLICE("_INBOX.a"), 1000 + CALLS_LIFETIME_MS - 1));
	cr_expect_not(
	    calls_has(calls, SLICE("_INBOX.a"), 1000 + CALLS_LIFETIME_MS));
}

Test(calls, last_from_their_latest_request)
{
	calls_add(calls, SLICE("_INBOX.a"), 0);
	calls_add(calls, SLICE("_INBOX.b"), 10);
	calls_add(calls, SLICE("_INBOX.a"), 1000);
	cr_expect(calls_has(calls, SLICE("_INBOX.a"), CALLS_LIFETIME_MS + 999));
	cr_expect_not(
	    calls_has(calls, SLICE("_INBOX.b"), CALLS_LIFETIME_MS + 999));
}

Test(calls, are_bounded)
{
	char reply[32];

	for (unsigned i = 0; i <= CALLS_MAX; i++) {
		snprintf(reply, sizeof(reply), "_INBOX.%u", i);
		calls_add(calls, slice_str(reply), 1);
	}
	cr_expect_not(calls_has(calls, SLICE("_INBOX.0"), 1));
	cr_expect(calls_has(calls, SLICE("_INBOX.1"), 1));
	cr_expect(calls_has(calls, slice_str(reply), 1));
}

Test(calls, have_subjects_of_some_length)
{
	static char subject[CALLS_SUBJECT_MAX + 1];

	memset(subject, 'a', sizeof(subject));
	calls_add(calls, slice_of(subject, CALLS_SUBJECT_MAX), 1);
	calls_add(calls, slice_of(subject, CALLS_SUBJECT_MAX + 1), 1);
	calls_add(calls, slice_of(subject, 0), 1);
	cr_expect(calls_has(calls, slice_of(subject, CALLS_SUBJECT_MAX), 1));
	cr_expect_not(
	    calls_has(calls, slice_of(subject, CALLS_SUBJECT_MAX + 1), 1));
	cr_expect_not(calls_has(calls, slice_of(subject, 0), 1));
}

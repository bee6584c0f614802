/* SPDX-License-Identifier: Apache-2.0 */
#include "nats/reply.h"

#include <stdio.h>
#include <stdlib.h>

#include <criterion/criterion.h>

static const struct {
	const char *body;
	bool no_responders;
	enum ack_policy policy;
	bool settles;
	enum bus_result result;
	const char *text;
} CASES[] = {
	/* A service's own answer. */
	{ "", false, ACK_REPLY, true, BUS_OK, NULL },
	{ "done", false, ACK_REPLY, true, BUS_OK, NULL },
	{ "{\"error\":\"no such pump\"}", false, ACK_REPLY, true, BUS_OK,
	    NULL },
	{ "{\"error\":{\"reason\":\"x\"}}", false, ACK_REPLY, true, BUS_OK,
	    NULL },
	{ "{\"error\":{\"code\":\"E1\"}}", false, ACK_REPLY, true, BUS_OK,
	    NULL },
	{ "{not json", false, ACK_REPLY, true, BUS_OK, NULL },
	{ "{", false, ACK_REPLY, true, BUS_OK, NULL },
	{ "[{\"error\":{\"code\":503}}]", false, ACK_REPLY, true, BUS_OK,
	    NULL },
	/* JetStream's. */
	{ "{\"stream\":\"S\",\"seq\":7}", false, ACK_REPLY, true, BUS_OK,
	    NULL },
	{ "{\"stream\":\"S\", \"seq\":7,\"duplicate\": true}", false,
	    ACK_STREAM, true, BUS_OK, NULL },
	{ "{\"error\":{\"code\":503,\"err_code\":10077,\"description\":"
	  "\"maximum messages exceeded\"},\"stream\":\"S\",\"seq\":0}",
	    false, ACK_STREAM, true, BUS_REFUSED, "maximum messages exceeded" },
	{ "{\"error\":{\"code\":503},\"stream\":\"S\",\"seq\":0}", false,
	    ACK_STREAM, true, BUS_REFUSED, NULL },
	{ "{\"error\":{\"code\":503,\"description\":\"x\"}}", false, ACK_REPLY,
	    false, BUS_OK, NULL },
	/* Somebody else's, where only the stream counts. */
	{ "", false, ACK_STREAM, false, BUS_OK, NULL },
	{ "ok", false, ACK_STREAM, false, BUS_OK, NULL },
	{ "{\"stream\":\"S\"}", false, ACK_STREAM, false, BUS_OK, NULL },
	{ "{\"seq\":1}", false, ACK_STREAM, false, BUS_OK, NULL },
	{ "{\"stream\":1,\"seq\":1}", false, ACK_STREAM, false, BUS_OK, NULL },
	/* Nearly the usual one. */
	{ "{ \"stream\" : \"a b\" , \"seq\" : 0}", false, ACK_STREAM, true,
	    BUS_OK, NULL },
	{ "{\"stream\":\"\",\"seq\":999999999999999999}", false, ACK_STREAM,
	    true, BUS_OK, NULL },
	{ "{\"stream\":\"\\u0053\",\"seq\":7 }\n", false, ACK_STREAM, true,
	    BUS_OK, NULL },
	{ "{\"stream\":\"S\\\"\",\"seq\":7}", false, ACK_STREAM, true, BUS_OK,
	    NULL },
	{ "{\"stream\":\"\xc3\xa9\",\"seq\":7}", false, ACK_STREAM, true,
	    BUS_OK, NULL },
	{ "{\"stream\":\"\xc3\",\"seq\":7}", false, ACK_STREAM, false, BUS_OK,
	    NULL },
	{ "{\"stream\":\"S\\\",\"seq\":7}", false, ACK_STREAM, false, BUS_OK,
	    NULL },
	{ "{\"stream\":\"S\nS\",\"seq\":7}", false, ACK_STREAM, false, BUS_OK,
	    NULL },
	{ "{\"stream\":\"S\",\"seq\":07}", false, ACK_STREAM, false, BUS_OK,
	    NULL },
	{ "{\"stream\":\"S\",\"seq\":7.5}", false, ACK_STREAM, false, BUS_OK,
	    NULL },
	{ "{\"stream\":\"S\",\"seq\":}", false, ACK_STREAM, false, BUS_OK,
	    NULL },
	{ "{\"stream\":\"S\",\"seq\":7}x", false, ACK_STREAM, false, BUS_OK,
	    NULL },
	{ "{\"stream\":\"S\",\"seq\":7", false, ACK_STREAM, false, BUS_OK,
	    NULL },
	{ "{\"stream\":\"S\" \"seq\":7}", false, ACK_STREAM, false, BUS_OK,
	    NULL },
	{ "{\"stream\":\"S\",\"seq\":7,\"error\":{\"code\":1}}", false,
	    ACK_STREAM, true, BUS_REFUSED, NULL },
	/* Nobody's. */
	{ "", true, ACK_REPLY, true, BUS_NO_RESPONDERS, NULL },
	{ "", true, ACK_STREAM, true, BUS_NO_RESPONDERS, NULL },
};

Test(reply, settles_what_its_shape_and_the_policy_say)
{
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		enum bus_result result = BUS_OK;
		char *text = NULL;
		bool settles =
		    reply_settles(CASES[i].policy, slice_str(CASES[i].body),
			CASES[i].no_responders, &result, &text);

		cr_expect(settles == CASES[i].settles, "%s", CASES[i].body);
		if (settles) {
			cr_expect(result == CASES[i].result, "%s",
			    CASES[i].body);
			if (CASES[i].text != NULL)
				cr_expect_str_eq(text, CASES[i].text);
		}
		if (CASES[i].text == NULL)
			cr_expect_null(text);
		free(text);
	}
}

Test(reply, takes_a_long_body_for_a_service_answer)
{
	char body[8192];
	enum bus_result result;
	char *text;

	snprintf(body, sizeof(body), "{\"error\":{\"code\":503}%5000s}", "");
	cr_expect(
	    reply_settles(ACK_REPLY, slice_str(body), false, &result, &text));
	cr_expect(result == BUS_OK);
}

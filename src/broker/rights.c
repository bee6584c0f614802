/* SPDX-License-Identifier: Apache-2.0 */
/* rights - what the ACL file lets the sessions of a home do. */
#include "broker/rights.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/xalloc.h"
#include "broker/home.h"

#define N_ANSWERS 4096 /* a power of two */

/*
 * Keys are hashes with a secret of 64 bits: that two topics of one session
 * share one does not happen, not even when somebody tries.
 */
struct rights_answer {
	uint64_t session; /* 0: free */
	uint64_t key;
	uint8_t known; /* enum acl_access */
	uint8_t allowed;
};

uint64_t
rights_key(const struct home *h, struct slice topic)
{
	return h->acl != NULL || h->n_own_acls > 0 ? hash_key(topic) : 0;
}

static const struct acl *
acl_of(const struct home *h, const struct session *s)
{
	return s->acl != NULL ? s->acl : h->acl;
}

static struct rights_answer *
answer_of(struct home *h, const struct session *s, uint64_t key)
{
	uint64_t mixed = (key ^ s->handle * 0x9e3779b97f4a7c15u) >> 20;
	struct rights_answer *a;

	if (h->answers == NULL)
		h->answers = xcalloc(N_ANSWERS, sizeof(*h->answers));
	a = &h->answers[mixed & (N_ANSWERS - 1)];
	if (a->session != s->handle || a->key != key)
		*a = (struct rights_answer){ .session = s->handle, .key = key };
	return a;
}

static struct acl_client
client_of(const struct session *s)
{
	return (struct acl_client){ .user = slice_str(s->owner),
		.client_id = session_client_id(s) };
}

bool
rights_may(struct home *h, const struct session *s, struct slice topic,
    uint64_t key, enum acl_access access)
{
	const struct acl *acl = acl_of(h, s);
	struct rights_answer *a;
	struct acl_client c;

	if (acl == NULL)
		return true;
	/* What others said of the session is another matter. */
	a = answer_of(h, s, key ^ acl_serial(acl) * 0xbf58476d1ce4e5b9u);
	if ((a->known & access) == 0) {
		c = client_of(s);
		a->known |= (uint8_t)access;
		if (acl_allows(acl, &c, topic, access))
			a->allowed |= (uint8_t)access;
	}
	return (a->allowed & access) != 0;
}

bool
rights_may_subscribe(struct home *h, const struct session *s,
    struct slice filter)
{
	const struct acl *acl = acl_of(h, s);
	struct acl_client c = client_of(s);

	return acl == NULL || acl_allows_filter(acl, &c, filter);
}

bool
rights_may_publish_as(struct home *h, const struct acl *own, struct slice user,
    struct slice client_id, struct slice topic)
{
	const struct acl *acl = own != NULL ? own : h->acl;
	struct acl_client c = { .user = user, .client_id = client_id };

	return acl == NULL || acl_allows(acl, &c, topic, ACL_WRITE);
}

void
rights_set_own(struct home *h, struct session *s, struct acl *own)
{
	h->n_own_acls -= s->acl != NULL;
	acl_unref(&s->acl);
	s->acl = own != NULL ? acl_ref(own) : NULL;
	h->n_own_acls += s->acl != NULL;
}

void
rights_forget(struct home *h)
{
	free(h->answers);
	h->answers = NULL;
}

void
rights_set(struct home *h, struct acl **acl)
{
	rights_forget(h);
	acl_unref(&h->acl);
	h->acl = *acl;
	*acl = NULL;
}

void
rights_fini(struct home *h)
{
	rights_forget(h);
	acl_unref(&h->acl);
}

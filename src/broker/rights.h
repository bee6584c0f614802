/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rights - what the ACL file, or a grant, lets the sessions of a home do.
 *
 * The same sessions meet the same topics again and again, so each home has a
 * table of answers; without an ACL file there is none, and every question is
 * answered by a look at a pointer.
 */
#pragma once

#include "auth/acl.h"
#include "base/thread.h"

struct home;
struct session;

/*
 * May this session publish to the topic, or receive it? `key` is
 * rights_key(h, topic), so that who asks for many sessions hashes once.
 */
bool rights_may(struct home *h, const struct session *s, struct slice topic,
    uint64_t key, enum acl_access access) WORKER_THREAD;
uint64_t rights_key(const struct home *h, struct slice topic);
/* May it receive any of what the filter matches? */
bool rights_may_subscribe(struct home *h, const struct session *s,
    struct slice filter) WORKER_THREAD;
/* The same for somebody who has no session yet; `own` as below. */
bool rights_may_publish_as(struct home *h, const struct acl *own,
    struct slice user, struct slice client_id,
    struct slice topic) WORKER_THREAD;
/*
 * For this session these rules count instead of the node's, or (NULL) none
 * but those; a reference is taken.
 */
void rights_set_own(struct home *h, struct session *s,
    struct acl *own) WORKER_THREAD;

/* Other rules from now on, or none (NULL), which are taken over. */
void rights_set(struct home *h, struct acl **acl) WORKER_THREAD;
/* A session has become somebody's: what was known of it is not true. */
void rights_forget(struct home *h);
/* The home ends. */
void rights_fini(struct home *h);

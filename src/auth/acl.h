/* SPDX-License-Identifier: Apache-2.0 */
/*
 * acl - what clients may publish and receive: mosquitto's ACL file, and
 * NATS's notation beside it.
 *
 *   topic ACCESS FILTER       before the first user: clients without a name
 *   user NAME
 *   topic ACCESS FILTER       of this user
 *   subject ACCESS SUBJECT    the same, as a NATS subscription
 *   pattern ACCESS FILTER     of everybody; %u is the user, %c the client
 *
 * ACCESS is read, write, readwrite (which may be left out) or deny. A rule
 * that denies beats all others; what no rule allows is not allowed.
 *
 * Immutable once it is loaded, counted, shared by all threads.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"
#include "base/thread.h"
#include "topic/subject.h"

enum acl_access {
	ACL_READ = 1 << 0,  /* to receive */
	ACL_WRITE = 1 << 1, /* to publish */
};

struct acl;

/* Whose rights are asked for. */
struct acl_client {
	struct slice user; /* ptr NULL: nobody knows */
	struct slice client_id;
};

/*
 * Read the text of a file. NULL when there is a mistake, of which the first
 * is appended to `why` and its line stored.
 */
struct acl *acl_parse(struct slice text, const struct mapping *m,
    unsigned *line, struct buf *why) MUST_CHECK;
/* The same for a file; line 0: it cannot be read. */
struct acl *acl_load(const char *path, const struct mapping *m, unsigned *line,
    struct buf *why) MUST_CHECK;

struct acl *acl_ref(struct acl *a) ANY_THREAD;
void acl_unref(struct acl **a) ANY_THREAD;

/* A number that no other one has had. */
uint64_t acl_serial(const struct acl *a) ANY_THREAD;

bool acl_allows(const struct acl *a, const struct acl_client *c,
    struct slice topic, enum acl_access access) ANY_THREAD;
/*
 * May the client receive any of what this filter (a `match`) matches? The
 * rest is for acl_allows to hold back, topic by topic.
 */
bool acl_allows_filter(const struct acl *a, const struct acl_client *c,
    struct slice filter) ANY_THREAD;

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admission - how many connections an address has, and how fast it makes
 * them.
 *
 * An address is an IPv4 address, or the first 64 bits of an IPv6 one: so much
 * anybody has who has any. Others (UNIX sockets) have no address and are not
 * counted. There is an entry for an address as long as it has connections or
 * has had many lately; the table is bounded, and what does not fit into it is
 * let in uncounted: memory is no weapon against us, the limit of all
 * connections holds anyway. Any thread, one lock, once per connection.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/attr.h"
#include "base/thread.h"
#include "broker/limit.h"
#include "broker/rules.h"

/* "auto": none for addresses of this machine. */
#define ADMISSION_AUTO                  UINT32_MAX
#define ADMISSION_AUTO_CONNECTIONS      1000
#define ADMISSION_AUTO_RATE             100
#define ADMISSION_AUTO_RATE_OF_LISTENER 2000

struct admission;

/* 0: no limit. */
struct admission_limits {
	unsigned max_per_address;  /* connections */
	unsigned rate_per_address; /* a second */
};

/* So many a second, and twice that at once after a quiet time. */
struct admission_bucket {
	uint64_t at_ms; /* when it was looked at last */
	double tokens;
};
/* Take one; false: there is none. `rate` 0 has no end. */
bool admission_take(struct admission_bucket *b, unsigned rate, uint64_t now_ms);
/* It was not needed. */
void admission_give_back(struct admission_bucket *b);

enum admission_result {
	ADMISSION_UNCOUNTED, /* come in */
	ADMISSION_COUNTED,   /* come in, and admission_leave is due */
	ADMISSION_TOO_MANY,
	ADMISSION_TOO_FAST
};

struct admission *admission_new(void);
void admission_free(struct admission **a);

/* One comes from this address. */
enum admission_result
admission_enter(struct admission *a, const struct sockaddr *from,
    const struct admission_limits *limits, uint64_t now_ms) ANY_THREAD
MUST_CHECK;
/*
 * The same by the rules of a listener: is it to be refused, and by which
 * limit? If not, *is_counted says whether admission_leave is due.
 */
bool admission_refuses(struct admission *a, const struct sockaddr *from,
    const struct rules_limits *rules, uint64_t now_ms, bool *is_counted,
    enum limit *which) ANY_THREAD;
/*
 * It goes; for an address as address_print shows it.
 */
void admission_leave(struct admission *a, const char *address) ANY_THREAD;

/* How many addresses are known. */
size_t admission_len(struct admission *a) ANY_THREAD;
/* What a rate for a whole listener comes to, which listens there. */
unsigned admission_rate_of_listener(unsigned rate, const struct sockaddr *sa);
/* Is this an address of this machine alone? */
bool admission_is_loopback(const struct sockaddr *sa);

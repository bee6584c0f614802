/* SPDX-License-Identifier: Apache-2.0 */
/*
 * siphash - the keyed hash SipHash-1-3 of Aumasson and Bernstein.
 *
 * One round per eight bytes and three at the end: enough where the result is
 * never shown, as in a hash table.
 */
#include "base/siphash.h"

#include <endian.h>

struct state {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t
rotl(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

static inline void
sip_round(struct state *s)
{
	s->v0 += s->v1;
	s->v1 = rotl(s->v1, 13) ^ s->v0;
	s->v0 = rotl(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotl(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotl(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotl(s->v1, 17) ^ s->v2;
	s->v2 = rotl(s->v2, 32);
}

static inline void
absorb(struct state *s, uint64_t word)
{
	s->v3 ^= word;
	sip_round(s);
	s->v0 ^= word;
}

uint64_t
siphash13(const struct siphash_key *key, struct slice s)
{
	struct state st = {
		key->k0 ^ UINT64_C(0x736f6d6570736575),
		key->k1 ^ UINT64_C(0x646f72616e646f6d),
		key->k0 ^ UINT64_C(0x6c7967656e657261),
		key->k1 ^ UINT64_C(0x7465646279746573),
	};
	uint64_t word;
	size_t i;

	for (i = 0; s.len - i >= sizeof(word); i += sizeof(word)) {
		memcpy(&word, s.ptr + i, sizeof(word));
		absorb(&st, le64toh(word));
	}
	word = 0;
	if (i < s.len)
		memcpy(&word, s.ptr + i, s.len - i);
	absorb(&st, le64toh(word) | (uint64_t)s.len << 56);

	st.v2 ^= 0xff;
	sip_round(&st);
	sip_round(&st);
	sip_round(&st);
	return st.v0 ^ st.v1 ^ st.v2 ^ st.v3;
}

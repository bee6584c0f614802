/* SPDX-License-Identifier: Apache-2.0 */
#include "base/siphash.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "base/attr.h"

/*
 * Made with a reference that was checked against the published value of
 * SipHash-2-4: key 00 01 .. 0f, and as message the bytes 00 01 .. of `len`.
 */
Test(siphash, agrees_with_the_reference)
{
	static const struct {
		size_t len;
		uint64_t hash;
	} cases[] = {
		{ 0, UINT64_C(0xabac0158050fc4dc) },
		{ 1, UINT64_C(0xc9f49bf37d57ca93) },
		{ 7, UINT64_C(0xd3927d989bb11140) },
		{ 8, UINT64_C(0x369095118d299a8e) },
		{ 9, UINT64_C(0x25a48eb36c063de4) },
		{ 15, UINT64_C(0xd320d86d2a519956) },
		{ 16, UINT64_C(0xcc4fdd1a7d908b66) },
		{ 63, UINT64_C(0x9d199062b7bbb3a8) },
	};
	static const struct siphash_key key = { UINT64_C(0x0706050403020100),
		UINT64_C(0x0f0e0d0c0b0a0908) };
	uint8_t message[63];
	size_t i;

	for (i = 0; i < sizeof(message); i++)
		message[i] = (uint8_t)i;
	for (i = 0; i < countof(cases); i++)
		cr_expect(eq(u64,
			      siphash13(&key, slice_of(message, cases[i].len)),
			      cases[i].hash),
		    "%zu bytes", cases[i].len);
}

/* The hash of str and bytes in CPython 3.11 started with PYTHONHASHSEED=0. */
Test(siphash, agrees_with_another_implementation)
{
	static const struct siphash_key zero;

	cr_expect(eq(u64, siphash13(&zero, SLICE("mqtt")),
	    UINT64_C(0x6934e2aae5fc46a4)));
	cr_expect(eq(u64, siphash13(&zero, SLICE("a longer piece of text")),
	    UINT64_C(0xe78b5e53f2dd4eef)));
}

Test(siphash, does_not_care_where_the_bytes_are)
{
	static const struct siphash_key key = { 1, 2 };
	uint8_t room[32];
	uint64_t want = siphash13(&key, SLICE("0123456789a"));
	size_t at;

	for (at = 0; at < 16; at++) {
		memcpy(room + at, "0123456789a", 11);
		cr_expect(eq(u64, siphash13(&key, slice_of(room + at, 11)),
			      want),
		    "at %zu", at);
	}
}

Test(siphash, depends_on_both_halves_of_the_key)
{
	static const struct siphash_key a = { 1, 2 }, b = { 1, 3 },
					c = { 0, 2 };
	uint64_t hash = siphash13(&a, SLICE("x"));

	cr_expect(ne(u64, hash, siphash13(&b, SLICE("x"))));
	cr_expect(ne(u64, hash, siphash13(&c, SLICE("x"))));
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/random.h"

#include <ctype.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

/* Each of these fails by chance less than once in 2^60 runs. */

Test(random, every_byte_is_filled_and_none_beyond)
{
	uint8_t out[302], seen[300] = { 0 };
	size_t i;
	int round;

	out[0] = out[301] = 0x5a;
	for (round = 0; round < 10; round++) {
		random_bytes(out + 1, 300);
		for (i = 0; i < 300; i++)
			seen[i] |= out[i + 1];
	}
	for (i = 0; i < 300; i++)
		cr_expect(ne(u8, seen[i], 0), "byte %zu", i);
	cr_expect(eq(u8, out[0], 0x5a));
	cr_expect(eq(u8, out[301], 0x5a));
}

Test(random, nothing_is_a_fine_length)
{
	char c = 'x';

	random_bytes(&c, 0);
	cr_expect(eq(chr, c, 'x'));
	random_name(&c, 0);
	cr_expect(eq(chr, c, '\0'));
}

Test(random, numbers_differ)
{
	cr_expect(ne(u64, random_u64(), random_u64()));
}

Test(random, names_use_the_whole_alphabet_and_nothing_else)
{
	static char name[10001];
	unsigned n_distinct = 0;
	bool is_legal;
	int c;
	size_t i;

	random_name(name, 10000);
	cr_assert(eq(sz, strlen(name), 10000));
	for (i = 0; i < 10000; i++) {
		is_legal = isalnum((unsigned char)name[i]) != 0;
		cr_assert(is_legal, "at %zu", i);
	}
	for (c = 1; c < 128; c++)
		n_distinct += strchr(name, c) != NULL;
	cr_expect(eq(u32, n_distinct, 62));
}

Test(random, names_have_their_length_and_a_zero)
{
	char name[24], other[24];

	memset(name, 'x', sizeof(name));
	random_name(name, 22);
	random_name(other, 22);
	cr_expect(eq(sz, strlen(name), 22));
	cr_expect(eq(chr, name[23], 'x'));
	cr_expect_str_neq(name, other);
}

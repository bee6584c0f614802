/* SPDX-License-Identifier: Apache-2.0 */
#include "nats/cover_tree.h"

#include <criterion/criterion.h>

static const struct {
	const char *inner, *outer;
	bool within;
} WITHIN[] = {
	{ "a.b", "a.b", true },
	{ "a.b", "a.*", true },
	{ "a.*", "a.b", false },
	{ "a.b", "a.>", true },
	{ "a", "a.>", false },
	{ "a.>", "a.>", true },
	{ "a.>", "a.*", false },
	{ "a.*", "*.b", false },
	{ "a.b.c", "a.b", false },
	{ "a.b", "a.b.c", false },
	{ "*.*", ">", true },
};

Test(cover_tree, knows_what_lies_within_what)
{
	for (size_t i = 0; i < sizeof(WITHIN) / sizeof(WITHIN[0]); i++)
		cr_expect(cover_within(slice_str(WITHIN[i].inner),
			      slice_str(WITHIN[i].outer)) == WITHIN[i].within,
		    "%s in %s", WITHIN[i].inner, WITHIN[i].outer);
}

static const struct {
	const char *a, *b, *join;
} JOIN[] = {
	{ "a.b", "a.b", "a.b" },
	{ "a.*", "*.b", "*.*" },
	{ "a.b", "a.c", "a.*" },
	{ "a.b", "a.b.c", "a.b.>" },
	{ "a.>", "a.b", "a.>" },
	{ "a", "b.c", "*.>" },
};

Test(cover_tree, joins_two_into_the_narrowest)
{
	struct buf out = { 0 };

	for (size_t i = 0; i < sizeof(JOIN) / sizeof(JOIN[0]); i++) {
		cover_join(slice_str(JOIN[i].a), slice_str(JOIN[i].b), &out);
		cr_expect(slice_eq(buf_slice(&out), slice_str(JOIN[i].join)),
		    "%s and %s: %.*s", JOIN[i].a, JOIN[i].b,
		    SLICE_ARG(buf_slice(&out)));
	}
	buf_fini(&out);
}

static const struct {
	const char *filter;
	unsigned found; /* bits of NAMES */
} OVERLAPS[] = {
	{ "a.b", 1 | 8 },
	{ "a.*", 1 | 2 | 8 },
	{ "*.c", 2 | 4 | 8 },
	{ ">", 1 | 2 | 4 | 8 },
	{ "x.y.z", 4 },
	{ "x", 0 },
	{ "q", 0 },
	{ "q.*", 8 },
};

Test(cover_tree, finds_all_that_overlap)
{
	static const char *const NAMES[] = { "a.b", "a.c", "x.>", "*.*" };
	struct cover_leaf leaves[4] = { 0 };
	struct cover_tree t;

	cover_tree_init(&t);
	for (size_t i = 0; i < 4; i++)
		cover_tree_insert(&t, &leaves[i], slice_str(NAMES[i]));
	for (size_t i = 0; i < sizeof(OVERLAPS) / sizeof(OVERLAPS[0]); i++) {
		unsigned found = 0;

		cover_tree_overlaps(&t, slice_str(OVERLAPS[i].filter));
		for (size_t f = 0; f < t.n_found; f++)
			found |= 1u << (t.found[f] - leaves);
		cr_expect(found == OVERLAPS[i].found, "%s: %x",
		    OVERLAPS[i].filter, found);
	}
	for (size_t i = 0; i < 4; i++)
		cover_tree_remove(&leaves[i]);
	cover_tree_overlaps(&t, SLICE(">"));
	cr_expect(t.n_found == 0);
	cover_tree_fini(&t);
}

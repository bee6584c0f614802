/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of topic/level_tree. */
#include "topic/level_tree.h"

#include <stdio.h>

#include <criterion/criterion.h>

#include "base/attr.h"
#include "topic/topic.h"

static int numbers[4096];

static struct slice
print_name(char *out, size_t size, const char *format, int i)
{
	int len = snprintf(out, size, "%s/%d", format, i);

	return slice_of(out, (size_t)len);
}

static void
put(struct level_tree *t, const char *name, void *value)
{
	*level_tree_slot(t, slice_str(name)) = value;
}

Test(level_tree, finds_what_was_put_in)
{
	static const char *const names[] = { "a", "a/b", "a/+", "a/#", "a/b/c",
		"/", "a/", "/a", "b/b/b/b", "+", "#" };
	struct level_tree t;
	size_t i;

	level_tree_init(&t);
	for (i = 0; i < countof(names); i++)
		put(&t, names[i], &numbers[i]);
	cr_expect_eq(t.n_names, countof(names));
	for (i = 0; i < countof(names); i++)
		cr_expect_eq(level_tree_find(&t, slice_str(names[i])),
		    &numbers[i], "%s", names[i]);
	cr_expect_null(level_tree_find(&t, SLICE("b/b")));
	cr_expect_null(level_tree_find(&t, SLICE("a/c")));
	cr_expect_null(level_tree_find(&t, SLICE("a/b/c/d")));
	cr_expect_null(level_tree_find(&t, SLICE("//")));
	level_tree_fini(&t);
}

Test(level_tree, slot_is_new_once)
{
	struct level_tree t;
	void **slot;

	level_tree_init(&t);
	slot = level_tree_slot(&t, SLICE("a/b"));
	cr_assert_null(*slot);
	*slot = &numbers[1];
	cr_assert_eq(level_tree_slot(&t, SLICE("a/b")), slot);
	cr_assert_eq(*slot, &numbers[1]);
	cr_assert_eq(t.n_names, 1);
	level_tree_fini(&t);
}

Test(level_tree, remove_takes_out_what_only_led_there)
{
	struct level_tree t;

	level_tree_init(&t);
	put(&t, "a/b/c/d", &numbers[0]);
	put(&t, "a/b", &numbers[1]);
	put(&t, "a/x", &numbers[2]);
	cr_expect_null(level_tree_remove(&t, SLICE("a")));
	cr_expect_null(level_tree_remove(&t, SLICE("a/b/c")));
	cr_expect_null(level_tree_remove(&t, SLICE("a/b/c/d/e")));
	cr_expect_null(level_tree_remove(&t, SLICE("z")));
	cr_expect_eq(t.n_names, 3);
	cr_expect_eq(level_tree_remove(&t, SLICE("a/b/c/d")), &numbers[0]);
	cr_expect_null(level_tree_remove(&t, SLICE("a/b/c/d")));
	cr_expect_eq(t.root->children.only->n_children, 2);
	cr_expect_eq(level_tree_find(&t, SLICE("a/b")), &numbers[1]);
	cr_expect_eq(level_tree_remove(&t, SLICE("a/b")), &numbers[1]);
	cr_expect_eq(t.root->children.only->n_children, 1);
	cr_expect_eq(level_tree_remove(&t, SLICE("a/x")), &numbers[2]);
	cr_expect_eq(t.root->n_children, 0);
	cr_expect_null(t.root->children.only);
	cr_expect_eq(t.n_names, 0);
	level_tree_fini(&t);
}

Test(level_tree, remove_leaves_what_leads_further)
{
	struct level_tree t;

	level_tree_init(&t);
	put(&t, "a", &numbers[0]);
	put(&t, "a/b", &numbers[1]);
	cr_expect_eq(level_tree_remove(&t, SLICE("a")), &numbers[0]);
	cr_expect_null(level_tree_find(&t, SLICE("a")));
	cr_expect_eq(level_tree_find(&t, SLICE("a/b")), &numbers[1]);
	level_tree_fini(&t);
}

Test(level_tree, removes_a_name_that_has_no_value_yet)
{
	struct level_tree t;

	level_tree_init(&t);
	cr_expect_null(*level_tree_slot(&t, SLICE("a/b")));
	cr_expect_eq(t.n_names, 1);
	cr_expect_null(level_tree_remove(&t, SLICE("a/b")));
	cr_expect_eq(t.n_names, 0);
	cr_expect_eq(t.root->n_children, 0);
	level_tree_fini(&t);
}

static size_t
count_children(const struct level_node *n)
{
	size_t i, pos = 0;

	for (i = 0; level_node_next(n, &pos) != NULL; i++)
		continue;
	return i;
}

/* All of the `end` names are there, but for those below `removed`. */
static void
expect_children(const struct level_tree *t, int removed, int end)
{
	char name[32];
	void *want;
	int i;

	for (i = 0; i < end; i++) {
		want = i < removed ? NULL : &numbers[i];
		if (level_tree_find(t,
			print_name(name, sizeof(name), "a", i)) != want)
			cr_assert_fail("%d children, %d removed: %s", end,
			    removed, name);
	}
	if (end > removed &&
	    count_children(t->root->children.only) != (size_t)(end - removed))
		cr_assert_fail("%d children, %d removed", end, removed);
}

Test(level_tree, children_come_and_go_one_by_one)
{
	const int end = 300;
	struct level_tree t;
	char name[32];
	int i;

	level_tree_init(&t);
	for (i = 0; i < end; i++) {
		*level_tree_slot(&t, print_name(name, sizeof(name), "a", i)) =
		    &numbers[i];
		expect_children(&t, 0, i + 1);
	}
	for (i = 0; i < end; i++) {
		cr_assert_eq(level_tree_remove(&t,
				 print_name(name, sizeof(name), "a", i)),
		    &numbers[i]);
		expect_children(&t, i + 1, end);
	}
	cr_assert_eq(t.root->n_children, 0);
	level_tree_fini(&t);
}

Test(level_tree, table_of_children_shrinks_again)
{
	const int end = (int)countof(numbers);
	struct level_tree t;
	char name[32];
	int i, most;

	level_tree_init(&t);
	for (i = 0; i < end; i++)
		*level_tree_slot(&t, print_name(name, sizeof(name), "a", i)) =
		    &numbers[i];
	most = t.root->children.only->table_log2;
	cr_expect_eq(most, 13);
	for (i = 0; i < end - 10; i++)
		level_tree_remove(&t, print_name(name, sizeof(name), "a", i));
	cr_expect_leq(t.root->children.only->table_log2, 6);
	expect_children(&t, end - 10, end);
	level_tree_fini(&t);
}

Test(level_tree, knows_its_wildcards)
{
	struct level_tree t;

	level_tree_init(&t);
	put(&t, "+", &numbers[0]);
	put(&t, "#", &numbers[1]);
	put(&t, "a+", &numbers[2]);
	cr_expect(t.root->has_one);
	cr_expect(t.root->has_rest);
	level_tree_remove(&t, SLICE("+"));
	cr_expect_not(t.root->has_one);
	cr_expect(t.root->has_rest);
	level_tree_remove(&t, SLICE("#"));
	cr_expect_not(t.root->has_rest);
	level_tree_fini(&t);
}

Test(level_tree, goes_as_deep_as_a_topic_can)
{
	static uint8_t slashes[TOPIC_MAX];
	struct slice deep = slice_of(slashes, sizeof(slashes));
	struct level_tree t;

	memset(slashes, '/', sizeof(slashes));
	level_tree_init(&t);
	*level_tree_slot(&t, deep) = &numbers[0];
	*level_tree_slot(&t, slice_of(slashes, 100)) = &numbers[1];
	cr_expect_eq(level_tree_find(&t, deep), &numbers[0]);
	cr_expect_eq(level_tree_remove(&t, deep), &numbers[0]);
	cr_expect_eq(level_tree_find(&t, slice_of(slashes, 100)), &numbers[1]);
	*level_tree_slot(&t, deep) = &numbers[0];
	level_tree_fini(&t);
	cr_expect_null(t.root);
}

Test(level_tree, stack_grows)
{
	struct level_stack s;
	struct level_node n[1] = { 0 };
	size_t i;

	level_stack_init(&s);
	for (i = 0; i < 1000; i++) {
		level_stack_push(&s, n);
		s.at[i].pos = i;
	}
	cr_assert_eq(s.n, 1000);
	for (i = 0; i < 1000; i++)
		cr_assert_eq(s.at[i].pos, i);
	level_stack_fini(&s);
}

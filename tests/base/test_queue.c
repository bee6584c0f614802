/* SPDX-License-Identifier: Apache-2.0 */
#include "base/queue.h"

#include <stdlib.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "base/attr.h"
#include "base/xalloc.h"

struct thing {
	TAILQ_ENTRY(thing)
	by_age;
	LIST_ENTRY(thing)
	by_place;
	int number;
};

TAILQ_HEAD(thing_queue, thing);
LIST_HEAD(thing_list, thing);

static struct thing *
make_thing(int number)
{
	struct thing *t = xcalloc(1, sizeof(*t));

	t->number = number;
	return t;
}

Test(queue, tailq_loop_may_free_what_it_visits)
{
	struct thing_queue queue = TAILQ_HEAD_INITIALIZER(queue);
	struct thing *t, *next;
	int i;

	for (i = 0; i < 5; i++) {
		t = make_thing(i);
		TAILQ_INSERT_TAIL(&queue, t, by_age);
	}
	i = 0;
	TAILQ_FOREACH_SAFE(t, &queue, by_age, next) {
		cr_expect(eq(int, t->number, i));
		i++;
		TAILQ_REMOVE(&queue, t, by_age);
		free(t);
	}
	cr_expect(eq(int, i, 5));
	cr_expect(eq(ptr, TAILQ_FIRST(&queue), NULL));
}

Test(queue, list_loop_may_free_what_it_visits)
{
	struct thing_list list = LIST_HEAD_INITIALIZER(list);
	struct thing *t, *next;
	int i;

	for (i = 0; i < 5; i++) {
		t = make_thing(i);
		LIST_INSERT_HEAD(&list, t, by_place);
	}
	LIST_FOREACH_SAFE(t, &list, by_place, next) {
		i--;
		cr_expect(eq(int, t->number, i));
		LIST_REMOVE(t, by_place);
		free(t);
	}
	cr_expect(eq(int, i, 0));
	cr_expect(eq(ptr, LIST_FIRST(&list), NULL));
}

Test(queue, container_of_finds_the_thing_around_a_member)
{
	struct thing t = { .number = 7 };
	int *number = &t.number;

	cr_expect(eq(ptr, container_of(number, struct thing, number), &t));
}

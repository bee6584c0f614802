/* SPDX-License-Identifier: Apache-2.0 */
/* queue - the BSD lists of libc, with the _SAFE loops that glibc leaves out. */
#pragma once

#include <sys/queue.h>

#ifndef LIST_FOREACH_SAFE
#define LIST_FOREACH_SAFE(var, head, field, tmp)                               \
	for ((var) = LIST_FIRST(head);                                         \
	     (var) != NULL && ((tmp) = LIST_NEXT(var, field), 1);              \
	     (var) = (tmp))
#endif
#ifndef TAILQ_FOREACH_SAFE
#define TAILQ_FOREACH_SAFE(var, head, field, tmp)                              \
	for ((var) = TAILQ_FIRST(head);                                        \
	     (var) != NULL && ((tmp) = TAILQ_NEXT(var, field), 1);             \
	     (var) = (tmp))
#endif

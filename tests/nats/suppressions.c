/* SPDX-License-Identifier: Apache-2.0 */
/*
 * suppressions - what ThreadSanitizer is to overlook here.
 *
 * cnats takes the locks of a subscription, a connection and its delivery
 * pool in both orders where it makes and ends subscriptions with a callback.
 * We make and end them in the NATS thread alone, so that no two threads can
 * meet there. Only builds without NATS_HOOK have such subscriptions.
 */
#include "config.h"

#if !defined(NATS_HOOK) && defined(__SANITIZE_THREAD__)

const char *__tsan_default_suppressions(void);

const char *
__tsan_default_suppressions(void)
{
	return "deadlock:libnats.so\n";
}

#else

typedef int not_an_empty_file;

#endif

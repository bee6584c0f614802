/* SPDX-License-Identifier: Apache-2.0 */
/* door - from where the clients of a listener may come. */
#include "net/door.h"

static bool
is_ip(const struct sockaddr *sa)
{
	return sa->sa_family == AF_INET || sa->sa_family == AF_INET6;
}

bool
door_admits(const struct door_rules *r, const struct sockaddr *sa)
{
	if (!is_ip(sa))
		return true;
	return !networks_contain(&r->deny, sa) &&
	    (r->allow.n == 0 || networks_contain(&r->allow, sa));
}

bool
door_trusts(const struct door_rules *r, const struct sockaddr *sa)
{
	return is_ip(sa) ? networks_contain(&r->proxies, sa) : r->trusts_local;
}

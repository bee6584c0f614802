/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys_topics - $SYS/broker/...: the counters of the node as Retained Messages
 * under the names that mosquitto gives them, which dashboards know.
 *
 * Worker 0 publishes them every [server] sys_interval, at QoS 0, so that
 * nothing waits for those who are away. They are in a store of their own:
 * they do not count as retained, are on no disk, and NATS never sees them,
 * since they have no subject.
 */
#pragma once

#include "base/thread.h"

struct broker;
struct sys_topics;

/* The first ones are there when it returns; the homes are. */
struct sys_topics *
sys_topics_new(struct broker *b) MAIN_THREAD
ALONE;
/* After the homes. */
void sys_topics_free(struct sys_topics **s);
/* The store that they are in; of SUBSCRIBE. */
struct retained *sys_topics_retained(struct sys_topics *s) ANY_THREAD;

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * device - links of their own for devices: `[nats] identity = user`.
 *
 * One link per distinct user and password, shared by all clients that have
 * them. It stays `link_linger_s` after the last of them. A changed password
 * makes another identity. NATS thread only.
 */
#pragma once

#include "nats/link.h"

struct device;

void device_init(struct bus *b);
/* BUS_IDENTIFY; takes the login. */
void device_identify(struct bus *b, unsigned worker, uint64_t token,
    struct bus_login *login) NATS_THREAD;
/* BUS_FORGET. */
void device_forget(struct bus *b, unsigned worker, uint32_t link);

/* What happens to the device's link. */
void device_on_up(struct link *l) NATS_THREAD;
void device_on_down(struct link *l) NATS_THREAD;
/* Connecting has failed; `refused`: for good. */
void device_on_failed(struct link *l, bool refused) NATS_THREAD;
/* For the log; not longer than the user's name. */
const char *device_name(const struct device *d);
const struct bus_login *device_login(const struct device *d);

/* Frees all devices and their links. */
void device_free_all(struct bus *b);

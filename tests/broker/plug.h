/* SPDX-License-Identifier: Apache-2.0 */
/* plug - a device's Network Connection at one home: what net/conn is there. */
#pragma once

#include "broker/device.h"

struct plug {
	struct client client;
	struct device *device;
};

/* A new one at this home. */
void plug_open(struct device *d, struct home *h);
/* The worker's attention at the end of a turn; may free it. */
void plug_attend(struct plug *p);
/* Take the packets that are there, if its client may read. */
void plug_read(struct plug *p);
/* The socket is gone. */
void plug_break(struct plug *p);

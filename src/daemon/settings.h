/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings - a configuration in the words of the layers that it is for.
 *
 * What can change while the daemon runs is borrowed by threads that cannot
 * be asked whether they still do, so those of earlier configurations stay
 * until the end; they are small.
 */
#pragma once

#include "broker/broker.h"
#include "broker/rules.h"
#include "net/door.h"
#include "net/ws_upgrade.h"

struct config;

struct settings {
	struct settings *older;
	struct config *config; /* whose strings are borrowed */
	struct ack_rule *ack_rules;
	struct broker_options broker;
	struct client_rules *rules; /* of each listener */
	struct door_rules *doors;   /* the same */
	struct ws_rules *ws;        /* the same */
};

/* `older` may be NULL; the configuration is borrowed. */
struct settings *settings_new(struct config *c,
    struct settings *older) MUST_CHECK;
/* The newest is not to be: the one before it is, and its configuration goes. */
void settings_undo(struct settings **newest);
/* All of them, and the configurations, except that of the first. */
void settings_free(struct settings **newest);

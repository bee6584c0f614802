/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stored - a node with a durable store, whose disk waits when it is told to,
 * and which may crash at any moment and begin again.
 *
 * The store is the real one, in a directory of the test, with a thread of its
 * own; node_run waits until that has done what it can.
 */
#pragma once

#include "broker/node.h"

/* A node with two homes and node_options. */
struct node *stored_node(void);
struct node *stored_node_with(const struct broker_options *o);
/* Without NATS. */
struct node *stored_node_alone(const struct broker_options *o);

/* From now on nothing more gets to the disk, and node_run does not wait. */
void stored_stop_disk(void);
/* It does again, and so the node goes on. */
void stored_go_on(struct node *n);

/* All that the node has posted gets to the disk; no home turns. */
void stored_sync(struct node *n);
/* The next node begins with nothing. */
void stored_begin_empty(void);

/*
 * Kill the node: what has not got to the disk is lost, devices hear nothing.
 * *n is the one that begins with what is there.
 */
void stored_crash(struct node **n);
/* The same after an orderly end. */
void stored_restart(struct node **n);

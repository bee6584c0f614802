/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tally - which messages of one lane one subscriber has seen.
 *
 * Numbers of a lane start at 0 and are received in order unless something
 * goes wrong, so a tally is the next number expected and the holes before it:
 *
 *   0 1 2 . . 5 6 7 . 9        next 10, holes [3,5) [8,9)
 *
 * That is exact whatever happens: a number that fills a hole came late, one
 * that does not is a duplicate, and what is left in holes is lost.
 */
#pragma once

#include <stdint.h>

struct hole {
	uint32_t from;
	uint32_t to;
};

struct tally {
	uint32_t next;
	uint32_t n_holes;
	struct hole *holes;
};

struct tally_counts {
	uint64_t unique;
	uint64_t duplicate;
	uint64_t late; /* after a higher number of the same lane */
};

/* Note message `seq`; returns by how much t->next has moved on. */
uint32_t tally_note(struct tally *t, uint32_t seq, struct tally_counts *c);

/* SPDX-License-Identifier: Apache-2.0 */
/* options - the words of the command line: load MODE NAME=VALUE ... */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "peer.h"
#include "process.h"

enum filter_form {
	FILTER_EXACT,
	FILTER_PLUS, /* the last level is + */
	FILTER_ALL   /* everything of this run: # */
};

struct options {
	struct endpoint from; /* publishers, or the only clients there are */
	struct endpoint to;   /* subscribers; as `from` when not given */
	unsigned pubs;
	unsigned subs;
	unsigned topics; /* 0: as many as the larger of pubs and subs */
	unsigned size;
	unsigned qos;
	unsigned sub_qos; /* UINT_MAX: as qos */
	unsigned window;  /* per publisher, when rate is 0 */
	double rate;      /* of all publishers together, per second */
	double warmup;    /* seconds */
	double seconds;
	bool shuffle;     /* publish to a publisher's topics at random */
	bool answer;      /* NATS subscribers answer */
	bool pace_on_ack; /* the window counts acknowledgements alone */
	enum filter_form filter;
	unsigned conns;
	unsigned filters; /* per connection */
	unsigned parallel;
	unsigned batch;
	unsigned messages;
	struct process processes[PROCESSES_MAX];
	size_t n_processes;
};

/* Fill in `o` or end the program with a message. */
void options_parse(struct options *o, char *const *words);

/* Every option with its default, for the help. */
void options_print(void);

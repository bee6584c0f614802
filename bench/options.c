/* SPDX-License-Identifier: Apache-2.0 */
/* options - the words of the command line. */
#include "options.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef bool option_set(struct options *o, void *field, const char *value);

static bool
set_number(struct options *o, void *field, const char *value)
{
	char *end;
	unsigned long n;

	(void)o;
	errno = 0;
	n = strtoul(value, &end, 10);
	if (*value == '\0' || *end != '\0' || errno != 0 || n > UINT_MAX)
		return false;
	*(unsigned *)field = (unsigned)n;
	return true;
}

static bool
set_real(struct options *o, void *field, const char *value)
{
	char *end;

	(void)o;
	*(double *)field = strtod(value, &end);
	return *value != '\0' && *end == '\0' && *(double *)field >= 0;
}

static bool
set_flag(struct options *o, void *field, const char *value)
{
	(void)o;
	*(bool *)field = strcmp(value, "1") == 0;
	return *(bool *)field || strcmp(value, "0") == 0;
}

static bool
set_endpoint(struct options *o, void *field, const char *value)
{
	(void)o;
	return endpoint_parse(field, value);
}

static bool
set_filter(struct options *o, void *field, const char *value)
{
	static const char *const forms[] = { [FILTER_EXACT] = "exact",
		[FILTER_PLUS] = "plus",
		[FILTER_ALL] = "all" };

	(void)o;
	for (unsigned i = 0; i < countof(forms); i++) {
		if (strcmp(forms[i], value) == 0) {
			*(enum filter_form *)field = (enum filter_form)i;
			return true;
		}
	}
	return false;
}

static bool
set_process(struct options *o, void *field, const char *value)
{
	struct process *p = &o->processes[o->n_processes];
	int pid;

	(void)field;
	if (o->n_processes == PROCESSES_MAX ||
	    sscanf(value, "%31[^:]:%d", p->name, &pid) != 2)
		return false;
	p->pid = pid;
	o->n_processes++;
	return true;
}

#define FIELD(name) offsetof(struct options, name)

static const struct option {
	const char *name;
	option_set *set;
	size_t offset;
	const char *preset; /* NULL: none */
	const char *help;
} option_table[] = {
	{ "from", set_endpoint, FIELD(from), NULL,
	    "where publishers connect: mqtt://, mqtt5:// or nats://IP:PORT" },
	{ "to", set_endpoint, FIELD(to), NULL,
	    "where subscribers connect; default as from" },
	{ "pubs", set_number, FIELD(pubs), "1", "publishers" },
	{ "subs", set_number, FIELD(subs), "1", "subscribers" },
	{ "topics", set_number, FIELD(topics), "0",
	    "topics, dealt out to publishers and subscribers; 0: one each" },
	{ "size", set_number, FIELD(size), "64", "bytes of payload" },
	{ "qos", set_number, FIELD(qos), "0",
	    "of publishes; NATS: above 0 asks for a reply" },
	{ "subqos", set_number, FIELD(sub_qos), "4294967295",
	    "of subscriptions; default as qos" },
	{ "window", set_number, FIELD(window), "100",
	    "messages on the way per publisher, for a closed loop" },
	{ "rate", set_real, FIELD(rate), "0",
	    "messages per second in all, for an open loop" },
	{ "warmup", set_real, FIELD(warmup), "1", "seconds" },
	{ "seconds", set_real, FIELD(seconds), "3", "measured interval" },
	{ "shuffle", set_flag, FIELD(shuffle), "0",
	    "1: a publisher takes its topics at random" },
	{ "answer", set_flag, FIELD(answer), "0",
	    "1: NATS subscribers answer with an empty message" },
	{ "paceonack", set_flag, FIELD(pace_on_ack), "0",
	    "1: the window waits for acknowledgements only" },
	{ "filter", set_filter, FIELD(filter), "exact", "exact, plus or all" },
	{ "conns", set_number, FIELD(conns), "1000", "idle connections" },
	{ "filters", set_number, FIELD(filters), "0",
	    "subscriptions per connection" },
	{ "parallel", set_number, FIELD(parallel), "100",
	    "connections being made at a time" },
	{ "batch", set_number, FIELD(batch), "100",
	    "filters in one SUBSCRIBE" },
	{ "messages", set_number, FIELD(messages), "100000",
	    "retained messages" },
	{ "pid", set_process, 0, NULL,
	    "NAME:PID of a server to measure; may be repeated" },
};

static void
option_set_by_name(struct options *o, const char *word)
{
	const char *equals = strchr(word, '=');
	size_t len = equals != NULL ? (size_t)(equals - word) : 0;

	for (size_t i = 0; i < countof(option_table); i++) {
		const struct option *row = &option_table[i];
		if (strlen(row->name) != len ||
		    strncmp(row->name, word, len) != 0)
			continue;
		if (!row->set(o, (char *)o + row->offset, equals + 1))
			die("bad value: %s", word);
		return;
	}
	die("unknown option: %s", word);
}

static void
options_check(struct options *o)
{
	if (o->from.wire == NULL)
		die("from= is missing");
	if (o->to.wire == NULL)
		o->to = o->from;
	if (o->sub_qos == UINT_MAX)
		o->sub_qos = o->qos;
	if (o->topics == 0)
		o->topics = o->pubs > o->subs ? o->pubs : o->subs;
	if (o->qos > 2 || o->sub_qos > 2)
		die("qos is 0, 1 or 2");
	if (o->pubs == 0 || o->window == 0 || o->window > 60000)
		die("pubs and window are at least 1, window at most 60000");
	if (o->batch == 0 || o->parallel == 0)
		die("batch and parallel are at least 1");
}

void
options_parse(struct options *o, char *const *words)
{
	*o = (struct options){ 0 };
	for (size_t i = 0; i < countof(option_table); i++) {
		const struct option *row = &option_table[i];
		if (row->preset != NULL)
			row->set(o, (char *)o + row->offset, row->preset);
	}
	for (; *words != NULL; words++)
		option_set_by_name(o, *words);
	options_check(o);
}

void
options_print(void)
{
	for (size_t i = 0; i < countof(option_table); i++) {
		const struct option *row = &option_table[i];
		printf("  %-10s%s%s%s%s\n", row->name, row->help,
		    row->preset != NULL ? " (" : "",
		    row->preset != NULL ? row->preset : "",
		    row->preset != NULL ? ")" : "");
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process - what the servers under load use, read from outside.
 *
 * CPU time comes from the process's own clock, which has nanoseconds, not
 * from the ticks in /proc/PID/stat; memory is the resident set as the kernel
 * counts it page by page (smaps_rollup).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROCESSES_MAX 4

struct process {
	char name[32];
	pid_t pid;
};

struct usage {
	uint64_t cpu_ns[PROCESSES_MAX];
	uint64_t rss[PROCESSES_MAX];
	uint64_t own_cpu_ns; /* of the load generator */
	uint64_t all_cpu_ns; /* of the whole machine, in ticks */
	uint64_t at_ns;
};

/* Sample all processes. A process that is gone ends the program. */
void usage_sample(struct usage *u, const struct process *processes, size_t n);

/* The same without the memory, which takes long to count. */
void usage_sample_cpu(struct usage *u, const struct process *processes,
    size_t n);

/*
 * The part of the machine's processors, 0 to 1, that neither the servers nor
 * the load generator used from `begin` to `end`, but somebody else: figures
 * taken beside much of that are not worth much.
 */
double usage_others(const struct usage *begin, const struct usage *end,
    size_t n);

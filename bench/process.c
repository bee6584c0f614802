/* SPDX-License-Identifier: Apache-2.0 */
/* process - what the servers under load use, read from outside. */
#include "process.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "peer.h"

static uint64_t
clock_read(clockid_t clock, const char *name)
{
	struct timespec ts;

	if (clock_gettime(clock, &ts) != 0)
		die("process %s is gone", name);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint64_t
cpu_of(const struct process *p)
{
	clockid_t clock;

	if (clock_getcpuclockid(p->pid, &clock) != 0)
		die("process %s (%d) is not there", p->name, (int)p->pid);
	return clock_read(clock, p->name);
}

static uint64_t
rss_of(const struct process *p)
{
	char path[64], line[128];
	uint64_t kilobytes = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)p->pid);
	f = fopen(path, "r");
	if (f == NULL)
		return 0; /* another user's process: CPU time only */
	while (fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "Rss: %" SCNu64, &kilobytes) == 1)
			break;
	fclose(f);
	return kilobytes * 1024;
}

/* Everything in the first line of /proc/stat that is not idle or waiting. */
static uint64_t
cpu_of_machine(void)
{
	uint64_t user = 0, nice = 0, system = 0, idle, wait, irq = 0, soft = 0,
		 steal = 0;
	FILE *f = fopen("/proc/stat", "r");

	if (f == NULL)
		return 0;
	if (fscanf(f,
		"cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
		" %" SCNu64 " %" SCNu64 " %" SCNu64,
		&user, &nice, &system, &idle, &wait, &irq, &soft, &steal) < 3)
		die("/proc/stat is not as expected");
	fclose(f);
	return (user + nice + system + irq + soft + steal) * 1000000000u /
	    (uint64_t)sysconf(_SC_CLK_TCK);
}

void
usage_sample_cpu(struct usage *u, const struct process *processes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		u->cpu_ns[i] = cpu_of(&processes[i]);
	u->own_cpu_ns = clock_read(CLOCK_PROCESS_CPUTIME_ID, "load");
	u->all_cpu_ns = cpu_of_machine();
	u->at_ns = now_ns();
}

double
usage_others(const struct usage *begin, const struct usage *end, size_t n)
{
	double all = (double)(end->all_cpu_ns - begin->all_cpu_ns);
	double time = (double)(end->at_ns - begin->at_ns) *
	    (double)sysconf(_SC_NPROCESSORS_ONLN);

	all -= (double)(end->own_cpu_ns - begin->own_cpu_ns);
	for (size_t i = 0; i < n; i++)
		all -= (double)(end->cpu_ns[i] - begin->cpu_ns[i]);
	return all > 0 && time > 0 ? all / time : 0;
}

void
usage_sample(struct usage *u, const struct process *processes, size_t n)
{
	usage_sample_cpu(u, processes, n);
	for (size_t i = 0; i < n; i++)
		u->rss[i] = rss_of(&processes[i]);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * helper - a thread for what may block.
 *
 * The struct belongs to whoever leaves last: to helper_stop, or to the
 * thread when that was left alone in a job that does not end.
 */
#include "base/helper.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/xalloc.h"

struct helper {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	TAILQ_HEAD(, helper_job) jobs; /* [l] */
	bool stop;                     /* [l] */
	bool left_alone;               /* [l] nobody takes jobs back */
	bool ended;                    /* [l] the thread is about to end */
	const char *name;              /* [I] */
	pthread_t thread;              /* the starter's */
};

static void
helper_free(struct helper *h)
{
	pthread_cond_destroy(&h->changed);
	pthread_mutex_destroy(&h->lock);
	free(h);
}

/* Under the lock: the next job, or NULL when it is time to end. */
static struct helper_job *
next_job(struct helper *h)
{
	struct helper_job *job;

	while (!h->stop && TAILQ_EMPTY(&h->jobs))
		pthread_cond_wait(&h->changed, &h->lock);
	job = h->stop ? NULL : TAILQ_FIRST(&h->jobs);
	if (job != NULL)
		TAILQ_REMOVE(&h->jobs, job, entry);
	return job;
}

static void *
run(void *arg)
{
	struct helper *h = arg;
	struct helper_job *job;
	bool mine;

	thread_enter(THREAD_NONE, h->name);
	pthread_mutex_lock(&h->lock);
	while ((job = next_job(h)) != NULL) {
		pthread_mutex_unlock(&h->lock);
		job->run(job);
		pthread_mutex_lock(&h->lock);
		/* Under the lock, so that `done` is there or we know. */
		if (h->left_alone)
			job->abandon(job);
		else
			mailbox_post(job->done, &job->mail);
	}
	h->ended = true;
	mine = h->left_alone;
	pthread_cond_broadcast(&h->changed);
	pthread_mutex_unlock(&h->lock);
	if (mine)
		helper_free(h);
	return NULL;
}

int
helper_start(struct helper **out, const char *name)
{
	struct helper *h = xcalloc(1, sizeof(*h));
	pthread_condattr_t attr;
	int r;

	pthread_mutex_init(&h->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&h->changed, &attr);
	pthread_condattr_destroy(&attr);
	TAILQ_INIT(&h->jobs);
	h->name = name;
	r = thread_start(&h->thread, run, h);
	if (r < 0) {
		helper_free(h);
		return r;
	}
	*out = h;
	return 0;
}

void
helper_post(struct helper *h, struct helper_job *job, bool urgent)
{
	pthread_mutex_lock(&h->lock);
	if (urgent)
		TAILQ_INSERT_HEAD(&h->jobs, job, entry);
	else
		TAILQ_INSERT_TAIL(&h->jobs, job, entry);
	pthread_cond_broadcast(&h->changed);
	pthread_mutex_unlock(&h->lock);
}

/* Under the lock: has the thread ended before the deadline? */
static bool
wait_for_end(struct helper *h, uint64_t deadline_ms)
{
	const struct timespec until = {
		.tv_sec = (time_t)(deadline_ms / 1000),
		.tv_nsec = (long)(deadline_ms % 1000) * 1000000,
	};

	while (!h->ended)
		if (pthread_cond_timedwait(&h->changed, &h->lock, &until) ==
		    ETIMEDOUT)
			break;
	return h->ended;
}

bool
helper_stop(struct helper **h, uint64_t deadline_ms)
{
	struct helper *dying = *h;
	struct helper_job *job;
	bool ended;

	*h = NULL;
	if (dying == NULL)
		return true;
	pthread_mutex_lock(&dying->lock);
	while ((job = TAILQ_FIRST(&dying->jobs)) != NULL) {
		TAILQ_REMOVE(&dying->jobs, job, entry);
		job->abandon(job);
	}
	dying->stop = true;
	pthread_cond_broadcast(&dying->changed);
	ended = wait_for_end(dying, deadline_ms);
	dying->left_alone = !ended;
	if (!ended)
		pthread_detach(dying->thread);
	pthread_mutex_unlock(&dying->lock);
	if (ended) {
		pthread_join(dying->thread, NULL);
		helper_free(dying);
	}
	return ended;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* scratch - a directory of this test's own. */
#include "store/scratch.h"

#include <assert.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char path[64];
static pid_t owner;

static int
remove_one(const char *name, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(name);
}

static void
remove_all(void)
{
	if (getpid() == owner)
		nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

const char *
scratch_directory(void)
{
	const char *tmp = getenv("TMPDIR");

	if (path[0] != '\0')
		return path;
	(void)snprintf(path, sizeof(path), "%s/mqtt-natsd-XXXXXX",
	    tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(path) == NULL)
		abort();
	owner = getpid();
	atexit(remove_all);
	return path;
}

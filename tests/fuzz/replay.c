/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay - a main() that runs a fuzz target over files.
 *
 *   fuzz_packet [FILE | DIRECTORY]...
 *
 * Without arguments: $srcdir/tests/fuzz/corpus/packet, the name being that of
 * the program. Each input stands in memory of exactly its size, so that a
 * sanitizer sees a read behind its end. No input at all is a failure.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/xalloc.h"
#include "fuzz/fuzz.h"

static unsigned long n_inputs;

static void
die(const char *path)
{
	fprintf(stderr, "%s: %s\n", path, strerror(errno));
	exit(1);
}

static void
replay_file(const char *path, size_t size)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = size > 0 ? xmalloc(size) : NULL;

	if (f == NULL || fread(data, 1, size, f) != size)
		die(path);
	fclose(f);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	n_inputs++;
}

static void replay(const char *path);

static void
replay_directory(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	char *inner;

	if (dir == NULL)
		die(path);
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		inner = xasprintf("%s/%s", path, entry->d_name);
		replay(inner);
		free(inner);
	}
	closedir(dir);
}

static void
replay(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		die(path);
	if (S_ISDIR(st.st_mode))
		replay_directory(path);
	else
		replay_file(path, (size_t)st.st_size);
}

/* "build/fuzz_packet" to "$srcdir/tests/fuzz/corpus/packet". */
static char *
own_corpus(const char *program)
{
	const char *srcdir = getenv("srcdir");
	const char *name = strrchr(program, '_');

	return xasprintf("%s/tests/fuzz/corpus/%s",
	    srcdir != NULL ? srcdir : ".", name != NULL ? name + 1 : program);
}

int
main(int argc, char **argv)
{
	char *corpus = own_corpus(argv[0]);
	int i;

	for (i = 1; i < argc; i++)
		replay(argv[i]);
	if (argc < 2)
		replay(corpus);
	printf("%s: %lu inputs\n", argv[0], n_inputs);
	free(corpus);
	return n_inputs > 0 ? 0 : 1;
}

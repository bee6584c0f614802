/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/xalloc.h"
#include "store/scratch.h"

static struct store_lmdb_options options = { .max_size = (size_t)16 << 20 };

/* A store with a tree of many pages. */
static void
fill(void)
{
	struct store_lmdb *l;
	struct batch *b = batch_new();

	options.path = store_file_path(scratch_directory());
	cr_assert_eq(store_lmdb_open(&options, &l), 0);
	for (uint64_t i = 1; i <= 2000; i++) {
		buf_printf(&b->values, "%0100u", (unsigned)i);
		batch_add(b, BATCH_PUT, RECORD_SESSION, record_key(i), NULL);
	}
	cr_assert_eq(store_lmdb_ops.begin(l), 0);
	for (size_t i = 0; i < b->n; i++)
		cr_assert_eq(store_lmdb_ops.apply(l, b, &b->ops[i]), 0);
	cr_assert_eq(store_lmdb_ops.commit(l), 0);
	batch_free(&b);
	store_lmdb_ops.close(l);
}

static void
overwrite(off_t at, uint8_t with, size_t n)
{
	int fd = open(options.path, O_RDWR);

	cr_assert_geq(fd, 0);
	for (size_t i = 0; i < n; i++)
		cr_assert_eq(pwrite(fd, &with, 1, at + (off_t)i), 1);
	close(fd);
}

Test(store_file, makes_a_directory_for_nobody_else)
{
	char *path = xasprintf("%s/new", scratch_directory());
	struct stat st;

	cr_assert_eq(store_file_make_directory(path), 0);
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0700);
	cr_expect_eq(store_file_make_directory(path), 0);
	free(path);
	path = xasprintf("%s/no/such", scratch_directory());
	cr_expect_eq(store_file_make_directory(path), -ENOENT);
	free(path);
}

Test(store_file, lets_one_in)
{
	pid_t other = 0;
	int fd = store_file_lock(scratch_directory(), &other);

	cr_assert_geq(fd, 0);
	cr_expect_eq(store_file_lock(scratch_directory(), &other), -EEXIST);
	cr_expect_eq(other, getpid());
	close(fd);
	fd = store_file_lock(scratch_directory(), &other);
	cr_expect_geq(fd, 0);
	close(fd);
}

Test(store_file, finds_nothing_wrong_with_a_good_one)
{
	options.path = store_file_path(scratch_directory());
	cr_expect_eq(store_file_check(&options), 0); /* it is not there */
	fill();
	cr_expect_eq(store_file_check(&options), 0);
}

Test(store_file, finds_a_file_that_was_cut_off)
{
	fill();
	cr_assert_eq(truncate(options.path, 40000), 0);
	cr_expect_eq(store_file_check(&options), -EBADMSG);
	cr_assert_eq(truncate(options.path, 100), 0);
	cr_expect_eq(store_file_check(&options), -EBADMSG);
}

/*
 * Wherever a page of the tree is overwritten: no crash, and a good one or a
 * clear word. Some pages are in no use.
 */
Test(store_file, finds_a_page_that_was_overwritten)
{
	static const uint8_t with[] = { 0, 0xff, 0x41 };
	unsigned n_found = 0, n = 0;
	struct stat st;

	fill();
	cr_assert_eq(stat(options.path, &st), 0);
	for (off_t at = 8192; at < st.st_size; at += 4096, n++) {
		uint8_t before[4096];
		int fd = open(options.path, O_RDWR);
		int error;

		cr_assert_eq(pread(fd, before, sizeof(before), at), 4096);
		overwrite(at, with[n % 3], sizeof(before));
		error = store_file_check(&options);
		cr_expect(error == 0 || error == -EBADMSG, "%d", error);
		n_found += error != 0;
		cr_assert_eq(pwrite(fd, before, sizeof(before), at), 4096);
		close(fd);
	}
	cr_expect_gt(n_found, 50);
	cr_expect_eq(store_file_check(&options), 0);
}

Test(store_file, finds_a_bit_that_has_turned_in_a_value)
{
	struct stat st;

	fill();
	cr_assert_eq(stat(options.path, &st), 0);
	/* In a leaf, far from its header. */
	overwrite(st.st_size / 2 / 4096 * 4096 + 3000, 'x', 1);
	cr_expect_eq(store_file_check(&options), -EBADMSG);
}

Test(store_file, moves_a_file_aside_under_a_name_of_its_own)
{
	char *first, *second;

	fill();
	cr_assert_eq(store_file_set_aside(options.path, &first), 0);
	cr_expect_neq(access(options.path, F_OK), 0);
	fill();
	cr_assert_eq(store_file_set_aside(options.path, &second), 0);
	cr_expect_str_neq(first, second);
	cr_expect_eq(access(first, F_OK), 0);
	cr_expect_eq(access(second, F_OK), 0);
	free(first);
	free(second);
}

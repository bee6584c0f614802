/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/textfile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <criterion/criterion.h>

Test(textfile, is_read_as_it_is)
{
	char path[] = "/tmp/textfile.XXXXXX";
	int fd = mkstemp(path);
	struct slice text;

	cr_assert_geq(fd, 0);
	cr_assert(textfile_read(path, &text));
	cr_expect_eq(text.len, 0);
	textfile_free(&text);
	cr_assert_eq(write(fd, "a\0b\n", 4), 4);
	close(fd);
	cr_assert(textfile_read(path, &text));
	cr_expect(slice_eq(text, slice_of("a\0b\n", 4)));
	textfile_free(&text);
	cr_expect_null(text.ptr);
	cr_assert_eq(unlink(path), 0);
}

Test(textfile, is_nothing_else)
{
	struct slice text;

	cr_expect_not(textfile_read("/nowhere/at all", &text));
	cr_expect_eq(errno, ENOENT);
	cr_expect_not(textfile_read("/", &text));
	cr_expect_eq(errno, EINVAL);
	cr_expect_not(textfile_read("/dev/zero", &text));
	cr_expect_eq(errno, EINVAL);
}

Test(textfile, has_lines)
{
	struct slice rest = SLICE("a\n\nb c\r\n\r\nd");
	static const char *const want[] = { "a", "", "b c", "", "d" };
	struct slice line;

	for (size_t i = 0; i < countof(want); i++) {
		cr_assert(textfile_next_line(&rest, &line));
		cr_expect(slice_eq(line, slice_str(want[i])), "%zu", i);
	}
	cr_expect_not(textfile_next_line(&rest, &line));
}

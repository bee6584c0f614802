/* SPDX-License-Identifier: Apache-2.0 */
/* textfile - a file of ours, read as a whole. */
#include "auth/textfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xalloc.h"

#define FILE_MAX (256 << 20)

/* `size` bytes, or fewer when the file has become shorter; -1 and errno. */
static ssize_t
read_all(int fd, uint8_t *bytes, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len < size && (n = read(fd, bytes + len, size - len)) != 0) {
		if (n < 0)
			return -1;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

static bool
read_open(int fd, struct slice *out)
{
	struct stat st;
	uint8_t *bytes;
	ssize_t len;

	if (fstat(fd, &st) < 0)
		return false;
	if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX) {
		errno = S_ISREG(st.st_mode) ? EFBIG : EINVAL;
		return false;
	}
	/* In one piece: growing would leave copies behind. */
	bytes = xmalloc((size_t)st.st_size + 1);
	len = read_all(fd, bytes, (size_t)st.st_size);
	if (len < 0) {
		free(bytes);
		return false;
	}
	*out = slice_of(bytes, (size_t)len);
	return true;
}

bool
textfile_read(const char *path, struct slice *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool ok;
	int error;

	if (fd < 0)
		return false;
	ok = read_open(fd, out);
	error = errno;
	close(fd);
	errno = error;
	return ok;
}

void
textfile_free(struct slice *text)
{
	uint8_t *bytes = (uint8_t *)(uintptr_t)text->ptr;

	explicit_bzero(bytes, text->len);
	free(bytes);
	*text = (struct slice){ 0 };
}

bool
textfile_next_line(struct slice *rest, struct slice *line)
{
	const uint8_t *end;

	if (rest->len == 0)
		return false;
	end = memchr(rest->ptr, '\n', rest->len);
	*line = *rest;
	if (end != NULL)
		line->len = (size_t)(end - rest->ptr);
	*rest = slice_skip(*rest, line->len + (end != NULL));
	while (line->len > 0 && line->ptr[line->len - 1] == '\r')
		line->len--;
	return true;
}

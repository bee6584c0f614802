/* SPDX-License-Identifier: Apache-2.0 */
/* new_user - a line for the password file. */
#include "daemon/new_user.h"

#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "auth/password.h"
#include "base/utf8.h"

/* Enough to make guessing dear, and not too much for a small device. */
#define ITERATIONS   15000
#define PASSWORD_MAX 1024

static bool
is_name(const char *name)
{
	return *name != '\0' && *name != '#' &&
	    strpbrk(name, ":\r\n") == NULL && utf8_valid(slice_str(name));
}

/* A line without its end; false when there is none, or one too long. */
static bool
read_line(FILE *in, char *line, int size)
{
	size_t len;

	if (fgets(line, size, in) == NULL)
		return false;
	len = strcspn(line, "\n");
	if (line[len] == '\0' && !feof(in))
		return false;
	line[len] = '\0';
	return true;
}

/* The same where somebody may look over the shoulder. */
static bool
ask(FILE *in, char *line, int size, FILE *err)
{
	struct termios before, quiet;
	bool has_line;

	if (!isatty(fileno(in)) || tcgetattr(fileno(in), &before) != 0)
		return read_line(in, line, size);
	quiet = before;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	fputs("Password: ", err);
	fflush(err);
	(void)tcsetattr(fileno(in), TCSAFLUSH, &quiet);
	has_line = read_line(in, line, size);
	(void)tcsetattr(fileno(in), TCSAFLUSH, &before);
	fputc('\n', err);
	return has_line;
}

static bool
print_entry(const char *name, const char *password, FILE *out, FILE *err)
{
	struct buf entry = { 0 };
	bool is_made = password_make_scram(password, ITERATIONS, &entry);

	if (is_made)
		fprintf(out, "%s:%.*s\n", name, SLICE_ARG(buf_slice(&entry)));
	else
		fputs("mqtt-natsd: a password has no control characters, and "
		      "is UTF-8\n",
		    err);
	buf_fini(&entry);
	return is_made && fflush(out) == 0;
}

bool
new_user_print(const char *name, FILE *in, FILE *out, FILE *err)
{
	char password[PASSWORD_MAX];
	bool is_printed = false;

	if (!is_name(name)) {
		fputs("mqtt-natsd: a user name is not empty, does not begin "
		      "with # and has no colon\n",
		    err);
		return false;
	}
	/* Nothing of it is to stay in a buffer of the library's. */
	setvbuf(in, NULL, _IONBF, 0);
	if (!ask(in, password, sizeof(password), err))
		fprintf(err,
		    "mqtt-natsd: there is no password of at most %d bytes\n",
		    PASSWORD_MAX - 2);
	else
		is_printed = print_entry(name, password, out, err);
	explicit_bzero(password, sizeof(password));
	return is_printed;
}

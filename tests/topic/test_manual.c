/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of topic/subject against mqtt-nats-mapping(7): every row of its
 * tables is true.
 */
#include <stdio.h>
#include <stdlib.h>

#include <criterion/criterion.h>

#include "base/xalloc.h"
#include "topic/subject.h"
#include "topic/topic.h"

/* "none", "a.b", or "a.> and a", as the right column has it. */
static void
print_subject(const struct mapping *m, const char *name, char *out, size_t size)
{
	struct buf b = { 0 };
	size_t parent_len;

	if (subject_from_filter(m, slice_str(name), &b, &parent_len) !=
	    SUBJECT_OK)
		snprintf(out, size, "none");
	else if (parent_len > 0)
		snprintf(out, size, "%.*s and %.*s", SLICE_ARG(buf_slice(&b)),
		    (int)parent_len, (const char *)buf_ptr(&b));
	else
		snprintf(out, size, "%.*s", SLICE_ARG(buf_slice(&b)));
	buf_fini(&b);
}

static void
check_row(const struct mapping *m, const char *name, const char *subject)
{
	struct buf b = { 0 };
	char text[128];

	print_subject(m, name, text, sizeof(text));
	cr_expect_str_eq(text, subject, "%s", name);
	if (topic_valid(slice_str(name)) && strcmp(subject, "none") != 0) {
		cr_expect_eq(subject_to_topic(m, slice_str(subject), &b),
		    SUBJECT_OK, "%s", subject);
		cr_expect(slice_eq(buf_slice(&b), slice_str(name)), "%s",
		    subject);
	}
	buf_fini(&b);
}

/* Which mapping the text around the tables speaks of. */
static void
follow_text(struct mapping *m, const char *line)
{
	if (strcmp(line, ".Ss Mode swap") == 0)
		m->mode = MAPPING_SWAP;
	else if (strncmp(line, ".Ss ", 4) == 0)
		*m = (struct mapping){ .mode = MAPPING_NATS };
	else if (strcmp(line, ".Ql topic_prefix = plant :") == 0)
		m->topic_prefix = SLICE("plant");
	else if (strcmp(line, ".Ql subject_prefix = mqtt :") == 0)
		*m = (struct mapping){ .subject_prefix = SLICE("mqtt") };
}

/* Cut a row at the first two blanks; false for the heading. */
static bool
cut_row(char *line, char **subject)
{
	char *gap = strstr(line, "  ");

	cr_assert_not_null(gap, "%s", line);
	*gap = '\0';
	*subject = gap + 1 + strspn(gap + 1, " ");
	return strncmp(*subject, "sub", 3) != 0;
}

static void
check_tables(FILE *f, size_t *n_rows)
{
	struct mapping m = { .mode = MAPPING_NATS };
	bool in_table = false;
	char line[256], *name, *subject;

	while (fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (strcmp(line, ".Sh EXAMPLES") == 0)
			return;
		if (strncmp(line, ".Bd -literal", 12) == 0) {
			in_table = true;
		} else if (strcmp(line, ".Ed") == 0) {
			in_table = false;
		} else if (!in_table) {
			follow_text(&m, line);
		} else if (cut_row(line, &subject)) {
			name = line + (strncmp(line, "\\&", 2) == 0 ? 2 : 0);
			check_row(&m, name, subject);
			++*n_rows;
		}
	}
}

Test(manual, is_true)
{
	const char *srcdir = getenv("srcdir"); /* from make check */
	char *path = xasprintf("%s/man/mqtt-nats-mapping.7",
	    srcdir != NULL ? srcdir : "..");
	FILE *f = fopen(path, "r");
	size_t n_rows = 0;

	cr_assert_not_null(f, "%s", path);
	check_tables(f, &n_rows);
	fclose(f);
	free(path);
	cr_assert_gt(n_rows, 35, "%zu rows", n_rows);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config - the ini file, checked, as one plain struct.
 *
 *   file --inifile--> entries --here--> struct config --config_check--> ok?
 *                     overrides -^   ^- defaults of what was not given
 */
#include <config.h> /* the build's, not ours */

#include "daemon/config.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/random.h"
#include "base/xalloc.h"
#include "daemon/config_loader.h"
#include "daemon/inifile.h"
#include "topic/filter.h"

#define MAX_REPORTED   20
#define MAX_FILE_BYTES (4u << 20)
#define MAX_LISTENERS  256

/* --- what is wrong --- */

static void PRINTF_LIKE(5, 0) report_add(char ***list, size_t *n,
    const struct config_loader *l, unsigned line, const char *fmt, va_list ap)
{
	struct buf b = { 0 };
	char text[1024];

	vsnprintf(text, sizeof(text), fmt, ap);
	if (line > 0)
		buf_printf(&b, "%s:%u: %s", l->name, line, text);
	else
		buf_printf(&b, "%s: %s", l->name, text);
	*list = xrealloc(*list, (*n + 1) * sizeof(**list));
	(*list)[(*n)++] = xmemdup0(buf_ptr(&b), buf_len(&b));
	buf_fini(&b);
}

void
config_error(struct config_loader *l, unsigned line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	config_verror(l, line, fmt, ap);
	va_end(ap);
}

void
config_verror(struct config_loader *l, unsigned line, const char *fmt,
    va_list ap)
{
	if (l->n_errors++ < MAX_REPORTED)
		report_add(&l->report->errors, &l->report->n_errors, l, line,
		    fmt, ap);
}

void
config_warning(struct config_loader *l, unsigned line, const char *fmt, ...)
{
	va_list ap;

	if (l->report->n_warnings >= MAX_REPORTED)
		return;
	va_start(ap, fmt);
	report_add(&l->report->warnings, &l->report->n_warnings, l, line, fmt,
	    ap);
	va_end(ap);
}

static void
report_rest(struct config_loader *l)
{
	unsigned rest;

	if (l->n_errors <= MAX_REPORTED)
		return;
	rest = l->n_errors - MAX_REPORTED;
	l->n_errors = 0;
	config_error(l, 0, "and %u more error%s", rest, rest > 1 ? "s" : "");
}

void
config_report_fini(struct config_report *r)
{
	for (size_t i = 0; i < r->n_errors; i++)
		free(r->errors[i]);
	for (size_t i = 0; i < r->n_warnings; i++)
		free(r->warnings[i]);
	free(r->errors);
	free(r->warnings);
	*r = (struct config_report){ 0 };
}

/* --- sections --- */

static bool
is_listener(const struct option_row *o)
{
	return strcmp(o->section, "listener") == 0;
}

/* What option_set and its like want as base. */
static void *
base_of(const struct config *c, const struct option_row *o, size_t listener)
{
	if (is_listener(o))
		return &c->listeners[listener];
	return (void *)(uintptr_t)c;
}

static void
add_listener(struct config *c, const char *name, unsigned line)
{
	c->listeners = xrealloc(c->listeners,
	    (c->n_listeners + 1) * sizeof(*c->listeners));
	c->listeners[c->n_listeners++] = (struct config_listener){
		.name = xstrdup(name),
		.line = line,
	};
}

static bool
is_listener_name(const char *s)
{
	size_t len = 0;

	while (isalnum((unsigned char)s[len]) ||
	    (s[len] != '\0' && strchr("-_.", s[len]) != NULL))
		len++;
	return len > 0 && len <= 32 && s[len] == '\0';
}

static bool
on_listener_section(struct config_loader *l, const char *name, unsigned line)
{
	struct config *c = l->config;

	if (*name == '\0') {
		config_error(l, line,
		    "the section needs a name: [listener NAME]");
		return false;
	}
	if (!is_listener_name(name)) {
		config_error(l, line,
		    "[listener %s]: a name is at most 32 letters, digits, "
		    "-, _ and .",
		    name);
		return false;
	}
	for (size_t i = 0; i < c->n_listeners; i++) {
		if (strcmp(c->listeners[i].name, name) == 0) {
			config_error(l, line,
			    "[listener %s] stands in line %u already", name,
			    c->listeners[i].line);
			return false;
		}
	}
	if (c->n_listeners == MAX_LISTENERS) {
		config_error(l, line, "more than %u listeners", MAX_LISTENERS);
		return false;
	}
	add_listener(c, name, line);
	return true;
}

static void
unknown_section(struct config_loader *l, const char *section, unsigned line)
{
	const char *nearest = option_nearest_section(section);

	config_error(l, line, "unknown section [%s]; did you mean [%s%s]?",
	    section, nearest, strcmp(nearest, "listener") == 0 ? " NAME" : "");
}

/*
 * The first word of what stands between the brackets goes to `section`, of
 * `size` bytes. False when the section's keys are not worth reading.
 */
static bool
on_section(struct config_loader *l, const struct inifile_entry *e,
    char *section, size_t size)
{
	size_t len = strcspn(e->section, " \t");
	const char *name = e->section + len + strspn(e->section + len, " \t");

	snprintf(section, size, "%.*s", (int)len, e->section);
	if (strcmp(section, "listener") == 0)
		return on_listener_section(l, name, e->line);
	if (strcmp(section, "ack") != 0 && !option_is_section(section)) {
		unknown_section(l, section, e->line);
		return false;
	}
	if (*name != '\0') {
		config_error(l, e->line, "[%s] takes no name", section);
		return false;
	}
	return true;
}

/* --- keys --- */

const struct config_given *
config_find_given(const struct config_loader *l, const struct option_row *o,
    size_t listener)
{
	for (size_t i = 0; i < l->n_given; i++) {
		if (l->given[i].option == o && l->given[i].listener == listener)
			return &l->given[i];
	}
	return NULL;
}

static void
add_given(struct config_loader *l, const struct option_row *o, size_t listener,
    unsigned line, const char *flag)
{
	l->given = xrealloc(l->given, (l->n_given + 1) * sizeof(*l->given));
	l->given[l->n_given++] = (struct config_given){
		.option = o,
		.listener = listener,
		.line = line,
		.flag = flag,
	};
}

/* "listener tcp" or "nats": a section as it is written. */
static void
unknown_key(struct config_loader *l, const char *section,
    const struct inifile_entry *e)
{
	const struct option_row *o = option_nearest(section, e->key);

	if (strcmp(o->section, section) == 0)
		config_error(l, e->line,
		    "unknown key \"%s\" in [%s]; did you mean \"%s\"?", e->key,
		    e->section, o->key);
	else
		config_error(l, e->line,
		    "unknown key \"%s\" in [%s]; it belongs in [%s]", e->key,
		    e->section, o->section);
}

static void
bad_value(struct config_loader *l, const struct option_row *o,
    const struct inifile_entry *e, const struct buf *why)
{
	bool has_hash = strstr(e->value, " #") != NULL;

	config_error(l, e->line, "[%s] %s = %s: %.*s%s", e->section, e->key,
	    option_hides(o, e->value) ? "***" : e->value,
	    SLICE_ARG(buf_slice(why)),
	    has_hash ? " (a comment behind a value begins with ;)" : "");
}

static void
on_key(struct config_loader *l, const char *section,
    const struct inifile_entry *e)
{
	const struct option_row *o = option_find(section, e->key);
	const struct config_given *before;
	size_t listener = 0;
	struct buf why = { 0 };

	if (o == NULL) {
		unknown_key(l, section, e);
		return;
	}
	if (is_listener(o))
		listener = l->config->n_listeners - 1;
	before = config_find_given(l, o, listener);
	if (before != NULL && !option_is_list(o)) {
		config_error(l, e->line,
		    "key \"%s\" in [%s] stands in line %u already", e->key,
		    e->section, before->line);
		return;
	}
	if (before == NULL)
		add_given(l, o, listener, e->line, NULL);
	if (!option_set(o, base_of(l->config, o, listener), e->value, &why))
		bad_value(l, o, e, &why);
	buf_fini(&why);
}

/* A row of [ack]: the key is a Topic Filter. */
static void
on_ack_row(struct config_loader *l, const struct inifile_entry *e)
{
	struct config *c = l->config;
	struct filter filter;
	struct buf why = { 0 };
	unsigned policy;

	if (!filter_parse(slice_str(e->key), &filter) || filter.is_shared) {
		config_error(l, e->line, "[ack] %s: not a topic filter%s",
		    e->key,
		    strncmp(e->key, "$share/", 7) == 0 ? " of topics" : "");
		return;
	}
	for (size_t i = 0; i < c->n_ack_rows; i++) {
		if (strcmp(c->ack_rows[i].filter, e->key) == 0)
			config_error(l, e->line,
			    "[ack] %s stands in line %u already", e->key,
			    c->ack_rows[i].line);
	}
	if (option_ack_parse(e->value, &policy, &why)) {
		c->ack_rows = xrealloc(c->ack_rows,
		    (c->n_ack_rows + 1) * sizeof(*c->ack_rows));
		c->ack_rows[c->n_ack_rows++] = (struct config_ack){
			.filter = xstrdup(e->key),
			.policy = (enum ack_policy)policy,
			.line = e->line,
		};
	} else {
		config_error(l, e->line, "[ack] %s = %s: %.*s", e->key,
		    e->value, SLICE_ARG(buf_slice(&why)));
	}
	buf_fini(&why);
}

static void
on_entries(struct config_loader *l, const struct inifile *f)
{
	char section[64] = "";
	bool is_good = false;

	for (size_t i = 0; i < f->n; i++) {
		const struct inifile_entry *e = &f->entries[i];

		if (e->wrong != NULL)
			config_error(l, e->line, "%s", e->wrong);
		else if (e->key == NULL)
			is_good = on_section(l, e, section, sizeof(section));
		else if (is_good && strcmp(section, "ack") == 0)
			on_ack_row(l, e);
		else if (is_good)
			on_key(l, section, e);
	}
}

/* --- what the file does not say --- */

/* The first listener's, if it is one of a listener. */
static void
forget_given(struct config_loader *l, const struct option_row *o)
{
	for (size_t i = 0; i < l->n_given; i++) {
		if (l->given[i].option == o && l->given[i].listener == 0)
			l->given[i] = l->given[--l->n_given];
	}
}

static void
apply_override(struct config_loader *l, const struct config_override *v)
{
	const struct option_row *o = option_find(v->section, v->key);
	struct buf why = { 0 };
	const char *file = l->name;

	if (option_is_list(o))
		option_fini(o, base_of(l->config, o, 0));
	l->name = v->flag; /* it is about the command line now */
	if (!option_set(o, base_of(l->config, o, 0), v->value, &why))
		config_error(l, 0, "%s: %.*s", v->value,
		    SLICE_ARG(buf_slice(&why)));
	l->name = file;
	forget_given(l, o);
	add_given(l, o, 0, 0, v->flag);
	buf_fini(&why);
}

static void
apply_default(struct config_loader *l, const struct option_row *o,
    size_t listener)
{
	struct buf why = { 0 };

	if (config_find_given(l, o, listener) != NULL)
		return;
	if (!option_set(o, base_of(l->config, o, listener), o->def, &why))
		abort(); /* the table contradicts itself */
}

static void
apply_defaults(struct config_loader *l)
{
	for (size_t i = 0; i < option_count; i++) {
		const struct option_row *o = &option_table[i];
		size_t n = is_listener(o) ? l->config->n_listeners : 1;

		for (size_t j = 0; j < n; j++)
			apply_default(l, o, j);
	}
}

/* --- loading --- */

/* `mode` is the file's, 0 if there is none. */
static struct config *
load(struct slice text, const char *name, mode_t mode,
    const struct config_override *overrides, size_t n_overrides,
    struct config_report *report)
{
	struct config_loader l = {
		.config = xcalloc(1, sizeof(struct config)),
		.report = report,
		.name = name,
		.mode = mode,
	};
	struct inifile f;

	inifile_parse(&f, text, "ack");
	on_entries(&l, &f);
	inifile_fini(&f);
	if (l.config->n_listeners == 0)
		add_listener(l.config, "default", 0);
	for (size_t i = 0; i < n_overrides; i++)
		apply_override(&l, &overrides[i]);
	apply_defaults(&l);
	/* Values that are wrong by themselves would be wrong twice. */
	if (l.n_errors == 0)
		config_check(&l);
	report_rest(&l);
	free(l.given);
	if (report->n_errors > 0)
		config_free(&l.config);
	return l.config;
}

struct config *
config_parse(const char *text, const char *name,
    const struct config_override *overrides, size_t n_overrides,
    struct config_report *report)
{
	return load(slice_str(text), name, 0, overrides, n_overrides, report);
}

/* All of it, up to the limit; 0 or -errno. */
static int
read_all(int fd, struct buf *out)
{
	ssize_t n;

	do {
		n = read(fd, buf_reserve(out, 65536), 65536);
		if (n > 0)
			buf_commit(out, (size_t)n);
		if (buf_len(out) > MAX_FILE_BYTES)
			return -EFBIG;
	} while (n > 0 || (n < 0 && errno == EINTR));
	return n < 0 ? -errno : 0;
}

static int
read_file(const char *path, struct buf *out, mode_t *mode)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	err = read_all(fd, out);
	if (err == 0 && fstat(fd, &st) < 0)
		err = -errno;
	if (err == 0)
		*mode = st.st_mode;
	close(fd);
	return err;
}

struct config *
config_load(const char *path, const struct config_override *overrides,
    size_t n_overrides, struct config_report *report)
{
	struct config_loader l = { .report = report, .name = path };
	struct config *c = NULL;
	struct buf text = { 0 };
	mode_t mode = 0;
	int err;

	if (path == NULL)
		return config_parse("", "built-in defaults", overrides,
		    n_overrides, report);
	err = read_file(path, &text, &mode);
	if (err < 0)
		config_error(&l, 0, "%s", strerror(-err));
	else
		c = load(buf_slice(&text), path, mode, overrides, n_overrides,
		    report);
	if (text.base != NULL)
		explicit_bzero(text.base, text.cap);
	buf_fini(&text);
	return c;
}

static unsigned
count_processors(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;
	return (unsigned)CPU_COUNT(&set);
}

/* The host's name up to its first dot, with what no token may hold as `-`,
 * and letters that nobody else has. */
static char *
make_node_name(void)
{
	char host[65] = "", random[9];
	size_t len;

	if (gethostname(host, sizeof(host) - 1) < 0)
		host[0] = '\0';
	len = strcspn(host, ".");
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)host[i]))
			host[i] = '-';
	}
	if (len > 20)
		len = 20;
	random_name(random, sizeof(random) - 1);
	return xasprintf("%.*s-%s", (int)len, len > 0 ? host : "node", random);
}

void
config_resolve(struct config *c)
{
	if (c->server.workers == 0)
		c->server.workers = count_processors();
	if (*c->server.node_name == '\0') {
		free(c->server.node_name);
		c->server.node_name = make_node_name();
		c->server.node_name_made = true;
	}
}

void
config_free(struct config **c)
{
	struct config *o = *c;

	if (o == NULL)
		return;
	for (size_t i = 0; i < option_count; i++) {
		const struct option_row *opt = &option_table[i];
		size_t n = is_listener(opt) ? o->n_listeners : 1;

		for (size_t j = 0; j < n; j++)
			option_fini(opt, base_of(o, opt, j));
	}
	for (size_t i = 0; i < o->n_listeners; i++) {
		free(o->listeners[i].name);
		tls_context_free(&o->listeners[i].tls_context);
	}
	for (size_t i = 0; i < o->n_ack_rows; i++)
		free(o->ack_rows[i].filter);
	free(o->listeners);
	free(o->ack_rows);
	users_unref(&o->auth.users);
	tokens_unref(&o->auth.tokens);
	acl_unref(&o->auth.acl);
	free(o);
	*c = NULL;
}

/* --- showing it --- */

/* The keys of one section, from option_table[i] on; returns what follows. */
static size_t
print_section(const struct config *c, size_t i, size_t listener, FILE *out)
{
	const char *section = option_table[i].section;
	struct buf value = { 0 };

	for (;
	     i < option_count && strcmp(option_table[i].section, section) == 0;
	     i++) {
		const struct option_row *o = &option_table[i];

		buf_reset(&value);
		option_print(o, base_of(c, o, listener), &value);
		fprintf(out, "%s =%s%.*s\n", o->key,
		    buf_len(&value) > 0 ? " " : "",
		    SLICE_ARG(buf_slice(&value)));
	}
	buf_fini(&value);
	return i;
}

static size_t
print_listeners(const struct config *c, size_t i, FILE *out)
{
	size_t next = i;

	for (size_t j = 0; j < c->n_listeners; j++) {
		fprintf(out, "\n[listener %s]\n", c->listeners[j].name);
		next = print_section(c, i, j, out);
	}
	return next;
}

static void
print_ack_rows(const struct config *c, FILE *out)
{
	if (c->n_ack_rows == 0)
		return;
	fputs("\n[ack]\n", out);
	for (size_t i = 0; i < c->n_ack_rows; i++)
		fprintf(out, "%s = %s\n", c->ack_rows[i].filter,
		    option_ack_name(c->ack_rows[i].policy));
}

void
config_print(const struct config *c, FILE *out)
{
	size_t i = 0;

	while (i < option_count) {
		const struct option_row *o = &option_table[i];

		if (is_listener(o)) {
			i = print_listeners(c, i, out);
			continue;
		}
		fprintf(out, "%s[%s]\n", i > 0 ? "\n" : "", o->section);
		i = print_section(c, i, 0, out);
		if (strcmp(o->section, "qos") == 0)
			print_ack_rows(c, out);
	}
}

void
config_bus_options(const struct config *c, struct bus_options *out)
{
	*out = (struct bus_options){
		.url = c->nats.url,
		.node_name = c->server.node_name,
		.user = c->nats.user,
		.password = c->nats.password,
		.token = c->nats.token,
		.creds_file = c->nats.creds_file,
		.nkey_seed_file = c->nats.nkey_seed_file,
		.tls = c->nats.tls,
		.ca_file = c->nats.ca_file,
		.cert_file = c->nats.cert_file,
		.key_file = c->nats.key_file,
		.mapping = {
			.mode = c->mapping.mode,
			.topic_prefix = slice_str(c->mapping.topic_prefix),
			.subject_prefix = slice_str(c->mapping.subject_prefix),
		},
		.identity_user = c->nats.identity == IDENTITY_USER,
		.send_client_id = c->nats.send_client_id,
		.ack_timeout_ms = c->qos.ack_timeout_ms,
		.ack_attempts = c->qos.ack_attempts,
		.link_linger_s = c->nats.link_linger_s,
		.flush_interval_us = c->nats.flush_interval_us,
		.liveness_s = c->nats.liveness_s,
		.pending_bytes = c->nats.pending_bytes,
		.unsettled_bytes = c->nats.unsettled_bytes,
		.max_control_line = c->nats.max_control_line,
		.ring_size = c->nats.ring_size,
		.pass_headers = (const char *const *)c->nats.pass_headers,
		.inbound_qos = c->nats.inbound_qos,
		.n_inbound_qos = c->nats.n_inbound_qos,
		.request_subjects =
		    (const char *const *)c->nats.request_subjects,
		.push_subjects = (const char *const *)c->nats.push_subjects,
		.retained_request_subject = c->nats.retained_request_subject,
		.retained_set_subject = c->nats.retained_set_subject,
	};
}

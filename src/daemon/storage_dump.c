/* SPDX-License-Identifier: Apache-2.0 */
/*
 * storage_dump - the records of the store, one JSON object in a line each:
 * --store-dump. mqtt-natsd(8) says what is in them.
 */
#include <errno.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "daemon/storage.h"
#include "mqtt/reader.h"
#include "store/store_file.h"
#include "store/store_lmdb.h"

struct dump {
	FILE *out;
	enum record_table table;
};

static json_t *
json_of_text(struct slice s)
{
	return json_stringn((const char *)s.ptr, s.len);
}

/* Payloads need not be text: "payload", or "payloadEnc" in base64. */
static void
set_bytes(json_t *o, const char *name, const char *encoded_name, struct slice s)
{
	char *text;
	int len;

	if (utf8_valid(s)) {
		json_object_set_new(o, name, json_of_text(s));
		return;
	}
	text = xmalloc((s.len + 2) / 3 * 4 + 1);
	len = EVP_EncodeBlock((unsigned char *)text, s.ptr, (int)s.len);
	json_object_set_new(o, encoded_name, json_stringn(text, (size_t)len));
	free(text);
}

static void
set_number(json_t *o, const char *name, uint64_t v)
{
	json_object_set_new(o, name, json_integer((json_int_t)v));
}

static void
set_flag(json_t *o, const char *name, bool v)
{
	json_object_set_new(o, name, json_boolean(v));
}

static void
set_owner(json_t *o, struct slice owner)
{
	if (owner.ptr != NULL)
		json_object_set_new(o, "owner", json_of_text(owner));
}

static bool
set_message(json_t *o, struct slice value)
{
	struct message *m = record_get_message(value);

	if (m == NULL)
		return false;
	json_object_set_new(o, "topic", json_of_text(message_topic(m)));
	if (m->subject_len > 0)
		json_object_set_new(o, "subject",
		    json_of_text(message_subject(m)));
	if (m->reply_len > 0)
		json_object_set_new(o, "reply", json_of_text(message_reply(m)));
	set_number(o, "qos", m->qos);
	set_flag(o, "retain", m->retain);
	if (m->expires_ms != 0)
		set_number(o, "expires_ms", m->expires_ms);
	if (m->properties_len > 0)
		set_number(o, "properties", m->properties_len);
	set_bytes(o, "payload", "payloadEnc", message_payload(m));
	message_unref(&m);
	return true;
}

/* --- one function per table; false: it is none of its records --- */

static bool
dump_meta(json_t *o, struct slice key, struct slice value)
{
	json_object_set_new(o, "name", json_of_text(key));
	set_bytes(o, "value", "valueEnc", value);
	return true;
}

static bool
dump_session(json_t *o, struct slice key, struct slice value)
{
	struct session_record r;
	uint64_t id;

	if (!record_key_read(key, &id, NULL) || !record_get_session(value, &r))
		return false;
	set_number(o, "session", id);
	json_object_set_new(o, "client_id", json_of_text(r.client_id));
	set_owner(o, r.owner);
	set_number(o, "version", r.version);
	set_number(o, "expiry_s", r.expiry_s);
	set_number(o, "left_ms", r.left_ms);
	return true;
}

static bool
dump_subscription(json_t *o, struct slice key, struct slice value)
{
	struct subscription_record r;
	uint64_t id, number;

	if (!record_key_read(key, &id, &number) ||
	    !record_get_subscription(value, &r))
		return false;
	set_number(o, "session", id);
	set_number(o, "number", number);
	json_object_set_new(o, "filter", json_of_text(r.filter));
	set_number(o, "qos", r.qos);
	set_number(o, "id", r.id);
	set_flag(o, "no_local", r.no_local);
	set_flag(o, "retain_as_published", r.retain_as_published);
	return true;
}

static bool
dump_message(json_t *o, struct slice key, struct slice value)
{
	uint64_t id;

	if (!record_key_read(key, &id, NULL))
		return false;
	set_number(o, "message", id);
	return set_message(o, value);
}

static bool
dump_queued(json_t *o, struct slice key, struct slice value)
{
	struct queued_record r;
	uint64_t id, place;

	if (!record_key_read(key, &id, &place) || !record_get_queued(value, &r))
		return false;
	set_number(o, "session", id);
	set_number(o, "place", place);
	set_number(o, "message", r.message);
	set_number(o, "qos", r.qos);
	set_number(o, "packet_id", r.packet_id);
	if (r.share.ptr != NULL)
		json_object_set_new(o, "share", json_of_text(r.share));
	set_flag(o, "retain", r.retain);
	set_flag(o, "released", r.released);
	return true;
}

static bool
dump_received(json_t *o, struct slice key, struct slice value)
{
	struct received_record r;
	uint64_t id, packet_id;

	if (!record_key_read(key, &id, &packet_id) ||
	    !record_get_received(value, &r))
		return false;
	set_number(o, "session", id);
	set_number(o, "packet_id", packet_id);
	set_flag(o, "held", r.held);
	return true;
}

static bool
dump_retained(json_t *o, struct slice key, struct slice value)
{
	struct retained_record r;
	struct slice message;
	uint64_t order;

	if (!record_key_read(key, &order, NULL) ||
	    !record_get_retained(value, &r, &message))
		return false;
	set_number(o, "order", order);
	set_owner(o, r.owner);
	return set_message(o, message);
}

static bool
dump_will(json_t *o, struct slice key, struct slice value)
{
	struct will_record r;
	struct slice message;
	uint64_t id;

	if (!record_key_read(key, &id, NULL) ||
	    !record_get_will(value, &r, &message))
		return false;
	set_number(o, "will", id);
	if (r.session != 0)
		set_number(o, "session", r.session);
	set_flag(o, "present", r.present);
	set_number(o, r.present ? "delay_ms" : "due_ms", r.due_ms);
	set_owner(o, r.owner);
	return set_message(o, message);
}

static bool (*const dump_fns[RECORD_TABLES])(json_t *o, struct slice key,
    struct slice value) = {
	[RECORD_META] = dump_meta,
	[RECORD_SESSION] = dump_session,
	[RECORD_SUBSCRIPTION] = dump_subscription,
	[RECORD_MESSAGE] = dump_message,
	[RECORD_QUEUED] = dump_queued,
	[RECORD_RECEIVED] = dump_received,
	[RECORD_RETAINED] = dump_retained,
	[RECORD_WILL] = dump_will,
};

static int
dump_record(void *arg, struct slice key, struct slice value)
{
	struct dump *d = arg;
	json_t *o = json_object();
	char *text;
	bool good;

	json_object_set_new(o, "table",
	    json_string(record_table_name(d->table)));
	good = dump_fns[d->table](o, key, value);
	text = json_dumps(o, JSON_COMPACT);
	if (text != NULL)
		fprintf(d->out, "%s\n", text);
	free(text);
	json_decref(o);
	return good ? 0 : -EBADMSG;
}

int
storage_dump(const struct config *c, FILE *out, FILE *err)
{
	struct dump d = { .out = out };
	struct store_lmdb *l;
	int error = storage_open_to_read(c, err, &l);

	if (error != 0)
		return EXIT_FAILURE;
	for (unsigned t = 0; error == 0 && t < RECORD_TABLES; t++) {
		d.table = t;
		error = store_lmdb_ops.each(l, t, dump_record, &d);
	}
	if (error != 0)
		fputs("mqtt-natsd: a record is not what it should be\n", err);
	store_lmdb_ops.close(l);
	return error == 0 && fflush(out) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

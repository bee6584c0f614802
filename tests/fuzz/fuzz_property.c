/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_property - the first byte chooses the packet type, the rest is its
 * properties without their length.
 *
 * The law: properties that decode can be walked to their end, and written
 * anew, one by one, they give the same bytes. Walking ends on any bytes.
 */
#include <assert.h>

#include "fuzz/fuzz.h"
#include "mqtt/property.h"

/* The wire type is told by trying: only one of them gives the same bytes. */
static bool
put_same(struct buf *out, const struct property *p, struct slice wire)
{
	buf_reset(out);
	if (p->id == MQTT_PROP_USER_PROPERTY)
		property_put_user(out, p->name, p->value);
	else if (p->value.ptr != NULL)
		property_put_slice(out, p->id, p->value);
	else if (p->id == MQTT_PROP_SUBSCRIPTION_IDENTIFIER)
		property_put_varint(out, p->id, p->number);
	else if (wire.len == 2)
		property_put_byte(out, p->id, (uint8_t)p->number);
	else if (wire.len == 3)
		property_put_u16(out, p->id, (uint16_t)p->number);
	else
		property_put_u32(out, p->id, p->number);
	return slice_eq(buf_slice(out), wire);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice raw = slice_of(data, size), rest, before;
	struct properties props;
	struct property p;
	struct buf out = { 0 };
	enum mqtt_reason rc;
	uint64_t seen = 0;
	uint32_t n_user = 0;

	if (size == 0)
		return 0;
	raw = rest = slice_skip(raw, 1);
	rc = properties_decode(raw, data[0] & 15, &props);
	for (before = rest; property_next(&rest, &p); before = rest) {
		assert(rest.len < before.len);
		before.len -= rest.len;
		assert(put_same(&out, &p, before));
		assert(property_name(p.id) != NULL);
		n_user += p.id == MQTT_PROP_USER_PROPERTY;
		seen |= UINT64_C(1) << p.id;
	}
	if (rc == MQTT_RC_SUCCESS)
		assert(rest.len == 0 && n_user == props.n_user &&
		    seen == props.set && slice_eq(raw, props.raw));
	buf_fini(&out);
	return 0;
}

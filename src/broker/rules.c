/* SPDX-License-Identifier: Apache-2.0 */
/* rules - what a listener grants its clients, and what it does not. */
#include "broker/rules.h"

#include "mqtt/packet.h"
#include "topic/filter.h"

const struct client_rules *
rules_newest(const struct client_rules *r)
{
	const struct client_rules *newer;

	while ((newer = atomic_load(&r->newer)) != NULL)
		r = newer;
	return r;
}

enum mqtt_reason
rules_check_message(const struct client_rules *r, unsigned qos, bool retain,
    const char **why)
{
	/* v5 [MQTT-3.2.2-11] [MQTT-3.2.2-12] */
	if (qos > r->max_qos) {
		*why = "this listener does not take that QoS";
		return MQTT_RC_QOS_NOT_SUPPORTED;
	}
	/* v5 [MQTT-3.2.2-13] [MQTT-3.2.2-14] */
	if (retain && !r->retain_available) {
		*why = "this listener retains nothing";
		return MQTT_RC_RETAIN_NOT_SUPPORTED;
	}
	return MQTT_RC_SUCCESS;
}

static bool
grants_all_filters(const struct client_rules *r)
{
	return r->wildcard_available && r->shared_available;
}

enum mqtt_reason
rules_check_filter(const struct client_rules *r, struct slice filter,
    const char **why)
{
	struct filter f;

	if (grants_all_filters(r) || !filter_parse(filter, &f))
		return MQTT_RC_SUCCESS;
	if (f.has_wildcard && !r->wildcard_available) {
		*why = "this listener has no wildcards";
		return MQTT_RC_WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED;
	}
	if (f.is_shared && !r->shared_available) {
		*why = "this listener has no Shared Subscriptions";
		return MQTT_RC_SHARED_SUBSCRIPTIONS_NOT_SUPPORTED;
	}
	return MQTT_RC_SUCCESS;
}

enum mqtt_reason
rules_check_subscribe(const struct client_rules *r,
    const struct packet_subscribe *p, const char **why)
{
	struct slice rest = p->topics;
	struct packet_filter f;
	enum mqtt_reason rc = MQTT_RC_SUCCESS;

	/* v5 3.2.2.3.12 */
	if (!r->subscription_ids_available &&
	    properties_has(&p->properties, MQTT_PROP_SUBSCRIPTION_IDENTIFIER)) {
		*why = "this listener has no Subscription Identifiers";
		return MQTT_RC_SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED;
	}
	/* v5 3.2.2.3.11, 3.2.2.3.13 */
	while (!grants_all_filters(r) && rc == MQTT_RC_SUCCESS &&
	    packet_next_filter(&rest, MQTT_SUBSCRIBE, &f))
		rc = rules_check_filter(r, f.filter, why);
	return rc;
}

void
rules_put_properties(const struct client_rules *r, struct buf *out)
{
	if (r->max_qos < 2) /* v5 [MQTT-3.2.2-9] */
		property_put_byte(out, MQTT_PROP_MAXIMUM_QOS,
		    (uint8_t)r->max_qos);
	if (!r->retain_available)
		property_put_byte(out, MQTT_PROP_RETAIN_AVAILABLE, 0);
	if (!r->wildcard_available)
		property_put_byte(out,
		    MQTT_PROP_WILDCARD_SUBSCRIPTION_AVAILABLE, 0);
	if (!r->subscription_ids_available)
		property_put_byte(out,
		    MQTT_PROP_SUBSCRIPTION_IDENTIFIER_AVAILABLE, 0);
	if (!r->shared_available)
		property_put_byte(out, MQTT_PROP_SHARED_SUBSCRIPTION_AVAILABLE,
		    0);
}

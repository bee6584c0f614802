/* SPDX-License-Identifier: Apache-2.0 */
/* spec_property - the table. */
#include "mqtt/spec_property.h"

#include "base/attr.h"

#define ANY_NUMBER 0, UINT32_MAX

const struct spec_property spec_properties[] = {
	{ 1, '1', "Payload Format Indicator", "pw", 0, 1 },
	{ 2, '4', "Message Expiry Interval", "pw", ANY_NUMBER },
	{ 3, 's', "Content Type", "pw", ANY_NUMBER },
	{ 8, 's', "Response Topic", "pw", ANY_NUMBER },
	{ 9, 'd', "Correlation Data", "pw", ANY_NUMBER },
	{ 11, 'v', "Subscription Identifier", "ps", 1, 268435455 },
	{ 17, '4', "Session Expiry Interval", "cCd", ANY_NUMBER },
	{ 18, 's', "Assigned Client Identifier", "C", ANY_NUMBER },
	{ 19, '2', "Server Keep Alive", "C", 0, 65535 },
	{ 21, 's', "Authentication Method", "cCh", ANY_NUMBER },
	{ 22, 'd', "Authentication Data", "cCh", ANY_NUMBER },
	{ 23, '1', "Request Problem Information", "c", 0, 1 },
	{ 24, '4', "Will Delay Interval", "w", ANY_NUMBER },
	{ 25, '1', "Request Response Information", "c", 0, 1 },
	{ 26, 's', "Response Information", "C", ANY_NUMBER },
	{ 28, 's', "Server Reference", "Cd", ANY_NUMBER },
	{ 31, 's', "Reason String", "CarloSUdh", ANY_NUMBER },
	{ 33, '2', "Receive Maximum", "cC", 1, 65535 },
	{ 34, '2', "Topic Alias Maximum", "cC", 0, 65535 },
	{ 35, '2', "Topic Alias", "p", 1, 65535 },
	{ 36, '1', "Maximum QoS", "C", 0, 1 },
	{ 37, '1', "Retain Available", "C", 0, 1 },
	{ 38, 'p', "User Property", "cCpwarlosSuUdh", ANY_NUMBER },
	{ 39, '4', "Maximum Packet Size", "cC", 1, UINT32_MAX },
	{ 40, '1', "Wildcard Subscription Available", "C", 0, 1 },
	{ 41, '1', "Subscription Identifier Available", "C", 0, 1 },
	{ 42, '1', "Shared Subscription Available", "C", 0, 1 },
};
const size_t n_spec_properties = countof(spec_properties);

char
spec_letter(unsigned packet_type)
{
	return "wcCparlosSuU--dh"[packet_type];
}

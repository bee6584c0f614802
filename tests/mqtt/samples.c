/* SPDX-License-Identifier: Apache-2.0 */
/* samples - the tables. */
#include "mqtt/samples.h"

#include "base/attr.h"

const struct sample samples[] = {
	/* CONNECT */
	{ "connect v31", 3, "10 [<MQIsdp> 03 02 003c <dev>]",
	    "CONNECT client_id=dev version=3 clean_start=1 keep_alive=60" },
	{ "connect v31 will and credentials", 3,
	    "10 [<MQIsdp> 03 ec 0000 <dev> <w/t> <gone> <joe> <secret>]",
	    "CONNECT client_id=dev version=3 clean_start=0 keep_alive=0"
	    " user_name=joe password=*** will_qos=1 will_retain=1"
	    " will_topic=w/t will_payload=4" },
	{ "connect v31 bridge", 3, "10 [<MQIsdp> 83 00 ffff <edge>]",
	    "CONNECT client_id=edge version=3 bridge clean_start=0"
	    " keep_alive=65535" },
	{ "connect v311", 4, "10 [<MQTT> 04 02 000a <>]",
	    "CONNECT client_id= version=4 clean_start=1 keep_alive=10" },
	{ "connect v311 user", 4, "10 [<MQTT> 04 82 000a <id> <joe>]", NULL },
	{ "connect v311 all", 4,
	    "10 [<MQTT> 04 f6 000a <id> <w> 0003ff00fe <joe> 0002 00ff]",
	    "CONNECT client_id=id version=4 clean_start=1 keep_alive=10"
	    " user_name=joe password=*** will_qos=2 will_retain=1"
	    " will_topic=w will_payload=3" },
	{ "connect v311 bridge", 4, "10 [<MQTT> 84 02 000a <edge>]", NULL },
	{ "connect v5", 5, "10 [<MQTT> 05 02 003c [] <dev>]",
	    "CONNECT client_id=dev version=5 clean_start=1 keep_alive=60" },
	{ "connect v5 password alone", 5,
	    "10 [<MQTT> 05 42 003c [] <dev> <token>]", NULL },
	{ "connect v5 all properties", 5,
	    "10 [<MQTT> 05 02 003c [11 00000e10 21 0014 27 00010000 22 000a"
	    " 19 01 17 00 26 <k> <v> 26 <k> <w> 15 <SCRAM-SHA-256>"
	    " 16 <n,,n=joe>] <dev>]",
	    "CONNECT client_id=dev version=5 clean_start=1 keep_alive=60 {"
	    " Session Expiry Interval=3600 Receive Maximum=20"
	    " Maximum Packet Size=65536 Topic Alias Maximum=10"
	    " Request Response Information=1"
	    " Request Problem Information=0 User Property=k:v"
	    " User Property=k:w Authentication Method=SCRAM-SHA-256"
	    " Authentication Data=(8 bytes) }" },
	{ "connect v5 will properties", 5,
	    "10 [<MQTT> 05 0e 0000 [] <dev> [18 0000001e 01 01 02 0000003c"
	    " 03 <text/plain> 08 <r/t> 09 <cid> 26 <a> <b>] <w/t> <gone>]",
	    "CONNECT client_id=dev version=5 clean_start=1 keep_alive=0"
	    " will_qos=1 will_retain=0 will_topic=w/t will_payload=4 {"
	    " Will Delay Interval=30 Payload Format Indicator=1"
	    " Message Expiry Interval=60 Content Type=text/plain"
	    " Response Topic=r/t Correlation Data=(3 bytes)"
	    " User Property=a:b }" },

	/* CONNACK */
	{ "connack v31", 3, "20 [00 00]", "CONNACK session_present=0 code=0" },
	{ "connack v31 refused", 3, "20 [00 05]", NULL },
	{ "connack v311", 4, "20 [01 00]", "CONNACK session_present=1 code=0" },
	{ "connack v311 refused", 4, "20 [00 02]", NULL },
	{ "connack v5", 5, "20 [01 00 []]",
	    "CONNACK session_present=1 reason=0x00" },
	{ "connack v5 refused", 5, "20 [00 8a [1f <go away>]]",
	    "CONNACK session_present=0 reason=0x8a (banned) {"
	    " Reason String=go away }" },
	{ "connack v5 all properties", 5,
	    "20 [00 00 [11 ffffffff 21 ffff 24 01 25 00 27 00000001 12 <x>"
	    " 22 0000 1f <ok> 26 <> <> 28 01 29 00 2a 01 13 0000 1a <r/>"
	    " 1c <b:1> 15 <m> 16 <d>]]",
	    "CONNACK session_present=0 reason=0x00 {"
	    " Session Expiry Interval=4294967295 Receive Maximum=65535"
	    " Maximum QoS=1 Retain Available=0 Maximum Packet Size=1"
	    " Assigned Client Identifier=x Topic Alias Maximum=0"
	    " Reason String=ok User Property=:"
	    " Wildcard Subscription Available=1"
	    " Subscription Identifier Available=0"
	    " Shared Subscription Available=1 Server Keep Alive=0"
	    " Response Information=r/ Server Reference=b:1"
	    " Authentication Method=m ... }" },

	/* PUBLISH */
	{ "publish v31", 3, "30 [<a/b> 'hello']",
	    "PUBLISH qos=0 topic=a/b payload=5" },
	{ "publish v311 empty", 4, "30 [<a/b>]",
	    "PUBLISH qos=0 topic=a/b payload=0" },
	{ "publish v311 qos 1", 4, "32 [<a/b> 0007 'payload here']",
	    "PUBLISH qos=1 packet_id=7 topic=a/b payload=12" },
	{ "publish v311 qos 2 dup retain", 4, "3d [<a> ffff 00*300]",
	    "PUBLISH qos=2 dup retain packet_id=65535 topic=a payload=300" },
	{ "publish v311 utf8", 4, "31 [0009 e282ac f09f8c8d c3a9 'x']", NULL },
	{ "publish v5", 5, "30 [<a/b> [] 'x']",
	    "PUBLISH qos=0 topic=a/b payload=1" },
	{ "publish v5 alias", 5, "34 [<> 0001 [23 0003] 'x']",
	    "PUBLISH qos=2 packet_id=1 topic= payload=1 { Topic Alias=3 }" },
	{ "publish v5 all properties", 5,
	    "32 [<a> 0001 [01 00 02 00000000 23 ffff 08 <r> 09 0000"
	    " 26 <k> <v> 0b 01 0b ffffff7f 03 <>] 'x']",
	    NULL },

	/* PUBACK, PUBREC, PUBREL, PUBCOMP */
	{ "puback v31", 3, "40 [0001]", "PUBACK packet_id=1" },
	{ "puback v311", 4, "40 [ffff]", "PUBACK packet_id=65535" },
	{ "puback v5 short", 5, "40 [0001]", "PUBACK packet_id=1 reason=0x00" },
	{ "puback v5 reason", 5, "40 [0001 10]",
	    "PUBACK packet_id=1 reason=0x10 (no matching subscribers)" },
	{ "puback v5 properties", 5, "40 [0001 00 [26 <k> <v>]]", NULL },
	{ "pubrec v311", 4, "50 [0102]", "PUBREC packet_id=258" },
	{ "pubrec v5", 5, "50 [0102 97 [1f <full> 26 <a> <b>]]",
	    "PUBREC packet_id=258 reason=0x97 (quota exceeded) {"
	    " Reason String=full User Property=a:b }" },
	{ "pubrel v31", 3, "62 [0003]", NULL },
	{ "pubrel v311", 4, "62 [0003]", "PUBREL packet_id=3" },
	{ "pubrel v5", 5, "62 [0003 92]", NULL },
	{ "pubcomp v311", 4, "70 [0003]", "PUBCOMP packet_id=3" },
	{ "pubcomp v5", 5, "70 [0003 92 [1f <>]]", NULL },

	/* SUBSCRIBE, SUBACK */
	{ "subscribe v31", 3, "82 [0001 <a> 00]", NULL },
	{ "subscribe v311", 4, "82 [0001 <a/+> 01 <#> 02]",
	    "SUBSCRIBE packet_id=1 filter=a/+ qos=1 filter=# qos=2" },
	{ "subscribe v5", 5, "82 [0001 [] <a> 2e]",
	    "SUBSCRIBE packet_id=1 filter=a qos=2 nl=1 rap=1 rh=2" },
	{ "subscribe v5 shared, identifier", 5,
	    "82 [0001 [0b ffffff7f 26 <k> <v>] <$share/g/a/#> 19 <b> 04]",
	    "SUBSCRIBE packet_id=1 filter=$share/g/a/# qos=1 nl=0 rap=1 rh=1"
	    " filter=b qos=0 nl=1 rap=0 rh=0 {"
	    " Subscription Identifier=268435455 User Property=k:v }" },
	{ "suback v31", 3, "90 [0001 02]", NULL },
	{ "suback v311", 4, "90 [0001 00 01 02 80]",
	    "SUBACK packet_id=1 codes=0x00,0x01,0x02,0x80" },
	{ "suback v5", 5, "90 [0001 [1f <no>] 87 9e a2]",
	    "SUBACK packet_id=1 codes=0x87,0x9e,0xa2 { Reason String=no }" },

	/* UNSUBSCRIBE, UNSUBACK */
	{ "unsubscribe v31", 3, "a2 [0001 <a>]", NULL },
	{ "unsubscribe v311", 4, "a2 [0001 <a/b> <c/#>]",
	    "UNSUBSCRIBE packet_id=1 filter=a/b filter=c/#" },
	{ "unsubscribe v5", 5, "a2 [0001 [26 <k> <v>] <a>]", NULL },
	{ "unsuback v31", 3, "b0 [0001]", NULL },
	{ "unsuback v311", 4, "b0 [0001]", "UNSUBACK packet_id=1" },
	{ "unsuback v5", 5, "b0 [0001 [] 00 11]",
	    "UNSUBACK packet_id=1 codes=0x00,0x11" },

	/* PINGREQ, PINGRESP */
	{ "pingreq v31", 3, "c0 []", NULL },
	{ "pingreq v311", 4, "c0 []", "PINGREQ" },
	{ "pingresp v5", 5, "d0 []", "PINGRESP" },

	/* DISCONNECT, AUTH */
	{ "disconnect v31", 3, "e0 []", NULL },
	{ "disconnect v311", 4, "e0 []", "DISCONNECT" },
	{ "disconnect v5", 5, "e0 []", "DISCONNECT reason=0x00" },
	{ "disconnect v5 reason", 5, "e0 [04]", NULL },
	{ "disconnect v5 properties", 5,
	    "e0 [9d [11 00000000 1f <bye> 26 <k> <v> 1c <b>]]",
	    "DISCONNECT reason=0x9d (server moved) {"
	    " Session Expiry Interval=0 Reason String=bye"
	    " User Property=k:v Server Reference=b }" },
	{ "auth v5 nothing", 5, "f0 []", "AUTH reason=0x00" },
	{ "auth v5", 5, "f0 [18 [15 <m> 16 <d> 1f <r> 26 <k> <v>]]",
	    "AUTH reason=0x18 (continue authentication) {"
	    " Authentication Method=m Authentication Data=(1 bytes)"
	    " Reason String=r User Property=k:v }" },
};
const size_t n_samples = countof(samples);

const struct sample odd_samples[] = {
	/* 3.1 does not say what unused bits are, and lets DUP be set */
	{ "connect v31 unused bits", 3, "1f [<MQIsdp> 03 03 003c <dev>]",
	    NULL },
	{ "connect v31 will bits without will", 3,
	    "10 [<MQIsdp> 03 38 003c <dev>]", NULL },
	{ "connect v31 no user name after all", 3,
	    "10 [<MQIsdp> 03 c2 003c <dev>]", NULL },
	{ "connect v31 no password after all", 3,
	    "10 [<MQIsdp> 03 c2 003c <dev> <joe>]", NULL },
	{ "connack v31 unused byte", 3, "20 [ff 00]", NULL },
	{ "publish v31 dup at qos 0", 3, "38 [<a> 'x']", NULL },
	{ "pubrel v31 dup", 3, "6a [0003]", NULL },
	{ "subscribe v31 dup", 3, "8a [0001 <a> 00]", NULL },
	{ "unsubscribe v31 dup", 3, "aa [0001 <a>]", NULL },
	{ "puback v31 unused bits", 3, "4f [0001]", NULL },
	/* 3.x does not demand the shortest Remaining Length */
	{ "publish v311 long length", 4, "30 8780 80 00 <a> 'text'", NULL },
	/* 5.0: what could have been left out */
	{ "puback v5 reason 0", 5, "40 [0001 00]", NULL },
	{ "puback v5 no properties", 5, "40 [0001 00 []]", NULL },
	{ "pubrel v5 reason, no properties", 5, "62 [0001 92 []]", NULL },
	{ "disconnect v5 reason 0", 5, "e0 [00]", NULL },
	{ "disconnect v5 no properties", 5, "e0 [8e []]", NULL },
};
const size_t n_odd_samples = countof(odd_samples);

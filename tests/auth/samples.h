/* SPDX-License-Identifier: Apache-2.0 */
/* samples - passwords as they are kept. */
#pragma once

/* Made by mosquitto_passwd. */
#define HASH_SECRET                                                            \
	"$7$101$Rbe5WboXImN9Or+c$EjfsoXNI2eRREyF26S5YvmUchC6X9odrldzG0hKE7/"   \
	"KMmt3AHuALGzHYK+XB8zd0YVLTrXS827hSRB6u6ddyxQ=="
#define HASH_GEHEIM                                                            \
	"$6$g/7XFZie2UCfOQYW$2jVbGsEwaF9v0X9kOZgb2vQrgZRZMQ75ni2Mm+DOwM2Qyh"   \
	"PMBKRK/UTwigS7hp/D0E9F9mTAXBshKr0EObSTSA=="
/* "pencil", the example of RFC 7677. */
#define HASH_PENCIL                                                            \
	"$scram-sha-256$4096$W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7B"  \
	"keZkBFzpcXkuLmtbsT4qY=$wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

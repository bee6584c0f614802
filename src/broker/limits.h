/* SPDX-License-Identifier: Apache-2.0 */
/* limits - what we grant every client, whatever the configuration says. */
#pragma once

/* Topic Aliases that a client may use towards us, v5 3.2.2.3.8. */
#define TOPIC_ALIAS_MAX 64

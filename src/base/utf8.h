/* SPDX-License-Identifier: Apache-2.0 */
/* utf8 - text as MQTT wants it. Pure. */
#pragma once

#include "base/slice.h"

/*
 * Is this well-formed UTF-8 without surrogates, overlong forms and U+0000?
 * v3.1.1 [MQTT-1.5.3-1] [MQTT-1.5.3-2], v5 [MQTT-1.5.4-1] [MQTT-1.5.4-2].
 * Control characters and non-characters are allowed: both versions only say
 * that a receiver MAY refuse them.
 */
bool utf8_valid(struct slice s);

/*
 * The same as Unicode has it, U+0000 too: what a payload is that says it is
 * text, v5 3.3.2.3.2.
 */
bool utf8_is_text(struct slice s);

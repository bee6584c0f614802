/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_prefix - what the Client Identifiers of a user begin with: a text in
 * which %u stands for the user name. Pure.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"

/*
 * Append the prefix of this user (ptr NULL: nobody knows who it is). False:
 * there is none, because it would have the name in it.
 */
bool client_prefix_expand(const char *text, struct slice user,
    struct buf *out) MUST_CHECK;

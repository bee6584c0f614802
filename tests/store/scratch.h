/* SPDX-License-Identifier: Apache-2.0 */
/* scratch - a directory of this test's own, gone when its process ends. */
#pragma once

const char *scratch_directory(void);

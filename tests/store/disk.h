/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk - what a program has written to one file, in its order, so that the
 * file can be made as a power cut would have left it.
 *
 *   W W W sync W(durable) | W W  cut
 *   `-- on the disk -----'  `-- some of it, in any order, sectors torn
 *
 * It stands in for the functions of libc that write, so a test has a program
 * of its own for it. Syncs are noted and not made: the machine does not crash.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* From now on watch the file of this name; what is in it is on the disk. */
void disk_watch(const char *path);

/* How many events there are; a moment to cut at. */
size_t disk_now(void);

/* Begin to go through the events once more, from the first one. */
void disk_rewind(void);
/*
 * Make `path` what may be left of the file after a cut behind the first
 * `moment` events: moments must not go back. `chance` gives 64 bits.
 */
void disk_restore(const char *path, size_t moment, uint64_t (*chance)(void));

/* Events that were syncs, to tell a test that tests nothing. */
size_t disk_n_syncs(void);

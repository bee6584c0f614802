/* SPDX-License-Identifier: Apache-2.0 */
#include "nats/nkey.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <criterion/criterion.h>

/* The pair in the NATS documentation. */
#define SEED   "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY"
#define PUBLIC "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4"

Test(nkey, is_derived_from_its_seed)
{
	char out[NKEY_PUBLIC_LEN + 1];

	cr_assert(nkey_public_of_seed(SLICE(SEED), out));
	cr_expect_str_eq(out, PUBLIC);
}

static const char *const BAD[] = {
	"",
	"SU",
	/* one character changed: the checksum is wrong */
	"SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VA",
	"SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3V",
	"SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VYA",
	/* no base32 */
	"SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3V0",
	PUBLIC,
	PUBLIC "AA",
};

Test(nkey, is_not_derived_from_anything_else)
{
	char out[NKEY_PUBLIC_LEN + 1];

	for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++)
		cr_expect(!nkey_public_of_seed(slice_str(BAD[i]), out), "%s",
		    BAD[i]);
}

static void
write_file(char *path, const char *text)
{
	int fd = mkstemp(path);
	FILE *f = fdopen(fd, "w");

	cr_assert_not_null(f);
	fputs(text, f);
	fclose(f);
}

Test(nkey, is_found_among_other_lines_of_a_file)
{
	char path[] = "/tmp/mqtt-natsd-nkey-XXXXXX";
	char out[NKEY_PUBLIC_LEN + 1];

	write_file(path,
	    "-----BEGIN USER NKEY SEED-----\n  " SEED "\r\n"
	    "------END USER NKEY SEED------\n");
	cr_expect(nkey_public_of_file(path, out) == 0);
	cr_expect_str_eq(out, PUBLIC);
	unlink(path);
}

Test(nkey, is_missing_from_other_files)
{
	char path[] = "/tmp/mqtt-natsd-nkey-XXXXXX";
	char out[NKEY_PUBLIC_LEN + 1];

	write_file(path, "nothing\n");
	cr_expect(nkey_public_of_file(path, out) == -EINVAL);
	unlink(path);
	cr_expect(nkey_public_of_file(path, out) == -ENOENT);
}

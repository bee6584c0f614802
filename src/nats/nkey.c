/* SPDX-License-Identifier: Apache-2.0 */
/* nkey - the public key that belongs to a NATS user's seed. */
#include "nats/nkey.h"

#include <errno.h>
#include <stdio.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#define KEY_LEN       32
#define CRC_LEN       2
#define SEED_LEN      (2 + KEY_LEN + CRC_LEN)
#define SEED_TEXT_LEN 58 /* base32 of SEED_LEN bytes, unpadded */
#define PUBLIC_LEN    (1 + KEY_LEN + CRC_LEN)

/* Prefixes are chosen so that their base32 begins with S and U. */
#define PREFIX_SEED (18u << 3)
#define PREFIX_USER (20u << 3)

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/* CRC-16/XMODEM, which NATS stores with its low byte first. */
static uint16_t
crc16(const uint8_t *p, size_t len)
{
	uint16_t crc = 0;

	for (size_t i = 0; i < len; i++) {
		crc ^= (uint16_t)(p[i] << 8);
		for (int bit = 0; bit < 8; bit++)
			crc = (uint16_t)((crc & 0x8000) != 0 ? crc << 1 ^ 0x1021
							     : crc << 1);
	}
	return crc;
}

static bool
crc_is_right(const uint8_t *p, size_t len)
{
	uint16_t crc = crc16(p, len - CRC_LEN);

	return p[len - 2] == (crc & 0xff) && p[len - 1] == crc >> 8;
}

/* Unpadded base32; the bits behind the last whole byte are dropped. */
static bool
base32_decode(struct slice text, uint8_t *out, size_t size)
{
	uint32_t bits = 0;
	unsigned n_bits = 0;
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++) {
		const char *digit =
		    text.ptr[i] != '\0' ? strchr(ALPHABET, text.ptr[i]) : NULL;

		if (digit == NULL)
			return false;
		bits = bits << 5 | (uint32_t)(digit - ALPHABET);
		n_bits += 5;
		if (n_bits < 8)
			continue;
		n_bits -= 8;
		if (n == size)
			return false;
		out[n++] = (uint8_t)(bits >> n_bits);
	}
	return n == size;
}

static void
base32_encode(const uint8_t *p, size_t len, char *out)
{
	uint32_t bits = 0;
	unsigned n_bits = 0;

	for (size_t i = 0; i < len; i++) {
		bits = bits << 8 | p[i];
		n_bits += 8;
		while (n_bits >= 5) {
			n_bits -= 5;
			*out++ = ALPHABET[bits >> n_bits & 31];
		}
	}
	if (n_bits > 0)
		*out++ = ALPHABET[bits << (5 - n_bits) & 31];
	*out = '\0';
}

static bool
derive(const uint8_t seed[KEY_LEN], uint8_t out[KEY_LEN])
{
	size_t len = KEY_LEN;
	EVP_PKEY *key =
	    EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, KEY_LEN);
	bool ok = key != NULL &&
	    EVP_PKEY_get_raw_public_key(key, out, &len) == 1 && len == KEY_LEN;

	EVP_PKEY_free(key);
	return ok;
}

bool
nkey_public_of_seed(struct slice text, char out[NKEY_PUBLIC_LEN + 1])
{
	uint8_t seed[SEED_LEN], public[PUBLIC_LEN];
	uint16_t crc;
	bool ok;

	ok = text.len == SEED_TEXT_LEN &&
	    base32_decode(text, seed, sizeof(seed)) &&
	    crc_is_right(seed, sizeof(seed)) &&
	    (seed[0] & 0xf8) == PREFIX_SEED &&
	    ((seed[0] & 7) << 5 | seed[1] >> 3) == PREFIX_USER &&
	    derive(seed + 2, public + 1);
	OPENSSL_cleanse(seed, sizeof(seed));
	if (!ok)
		return false;
	public[0] = PREFIX_USER;
	crc = crc16(public, 1 + KEY_LEN);
	public[1 + KEY_LEN] = (uint8_t)(crc & 0xff);
	public[2 + KEY_LEN] = (uint8_t)(crc >> 8);
	base32_encode(public, sizeof(public), out);
	return true;
}

static struct slice
trim(struct slice line)
{
	while (line.len > 0 && line.ptr[0] <= ' ')
		line = slice_skip(line, 1);
	while (line.len > 0 && line.ptr[line.len - 1] <= ' ')
		line.len--;
	return line;
}

int
nkey_public_of_file(const char *path, char out[NKEY_PUBLIC_LEN + 1])
{
	FILE *f = fopen(path, "re");
	char line[256];
	int r = -EINVAL;

	if (f == NULL)
		return -errno;
	/* No copy of the seed may stay in a buffer of stdio. */
	setvbuf(f, NULL, _IONBF, 0);
	while (r != 0 && fgets(line, sizeof(line), f) != NULL)
		if (nkey_public_of_seed(trim(slice_str(line)), out))
			r = 0;
	OPENSSL_cleanse(line, sizeof(line));
	fclose(f);
	return r;
}

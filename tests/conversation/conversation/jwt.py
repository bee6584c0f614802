# SPDX-License-Identifier: Apache-2.0
"""JSON Web Tokens, signed with the openssl program."""

import base64
import hashlib
import hmac
import json
import subprocess


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def openssl(*arguments, stdin=b""):
    return subprocess.run(["openssl", *arguments], input=stdin, check=True,
                          capture_output=True, timeout=60).stdout


class Key:
    """A private key in a file: "rsa", "ec" (P-256) or "secret"."""

    def __init__(self, directory, kind, name="key"):
        self.kind = kind
        self.path = directory / f"{name}.{kind}"
        self.algorithm = {"rsa": "RS256", "ec": "ES256",
                          "secret": "HS256"}[kind]
        if kind == "rsa":
            openssl("genpkey", "-algorithm", "RSA", "-pkeyopt",
                    "rsa_keygen_bits:2048", "-out", str(self.path))
        elif kind == "ec":
            openssl("genpkey", "-algorithm", "EC", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-out", str(self.path))
        else:
            self.secret = openssl("rand", "32")

    def pem(self):
        """The public one."""
        return openssl("pkey", "-in", str(self.path), "-pubout").decode()

    def jwk(self, **more):
        """Of a secret, all of it."""
        return {"kty": "oct", "k": base64url(self.secret), **more}

    def sign(self, text):
        if self.kind == "secret":
            return hmac.digest(self.secret, text, hashlib.sha256)
        der = openssl("dgst", "-sha256", "-sign", str(self.path), stdin=text)
        if self.kind == "rsa":
            return der
        return b"".join(n.to_bytes(32, "big") for n in der_integers(der))


def der_integers(der):
    """Both of an ECDSA signature; each is short."""
    at, found = 2, []
    while at < len(der):
        assert der[at] == 2
        n = der[at + 1]
        found.append(int.from_bytes(der[at + 2:at + 2 + n], "big"))
        at += 2 + n
    return found


def token(key, claims, signature=None, **header):
    header = {"alg": key.algorithm, "typ": "JWT", **header}
    parts = [base64url(json.dumps(part).encode())
             for part in (header, claims)]
    text = ".".join(parts).encode()
    if signature is None:
        signature = key.sign(text)
    return ".".join([*parts, base64url(signature)])

# SPDX-License-Identifier: Apache-2.0
"""scram - the client's side of SCRAM-SHA-256, RFC 5802 and RFC 7677.

    proof = Scram("bo", "pencil")
    send(proof.first())
    send(proof.final(server_first))
    proof.check(server_final)
"""

import base64
import hashlib
import hmac
import secrets

METHOD = "SCRAM-SHA-256"


def digest(key, text):
    return hmac.new(key, text, hashlib.sha256).digest()


class Scram:
    def __init__(self, user, password, nonce=None):
        self.user = user.replace("=", "=3D").replace(",", "=2C")
        self.password = password.encode()
        self.nonce = nonce or secrets.token_urlsafe(18)
        self.salted = self.said = None

    def first(self):
        return f"n,,n={self.user},r={self.nonce}".encode()

    def final(self, server_first):
        """The proof; the pieces of the server's are told apart here."""
        server_first = server_first.decode()
        told = dict(piece.split("=", 1) for piece in server_first.split(","))
        assert told["r"].startswith(self.nonce)
        assert len(told["r"]) > len(self.nonce), "a nonce of the server's own"
        self.iterations = int(told["i"])
        self.salt = base64.b64decode(told["s"], validate=True)
        assert self.iterations >= 4096
        self.salted = hashlib.pbkdf2_hmac(
            "sha256", self.password, self.salt, self.iterations)
        bare = f"c=biws,r={told['r']}"
        self.said = ",".join(
            [f"n={self.user},r={self.nonce}", server_first, bare]).encode()
        key = digest(self.salted, b"Client Key")
        signature = digest(hashlib.sha256(key).digest(), self.said)
        proof = bytes(a ^ b for a, b in zip(key, signature))
        return f"{bare},p={base64.b64encode(proof).decode()}".encode()

    def check(self, server_final):
        """Has the server proven that it knows the password as well?"""
        key = digest(self.salted, b"Server Key")
        want = base64.b64encode(digest(key, self.said))
        assert server_final == b"v=" + want, server_final

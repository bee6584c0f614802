# SPDX-License-Identifier: Apache-2.0
"""pki - a certificate authority for one test, by openssl(1)."""

import ssl
import subprocess


def openssl(directory, *arguments):
    done = subprocess.run(["openssl", *arguments], cwd=directory,
                          stdin=subprocess.DEVNULL, capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stderr


class Authority:
    """Files NAME.pem and NAME.key in a directory; its own are ca's."""

    def __init__(self, directory, name="ca"):
        self.directory = directory
        self.name = name
        openssl(directory, "req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                f"{name}.key", "-out", f"{name}.pem", "-subj",
                f"/CN={name}", "-days", "30")
        (directory / f"{name}.index").write_text("")
        (directory / f"{name}.number").write_text("01\n")
        (directory / f"{name}.cnf").write_text(
            f"[ca]\ndefault_ca = it\n[it]\ndatabase = {name}.index\n"
            f"crlnumber = {name}.number\ndefault_md = sha256\n"
            f"certificate = {name}.pem\nprivate_key = {name}.key\n"
            "default_crl_days = 30\n")

    def path(self, file):
        return str(self.directory / file)

    @property
    def file(self):
        return self.path(f"{self.name}.pem")

    def issue(self, name, subject=None, san=None, days=30, file=None):
        """A certificate and its key; returns the two paths."""
        file = file or name
        openssl(self.directory, "req", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                f"{file}.key", "-out", f"{file}.csr", "-subj",
                subject or f"/CN={name}")
        (self.directory / "extensions").write_text(
            f"subjectAltName={san}\n" if san else "")
        openssl(self.directory, "x509", "-req", "-in", f"{file}.csr", "-CA",
                f"{self.name}.pem", "-CAkey", f"{self.name}.key",
                "-CAcreateserial", "-days", str(days), "-extfile",
                "extensions", "-out", f"{file}.pem")
        (self.directory / f"{file}.key").chmod(0o600)
        return self.path(f"{file}.pem"), self.path(f"{file}.key")

    def server(self, file="server"):
        return self.issue("localhost", san="DNS:localhost,IP:127.0.0.1",
                          file=file)

    def crl(self, *revoked, file="crl.pem"):
        """The list of those that are revoked; its path."""
        for name in revoked:
            openssl(self.directory, "ca", "-config", f"{self.name}.cnf",
                    "-revoke", f"{name}.pem")
        openssl(self.directory, "ca", "-config", f"{self.name}.cnf",
                "-gencrl", "-out", file)
        return self.path(file)

    def context(self, client=None, **limits):
        """What a client needs that trusts this authority."""
        context = ssl.create_default_context(cafile=self.file)
        if client:
            context.load_cert_chain(*client)
        for name, value in limits.items():
            setattr(context, name, value)
        return context

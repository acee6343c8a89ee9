# SPDX-License-Identifier: MIT
"""Certificates, made by `openssl`."""
import collections
import subprocess

# Paths of a certificate and its key, with the names that the jobs file has for them.
Certificate = collections.namedtuple("Certificate", "certificate key")

EVERYWHERE = "DNS:localhost,IP:127.0.0.1,IP:::1"
_NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


def _openssl(*args):
    subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)


class Authority:
    """A certificate authority. `file` is the path of its certificate, for those that trust it."""

    def __init__(self, directory, name="ca"):
        self.directory = directory
        self.name = name
        self.file, self._key = directory / f"{name}.pem", directory / f"{name}.key"
        # Python 3.13 rejects an authority whose certificate does not say what the key is for.
        _openssl("req", "-x509", *_NEW_KEY, "-days", 1, "-subj", f"/CN={name}", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
                 "-keyout", self._key, "-out", self.file)

    def issue(self, name, alternative_names=EVERYWHERE, days=1):
        """Issues a certificate that is valid for `days` days. With 0 it has already expired."""
        made = Certificate(self.directory / f"{self.name}-{name}.pem", self.directory / f"{self.name}-{name}.key")
        request, extensions = self.directory / f"{name}.csr", self.directory / f"{name}.ext"
        extensions.write_text(f"subjectAltName={alternative_names}\nauthorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n")
        _openssl("req", *_NEW_KEY, "-subj", f"/CN={name}", "-keyout", made.key, "-out", request)
        _openssl("x509", "-req", "-in", request, "-CA", self.file, "-CAkey", self._key, "-days", days,
                 "-extfile", extensions, "-out", made.certificate)
        return made

    def trusted(self, certificate=None, **more):
        """The object `tls` of the jobs file for a client that trusts this authority and has this certificate."""
        tls = {"ca_file": str(self.file), **more}
        if certificate:
            tls |= {"certificate_file": str(certificate.certificate), "key_file": str(certificate.key)}
        return tls

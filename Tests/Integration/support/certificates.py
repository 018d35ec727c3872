# SPDX-License-Identifier: Apache-2.0
"""An authority for tests: certificates with any names and times, and lists of revoked ones."""

from pathlib import Path
import subprocess

CONFIGURATION = """
[ca]
default_ca = test
[test]
database = {folder}/index.txt
new_certs_dir = {folder}
rand_serial = yes
crlnumber = {folder}/crlnumber
default_md = sha256
default_days = 30
default_crl_days = 30
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
[req]
distinguished_name = subject
[subject]
[authority]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign, cRLSign
"""


class Pair:
    """A certificate and its key, as paths."""

    def __init__(self, certificate, key):
        self.certificate = Path(certificate)
        self.key = Path(key)

    def copy_to(self, other):
        """Puts this pair where `other` is, each file in one step, the certificate last."""
        for mine, theirs in ((self.key, other.key), (self.certificate, other.certificate)):
            fresh = theirs.with_suffix(".new")
            fresh.write_bytes(mine.read_bytes())
            fresh.chmod(0o600)
            fresh.rename(theirs)

    @property
    def chain(self):
        return self.certificate.read_bytes()


class Authority:
    """A root that signs in `folder`, which is to be its own."""

    def __init__(self, folder, name="Test authority"):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.configuration = self.folder / "openssl.cnf"
        self.configuration.write_text(CONFIGURATION.format(folder=self.folder))
        (self.folder / "index.txt").write_text("")
        (self.folder / "crlnumber").write_text("01\n")
        self.pair = Pair(self.folder / "ca.pem", self.folder / "ca.key")
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                      "-subj", f"/CN={name}", "-days", "30", "-extensions", "authority",
                      "-keyout", self.pair.key, "-out", self.pair.certificate)

    @property
    def certificate(self):
        return self.pair.certificate

    def issue(self, name, alternative_names=(), start=None, end=None, key="ec"):
        """A pair for `name`; `start` and `end` as YYYYMMDDHHMMSSZ, `key` as for `openssl req -newkey`."""
        request = self.folder / f"{name}.csr"
        pair = Pair(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        curve = ["-pkeyopt", "ec_paramgen_curve:P-256"] if key == "ec" else []
        extensions = (["-addext", f"subjectAltName={','.join(alternative_names)}"]
                      if alternative_names else [])
        self._openssl("req", "-new", "-newkey", key, *curve, "-nodes", "-subj", f"/CN={name}",
                      *extensions, "-keyout", pair.key, "-out", request)
        times = ["-startdate", start] if start else []
        times += ["-enddate", end] if end else []
        self._openssl("ca", "-batch", "-notext", "-cert", self.pair.certificate, "-keyfile", self.pair.key,
                      *times, "-in", request, "-out", pair.certificate)
        pair.key.chmod(0o600)
        return pair

    def server(self, name="localhost"):
        """A pair for a server on the loopback."""
        return self.issue(name, ["DNS:localhost", "IP:127.0.0.1"])

    def revoke(self, pair):
        self._openssl("ca", "-cert", self.pair.certificate, "-keyfile", self.pair.key,
                      "-revoke", pair.certificate)

    def revocations(self, path=None, *options):
        """Writes the list of what is revoked now, and returns its path."""
        path = path or self.folder / "crl.pem"
        self._openssl("ca", "-gencrl", "-cert", self.pair.certificate, "-keyfile", self.pair.key,
                      *options, "-out", path)
        return path

    def _openssl(self, verb, *arguments):
        command = ["openssl", verb]
        if verb in ("ca", "req"):
            command += ["-config", str(self.configuration)]
        result = subprocess.run(command + [str(argument) for argument in arguments],
                                capture_output=True, text=True)
        assert result.returncode == 0, f"{result.args}: {result.stderr}"

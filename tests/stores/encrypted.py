"""Redis servers and Sentinels that speak TLS alone, and the certificates for it."""

import datetime as dt
import ipaddress
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from redis import Redis
from redis.exceptions import AuthenticationError
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.outer import need
from tests.ports import free_port
from tests.stores.redis_servers import wait_for

WHOEVER = "ssl_cert_reqs=none&ssl_check_hostname=no"


@dataclass(frozen=True)
class Certified:
    """Files of a CA, a server and a client."""

    ca: Path
    server: Path
    client: Path

    @staticmethod
    def key(certificate: Path) -> Path:
        """The file of the key beside a certificate."""
        return certificate.with_suffix(".key")

    @property
    def words(self) -> str:
        """What an address of Redis says of them."""
        return (
            f"ssl_ca_certs={self.ca}&ssl_certfile={self.client}&ssl_keyfile={self.key(self.client)}"
        )


def certificate(folder: Path, name: str, issuer: Any = None) -> tuple[Path, Any]:
    """Write a certificate and its key; returns its file and what signs with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    by, signs = issuer or (subject, key)
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(signs, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    Certified.key(path).write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    Certified.key(path).chmod(0o600)
    return path, (subject, key)


def certify(folder: Path) -> Certified:
    """Return a CA of our own and what it certified."""
    ca, issuer = certificate(folder, "ca")
    return Certified(ca, *(certificate(folder, name, issuer)[0] for name in ("server", "client")))


@contextmanager
def encrypted(
    folder: Path, certified: Certified, rules: str, *settings: str, sentinel: bool = False
) -> Iterator[int]:
    """A running server that speaks TLS alone, to whoever shows a certificate; yields its port.

    Args:
        folder: where its files go.
        certified: whose certificates; itself it shows that of the server.
        rules: lines of its ACL file.
        settings: more lines of its settings.
        sentinel: whether it is a Sentinel.
    """
    port = free_port()
    (folder / "acl").write_text(rules)
    lines = [
        f"port 0\ntls-port {port}\nbind 127.0.0.1\ndir {folder}\naclfile {folder / 'acl'}",
        f"tls-ca-cert-file {certified.ca}\ntls-replication yes",
        f"tls-cert-file {certified.server}\ntls-key-file {certified.key(certified.server)}",
        *settings,
    ]
    (folder / "settings").write_text("\n".join(lines))
    words = [need("redis-server", "redis_server"), folder / "settings"]
    words += ["--sentinel"] if sentinel else ["--save", ""]
    process = subprocess.Popen([str(word) for word in words], stdout=subprocess.DEVNULL)
    try:
        wait_for(lambda: _answers(f"rediss://127.0.0.1:{port}?{certified.words}&{WHOEVER}"))
        yield port
    finally:
        process.kill()
        process.wait()


def _answers(url: str) -> bool:
    try:
        return bool(Redis.from_url(url).ping())
    except AuthenticationError:
        return True
    except RedisConnectionError:
        return False

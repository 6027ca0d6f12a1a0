"""Debian's Apache: a reverse proxy that ends TLS, and apps that ``mod_auth_openidc`` guards."""

import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from tests.outer import need
from tests.ports import free_port

LOOPBACK: Final = "127.0.0.1"
MODULES: Final = (
    "mpm_event", "authn_core", "authz_core", "authz_user", "headers", "dir", "ssl",
    "socache_shmcb", "proxy", "proxy_http", "auth_openidc",
)  # fmt: skip
START_SECONDS: Final = 15.0


class Apache:
    """One Apache in the foreground, on loopback; ends with the block.

    Args:
        folder: an empty directory that whoever Apache becomes may enter.
        ports: where it listens.
        hosts: its virtual hosts.
    """

    def __init__(self, folder: Path, ports: list[int], hosts: str) -> None:
        self._folder = folder
        self._ports = ports
        self._hosts = hosts
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        modules = need("mod_auth_openidc.so", "apache").parent
        lines = [f"LoadModule {name}_module {modules}/mod_{name}.so" for name in MODULES]
        lines += [f"Listen {LOOPBACK}:{port}" for port in self._ports]
        lines += [
            f"ServerName {LOOPBACK}",
            f"ServerRoot {self._folder}",
            f"DefaultRuntimeDir {self._folder}",
            f"PidFile {self._folder}/pid",
            f"ErrorLog {self._folder}/error.log",
            f'CustomLog {self._folder}/access.log "%U"',
            # Where root started it; otherwise it stays who it is.
            "User www-data",
            "Group www-data",
            self._hosts,
        ]
        config = self._folder / "apache.conf"
        config.write_text("\n".join(lines) + "\n")
        command = [need("apache2", "apache"), "-f", config, "-D", "FOREGROUND"]
        self._process = subprocess.Popen(command, env=os.environ | {"LANG": "C"})
        self._wait()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(START_SECONDS)

    def asked(self, path: str) -> int:
        """Return how often somebody asked for a path."""
        return (self._folder / "access.log").read_text().splitlines().count(path)

    def _wait(self) -> None:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self._process and self._process.poll() is None:
            if self._answers():
                return
            time.sleep(0.05)
        log = self._folder / "error.log"
        raise RuntimeError(log.read_text() if log.exists() else "Apache did not start")

    def _answers(self) -> bool:
        for port in self._ports:
            with socket.socket() as probe:
                if probe.connect_ex((LOOPBACK, port)):
                    return False
        return True


def front_door(certificate: Path, port: int, to: int) -> str:
    """Return the virtual host that ends TLS for the broker.

    Args:
        certificate: a file with certificate and key.
        port: where it listens.
        to: where the broker does.
    """
    return f"""
<VirtualHost {LOOPBACK}:{port}>
    SSLEngine on
    SSLCertificateFile {certificate}
    ProxyPreserveHost On
    ProxyPass / http://{LOOPBACK}:{to}/ retry=0
</VirtualHost>
"""


@dataclass(frozen=True, slots=True)
class Guarded:
    """An app that the module guards.

    Attributes:
        port: where it is.
        method: how it authenticates to the token endpoint.
        mode: how the answer comes to it.
    """

    port: int
    method: str
    mode: str

    @classmethod
    def anywhere(cls, method: str, mode: str) -> Self:
        """An app on a free port."""
        return cls(free_port(), method, mode)

    @property
    def origin(self) -> str:
        """Where its pages are."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def private(self) -> str:
        """A page that wants a person."""
        return f"{self.origin}/private/"

    @property
    def back(self) -> str:
        """The redirect URI, which is the module's own: codes, logouts and hooks go there."""
        return f"{self.origin}/private/back"

    def host(self, issuer: str, trust: Path, pages: Path, client: str) -> str:
        """Return its virtual host.

        Args:
            issuer: the broker.
            trust: a file with the certificate it trusts.
            pages: what it shows.
            client: directives with its client id and what proves it (before the method: the
                module takes ``private_key_jwt`` where it knows a key).
        """
        return f"""
<VirtualHost {LOOPBACK}:{self.port}>
    DocumentRoot {pages}
    DirectoryIndex index.html
    <Directory {pages}>
        Require all granted
    </Directory>
    {client}
    OIDCProviderMetadataURL {issuer}/.well-known/openid-configuration
    OIDCProviderTokenEndpointAuth {self.method}
    OIDCProviderBackChannelLogoutSupported On
    OIDCCABundlePath {trust}
    OIDCRedirectURI {self.back}
    OIDCCryptoPassphrase nobody-keeps-this-one
    OIDCScope "openid profile email"
    OIDCPKCEMethod S256
    OIDCResponseMode {self.mode}
    OIDCInfoHook access_token id_token userinfo refresh_token
    <Location /private>
        AuthType openid-connect
        Require valid-user
        Header set Seen-Name "%{{OIDC_CLAIM_name}}e"
    </Location>
    OIDCOAuthVerifyJwksUri {issuer}/.well-known/jwks.json
    <Location /service>
        AuthType oauth20
        Require valid-user
        Header set Seen-Client "%{{OIDC_CLAIM_client_id}}e"
    </Location>
</VirtualHost>
"""

"""``BROKER_UPSTREAMS``: where people sign in besides Discord, and what may not stand there."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    model_validator,
)
from pydantic_settings import NoDecode

DISCORD: Final = "discord"
_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?", re.ASCII)
_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,200}", re.ASCII)


class UpstreamSettings(BaseModel):
    """One of them: any OpenID provider, or GitHub.

    Attributes:
        name: in our addresses and in SQL; for ever, since people's identities are kept under it.
        kind: what it speaks.
        title: as people read it.
        issuer: of an OpenID provider, as it calls itself; of GitHub only where it is your own.
        client_id, client_secret: as registered with it.
        client_secret_file: a file that holds the secret, in its place.
        scopes: what is asked for in place of the usual.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    kind: Literal["oidc", "github"]
    title: str = Field(min_length=1, max_length=40)
    issuer: str = ""
    client_id: str
    client_secret: SecretStr = SecretStr("")
    client_secret_file: Path | None = None
    scopes: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _secret_out_of_its_file(cls, given: Any) -> Any:
        if not isinstance(given, dict) or "client_secret_file" not in given:
            return given
        if given.get("client_secret"):
            raise ValueError("client_secret and client_secret_file are both given; keep one")
        path = given["client_secret_file"]
        try:
            secret = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError, TypeError) as error:
            reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
            raise ValueError(f"client_secret_file: cannot read {path}: {reason}") from None
        return {**given, "client_secret": secret}

    @property
    def shown(self) -> dict[str, Any]:
        """What people may see of it."""
        told = self.model_dump(mode="json", exclude={"client_secret"}, exclude_defaults=True)
        return {**told, "client_secret": "••••••" if self.client_secret.get_secret_value() else ""}


def _out_of_text(value: Any) -> Any:
    """Return what JSON text says; a settings file has said it already."""
    if not isinstance(value, str):
        return value
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        raise ValueError('is no JSON, such as [{"name": "google", "kind": "oidc", …}]') from None
    if not isinstance(found, list):
        raise ValueError("is no JSON list")  # noqa: TRY004 - what the settings' library takes
    return found


Upstreams = Annotated[tuple[UpstreamSettings, ...], NoDecode, BeforeValidator(_out_of_text)]


def faults(upstreams: tuple[UpstreamSettings, ...], *, loopback: bool) -> Iterator[str]:
    """Yield what is wrong with them, in words for the operator.

    Args:
        upstreams: as set.
        loopback: whether our own issuer is this machine alone.
    """
    names = [one.name for one in upstreams]
    for one in upstreams:
        where = f"{one.name}: "
        if not _NAME.fullmatch(one.name):
            yield f"name {one.name!r} is not of a-z, 0-9 and -, 32 at the most"
        elif one.name == DISCORD:
            yield "the name discord is that of Discord, which has settings of its own"
        elif names.count(one.name) > 1:
            yield f"two have the name {one.name}"
        yield from (where + fault for fault in _faults(one, loopback=loopback))


def _faults(one: UpstreamSettings, *, loopback: bool) -> Iterator[str]:
    if one.kind == "oidc" or one.issuer:
        yield from _issuer_faults(one, loopback=loopback)
    if not one.title.isprintable():
        yield "title holds characters that cannot be shown"
    if not (one.client_id and one.client_id.isascii() and one.client_id.isprintable()):
        yield "client_id is missing, or not printable ASCII"
    secret = one.client_secret.get_secret_value()
    if not secret:
        yield "client_secret (or client_secret_file) is missing"
    elif not (secret.isascii() and secret.isprintable()):
        yield "client_secret is not printable ASCII"
    for scope in one.scopes:
        if not _SCOPE.fullmatch(scope):
            yield f"scopes: {scope[:40]!r} is no scope (RFC 6749 §3.3)"


def _issuer_faults(one: UpstreamSettings, *, loopback: bool) -> Iterator[str]:
    try:
        parts = urlsplit(one.issuer)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    bare = not any(c.isspace() for c in one.issuer) and not set("?#") & set(one.issuer)
    if parts.scheme not in {"https", "http"} or not parts.hostname or not bare:
        yield "issuer must be an address such as https://accounts.google.com"
    elif "@" in parts.netloc:
        yield "issuer must hold no credentials"
    elif one.kind == "github" and parts.path:
        yield "issuer is GitHub's address without a path, such as https://github.example.org"
    elif is_loopback(one.issuer):
        if not loopback:
            yield "issuer is this machine, where nobody's browser but yours can go"
    elif parts.scheme != "https":
        yield "issuer must be https: the client secret and codes go there"


def is_loopback(url: str) -> bool:
    """Whether an address names this machine and no other."""
    try:
        host = (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    return host == "::1" or (host.startswith("127.") and host.replace(".", "").isdigit())

"""What an API may be registered with (RFC 8707 §2, RFC 9068 §3)."""

import re
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Final

from broker.app.algorithms import switched_on
from broker.app.client_rules import SCOPE, SHORTEST
from broker.app.problems import Problem, Refused
from broker.app.registration import malformed
from broker.app.settings import Settings
from broker.core import vocabulary as v
from broker.core.apis import Api
from broker.core.model import Client
from broker.core.signing import audiences

if TYPE_CHECKING:  # it loads SQL, which judging needs not
    from broker.stores.sql.facade import SqlStores

UNKNOWN: Final = "is registered nowhere here"
PLAIN: Final = re.compile(r"[A-Za-z0-9._~-]{1,128}", re.ASCII)


def check_api(api: Api, settings: Settings) -> None:
    """Check a registration as it is to be.

    Raises:
        Refused: with every problem; each names the option to change.
    """
    alg = api.access_token_signed_response_alg
    problems = [*_identifier(api), *_name(api), *switched_on(alg, "--alg", settings)]
    problems += [*_scopes(api), *_lifetime(api, settings)]
    if problems:
        raise Refused(*problems)


async def cannot_ask(api: Api, sql: "SqlStores") -> AsyncIterator[tuple[str, str]]:
    """Yield who is to introspect tokens for an API and cannot, and why (RFC 7662 §2.1).

    Whoever asks has to be registered, and able to prove who it is.
    """
    for client_id in api.introspected_by:
        record = await sql.clients.get(client_id)
        if record is None:
            yield client_id, UNKNOWN
        elif record.client.public:
            yield client_id, "is public: it cannot prove who asks"


async def users(identifier: str, sql: "SqlStores") -> tuple[Client, ...]:
    """Return the clients that can get access tokens for an API."""
    clients = [record.client for record in await sql.clients.list()]
    return tuple(
        client for client in clients if identifier in (*audiences(client, ()), *client.resources)
    )


def _identifier(api: Api) -> Iterator[Problem]:
    """An address to be a resource indicator, or a plain word that clients have as audience."""
    if PLAIN.fullmatch(api.identifier):
        return
    reason = malformed(api.identifier)
    if reason:
        yield Problem(
            "IDENTIFIER", f"{api.identifier}: {reason} (an address, or a word: RFC 8707 §2)"
        )


def _name(api: Api) -> Iterator[Problem]:
    if not api.name.strip() or len(api.name) > 2000 or not api.name.isprintable():
        yield Problem("--name", "1 to 2000 printable characters")


def _scopes(api: Api) -> Iterator[Problem]:
    """RFC 6749 §3.3; what people agree to at a sign-in is nobody else's."""
    for scope in api.scopes:
        if not SCOPE.fullmatch(scope):
            yield Problem("--scope", f'{scope!r}: 1 to 128 visible ASCII characters but " and \\')
        elif scope in v.PERSONAL_SCOPES:
            yield Problem("--scope", f"{scope} is the broker's own; no API can have it")


def _lifetime(api: Api, settings: Settings) -> Iterator[Problem]:
    lifetime, longest = api.access_token_lifetime, settings.longest_token_lifetime
    if lifetime is not None and not SHORTEST <= lifetime <= longest:
        named = f"BROKER_LONGEST_TOKEN_LIFETIME, which is {longest} s"
        yield Problem("--access-token-lifetime", f"between {SHORTEST}s and {named}")

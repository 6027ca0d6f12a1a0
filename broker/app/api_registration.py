"""What an API may be registered with (RFC 8707 §2, RFC 9068 §3)."""

import re
from collections.abc import Iterator
from typing import Final

from broker.app.algorithms import switched_on
from broker.app.checks import Problem, Refused
from broker.app.registration import malformed
from broker.app.settings import Settings
from broker.core.apis import Api

PLAIN: Final = re.compile(r"[A-Za-z0-9._~-]{1,128}", re.ASCII)


def check_api(api: Api, settings: Settings) -> None:
    """Check a registration as it is to be.

    Raises:
        Refused: with every problem; each names the option to change.
    """
    alg = api.access_token_signed_response_alg
    problems = [*_identifier(api), *_name(api), *switched_on(alg, "--alg", settings)]
    if problems:
        raise Refused(*problems)


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

"""Telling clients that a session is over (OpenID Connect Back-Channel Logout 1.0).

What is told, and what an answer means. Who is told is decided in the step that ends a session:
every client with a grant of it. Offline grants stay alive, yet their clients are told as well.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from broker.core.client import Client
from broker.core.subjects import subject_for
from broker.core.tokens import Mint
from keys.jws import sign_jwt

TYP: Final = "logout+jwt"  # §2.4
EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"  # §2.4
LIFETIME: Final = 120  # seconds, §2.4: two minutes at the most
REFUSALS: Final = 5  # tries after which a receiver that keeps saying no is believed
_NOT_NOW: Final = frozenset({408, 425, 429})  # no, but only at the moment


@dataclass(frozen=True, slots=True)
class Notice:
    """A client to be told of the end of a session.

    Attributes:
        account_id: whose session it was.
        sid: which one, as ID tokens name it.
        client_id: who is to be told.
        sub: the account's public subject identifier; empty where it was not at hand.
        tries: how often it was tried, the one under way included.
        age: seconds since the session ended.
        mark: how the store tells this try from another.
    """

    account_id: str
    sid: str
    client_id: str
    sub: str
    tries: int
    age: float
    mark: str


class Verdict(StrEnum):
    """What an answer of a receiver means."""

    TOLD = "told"
    AGAIN = "again"
    REFUSED = "refused"


def verdict(status: int, tries: int) -> Verdict:
    """Return what the HTTP status of a receiver means (§2.8).

    Args:
        status: of its answer. Frameworks may turn 200 into 204; a redirect is not followed, and
            counts as a no.
        tries: how often it was asked, this time included.
    """
    if 200 <= status < 300:
        return Verdict.TOLD
    definite = 300 <= status < 500 and status not in _NOT_NOW
    return Verdict.REFUSED if definite and tries >= REFUSALS else Verdict.AGAIN


async def logout_token(mint: Mint, client: Client, notice: Notice) -> str:
    """Return a logout token (§2.4), signed now: keys change, and it is short-lived.

    Raises:
        AlgorithmOff: the client is set to an algorithm that was switched off.
        keys.errors.KeysError: no key signs at present.
    """
    alg, now = mint.signing.of_id_token(client), int(mint.clock.now())
    claims: dict[str, Any] = {
        "iss": mint.issuer,
        "aud": client.client_id,
        "iat": now,
        "exp": now + LIFETIME,
        "jti": mint.entropy.token(16).hex(),
        "events": {EVENT: {}},
        "sid": notice.sid,
    }
    if notice.sub:
        claims["sub"] = subject_for(client, notice.account_id, notice.sub)
    return await sign_jwt(await mint.keys.fresh_signer(alg), TYP, claims)

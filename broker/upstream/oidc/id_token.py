"""ID tokens of a provider: unverified in, verified claims out (OpenID Connect Core §3.1.3.7)."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from broker.core.client_jwts import BadJwt, Unverified, audiences, read, seconds, signed, text
from broker.core.client_keys import Published, choose
from broker.core.errors import UpstreamUnavailable
from broker.core.tokens import token_hash
from broker.upstream.oidc.discovery import Provider

SKEW: Final = 60.0  # seconds that the provider's clock may differ
LATEST: Final = 600.0  # seconds between the making of an ID token and our seeing it


@dataclass(frozen=True, slots=True)
class Trip:
    """What an ID token has to fit.

    Attributes:
        client_id: ours.
        nonce: that went with the person.
        access_token: that came beside it.
        now: UTC seconds.
    """

    client_id: str
    nonce: str
    access_token: str
    now: float


async def verified(
    token: object, provider: Provider, keys: Published, trip: Trip
) -> Mapping[str, Any]:
    """Return the claims of an ID token once they are known to be the provider's, for this trip.

    Args:
        token: as it came beside the access token.
        provider: whose it has to be.
        keys: key sets behind addresses.
        trip: what it has to fit.

    Raises:
        BadJwt: it is not what it should be; the text is for the log.
        UpstreamUnavailable: the provider's keys cannot be had.
    """
    if not isinstance(token, str):
        raise BadJwt("there is no ID token")
    jwt = read(token, ("jwt",))
    if jwt.alg not in provider.algorithms:
        raise BadJwt("alg is none of those that the provider announces")
    await _check_signature(jwt, provider, keys)
    _check_issuer(jwt.claims, provider)
    _check_audience(jwt.claims, trip.client_id)
    _check_times(jwt.claims, trip.now)
    if not _same(jwt.claims.get("nonce"), trip.nonce):
        raise BadJwt("nonce is not the one of this trip")
    if "at_hash" in jwt.claims and not _same(
        jwt.claims["at_hash"], token_hash(trip.access_token, jwt.alg)
    ):
        raise BadJwt("at_hash is not that of the access token")
    return jwt.claims


async def _check_signature(jwt: Unverified, provider: Provider, keys: Published) -> None:
    """One of the provider's keys made the signature; a key that is not known is looked for anew."""
    known = await keys.keys(provider.jwks_uri)
    if signed(jwt, known):
        return
    if jwt.kid is None or not choose(known, jwt.alg, jwt.kid):
        newer = await keys.newer(provider.jwks_uri)
        if newer is not None and signed(jwt, newer):
            return
        if not (newer or known):
            raise UpstreamUnavailable(private="the provider's keys cannot be read")
    raise BadJwt("no key of the provider's made the signature")


def _check_issuer(claims: Mapping[str, Any], provider: Provider) -> None:
    if not provider.is_issuer(claims.get("iss")):
        raise BadJwt("iss is not the provider")
    tenant = provider.tenant(claims["iss"])
    if tenant is not None and claims.get("tid", tenant) != tenant:
        raise BadJwt("tid is not the tenant that iss names")


def _check_audience(claims: Mapping[str, Any], client_id: str) -> None:
    """It is for us, and where it is for others too, it was issued to us."""
    meant = audiences(claims)
    if client_id not in meant:
        raise BadJwt("aud is not us")
    party = claims.get("azp")
    if party != client_id and (party is not None or len(meant) > 1):
        raise BadJwt("azp is not us")


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    ends, made = seconds(claims, "exp"), seconds(claims, "iat")
    if ends is None or made is None:
        raise BadJwt("exp or iat is missing")
    if ends <= now - SKEW:
        raise BadJwt("expired")
    if not now - LATEST <= made <= now + SKEW:
        raise BadJwt("iat is in the future, or long past")
    begins = seconds(claims, "nbf")
    if begins is not None and begins > now + SKEW:
        raise BadJwt("nbf is in the future")


def subject(claims: Mapping[str, Any], provider: Provider) -> str:
    """Return what the person is known by: ``sub``, within its tenant where there are many (§2).

    Raises:
        BadJwt: it is not text of at most 255 ASCII characters.
    """
    tenant = provider.tenant(claims["iss"])
    sub = text(claims, "sub")
    found = sub if tenant is None else f"{tenant}:{sub}"
    if len(found) > 255 or not found.isascii():
        raise BadJwt("sub is longer than 255 ASCII characters")
    return found


def auth_time(claims: Mapping[str, Any], provider: Provider, now: float) -> float | None:
    """Return when the person authenticated at the provider (§2), UTC seconds.

    0 where it makes no sense, or a provider that says it leaves it out though it was asked
    (§3.1.2.1: ``max_age`` makes it required): somebody may have taken that out of the address.
    None where the provider does not say it.
    """
    if "auth_time" not in claims:
        return 0.0 if provider.tells_time else None
    try:
        told = seconds(claims, "auth_time")
    except BadJwt:
        return 0.0
    return told if told is not None and 0 < told <= now + SKEW else 0.0


def _same(found: object, wanted: str) -> bool:
    return isinstance(found, str) and found.isascii() and hmac.compare_digest(found, wanted)

"""The sample API's verifier: signature, claims, and when it asks the issuer."""

import asyncio
import hmac
import json
from collections.abc import AsyncIterator

import httpx2
import pytest
from joserfc import jwt

from broker.demo.sample import (
    InsufficientScopeError,
    KeysUnavailableError,
    VerificationError,
    Verifier,
)
from broker.demo.serving import serving
from tests.demo.conftest import Clock
from tests.demo.issuer import Issuer, b64, new_key

KEY, OTHER = new_key(), new_key()


@pytest.fixture
async def issuer(clock: Clock) -> AsyncIterator[Issuer]:
    made = Issuer(clock, keys=[KEY])
    async with serving(made.app()) as made.issuer:
        yield made


@pytest.fixture
async def verifier(issuer: Issuer, clock: Clock) -> AsyncIterator[Verifier]:
    async with httpx2.AsyncClient(timeout=5) as client:
        yield Verifier(issuer.issuer, "api", client=client, now=clock, refetch_seconds=5)


async def test_a_good_token_is_opened(issuer: Issuer, verifier: Verifier):
    """Promise: subject, client, scopes and kid of a token that passes every check."""
    token = await verifier.verify(issuer.access_token(), scope="profile")
    assert (token.subject, token.client_id, token.kid) == ("subject-1", "sample-app", KEY.kid)
    assert token.scopes == {"openid", "profile", "email"}


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "another"},
        {"aud": ["another", "third"]},
        {"aud": None},
        {"iss": "http://127.0.0.1:1"},
        {"iss": None},
        {"exp": None},
        {"exp": 1_800_000_000 - 31},
        {"nbf": 1_800_000_000 + 31},
        {"iat": None},
        {"sub": None},
        {"client_id": None},
        {"typ": "JWT"},
        {"typ": ""},
    ],
    ids=str,
)
async def test_a_token_wrong_in_one_thing_is_refused(
    issuer: Issuer, verifier: Verifier, changes: dict
):
    """Promise: audience, issuer, times, subject, client and type each matter."""
    with pytest.raises(VerificationError):
        await verifier.verify(issuer.access_token(**changes))


async def test_one_of_several_audiences_is_enough(issuer: Issuer, verifier: Verifier):
    """Promise: `aud` may be a list that names this service."""
    await verifier.verify(issuer.access_token(aud=["another", "api"]))


async def test_a_missing_scope_is_its_own_error(issuer: Issuer, verifier: Verifier):
    """Promise: too little scope is told apart, for a 403."""
    with pytest.raises(InsufficientScopeError):
        await verifier.verify(issuer.access_token(), scope="admin")


async def test_a_changed_or_foreign_signature_is_refused(issuer: Issuer, verifier: Verifier):
    """Promise: another key under a published kid, or a changed payload, verifies nothing."""
    forged = OTHER.as_dict(private=True) | {"kid": KEY.kid}
    imported = type(OTHER).import_key(forged)
    with pytest.raises(VerificationError):
        await verifier.verify(issuer.access_token(imported))
    head, body, signature = issuer.access_token().split(".")
    other_body = issuer.access_token(sub="someone-else").split(".")[1]
    with pytest.raises(VerificationError):
        await verifier.verify(f"{head}.{other_body}.{signature}")
    assert body != other_body


async def test_the_header_chooses_no_algorithm(issuer: Issuer, verifier: Verifier):
    """Promise: `none` and HS256 with the public key as secret are refused, nothing fetched."""
    claims = {"iss": issuer.issuer, "aud": "api", "sub": "x", "client_id": "c", "exp": 2**33}
    header = {"alg": "HS256", "kid": KEY.kid, "typ": "at+jwt"}
    signed = ".".join(b64(json.dumps(part).encode()) for part in (header, claims))
    secret = KEY.as_pem(private=False)
    confused = signed + "." + b64(hmac.digest(secret, signed.encode(), "sha256"))
    unsigned = jwt.encode(header | {"alg": "none"}, claims, KEY, algorithms=["none"])
    for token in (confused, unsigned, "", "a.b.c", "x" * 20_000, "ä.ö.ü"):
        with pytest.raises(VerificationError):
            await verifier.verify(token)
    assert issuer.jwks_calls == []


async def test_the_jwks_is_kept_as_long_as_it_may_be(
    issuer: Issuer, verifier: Verifier, clock: Clock
):
    """Promise: one fetch for max-age seconds, then one revalidation by ETag, then the same."""
    for _ in range(3):
        await verifier.verify(issuer.access_token())
    clock.seconds += 599
    await verifier.verify(issuer.access_token())
    assert issuer.jwks_calls == [200]
    clock.seconds += 1
    await verifier.verify(issuer.access_token())
    assert issuer.jwks_calls == [200, 304]
    clock.seconds += 599
    await verifier.verify(issuer.access_token())
    assert issuer.jwks_calls == [200, 304]


async def test_many_at_once_cause_one_fetch(issuer: Issuer, verifier: Verifier):
    """Promise: verifications that start together share one request."""
    token = issuer.access_token()
    await asyncio.gather(*(verifier.verify(token) for _ in range(20)))
    assert issuer.jwks_calls == [200]


async def test_an_unknown_kid_is_looked_for_at_most_once_in_a_while(
    issuer: Issuer, verifier: Verifier, clock: Clock
):
    """Promise: made-up kids cause no flood; a key published later is found."""
    await verifier.verify(issuer.access_token())
    for _ in range(5):
        with pytest.raises(VerificationError):
            await verifier.verify(issuer.access_token(OTHER))
    assert issuer.jwks_calls == [200]
    clock.seconds += 5
    for _ in range(5):
        with pytest.raises(VerificationError):
            await verifier.verify(issuer.access_token(OTHER))
    assert issuer.jwks_calls == [200, 304]
    issuer.keys.append(OTHER)
    clock.seconds += 5
    assert (await verifier.verify(issuer.access_token(OTHER))).kid == OTHER.kid
    assert issuer.jwks_calls == [200, 304, 200]


async def test_a_withdrawn_key_is_forgotten(issuer: Issuer, verifier: Verifier, clock: Clock):
    """Promise: after max-age a key that is no longer published verifies nothing."""
    token = issuer.access_token(exp=int(clock()) + 9000)
    await verifier.verify(token)
    issuer.keys[:] = [OTHER]
    clock.seconds += 600
    with pytest.raises(VerificationError):
        await verifier.verify(token)


async def test_without_fresh_keys_nothing_is_accepted(
    issuer: Issuer, verifier: Verifier, clock: Clock
):
    """Promise: an issuer that is down past max-age means 503, asked again only after a pause."""
    issuer.jwks_status = 503
    for _ in range(3):
        with pytest.raises(KeysUnavailableError):
            await verifier.verify(issuer.access_token())
    assert issuer.jwks_calls == [503]
    issuer.jwks_status = 200
    clock.seconds += 5
    await verifier.verify(issuer.access_token())
    issuer.jwks_status = 500
    clock.seconds += 599
    await verifier.verify(issuer.access_token())
    clock.seconds += 1
    with pytest.raises(KeysUnavailableError):
        await verifier.verify(issuer.access_token())
    assert issuer.jwks_calls == [503, 200, 500]


async def test_an_answer_not_to_be_stored_is_not_kept(issuer: Issuer, clock: Clock):
    """Promise: `no-store` keys serve one moment only."""
    issuer.cache_control = "no-store"
    verifier = Verifier(issuer.issuer, "api", now=clock, refetch_seconds=0)
    for _ in range(2):
        await verifier.verify(issuer.access_token())
    await verifier.close()
    assert len(issuer.jwks_calls) == 2

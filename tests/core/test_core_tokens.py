"""Tokens as they are written: header and payload byte for byte, under a fixed clock and entropy."""

import json
from base64 import urlsafe_b64decode
from typing import Any

import pytest

from broker.core.errors import InvalidRequest, InvalidToken
from broker.core.handles import Handles
from broker.core.model import Client, Facts, Grant, Lifetimes
from broker.core.tokens import Mint, audience
from keys.jws import VerificationKey
from keys.making import make, public_key
from keys.signer import LocalSigner, Signer
from tests.core.helpers import NOW, SECRET, Counted, Hands, signing
from tests.signing import at_once

FRESH = make("RS256")
PUBLIC = VerificationKey(FRESH.kid, "RS256", public_key(FRESH.kid, "RS256", FRESH.public_jwk))
APP = Client("app", "App", audience="https://api.example")
FACTS = Facts(1, "subject-1", claims={"name": "Ada", "email": "a@b.example", "picture": None})
GRANT = Grant(
    "ab" * 16, "cd" * 16, "app", "ef" * 16, offline=False, scope=("openid", "profile"),
    resources=(), auth_time=NOW - 5.9, created_at=NOW, expires_at=NOW + 1, generation=3,
    nonce="n-1",
)  # fmt: skip


class OneKey:
    async def fresh_signer(self, alg: str = "RS256") -> Signer:
        return LocalSigner.load(FRESH.kid, "RS256", FRESH.private)

    def key_for(self, kid: str) -> VerificationKey | None:
        return PUBLIC if kid == FRESH.kid else None

    hint_key_for = key_for


def mint(clock: Hands | None = None) -> Mint:
    return Mint(
        "https://id.example", OneKey(), Handles([SECRET]), clock or Hands(NOW + 0.75), Counted(),
        Lifetimes(), signing(),
    )  # fmt: skip


def answer(**changes: Any) -> dict[str, Any]:
    given = {"scope": GRANT.scope, "resources": (), "id_token": True} | changes
    return at_once(mint().answer(APP, GRANT, FACTS, **given))


def written(token: str) -> list[str]:
    """Header and payload as text; the key's thumbprint, made anew in each run, by its name."""
    parts = [urlsafe_b64decode(p + "=" * (-len(p) % 4)).decode() for p in token.split(".")[:2]]
    return [part.replace(FRESH.kid, "KID") for part in parts]


def test_an_access_token() -> None:
    """RFC 9068 §2, byte for byte."""
    header, payload = written(answer()["access_token"])
    assert header == '{"alg":"RS256","kid":"KID","typ":"at+jwt"}'
    jti = json.loads(payload)["jti"]
    assert payload == (
        '{"iss":"https://id.example","sub":"subject-1","aud":"https://api.example",'
        '"client_id":"app","scope":"openid profile","iat":1800000000,"exp":1800000300,'
        f'"auth_time":1799999994,"jti":"{jti}"}}'
    )
    assert len(jti) == 82


def test_an_id_token() -> None:
    """OpenID Connect Core §2 and §3.1.3.6, byte for byte; absent claims stay absent."""
    header, payload = written(answer()["id_token"])
    assert header == '{"alg":"RS256","kid":"KID","typ":"JWT"}'
    at_hash = json.loads(payload)["at_hash"]
    assert payload == (
        '{"name":"Ada","iss":"https://id.example","sub":"subject-1","aud":"app",'
        '"iat":1800000000,"exp":1800000300,"auth_time":1799999994,'
        f'"sid":"{GRANT.sid}","at_hash":"{at_hash}","nonce":"n-1"}}'
    )


def test_at_hash_is_that_of_the_access_token_beside_it() -> None:
    """Core §3.1.3.6, as Authlib computes it."""
    from authlib.oidc.core.util import create_half_hash

    found = answer()
    at_hash = json.loads(written(found["id_token"])[1])["at_hash"]
    assert at_hash == create_half_hash(found["access_token"], "RS256").decode()


def test_every_access_token_is_another() -> None:
    """Two made in the same second for the same grant differ in ``jti``."""
    one = mint()
    given = {"scope": GRANT.scope, "resources": (), "id_token": False}
    first, second = (
        at_once(one.answer(APP, GRANT, FACTS, **given))["access_token"] for _ in range(2)
    )
    assert first != second


def test_without_openid_there_is_no_id_token() -> None:
    """Core §3.1.2.1: then it is plain OAuth."""
    assert "id_token" not in answer(scope=("profile",))
    assert "id_token" not in answer(id_token=False)


def test_audiences() -> None:
    """RFC 9068 §3: one resource is text, several are a list; else the client's default."""
    assert audience(APP, ()) == "https://api.example"
    assert audience(Client("app", "App"), ()) == "app"
    assert audience(APP, ("a:1",)) == "a:1"
    assert audience(APP, ("a:1", "a:2")) == ["a:1", "a:2"]


def test_a_token_comes_back_as_it_was() -> None:
    """What is written is read, until it expires and not a moment later."""
    token = answer()["access_token"]
    found = mint().access_token(token)
    assert (found.account_id, found.grant_id) == (GRANT.account_id, GRANT.grant_id)
    assert (found.client_id, found.scope) == ("app", GRANT.scope)
    assert found.audience == ("https://api.example",)
    assert mint(Hands(NOW + 299.9)).access_token(token)
    with pytest.raises(InvalidToken):
        mint(Hands(NOW + 300)).access_token(token)
    assert mint(Hands(NOW - 60)).access_token(token)
    with pytest.raises(InvalidToken):
        mint(Hands(NOW - 60.1)).access_token(token)


def test_a_hint_is_an_id_token_of_ours_expired_or_not() -> None:
    """And an access token is none."""
    found = answer()
    hint = mint(Hands(NOW + 10**6)).hint(found["id_token"])
    assert (hint.sub, hint.client_id, hint.sid) == ("subject-1", "app", GRANT.sid)
    assert mint().hint_subject(found["id_token"], "app") == "subject-1"
    for token, client_id in ((found["access_token"], "app"), (found["id_token"], "other")):
        with pytest.raises(InvalidRequest):
            mint().hint_subject(token, client_id)

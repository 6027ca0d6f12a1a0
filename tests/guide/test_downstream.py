"""Five frameworks, one behaviour: good tokens are served, all others refused as RFC 6750 says."""

import ast
import json
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from tests.faults.people import CLIENT, Person
from tests.guide.conftest import Keys, examples
from tests.readme.snippets import AUDIENCE, ISSUER
from tests.running import RunningBroker

pytestmark = [pytest.mark.node, pytest.mark.slow]


@pytest.fixture(scope="module")
def stranger() -> RSAPrivateKey:
    """A key that the broker does not know."""
    return generate_private_key(65537, 2048)


def ask(service: httpx2.Client, token: str, path: str = "/me") -> httpx2.Response:
    """Ask with a token."""
    return service.get(path, headers={"Authorization": f"Bearer {token}"})


def claims_of(token: str) -> dict[str, Any]:
    """Return a token's claims, unverified."""
    return jwt.decode(token, options={"verify_signature": False})


def forged(token: str, key: RSAPrivateKey | str, alg: str = "RS256", **header: str | None) -> str:
    """Return a token with the same claims, by another key."""
    ours: Mapping[str, Any] = jwt.get_unverified_header(token)
    wanted = {name: value for name, value in (ours | header).items() if value is not None}
    wanted.pop("alg")
    return jwt.encode(claims_of(token), key, alg, headers=wanted)


def test_a_good_token_is_served(service: httpx2.Client, tokens: dict[str, str]) -> None:
    """The service learns who asks, through which app, without asking the broker."""
    answer = ask(service, tokens["access_token"])
    assert answer.status_code == 200, answer.text
    sub = claims_of(tokens["id_token"])["sub"]
    assert answer.json() == {"sub": sub, "client": CLIENT.client_id}


def test_no_token_is_a_challenge_without_an_error(service: httpx2.Client) -> None:
    """RFC 6750 §3.1: whoever brought nothing made no error."""
    answer = service.get("/me")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


def test_too_little_scope_is_forbidden(service: httpx2.Client, tokens: dict[str, str]) -> None:
    """RFC 6750 §3.1: and the scope that would do is named."""
    answer = ask(service, tokens["access_token"], "/orders")
    assert answer.status_code == 403
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
    assert 'scope="orders:read"' in answer.headers["www-authenticate"]


def test_enough_scope_is_served(service: httpx2.Client, broker: RunningBroker) -> None:
    """A scope of the API, granted to the app, opens what needs it."""
    person = Person(broker.issuer)
    answer = person.redeem(person.code(scope="openid orders:read")).json()
    assert answer["scope"] == "openid orders:read"
    assert ask(service, answer["access_token"], "/orders").status_code == 200


def test_an_id_token_is_refused(service: httpx2.Client, tokens: dict[str, str]) -> None:
    """It says who signed in, to the app; it opens nothing."""
    _refused(ask(service, tokens["id_token"]))


def test_an_id_token_is_refused_by_its_type(broker: RunningBroker, tokens: dict[str, str]) -> None:
    """Even where its audience would do."""
    text = examples()["tokens.py"].replace(ISSUER, broker.issuer)
    module = ModuleType("tokens")
    exec(text.replace(AUDIENCE, CLIENT.client_id), module.__dict__)
    with pytest.raises(module.Refused):
        module.verify(f"Bearer {tokens['id_token']}")
    careless = text.replace(AUDIENCE, CLIENT.client_id).replace('!= "at+jwt"', '== "never"')
    exec(careless.replace('"client_id"]', "]"), module.__dict__)
    assert module.verify(f"Bearer {tokens['id_token']}")["sub"]


def test_a_token_for_another_service_is_refused(service: httpx2.Client, foreign: str) -> None:
    """Its audience is not ours, whoever signed it."""
    assert claims_of(foreign)["aud"] == "https://other.example"
    _refused(ask(service, foreign))


def test_forgeries_are_refused(
    service: httpx2.Client, tokens: dict[str, str], stranger: RSAPrivateKey
) -> None:
    """RFC 8725: another key under our kid, no kid, none, and a symmetric algorithm."""
    good = tokens["access_token"]
    head, body, signature = good.split(".")
    none = jwt.utils.base64url_encode(json.dumps({"alg": "none", "typ": "at+jwt"}).encode())
    _refused(ask(service, forged(good, stranger)))
    _refused(ask(service, forged(good, stranger, kid=None)))
    _refused(ask(service, forged(good, "s" * 64, "HS256")))
    _refused(ask(service, f"{none.decode()}.{body}."))
    _refused(ask(service, f"{head}.{body}.{signature[::-1]}"))
    _refused(ask(service, "not.a.token"))


def test_unknown_kids_do_not_make_it_hammer_the_broker(
    service: httpx2.Client,
    keys: Keys,
    tokens: dict[str, str],
    stranger: RSAPrivateKey,
) -> None:
    """Anybody can invent a kid: thirty of them cost the broker one request at the most."""
    assert ask(service, tokens["access_token"]).status_code == 200
    before = keys.asked
    assert before >= 1
    for number in range(30):
        _refused(ask(service, forged(tokens["access_token"], stranger, kid=f"invented-{number}")))
    assert keys.asked - before <= 1


def test_the_examples_are_python() -> None:
    """Each of them parses."""
    for name, text in examples().items():
        if name.endswith(".py"):
            ast.parse(text)


def _refused(answer: httpx2.Response) -> None:
    assert answer.status_code == 401, answer.text
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'

"""Request objects: whatever a client signs has an answer."""

import sys
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from broker.core.authorize import validate
from broker.core.client_keys import ClientKeys
from broker.core.errors import (
    AuthorizationRefused,
    BadAuthorizationRequest,
    BadRequestObject,
    InvalidRequestObject,
)
from broker.core.model import Client
from broker.core.ports import Fetched
from broker.core.published_keys import PublishedKeys
from broker.core.request_objects import RequestObjects, SignedRequest
from tests.core.helpers import NOW, Hands, Known, params, signing
from tests.core.signers import jwks, signs

ISSUER = "https://id.example"
EC = signs("ES256")
BACK = "https://app.example/cb"
CLIENT = Client("app", "App", redirect_uris=(BACK,), jwks=jwks(EC))

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
NAMES = st.sampled_from((
    "iss", "aud", "exp", "nbf", "iat", "sub", "client_id", "redirect_uri", "scope", "state",
    "nonce", "max_age", "claims", "resource", "prompt", "response_type", "response_mode",
    "registration", "request", "request_uri", "code_challenge", "id_token_hint", "dpop_jkt",
))  # fmt: skip


class Nowhere:
    """No address answers."""

    def check(self, url: str) -> None:
        """Not used here."""

    async def post_form(self, url: str, fields: Any) -> int:
        return 200

    async def get_json(self, url: str, *, limit: int) -> Fetched:
        raise AssertionError


def no_hint(token: str, client_id: str) -> str:
    return "somebody"


@settings(max_examples=80, deadline=None)
@given(st.dictionaries(NAMES, JSON))
@example({"iss": None, "prompt": "\x1f"})
async def test_whatever_is_signed_has_an_answer(changes: dict[str, Any]) -> None:
    """A record, an error for the client at its own address, or a page; never anything else."""
    keys = ClientKeys(PublishedKeys(Nowhere(), Hands()))
    objects = RequestObjects(ISSUER, keys, Hands(), 60)
    claims = {
        "iss": "app", "aud": ISSUER, "exp": NOW + 60, "redirect_uri": BACK, "scope": "openid",
        "response_type": "code", "state": "s", "code_challenge": "c" * 43,
        "code_challenge_method": "S256",
    } | changes  # fmt: skip
    sent = params(client_id="app", request=EC.sign(claims))
    try:
        request, _ = await validate(Known(CLIENT), sent, no_hint, signing(), objects)
    except AuthorizationRefused as refused:
        assert refused.redirect_uri == BACK
    except BadAuthorizationRequest:
        assert changes.get("redirect_uri", BACK) != BACK
    else:
        assert request.redirect_uri == BACK
        assert request.client_id == "app"


READ = (
    "response_type", "response_mode", "redirect_uri", "scope", "state", "nonce", "prompt",
    "code_challenge", "code_challenge_method", "login_hint", "id_token_hint", "ui_locales",
    "display", "acr_values", "claims_locales", "dpop_jkt", "max_age", "claims", "registration",
    "resource",
)  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_what_is_read_has_to_be_of_its_type(name: str) -> None:
    """Else it would pass for left out, a code_challenge as well; null is nothing."""
    keys = ClientKeys(PublishedKeys(Nowhere(), Hands()))
    objects = RequestObjects(ISSUER, keys, Hands(), 60)
    wrong = (
        (True, 1.5, ["a", 5])
        if name in {"claims", "registration"}
        else (True, 1.5, ["a", 5], {"a": "b"})
    )
    for value in wrong:
        request = SignedRequest("app", {"iss": "app", "aud": ISSUER, name: value}, params())
        with pytest.raises(InvalidRequestObject) as refused:
            objects.check(request, params())
        assert name in str(refused.value.private)
    objects.check(
        SignedRequest("app", {"iss": "app", "aud": ISSUER, name: None}, params()), params()
    )


async def test_however_deep_it_is_nested_it_has_an_answer() -> None:
    """What can just be read cannot always be written again: it is refused, never a failure."""
    objects = RequestObjects(ISSUER, ClientKeys(PublishedKeys(Nowhere(), Hands())), Hands(), 60)
    opened = 0
    for depth in range(500, sys.getrecursionlimit()):
        nested = '{"claims":{"x":' + "[" * depth + "]" * depth + "}}"
        try:
            await objects.opened(CLIENT, params(client_id="app", request=EC.sign(nested)))
        except BadRequestObject:
            continue
        opened += 1
    assert opened

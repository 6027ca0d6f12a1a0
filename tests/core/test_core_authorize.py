"""The checks of an authorization request, in their order."""

from dataclasses import replace

import pytest

from broker.core.authorize import validate
from broker.core.errors import (
    AuthorizationRefused,
    BadAuthorizationRequest,
    InvalidRequest,
)
from broker.core.model import AuthorizationRequest, Client
from tests.core.helpers import Known, params, signing
from tests.core.test_core_pkce import CHALLENGE

URI = "https://app.example/cb"
API = "https://api.example/v1"
APP = Client("app", "App", redirect_uris=(URI,), resources=(API, "urn:x:y"), scopes=("openid",))
CODE_ONLY = Client("refresher", "R", redirect_uris=(URI,), grant_types=("refresh_token",))
EXEMPT = Client(
    "exempt", "E", auth_method="client_secret_basic", redirect_uris=(URI,), require_pkce=False
)
PUBLIC_EXEMPT = Client("pub", "P", redirect_uris=(URI,), require_pkce=False)
CLIENTS = Known(APP, CODE_ONLY, EXEMPT, PUBLIC_EXEMPT, replace(APP, client_id="off", disabled=True))

BASE = {
    "client_id": "app",
    "redirect_uri": URI,
    "response_type": "code",
    "scope": "openid",
    "state": "s1",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}

SOMEBODY_ELSE = '{"id_token":{"sub":{"value":"somebody else"}}}'


def hint_subject(token: str, client_id: str) -> str:
    if token != "good":
        raise InvalidRequest("The id_token_hint is not valid")
    return f"subject for {client_id}"


async def judge(*more: tuple[str, str], **changes: str | None) -> AuthorizationRequest:
    named = {k: v for k, v in (BASE | changes).items() if v is not None}
    request, _ = await validate(CLIENTS, params(*more, **named), hint_subject, signing())
    return request


async def refused(*more: tuple[str, str], **changes: str | None) -> tuple[str, str | None]:
    with pytest.raises(AuthorizationRefused) as caught:
        await judge(*more, **changes)
    assert caught.value.redirect_uri == URI
    return caught.value.cause.code, caught.value.state


async def test_a_good_request_becomes_a_record() -> None:
    """Everything asked for is kept, and nothing else."""
    request = await judge(
        ("resource", API), ("resource", "urn:x:y"), ("unknown", "1"), ("unknown", "2"),
        nonce="n", prompt="login consent", max_age="60", login_hint="ada", id_token_hint="good",
        scope="openid unheard_of", response_mode="query", display="page", acr_values="x",
    )  # fmt: skip
    assert request == AuthorizationRequest(
        client_id="app", redirect_uri=URI, scope=("openid",), state="s1", nonce="n",
        code_challenge=CHALLENGE, prompt=("login", "consent"), max_age=60, login_hint="ada",
        hint_sub="subject for app", resources=(API, "urn:x:y"), claims={"acr": True},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "twice"),
    [
        ({"client_id": None}, ()),
        ({"client_id": "nobody"}, ()),
        ({"client_id": "off"}, ()),
        ({"client_id": "refresher"}, ()),
        ({}, (("client_id", "app"),)),
        ({}, (("redirect_uri", URI),)),
        ({"redirect_uri": "https://evil.example/"}, ()),
        ({"redirect_uri": URI + "\n"}, ()),
        ({"redirect_uri": URI + "x" * 5000}, ()),
    ],
)
async def test_client_and_redirect_uri_are_judged_first(changes, twice) -> None:
    """Whatever else is wrong too: a fault in these two never becomes a redirect."""
    wrong = changes | {"scope": None, "response_type": "token", "prompt": "none login"}
    with pytest.raises(BadAuthorizationRequest):
        await judge(*twice, **wrong)
    with pytest.raises(BadAuthorizationRequest):
        await judge(*twice, **changes)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "id_token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_type": "none"}, "unsupported_response_type"),
        ({"response_type": "CODE"}, "unsupported_response_type"),
        ({"response_mode": "web_message"}, "invalid_request"),
        ({"response_mode": "jwt"}, "invalid_request"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "unheard_of"}, "invalid_scope"),
        ({"scope": "openid email"}, "invalid_scope"),
        ({"scope": 'openid "x"'}, "invalid_scope"),
        ({"scope": "openid\\"}, "invalid_scope"),
        ({"scope": "openid  profile"}, "invalid_scope"),
        ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "create"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"max_age": "1.5"}, "invalid_request"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"max_age": "٣"}, "invalid_request"),
        ({"max_age": "99999999999"}, "invalid_request"),
        ({"id_token_hint": "bad"}, "invalid_request"),
        ({"request": "x.y.z"}, "request_not_supported"),
        ({"request_uri": "https://evil.example/r"}, "request_uri_not_supported"),
        ({"request_uri": "urn:ietf:params:oauth:request_uri:x"}, "request_uri_not_supported"),
        ({"registration": "{}"}, "registration_not_supported"),
        ({"login_hint": "x" * 5000}, "invalid_request"),
        ({"dpop_jkt": "x" * 42}, "invalid_request"),
        ({"dpop_jkt": "x" * 44}, "invalid_request"),
        ({"dpop_jkt": "+" * 43}, "invalid_request"),
        ({"id_token_hint": "good", "claims": SOMEBODY_ELSE}, "invalid_request"),
    ],
)
async def test_every_later_fault_goes_back_to_the_app(changes, code) -> None:
    """With the error of its specification, and the request's state."""
    assert await refused(**changes) == (code, "s1")


async def test_no_age_at_all_is_a_new_sign_in() -> None:
    """``max_age=0`` is ``prompt=login`` (Core §3.1.2.1), however short ago the last one was."""
    assert (await judge(max_age="0", prompt="consent")).prompt == ("consent", "login")
    assert (await judge(max_age="1")).prompt == ()


async def test_a_hint_and_claims_may_name_the_same() -> None:
    """Core §5.5.1: each alone does, too."""
    same = '{"id_token":{"sub":{"value":"subject for app"}}}'
    for changes in (
        {"id_token_hint": "good"},
        {"claims": same},
        {"id_token_hint": "good", "claims": same},
    ):
        assert (await judge(**changes)).hint_sub == "subject for app"


@pytest.mark.parametrize(
    "name",
    ["response_type", "scope", "nonce", "prompt", "max_age", "code_challenge",
     "code_challenge_method", "login_hint", "id_token_hint", "response_mode"],
)  # fmt: skip
async def test_a_parameter_given_twice(name: str) -> None:
    """RFC 6749 §3.1, even with the same value."""
    value = BASE.get(name) or "x"
    assert await refused((name, value), (name, value)) == ("invalid_request", "s1")


async def test_a_state_that_is_no_single_text_is_not_sent_back() -> None:
    """Two states are none; a state with a line break is none."""
    assert await refused(("state", "s2")) == ("invalid_request", None)
    assert await refused(state="a\r\nb") == ("invalid_request", None)
    assert await refused(state="x" * 5000) == ("invalid_request", None)


@pytest.mark.parametrize(
    "resource",
    ["https://other.example", API + "#x", API + "/", "api", "/v1", "https://[", API.upper()],
)
async def test_a_resource_that_is_not_registered(resource: str) -> None:
    """RFC 8707 §2: an absolute URI without fragment, registered exactly."""
    assert await refused(("resource", API), ("resource", resource)) == ("invalid_target", "s1")


async def test_pkce_may_be_waived_for_a_confidential_client_alone() -> None:
    """RFC 9700 §2.1.1: never for a public one, whatever its registration says."""
    without = {"code_challenge": None, "code_challenge_method": None, "scope": "openid"}
    assert (await judge(client_id="exempt", **without)).code_challenge is None
    assert await refused(client_id="pub", **without) == ("invalid_request", "s1")

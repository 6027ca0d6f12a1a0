"""Client authentication: proven or not, and always the same words when not."""

import base64
import hmac
from contextlib import suppress
from typing import Any
from urllib.parse import quote_plus

import pytest

from broker.core import clients
from broker.core.clients import authenticate, digest
from broker.core.errors import InvalidClient, InvalidRequest, UnsupportedGrantType
from broker.core.grants import TokenEndpoint
from broker.core.model import Client
from tests.core.helpers import NOW, Known, kept, params

SECRET = "s3cret+with/odd%chars:and=more"
KNOWN = Known(
    Client("public", "Public"),
    Client("conf", "Confidential", auth_method="client_secret_basic", secrets=(kept(SECRET),)),
    Client("a b:c", "Odd", auth_method="client_secret_basic", secrets=(kept(SECRET),)),
    Client(
        "turning", "Turning", auth_method="client_secret_post",
        secrets=(kept("new"), kept("old", NOW + 10), kept("older", NOW)),
    ),
    Client("bare", "Bare", auth_method="client_secret_post"),
    Client("signs", "Signs", auth_method="private_key_jwt"),
    Client("off", "Off", auth_method="client_secret_post", secrets=(kept("x"),), disabled=True),
    Client("off-public", "Off", disabled=True),
)  # fmt: skip


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


async def prove(authorization: str | None = None, /, **named: str) -> Client:
    return await authenticate(KNOWN, params(**named), authorization, now=NOW)


async def test_a_public_client_names_itself() -> None:
    """RFC 6749 §3.2.1: ``client_id`` is all that a public client has."""
    assert (await prove(client_id="public")).client_id == "public"


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        ({}, "no client is named"),
        ({"client_id": "a-secret-in-the-wrong-place"}, "unknown client 'a-secret'…"),
        ({"client_id": "off", "client_secret": "x"}, "client off: is switched off"),
        (
            {"client_id": "signs", "client_secret": "x"},
            "client signs: has to sign (private_key_jwt)",
        ),
        (
            {"client_id": "public", "client_secret": "x"},
            "client public: is public, yet a secret came",
        ),
        ({"client_id": "conf"}, "client conf: sent no secret"),
        ({"client_id": "conf", "client_secret": "x"}, "client conf: wrong or expired secret"),
        (
            {"client_id": "turning", "client_secret": "older"},
            "client turning: wrong or expired secret",
        ),
    ],
)
async def test_the_log_alone_says_why(sent: dict[str, str], why: str) -> None:
    """An operator can help by the request's identifier; outside all failures read alike."""
    with pytest.raises(InvalidClient) as refused:
        await prove(**sent)
    assert refused.value.private == why
    assert refused.value.public == InvalidClient.title


async def test_basic_raw_and_form_encoded() -> None:
    """RFC 6749 §2.3.1 form-encodes both halves; many libraries do not: both are accepted."""
    assert (await prove(basic("conf", SECRET))).client_id == "conf"
    assert (await prove(basic("conf", quote_plus(SECRET)))).client_id == "conf"
    assert (await prove(basic(quote_plus("a b:c"), quote_plus(SECRET)))).client_id == "a b:c"
    assert (await prove(basic("conf", SECRET), client_id="conf")).client_id == "conf"
    assert (await prove(basic("conf", SECRET).replace("Basic", "bAsIc"))).client_id == "conf"


async def test_post() -> None:
    """A secret in the body is the same proof."""
    assert (await prove(client_id="conf", client_secret=SECRET)).client_id == "conf"


@pytest.mark.parametrize(("secret", "good"), [("new", True), ("old", True), ("older", False)])
async def test_two_secrets_while_one_is_replaced(secret: str, good: bool) -> None:
    """The old secret works until its end, and not at it."""
    if good:
        assert await prove(client_id="turning", client_secret=secret)
    else:
        with pytest.raises(InvalidClient):
            await prove(client_id="turning", client_secret=secret)


@pytest.mark.parametrize("secret", ["new", "old", "wrong"])
async def test_every_secret_is_compared(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In constant time, and to the last: how long it takes tells nothing of which one it was."""
    compared: list[object] = []
    constant = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda *ab: compared.append(ab) or constant(*ab))
    with suppress(InvalidClient):
        await prove(basic("turning", secret))
    assert len(compared) == 2  # the one that is over is none any more


UNPROVEN: dict[str, tuple[str | None, dict[str, str]]] = {
    "nothing": (None, {}),
    "unknown client": (None, {"client_id": "nobody"}),
    "unknown client with a secret": (None, {"client_id": "nobody", "client_secret": SECRET}),
    "wrong secret": (None, {"client_id": "conf", "client_secret": "wrong"}),
    "digest as secret": (None, {"client_id": "conf", "client_secret": digest(SECRET)}),
    "secret in another case": (None, {"client_id": "conf", "client_secret": SECRET.upper()}),
    "no secret": (None, {"client_id": "conf"}),
    "client without any secret": (None, {"client_id": "bare", "client_secret": "x"}),
    "client without any secret, none given": (None, {"client_id": "bare"}),
    "public client with a secret": (None, {"client_id": "public", "client_secret": "x"}),
    "switched off": (None, {"client_id": "off", "client_secret": "x"}),
    "switched off, public": (None, {"client_id": "off-public"}),
    "assertion": (None, {"client_id": "conf", "client_assertion": "x.y.z"}),
    "assertion type alone": (None, {"client_id": "public", "client_assertion_type": "x"}),
    "basic, wrong secret": (basic("conf", "wrong"), {}),
    "basic, unknown": (basic("nobody", SECRET), {}),
    "basic, no secret": (basic("conf", ""), {}),
    "basic, no user": (basic("", SECRET), {}),
    "basic, no colon": ("Basic " + base64.b64encode(b"conf").decode(), {}),
    "basic, not base64": ("Basic !!!", {}),
    "basic, empty": ("Basic ", {}),
    "basic, only the scheme": ("Basic", {}),
    "basic, not UTF-8": ("Basic " + base64.b64encode(b"conf:\xff").decode(), {}),
    "basic, control character": (basic("conf\n", SECRET), {}),
    "basic, not ASCII": ("Basic é", {}),
    "basic, cut base64": (basic("conf", SECRET)[:-3], {}),
    "bearer": ("Bearer x", {}),
    "empty header": ("", {}),
    "digest": ('Digest username="conf"', {}),
}


@pytest.mark.parametrize("case", UNPROVEN)
async def test_what_is_not_proven_is_refused_alike(case: str) -> None:
    """Whatever was wrong, the public words are the same: nobody learns which client exists."""
    header, named = UNPROVEN[case]
    with pytest.raises(InvalidClient) as caught:
        await prove(header, **named)
    assert caught.value.public == InvalidClient.title


async def test_an_unknown_client_costs_what_a_wrong_secret_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As many comparisons: nor does time tell which client exists."""
    seen: list[str] = []
    same = clients._compare
    monkeypatch.setattr(clients, "_compare", lambda *pair: seen.append(pair[0]) or same(*pair))
    counts = []
    for client_id in ("conf", "nobody"):
        seen.clear()
        with pytest.raises(InvalidClient):
            await prove(basic(client_id, "wrong"))
        counts.append(len(seen))
    assert counts[0] >= counts[1] >= 1


@pytest.mark.parametrize(
    ("header", "named"),
    [
        (basic("conf", SECRET), {"client_secret": SECRET}),
        (basic("conf", SECRET), {"client_id": "conf", "client_secret": SECRET}),
        (basic("conf", SECRET), {"client_id": "public"}),
    ],
)
async def test_two_ways_at_once_are_refused(header: str, named: dict[str, Any]) -> None:
    """RFC 6749 §2.3: not more than one method in a request."""
    with pytest.raises(InvalidRequest):
        await prove(header, **named)


def test_only_a_digest_is_kept() -> None:
    """A dump of SQL holds no client secret."""
    assert len(digest(SECRET)) == 64
    assert SECRET not in digest(SECRET)


class _Desk:
    """As much of a counter as a grant type that is not known needs."""

    async def client(self, *_: object) -> Client:
        return await prove(client_id="public")


async def test_a_failure_says_whose_it_is() -> None:
    """For the log: from the moment at which the client is proven."""
    told: list[str] = []
    endpoint = TokenEndpoint(_Desk(), {}, lambda *what: told.append(what[2]))  # type: ignore[arg-type]
    with pytest.raises(UnsupportedGrantType) as refused:
        await endpoint.answer(params(grant_type="password"), None)
    assert refused.value.client is not None
    assert refused.value.client.client_id == "public"
    assert told == ["unsupported_grant_type"]

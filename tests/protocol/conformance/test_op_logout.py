"""Plan oidcc-rp-initiated-logout-certification (RP-Initiated Logout OP).

Each module signs in, sends the browser to the end_session_endpoint, and looks by ``prompt=none``
whether anybody is still signed in. Where the plan asks for a screenshot, the page is looked at.
"""

from typing import Any

import httpx2
import pytest

from tests.core.signers import signs
from tests.protocol.checks import hidden, is_page
from tests.protocol.conformance.suite import Outcome, RelyingParty
from tests.protocol.harness import World
from tests.protocol.tokens import claims_of

BYE = "https://back.example/bye"
STATE = "logout-state-" + "x" * 115  # the plan's has 128 characters, to see that it stays whole


async def leave(rp: RelyingParty, outcome: Outcome, **changes: str | None) -> httpx2.Response:
    """Go to the end_session_endpoint with the plan's parameters, some changed."""
    named: dict[str, Any] = {
        "id_token_hint": outcome.answer["id_token"],
        "post_logout_redirect_uri": BYE,
        "state": STATE,
    }
    sent = {name: value for name, value in (named | changes).items() if value is not None}
    return await rp.browser.http.get("/logout", params=sent)


async def agree(rp: RelyingParty, page: httpx2.Response) -> httpx2.Response:
    """Say yes on the page that asks."""
    is_page(page, 200)
    return await rp.browser.http.post("/logout", data={**hidden(page), "confirm": "yes"})


async def gone(rp: RelyingParty) -> bool:
    """Whether nobody is signed in any more."""
    answer = await rp.browser.http.get("/authorize", params=rp.asks(prompt="none"))
    found = rp.answer(answer)
    assert found.get("error", "login_required") == "login_required"
    return "error" in found


def shown_signed_out(page: httpx2.Response) -> None:
    """A page that says so, not a redirect."""
    assert "signed out" in is_page(page, 200).lower()


async def test_discovery(world: World) -> None:
    """oidcc-rp-initiated-logout-discovery-endpoint-verification."""
    metadata = (await world.api.get("/.well-known/openid-configuration")).json()
    assert metadata["end_session_endpoint"].startswith("https://")


async def test_logout(rp: RelyingParty) -> None:
    """oidcc-rp-initiated-logout: back to the client with the state, and nobody is signed in."""
    answer = await leave(rp, await rp.run())
    assert (answer.status_code, answer.headers["location"]) == (303, f"{BYE}?state={STATE}")
    assert await gone(rp)


@pytest.mark.parametrize("uri", ["https://back.example/other", f"{BYE}?extra=1"])
async def test_bad_redirect_uri(rp: RelyingParty, uri: str) -> None:
    """oidcc-rp-initiated-logout-bad-post-logout-redirect-uri, …-query-added: no redirect."""
    page = await leave(rp, await rp.run(), post_logout_redirect_uri=uri)
    shown_signed_out(await agree(rp, page))
    assert await gone(rp)


async def test_modified_hint(rp: RelyingParty) -> None:
    """oidcc-rp-initiated-logout-modified-id-token-hint: it proves nothing, and leads nowhere."""
    outcome = await rp.run()
    head, body, signature = outcome.answer["id_token"].split(".")
    page = await leave(rp, outcome, id_token_hint=f"{head}.{body}.{signature[4:]}AAAA")
    assert not await gone(rp)
    shown_signed_out(await agree(rp, page))


async def test_bad_hint(rp: RelyingParty, world: World) -> None:
    """oidcc-rp-initiated-logout-bad-id-token-hint: a hint that somebody else has signed."""
    outcome = await rp.run()
    hint = signs("RS256").sign(claims_of(outcome.answer["id_token"]))
    page = await leave(rp, outcome, id_token_hint=hint)
    assert not await gone(rp)
    shown_signed_out(await agree(rp, page))


async def test_no_hint(rp: RelyingParty) -> None:
    """oidcc-rp-initiated-logout-no-id-token-hint: without a client, the address leads nowhere."""
    page = await leave(rp, await rp.run(), id_token_hint=None)
    shown_signed_out(await agree(rp, page))
    assert await gone(rp)


async def test_no_params(rp: RelyingParty) -> None:
    """oidcc-rp-initiated-logout-no-params."""
    outcome = await rp.run()
    page = await leave(rp, outcome, id_token_hint=None, post_logout_redirect_uri=None, state=None)
    shown_signed_out(await agree(rp, page))
    assert await gone(rp)


async def test_no_redirect_uri(rp: RelyingParty) -> None:
    """oidcc-rp-initiated-logout-no-post-logout-redirect-uri: signed out, and told so here."""
    shown_signed_out(await leave(rp, await rp.run(), post_logout_redirect_uri=None))
    assert await gone(rp)


async def test_no_state(rp: RelyingParty) -> None:
    """oidcc-rp-initiated-logout-no-state: none comes back."""
    answer = await leave(rp, await rp.run(), state=None)
    assert (answer.status_code, answer.headers["location"]) == (303, BYE)
    assert await gone(rp)


async def test_only_state(rp: RelyingParty) -> None:
    """oidcc-rp-initiated-logout-only-state."""
    outcome = await rp.run()
    page = await leave(rp, outcome, id_token_hint=None, post_logout_redirect_uri=None)
    shown_signed_out(await agree(rp, page))
    assert await gone(rp)

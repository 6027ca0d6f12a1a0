"""Which pages of other origins may read which answers."""

import pytest

from broker.core import errors as e
from broker.web.routes import ROUTES, Cors
from tests.web import fakes
from tests.web.client import FORM, edge
from tests.web.test_routes import example

CALLS = [(entry, "POST" if "POST" in entry.methods else "GET") for entry in ROUTES]
OTHER = "https://evil.example"


def ids(call) -> str:
    return call[0].path


@pytest.mark.parametrize("call", CALLS, ids=ids)
@pytest.mark.parametrize("origin", [None, fakes.ORIGIN, OTHER, "null"])
async def test_matrix(call, origin: str | None) -> None:
    """Public documents are for all, programs' endpoints for registered origins, pages for none."""
    entry, method = call
    headers = FORM | ({"origin": origin} if origin else {})
    async with edge(fakes.Core(e.InvalidGrant())) as client:
        answer = await client.request(method, example(entry.path), headers=headers)
    allowed = answer.headers.get("access-control-allow-origin")
    if entry.cors is Cors.ANY:
        assert (allowed, "vary" in answer.headers) == ("*", False)
    elif entry.cors is Cors.CLIENTS:
        assert allowed == (origin if origin == fakes.ORIGIN else None)
        assert answer.headers["vary"] == "Origin"
    else:
        assert allowed is None
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("call", CALLS, ids=ids)
@pytest.mark.parametrize("origin", [fakes.ORIGIN, OTHER])
async def test_preflights(call, origin: str) -> None:
    """A preflight is answered for the same origins, is kept by the browser, and reaches no core."""
    entry, method = call
    core = fakes.Core()
    asked = {"origin": origin, "access-control-request-method": method}
    async with edge(core) as client:
        answer = await client.options(example(entry.path), headers=asked)
    granted = entry.cors is Cors.ANY or (entry.cors is Cors.CLIENTS and origin == fakes.ORIGIN)
    assert answer.status_code == (405 if entry.cors is Cors.NONE else 204)
    assert ("access-control-allow-origin" in answer.headers) is granted
    assert ("access-control-allow-methods" in answer.headers) is granted
    if granted:
        assert method in answer.headers["access-control-allow-methods"]
        assert "Authorization" in answer.headers["access-control-allow-headers"]
        assert answer.headers["access-control-max-age"] == "7200"
    assert core.calls == []


async def test_origins_may_be_looked_up() -> None:
    """The lookup may be asynchronous; where it fails no origin is allowed, the request goes on."""

    async def known(origin: str) -> bool:
        if origin == OTHER:
            raise e.StoreUnavailable
        return True

    async with edge(fakes.Core(), services={"allowed_origins": known}) as client:
        good = await client.post("/revoke", headers=FORM | {"origin": fakes.ORIGIN})
        bad = await client.post("/revoke", headers=FORM | {"origin": OTHER})
    assert good.headers["access-control-allow-origin"] == fakes.ORIGIN
    assert (bad.status_code, "access-control-allow-origin" in bad.headers) == (200, False)


async def test_two_origins_are_none() -> None:
    """A request that names two origins is allowed neither."""
    headers = [("origin", fakes.ORIGIN), ("origin", fakes.ORIGIN), *FORM.items()]
    async with edge(fakes.Core()) as client:
        answer = await client.post("/revoke", headers=headers)
    assert "access-control-allow-origin" not in answer.headers

"""What the log says of a request, and what it never says."""

import pytest
from structlog.testing import capture_logs

from broker.core import errors as e
from broker.core.outcomes import Redirect
from broker.web.middleware import client_address
from tests.web import fakes
from tests.web.client import FORM, edge


async def lines(core: fakes.Core, method: str, path: str, **request) -> list[dict]:
    with capture_logs() as found:
        async with edge(core) as client:
            await client.request(method, path, **request)
    return found


async def test_one_line_a_request() -> None:
    """Each request is one line: who, what, how it ended, how long it took."""
    (line,) = await lines(fakes.Core(), "POST", "/token", headers=FORM)
    assert isinstance(line.pop("ms"), float)
    assert line == {
        "event": "request",
        "log_level": "info",
        "request_id": "0000000100000002",
        "method": "POST",
        "path": "/token",
        "status": 200,
        "client": "192.0.2.7",
    }


async def test_no_secret_is_logged() -> None:
    """Queries, bodies, headers and cookies stay out, also when the request fails."""
    for outcome in (Redirect("/x?code=s3cret"), e.InvalidRequest(), e.BadCallback()):
        found = await lines(
            fakes.Core(outcome),
            "GET",
            "/login/s3cret/callback?code=s3cret&state=s3cret",
            headers={"cookie": "__Host-broker_session=s3cret", "authorization": "Bearer s3cret"},
        )
        assert "s3cret" not in str(found)


async def test_failures_are_logged_with_their_private_detail() -> None:
    """The log has the code and what only it may have."""
    (line,) = await lines(
        fakes.Core(e.InvalidGrant(private="reused")), "POST", "/token", headers=FORM
    )
    assert (line["status"], line["error"], line["detail"]) == (400, "invalid_grant", "reused")


@pytest.mark.parametrize(
    ("error", "code", "detail"),
    [
        (e.InvalidRequest("PKCE is required"), "invalid_request", "PKCE is required"),
        (e.LoginRequired(), "login_required", None),
        (e.LoginRequired(private="in vain"), "login_required", "in vain"),
    ],
)
async def test_refusals_are_logged_as_the_app_is_told(error, code: str, detail: str | None) -> None:
    """What goes back to an app has its own code in the log, the reason, and whose app it is."""
    refused = e.AuthorizationRefused("https://lantern.example/", None, error)
    refused.client = fakes.APP
    (line,) = await lines(fakes.Core(refused), "GET", "/authorize")
    assert (line["status"], line["error"], line.get("detail")) == (303, code, detail)
    assert line["app"] == "lantern"


async def test_the_unforeseen_is_logged_whole() -> None:
    """An unknown error is in the log with its traceback, under the reference the client got."""
    error = RuntimeError("boom")
    failed, line = await lines(fakes.Core(error), "POST", "/token", headers=FORM)
    assert failed["exc_info"] is error
    assert failed["request_id"] == line["request_id"]
    assert line["status"] == 500


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("192.0.2.7", [b"203.0.113.9"], "192.0.2.7"),
        ("10.0.0.1", [b"203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", [b"1.1.1.1, 203.0.113.9, 10.0.0.2"], "203.0.113.9"),
        ("10.0.0.1", [b"1.1.1.1", b"203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", [b"203.0.113.9, <evil>"], "10.0.0.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", [b"10.0.0.3"], "10.0.0.3"),
    ],
)
def test_forwarded_addresses(peer: str, forwarded: list[bytes], expected: str) -> None:
    """X-Forwarded-For counts as far as trusted proxies wrote it, and no further."""
    from ipaddress import ip_network

    scope = {"client": (peer, 1), "headers": [(b"x-forwarded-for", v) for v in forwarded]}
    assert client_address(scope, [ip_network("10.0.0.0/8")]) == expected

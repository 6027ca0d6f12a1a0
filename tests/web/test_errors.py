"""What HTTP makes of each failure."""

import html
import re
from dataclasses import replace

import pytest

from broker.core import errors as e
from broker.web import problems
from broker.web.errors import STATUS
from keys import errors as k
from tests.web import fakes
from tests.web.client import FORM, edge

PROGRAM = [
    (e.InvalidRequest(), 400, "invalid_request"),
    (e.InvalidScope(), 400, "invalid_scope"),
    (e.InvalidTarget(), 400, "invalid_target"),
    (e.InvalidGrant(), 400, "invalid_grant"),
    (e.UnauthorizedClient(), 400, "unauthorized_client"),
    (e.UnsupportedGrantType(), 400, "unsupported_grant_type"),
    (e.InvalidClient(), 401, "invalid_client"),
    (e.StoreUnavailable(), 503, "temporarily_unavailable"),
    (e.UpstreamUnavailable(), 503, "temporarily_unavailable"),
    (e.UpstreamRejected(), 502, "upstream_rejected"),
    (e.BrokerError(), 500, "server_error"),
    (e.AlgorithmOff(), 500, "server_error"),
    (k.StaleKeyring("x"), 503, "temporarily_unavailable"),
    (k.NoSigningKey(None), 503, "temporarily_unavailable"),
    (k.KeyStoreUnavailable("x"), 503, "temporarily_unavailable"),
    (k.SigningFailed("x"), 503, "temporarily_unavailable"),
    (k.VaultUnavailable("x"), 503, "temporarily_unavailable"),
    (k.KeyRecordCorrupt("kid", "why"), 500, "server_error"),
    (KeyError("boom"), 500, "server_error"),
    (TimeoutError(), 500, "server_error"),
]
PERSON = [
    (e.BadAuthorizationRequest(), 400),
    (e.ForeignBrowser(), 403),
    (e.BadForm(), 403),
    (e.RequestExpired(), 400),
    (e.RequestUnknown(), 400),
    (e.BadCallback(), 400),
    (e.SignInRefused(), 403),
    (e.UpstreamPage(), 502),
    (e.InvalidRequest(), 400),
    (e.UpstreamUnavailable(), 503),
    (RuntimeError("boom"), 500),
]
SECRET = "c0ffee-private"


def name(value) -> str:
    return type(value).__name__ if isinstance(value, Exception) else ""


@pytest.mark.parametrize(("error", "status", "code"), PROGRAM, ids=name)
async def test_programs_get_json(error, status: int, code: str) -> None:
    """A failure at /token is a status and an error code, never kept."""
    async with edge(fakes.Core(error)) as client:
        answer = await client.post("/token", headers=FORM)
    body = answer.json()
    assert (answer.status_code, body["error"]) == (status, code)
    assert (answer.headers["cache-control"], answer.headers["pragma"]) == ("no-store", "no-cache")
    assert set(body) == {"error", "error_description"} | ({"reference"} if status == 500 else set())
    assert ("retry-after" in answer.headers) is (status == 503)
    assert "boom" not in answer.text


@pytest.mark.parametrize(("error", "status"), PERSON, ids=name)
async def test_people_get_a_page(error, status: int) -> None:
    """A failure on a person's way is a page with what happened, what to do, and a reference."""
    async with edge(fakes.Core(error)) as client:
        answer = await client.get("/login/discord/callback?state=s")
    assert (answer.status_code, answer.headers["content-type"]) == (
        status,
        "text/html; charset=utf-8",
    )
    assert answer.headers["x-request-id"] in answer.text
    assert ("retry-after" in answer.headers) is (status == 503)
    assert "boom" not in answer.text


async def test_every_error_of_the_core_has_a_status() -> None:
    """No error class is without a status; only the root and an operator's slip are 500."""

    def tree(kind: type) -> set[type]:
        return {kind}.union(*(tree(sub) for sub in kind.__subclasses__()))

    ours = {kind for kind in tree(e.BrokerError) if kind.__module__.startswith(e.__name__)}
    for kind in ours - {e.BrokerError} - tree(e.ServerError):
        assert next(STATUS[c] for c in kind.__mro__ if c in STATUS) != 500, kind
    assert STATUS[problems.BodyTooLarge] == 413


@pytest.mark.parametrize("path", ["/token", "/userinfo", "/authorize"])
@pytest.mark.parametrize(
    "error", [e.InvalidRequest(private=SECRET), e.StoreUnavailable(private=SECRET), OSError(SECRET)]
)
async def test_private_detail_stays_inside(path: str, error) -> None:
    """What an error says for the log alone is in no header and no body."""
    async with edge(fakes.Core(error)) as client:
        answer = await client.post(path, headers=FORM | {"authorization": "Bearer t"})
    assert SECRET not in answer.text + str(answer.headers)


async def test_basic_is_challenged_where_it_was_tried() -> None:
    """401 invalid_client names the scheme that was used (RFC 6749 §5.2), and only then."""
    async with edge(fakes.Core(e.InvalidClient())) as client:
        basic = await client.post("/token", headers=FORM | {"authorization": "Basic eDp5"})
        posted = await client.post("/token", headers=FORM)
    challenge = f'Basic realm="{fakes.ISSUER}", charset="UTF-8"'
    assert basic.headers["www-authenticate"] == challenge
    assert "www-authenticate" not in posted.headers
    assert basic.content == posted.content


async def test_insufficient_scope_names_the_scope() -> None:
    """RFC 6750 §3.1: 403 and the scope that would do."""
    async with edge(fakes.Core(e.InsufficientScope("openid"))) as client:
        answer = await client.get("/userinfo", headers={"authorization": "Bearer t"})
    assert answer.status_code == 403
    challenge = answer.headers["www-authenticate"]
    assert 'error="insufficient_scope"' in challenge
    assert 'scope="openid"' in challenge


async def test_challenges_cannot_be_broken_out_of() -> None:
    """Quotes, backslashes, line breaks and letters beyond ASCII never reach a challenge."""
    async with edge(fakes.Core(e.InvalidToken('a"b\\c\r\nd é'))) as client:
        answer = await client.get("/userinfo", headers={"authorization": "Bearer t"})
    assert "error_description=\"a'b'c''d '\"" in answer.headers["www-authenticate"]


async def test_refusals_go_back_to_the_app() -> None:
    """An error of a validated request is a 303 to the app with error, state and iss."""
    error = e.AuthorizationRefused("https://app.example/cb?x=1", "s t", e.LoginRequired())
    async with edge(fakes.Core(error)) as client:
        answer = await client.get("/authorize")
    assert answer.status_code == 303
    assert answer.headers["location"] == (
        "https://app.example/cb?x=1&error=login_required"
        "&error_description=The+person+is+not+signed+in&state=s+t&iss=https%3A%2F%2Fid.example"
    )


async def test_waiting_is_told_in_words_and_seconds() -> None:
    """An unavailable upstream says when to try again, to machines and to people."""
    error = e.UpstreamUnavailable(retry_after=40, links=[("Back to it", "https://app.example/")])
    async with edge(fakes.Core(error)) as client:
        page = await client.get("/authorize?x=1")
        spent = await client.get("/login/discord/callback?code=1")
    assert page.headers["retry-after"] == "40"
    assert "try again in 40 seconds" in page.text
    assert '<a class="button" href="">Try again</a>' in page.text
    assert "Try again</a>" not in spent.text
    assert 'href="https://app.example/"' in spent.text


async def test_websockets_are_closed() -> None:
    """There is nothing for WebSockets."""
    from broker.web.app import build

    sent = []

    async def send(message) -> None:
        sent.append(message)

    await build(fakes.services(fakes.Core()), fakes.config())({"type": "websocket"}, None, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]


def buttons(page: str) -> list[tuple[str, str]]:
    """What the buttons of an error's page say, and where they lead."""
    found = re.findall(r'<a class="button[^"]*" href="([^"]*)"[^>]*>(.*?)</a>', page)
    return [(label, html.unescape(address)) for address, label in found]


@pytest.mark.parametrize(("error", "status"), PERSON, ids=name)
async def test_each_page_leads_on(error, status: int) -> None:
    """A page that knows nothing better leads to the start page, or loads itself again."""
    async with edge(fakes.Core(error)) as client:
        spent = await client.get("/login/discord/callback?state=s")
        sent = await client.post("/interaction", headers=FORM)
        looked = await client.get("/interaction?request=r")
    assert {spent.status_code, sent.status_code, looked.status_code} == {status}
    assert buttons(spent.text) == buttons(sent.text) == [("Start page", "/")]
    again = ("Try again", "") if status in {500, 503} else ("Start page", "/")
    assert buttons(looked.text) == [again]


@pytest.mark.parametrize(
    ("path", "way"),
    [
        ("/account", ("Your account", "/account")),
        ("/device", ("Enter a code", "/device")),
        ("/logout", ("Back to signing out", "/logout")),
        ("/nowhere", ("Start page", "/")),
    ],
)
async def test_a_page_leads_to_what_its_address_is_about(path: str, way: tuple[str, str]) -> None:
    """So that a form that went wrong is found again."""
    async with edge(fakes.Core()) as client:
        answer = await client.delete(path, headers={"accept": "text/html"})
    assert answer.status_code in {404, 405}
    assert buttons(answer.text) == [way]


@pytest.mark.parametrize("path", ["/admin", "/admin/accounts", "/account/x"])
async def test_a_page_never_leads_to_what_is_not_there(path: str) -> None:
    """A console that is off is not offered by the page that says so."""
    async with edge(fakes.Core(), services={"console": None}) as client:
        answer = await client.get(path, headers={"accept": "text/html"})
    assert answer.status_code == 404
    assert buttons(answer.text) == [("Start page", "/")]


async def test_a_page_leads_into_the_app_that_it_speaks_of() -> None:
    """To where its sign-in begins (OpenID Connect Core §4), or to its home page; https alone."""
    error, told = e.ForeignBrowser(), []
    begins = "https://lantern.example/login?x=1"
    for app in (
        fakes.APP,
        replace(fakes.APP, initiate_login_uri=begins),
        replace(fakes.APP, client_uri="javascript:alert(1)"),
    ):
        error.client = app
        async with edge(fakes.Core(error)) as client:
            told += buttons((await client.get("/interaction?request=r")).text)
    assert told == [
        ("Back to the app", "https://lantern.example/"),
        ("Sign in again", f"{begins}&iss=https%3A%2F%2Fid.example"),
        ("Start page", "/"),
    ]


async def test_who_asks_too_often_may_ask_again() -> None:
    """The same address, after a while."""
    async with edge(fakes.Core(e.TooManyRequests(42))) as client:
        answer = await client.get("/account")
    assert buttons(answer.text) == [("Try again", "")]

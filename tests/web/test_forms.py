"""Strict reading of bodies, queries and tokens."""

import asyncio
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from broker.core.errors import InvalidRequest, InvalidToken
from broker.core.outcomes import Redirect
from broker.web.app import build
from broker.web.forms import _parse, read_body
from broker.web.trace import begin
from tests.pace import stood
from tests.web import fakes
from tests.web.client import FORM, edge, part, raw

TYPE = (b"content-type", b"application/x-www-form-urlencoded")


def app(core: fakes.Core, **changes):
    return build(fakes.services(core), fakes.config(**changes))


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded",
        "application/x-www-form-urlencoded; charset=UTF-8",
        'Application/X-WWW-Form-Urlencoded;charset="utf-8"',
    ],
)
async def test_forms_are_read(content_type: str) -> None:
    """A form arrives decoded, repeated fields and all."""
    core = fakes.Core()
    body = b"a=%C3%BC+1&b=&r=1&r=2"
    async with edge(core) as client:
        answer = await client.post("/token", content=body, headers={"content-type": content_type})
    assert answer.status_code == 200
    params = core.calls[0][1]
    assert (params.one("a"), params.one("b"), params.many("r")) == ("ü 1", None, ("1", "2"))


@given(st.lists(st.sampled_from([*b"a=&%+;2cCfF3", 0xC3, 0xBC, 0]), max_size=30).map(bytes))
def test_forms_are_read_as_python_reads_them(raw: bytes) -> None:
    """Names and values are what ``parse_qsl`` makes of them; what it cannot decode is refused."""
    try:
        expected = parse_qsl(raw.decode(), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        with pytest.raises(InvalidRequest):
            _parse(raw)
    else:
        assert _parse(raw) == expected


@pytest.mark.parametrize("path", ["/token", "/revoke", "/authorize", "/interaction", "/logout"])
@pytest.mark.parametrize(
    "content_type",
    ["application/json", "multipart/form-data; boundary=x", "text/plain", "",
     "application/x-www-form-urlencoded; charset=utf-16"],
)  # fmt: skip
async def test_anything_but_a_form_is_refused(path: str, content_type: str) -> None:
    """A JSON body or any other is 400 and reaches no core."""
    core = fakes.Core()
    async with edge(core) as client:
        answer = await client.post(
            path, content=b'{"grant_type":"x"}', headers={"content-type": content_type}
        )
    assert answer.status_code == 400
    assert "invalid_request" in answer.text
    assert core.calls == []


@pytest.mark.parametrize("body", [b"a=%ff", b"a=\xff", b"&".join(b"f%d=1" % i for i in range(101))])
async def test_malformed_forms_are_refused(body: bytes) -> None:
    """What is not UTF-8, or has over a hundred fields, is invalid_request."""
    async with edge(fakes.Core()) as client:
        answer = await client.post("/token", content=body, headers=FORM)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_a_large_body_is_refused_by_its_own_word() -> None:
    """A declared length over the limit is 413 before a byte is read, and the connection ends."""
    core = fakes.Core()
    for length in (b"65537", b"9" * 50, b"9" * 5000, b"-1", b"x"):
        sent, read = await raw(
            app(core), [part(b"a=1")], headers=[TYPE, (b"content-length", length)]
        )
        assert (sent[0]["status"], read) == (413, 0)
        assert (b"connection", b"close") in sent[0]["headers"]
    assert core.calls == []


async def test_a_large_body_is_read_no_further_than_the_limit() -> None:
    """An undeclared body is 413 at the part that passes the limit; the rest stays unread."""
    core = fakes.Core()
    pieces = [part(b"x" * 40_000, more=True)] * 10
    sent, read = await raw(app(core), pieces)
    assert (sent[0]["status"], read, core.calls) == (413, 2, [])


async def test_a_body_of_the_largest_size_is_read() -> None:
    """The limit itself is allowed, in one part or many."""
    core = fakes.Core()
    body = b"a=" + b"x" * 65_534
    for pieces in ([part(body)], [part(body[:30_000], more=True), part(body[30_000:])]):
        sent, _ = await raw(app(core), pieces)
        assert sent[0]["status"] == 200
    assert len(core.calls) == 2


@pytest.mark.parametrize("pieces", [[], [part(b"a=1", more=True)]], ids=["silent", "stops"])
async def test_slow_bodies(pieces: list) -> None:
    """A body that does not come, or stops coming, is 408, and the connection ends."""
    edge_app = app(fakes.Core(), body_timeout=0.05, deadline=0.05 if not pieces else 5.0)
    sent, _ = await asyncio.wait_for(raw(edge_app, pieces), 2)
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]


async def test_a_body_that_came_while_the_process_stood_still_is_read() -> None:
    """Its parts lay in the socket when the time for them was over."""

    async def receive() -> dict:
        stood(60.0)
        await asyncio.sleep(0)
        return next(pieces)

    pieces = iter((part(b"a=1", more=True), part(b"&b=", more=True), part(b"2")))
    scope = {"type": "http", "method": "POST", "headers": []}
    begin(scope, "of this test")
    assert await read_body(Request(scope, receive), fakes.config()) == b"a=1&b=2"


async def test_a_slow_body_harms_nobody_else() -> None:
    """While one body is awaited others are answered."""
    edge_app = app(fakes.Core(), body_timeout=0.3, deadline=0.3)
    slow = asyncio.create_task(raw(edge_app, []))
    await asyncio.sleep(0)
    sent, _ = await raw(edge_app, [part(b"a=1")])
    assert sent[0]["status"] == 200
    assert not slow.done()
    assert (await slow)[0][0]["status"] == 408


async def test_a_client_that_leaves_is_not_answered() -> None:
    """A closed connection while the body is read: no answer, no call, no error."""
    core = fakes.Core()
    sent, _ = await raw(app(core), [part(b"a=1", more=True), {"type": "http.disconnect"}])
    assert (sent, core.calls) == ([], [])


async def test_our_own_slowness_is_503() -> None:
    """What takes longer than the deadline is given up: 503 and when to try again."""
    core = fakes.Core(before=asyncio.Event().wait)
    sent, _ = await raw(app(core, deadline=0.05), [part(b"a=1")])
    assert sent[0]["status"] == 503
    assert (b"retry-after", b"2") in sent[0]["headers"]


@pytest.mark.parametrize("path", ["/token", "/revoke"])
@pytest.mark.parametrize(
    "query", ["client_secret=s", "code=c", "refresh_token=", "a=1&token=t", "c%6Fde=1", "a=%ff"]
)
async def test_no_secret_in_the_url(path: str, query: str) -> None:
    """A credential in the URL is refused, even when it stands in the body too."""
    core = fakes.Core()
    async with edge(core) as client:
        answer = await client.post(f"{path}?{query}", data={"grant_type": "x"})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert core.calls == []


async def test_the_query_never_mixes_into_the_form() -> None:
    """Only the body counts at the token endpoint."""
    core = fakes.Core()
    async with edge(core) as client:
        await client.post("/token?grant_type=a&trace=1", data={"grant_type": "b"})
    assert core.calls[0][1].one("grant_type") == "b"


async def test_long_queries_are_refused() -> None:
    """A query over the limit is 414."""
    async with edge(fakes.Core(), query_limit=100) as client:
        answer = await client.get("/authorize?state=" + "x" * 100)
    assert answer.status_code == 414


async def test_authorization_is_handed_on_as_it_came() -> None:
    """The core sees the Authorization header whole; two of them are refused here."""
    core = fakes.Core()
    async with edge(core) as client:
        await client.post("/token", headers=FORM | {"authorization": "Basic eDp5"})
        twice = [*FORM.items(), ("authorization", "Basic eDp5"), ("authorization", "Basic eDp5")]
        answer = await client.post("/token", headers=twice)
    assert core.calls[0][2] == "Basic eDp5"
    assert (answer.status_code, len(core.calls)) == (400, 1)


@pytest.mark.parametrize(
    ("method", "query", "headers", "body", "status"),
    [
        ("GET", "", [("authorization", "Bearer tok")], None, 200),
        ("GET", "", [("authorization", "bearer tok")], None, 200),
        ("POST", "", [("authorization", "Bearer tok")], None, 200),
        ("POST", "", [], "access_token=tok", 200),
        ("GET", "", [], None, 401),
        ("GET", "?access_token=tok", [], None, 401),
        ("GET", "", [("authorization", "Basic eDp5")], None, 401),
        ("POST", "", [], "a=1", 401),
        ("GET", "?access_token=tok", [("authorization", "Bearer tok")], None, 400),
        ("POST", "", [("authorization", "Bearer tok")], "access_token=tok", 400),
        ("POST", "", [], "access_token=tok&access_token=tok", 400),
        ("GET", "", [("authorization", "Bearer tok")] * 2, None, 400),
        ("GET", "", [("authorization", "Bearer")], None, 400),
        ("GET", "", [("authorization", "Bearer a b")], None, 400),
        ("GET", "", [("authorization", "Bearer a,b")], None, 400),
    ],
)
async def test_bearer_tokens(method, query, headers, body, status) -> None:
    """One token, from the header or the form (RFC 6750 §2); in the URL it never counts."""
    core = fakes.Core({"sub": "1"})
    sent = [*headers, *(FORM.items() if body else ())]
    async with edge(core) as client:
        answer = await client.request(method, f"/userinfo{query}", headers=sent, content=body)
    assert answer.status_code == status
    assert core.calls == ([("userinfo", "tok")] if status == 200 else [])
    if status == 401:
        bearer, bound = answer.headers.get_list("www-authenticate")
        assert bearer == f'Bearer realm="{fakes.ISSUER}"'
        assert bound.startswith(f'DPoP realm="{fakes.ISSUER}", algs="')  # RFC 9449 §7.1
        assert answer.content == b""
    if status == 400:
        assert 'error="invalid_request"' in answer.headers["www-authenticate"]


async def test_a_refused_token_is_challenged() -> None:
    """A bad token is 401 with the reason in the challenge."""
    async with edge(fakes.Core(InvalidToken())) as client:
        answer = await client.get("/userinfo", headers={"authorization": "Bearer t"})
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def test_a_foreign_logout_post_goes_round_to_a_get() -> None:
    """A POST without our cookie is sent to a GET that has it, with the known parameters only."""
    core = fakes.Core(Redirect("/x"))
    async with edge(core) as client:
        answer = await client.post("/logout", data={"state": "a b", "evil": "1", "client_id": "c"})
    assert (answer.status_code, core.calls) == (303, [])
    assert answer.headers["location"] == "/logout?client_id=c&state=a+b"


@pytest.mark.parametrize(("field", "called"), [("csrf", "confirm"), ("state", "begin")])
async def test_a_logout_post_with_our_cookie(field: str, called: str) -> None:
    """Our form's token makes it the person's answer; anything else begins a logout."""
    core = fakes.Core(Redirect("/x"))
    async with edge(core) as client:
        cookie = {"cookie": "__Host-broker_session=s"}
        await client.post("/logout", data={field: "1"}, headers=cookie)
    assert core.calls[0][0] == called


async def test_each_page_endpoint_calls_its_service() -> None:
    """The endpoints hand the core what the browser brought."""
    core = fakes.Core(Redirect("/x"))
    async with edge(core) as client:
        await client.get("/authorize?a=1")
        await client.post("/authorize", data={"a": "1"})
        await client.get("/interaction?request=h")
        await client.get("/interaction")
        await client.post("/interaction", data={"decision": "deny"})
        await client.get("/login/discord/callback?state=s")
        await client.get("/logout?state=s")
    seen = [(c[0], *[a for a in c[1:] if isinstance(a, str | bool | None)]) for c in core.calls]
    assert seen == [
        ("authorize", False), ("authorize", True), ("interact", "h"), ("interact", None),
        ("decide",), ("callback", "discord"), ("begin",),
    ]  # fmt: skip

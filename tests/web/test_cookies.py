"""Our cookies, written and read."""

import pytest

from broker.core.outcomes import Redirect
from tests.web import fakes
from tests.web.client import edge

ATTRIBUTES = "Path=/; HttpOnly; SameSite=Lax; Secure"


async def read(header: list[str], *, secure: bool = True):
    core = fakes.Core(Redirect("/x"))
    async with edge(core, secure=secure) as client:
        answer = await client.get(
            "/authorize", headers=[(b"cookie", item.encode("latin-1")) for item in header]
        )
    assert answer.status_code == 303
    return core.calls[0][2]


async def test_written_cookies_are_host_bound() -> None:
    """Cookies are __Host-, Secure, HttpOnly, SameSite=Lax, for the whole host and no other."""
    async with edge(fakes.Core(Redirect("/x", session="s1", browser="b1"))) as client:
        answer = await client.get("/login/discord/callback")
    assert answer.headers.get_list("set-cookie") == [
        f"__Host-broker_browser=b1; Max-Age=2592000; {ATTRIBUTES}",
        f"__Host-broker_session=s1; Max-Age=2592000; {ATTRIBUTES}",
    ]


async def test_plain_http_has_unprefixed_cookies() -> None:
    """On a plain-http loopback issuer browsers refuse the prefix and Secure: neither is there."""
    async with edge(fakes.Core(Redirect("/x", session="s1")), secure=False) as client:
        answer = await client.get("/authorize")
    assert answer.headers["set-cookie"] == (
        "broker_session=s1; Max-Age=2592000; Path=/; HttpOnly; SameSite=Lax"
    )
    assert (await read(["broker_session=s1"], secure=False)).session == "s1"


@pytest.mark.parametrize("outcome", [Redirect("/x", end_session=True), fakes.SIGNED_OUT])
async def test_the_end_of_a_session_replaces_its_cookie(outcome) -> None:
    """After logout the browser holds no session, only that it signed out."""
    async with edge(fakes.Core(outcome)) as client:
        answer = await client.get("/logout")
    assert answer.headers["set-cookie"] == (
        f"__Host-broker_session=signed-out; Max-Age=2592000; {ATTRIBUTES}"
    )


async def test_a_page_may_bind_the_browser() -> None:
    """A page sets the binding cookie and leaves the session alone."""
    async with edge(fakes.Core(fakes.CONSENT)) as client:
        answer = await client.get("/interaction?request=r")
    assert [c.split("=")[0] for c in answer.headers.get_list("set-cookie")] == [
        "__Host-broker_browser"
    ]


async def test_a_value_that_would_break_the_header_is_never_sent() -> None:
    """A cookie value with anything but handle characters is our bug: 500, no header split."""
    async with edge(fakes.Core(Redirect("/x", session="a; Domain=evil\r\n"))) as client:
        answer = await client.get("/authorize")
    assert (answer.status_code, "set-cookie" in answer.headers) == (500, False)


@pytest.mark.parametrize(
    ("header", "session", "key"),
    [
        ([], None, None),
        (["__Host-broker_session=s1; __Host-broker_browser=b1"], "s1", "b1"),
        (["a=1;__Host-broker_session=s1 ; b"], "s1", None),
        (
            ["__Host-broker_session=s1; __Host-broker_session=s2; __Host-broker_browser=b"],
            None,
            "b",
        ),
        (["__Host-broker_session=s1", "__Host-broker_session=s1"], None, None),
        (["__Host-broker_session="], None, None),
        (["broker_session=s1"], None, None),
        (['__Host-broker_session="s1"'], None, None),
        (["__Host-broker_session=" + "x" * 1025], None, None),
        (["__Host-broker_session=\xe9; ;;==; __Host-broker_browser"], None, None),
    ],
)
async def test_reading(header: list[str], session: str | None, key: str | None) -> None:
    """A cookie that is doubled, unprefixed or malformed counts as absent; it is never a 500."""
    browser = await read(header)
    assert (browser.session, browser.key) == (session, key)


async def test_the_device_is_printable_and_short() -> None:
    """The User-Agent is cut and cleaned before it is kept."""
    core = fakes.Core(Redirect("/x"))
    async with edge(core) as client:
        await client.get("/authorize", headers={"user-agent": "Fox\t1" + "x" * 500})
    assert core.calls[0][2].device == "Fox1" + "x" * 196

"""Redirect URIs: compared character by character, but for the port of a native app's loopback."""

from urllib.parse import urlencode

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from broker.core import redirects
from broker.core.errors import BadAuthorizationRequest
from broker.core.model import Client

WEB = "https://app.example/callback"
WEB_QUERY = "https://app.example/callback?from=broker"
LOOPBACK = "http://127.0.0.1/callback"
LOOPBACK6 = "http://[::1]/callback"
CUSTOM = "com.example.app:/callback"

web = Client("web", "Web", redirect_uris=(WEB,))
two = Client("two", "Two", redirect_uris=(WEB, WEB_QUERY))
native = Client(
    "native", "Native", application_type="native", redirect_uris=(LOOPBACK, LOOPBACK6, CUSTOM)
)


def accepted(client: Client, uri: str) -> bool:
    try:
        return redirects.resolve(client, uri) == uri
    except BadAuthorizationRequest:
        return False


@pytest.mark.parametrize("uri", [WEB, WEB_QUERY])
def test_a_registered_uri_is_accepted(uri: str) -> None:
    """Character by character the same: accepted as it came."""
    assert accepted(two, uri)


@pytest.mark.parametrize(
    "uri",
    [
        "https://app.example/Callback",
        "https://APP.example/callback",
        "HTTPS://app.example/callback",
        "http://app.example/callback",
        "https://app.example/callback/",
        "https://app.example//callback",
        "https://app.example/./callback",
        "https://app.example/x/../callback",
        "https://app.example/callback/..",
        "https://app.example/callback/../callback",
        "https://app.example/callbac%6b",
        "https://app.example/%63allback",
        "https://app.example/callback%2f",
        "https://app.example/callback%00",
        "https://app.example/callback%20",
        "https://app.example/callback?",
        "https://app.example/callback?x=1",
        "https://app.example/callback#",
        "https://app.example/callback#x",
        "https://app.example/callback;x",
        "https://app.example/callback\\",
        "https://app.example\\callback",
        "https://app.example/callback ",
        " https://app.example/callback",
        "https://app.example:443/callback",
        "https://app.example:8443/callback",
        "https://app.example./callback",
        "https://user@app.example/callback",
        "https://user:pass@app.example/callback",
        "https://app.example@evil.example/callback",
        "https://app.example@@evil.example/callback",
        "https://evil.example@app.example@evil.example/callback",
        "https://app.example:443@evil.example/callback",
        "https://app.example%40evil.example/callback",
        "https://evil.example/callback",
        "https://evil.example#@app.example/callback",
        "https://evil.example\\@app.example/callback",
        "https://app.example.evil.example/callback",
        "https://xapp.example/callback",
        "https://sub.app.example/callback",
        "//app.example/callback",
        "/callback",
        "callback",
        "javascript:alert(1)",
        "data:text/html,x",
        "https:app.example/callback",
        "https:///app.example/callback",
        "https://\u0430pp.example/callback",
        "https://app.example/callb\u0430ck",
        "https://app.example/callback\u200b",
        "https://app\u3002example/callback",
        "https://app.example/callback\t",
        "https://app.example/call\nback",
        "",
    ],
)  # fmt: skip
@pytest.mark.parametrize("client", [web, two, native], ids=["web", "two", "native"])
def test_a_variation_is_refused(client: Client, uri: str) -> None:
    """RFC 9700 §4.1.3: no normalization of any kind, so nothing slips through one."""
    assert not accepted(client, uri)


@pytest.mark.parametrize(
    "uri",
    ["https://app.example/callback?from=broker&x=1", "https://app.example/callback?From=broker",
     "https://app.example/callback?from=broker#", "https://app.example/callback?from=broke%72",
     "https://app.example/callback?x=1&from=broker"],
)  # fmt: skip
def test_a_registered_query_cannot_be_changed(uri: str) -> None:
    """CVE-2026-3872: a query is part of what was registered."""
    assert not accepted(two, uri)


def test_one_registered_uri_may_be_omitted_and_one_of_two_may_not() -> None:
    """RFC 6749 §3.1.2.3."""
    assert redirects.resolve(web, None) == WEB
    with pytest.raises(BadAuthorizationRequest):
        redirects.resolve(two, None)
    with pytest.raises(BadAuthorizationRequest):
        redirects.resolve(Client("none", "None"), None)


@pytest.mark.parametrize("uri", [LOOPBACK, LOOPBACK6])
@pytest.mark.parametrize("port", ["", ":1", ":80", ":51004", ":65535"])
def test_a_native_app_may_use_any_loopback_port(uri: str, port: str) -> None:
    """RFC 8252 §7.3: the operating system gives the port at the moment of the request."""
    assert accepted(native, uri.replace("/callback", f"{port}/callback"))


@pytest.mark.parametrize(
    "uri",
    [
        "http://localhost:51004/callback",
        "http://127.0.0.2:51004/callback",
        "http://127.1:51004/callback",
        "http://2130706433:51004/callback",
        "http://0:51004/callback",
        "http://0.0.0.0:51004/callback",
        "http://[::]:51004/callback",
        "http://[0:0:0:0:0:0:0:1]:51004/callback",
        "http://[::ffff:127.0.0.1]:51004/callback",
        "https://127.0.0.1:51004/callback",
        "HTTP://127.0.0.1:51004/callback",
        "http://127.0.0.1:51004/",
        "http://127.0.0.1:51004",
        "http://127.0.0.1:51004/callback/",
        "http://127.0.0.1:51004/Callback",
        "http://127.0.0.1:51004/callback?x=1",
        "http://127.0.0.1:51004/callback#x",
        "http://127.0.0.1:51004/x/../callback",
        "http://127.0.0.1:51004/callbac%6b",
        "http://127.0.0.1:/callback",
        "http://127.0.0.1:65536/callback",
        "http://127.0.0.1:99999999999999999999/callback",
        "http://127.0.0.1:000080/callback",
        pytest.param(f"http://127.0.0.1:{'9' * 5000}/callback", id="port of 5000 digits"),
        pytest.param(f"http://[::1]:{'0' * 5000}1/callback", id="port of 5000 noughts"),
        "http://127.0.0.1:+80/callback",
        "http://127.0.0.1:-1/callback",
        "http://127.0.0.1: 80/callback",
        "http://127.0.0.1:\u0668\u0660/callback",
        "http://127.0.0.1:8_0/callback",
        "http://127.0.0.1:80:81/callback",
        "http://user@127.0.0.1:51004/callback",
        "http://127.0.0.1:51004@evil.example/callback",
        "http://127.0.0.1@evil.example/callback",
        "http://127.0.0.1:x@evil.example/callback",
        "http://127.0.0.1.evil.example:51004/callback",
        "http://127.0.0.1evil.example/callback",
        "http://[::1].evil.example/callback",
        "http://[::1]:51004@evil.example/callback",
        "http://127.0.0.1\\@evil.example/callback",
        "http://127.0.0.1;51004/callback",
        "com.example.app:/Callback",
        "com.example.app://callback",
        "com.example.app:/callback?x=1",
        "com.example.app:51004/callback",
        "com.example.apps:/callback",
        "COM.example.app:/callback",
    ],
)  # fmt: skip
def test_nothing_but_the_port_may_differ(uri: str) -> None:
    """CVE-2024-8883: the loopback rule opens the port and nothing else."""
    assert not accepted(native, uri)


@pytest.mark.parametrize("uri", ["http://localhost/callback", "http://localhost:1234/callback"])
def test_localhost_has_no_free_port(uri: str) -> None:
    """RFC 8252 §8.3: a name may lead elsewhere; registered exactly it is accepted, no more."""
    client = Client("l", "L", application_type="native", redirect_uris=(uri,))
    assert accepted(client, uri)
    assert not accepted(client, "http://localhost:51004/callback")


def test_a_web_client_has_no_free_port() -> None:
    """The loopback rule is for native apps; a web client's development address is exact."""
    client = Client("dev", "Dev", redirect_uris=("http://127.0.0.1:8000/callback",))
    assert accepted(client, "http://127.0.0.1:8000/callback")
    assert not accepted(client, "http://127.0.0.1:8001/callback")


def test_a_registered_port_may_differ_too_and_a_registered_query_stays() -> None:
    """RFC 8252 §7.3 looks away from the port on both sides."""
    client = Client(
        "n", "N", application_type="native", redirect_uris=("http://127.0.0.1:7777/cb?app=1",)
    )
    assert accepted(client, "http://127.0.0.1:9999/cb?app=1")
    assert not accepted(client, "http://127.0.0.1:9999/cb")


@pytest.mark.parametrize("rest", ["", "?app=1", "/cb"])
def test_the_port_stands_at_the_end_of_the_host(rest: str) -> None:
    """Whatever follows it, or nothing; where more of a host follows it was no port."""
    for host in ("127.0.0.1", "[::1]"):
        client = Client(
            "n", "N", application_type="native",
            redirect_uris=(f"http://{host}{rest}", f"http://{host}.example{rest}"),
        )  # fmt: skip
        assert accepted(client, f"http://{host}:9999{rest}")
        assert not accepted(client, f"http://{host}:9999.example{rest}")


@st.composite
def mutations(draw: st.DrawFn) -> tuple[str, str]:
    """A registered URI, and the same after one insertion, deletion, replacement or doubling."""
    uri = draw(st.sampled_from([WEB, WEB_QUERY]))
    at = draw(st.integers(0, len(uri)))
    piece = draw(
        st.one_of(
            st.sampled_from(["/", ".", "..", "%2e", "%2f", "@", ":", "?", "#", "\\", "&", " "]),
            st.text(min_size=1, max_size=3),
        )
    )
    cut = draw(st.integers(0, 2))
    return uri, uri[:at] + piece + uri[at + cut :]


@given(mutations())
def test_no_mutation_of_a_registered_uri_is_accepted(pair: tuple[str, str]) -> None:
    """Equal is accepted, everything else refused: for web and native clients alike."""
    _, changed = pair
    assume(changed not in {WEB, WEB_QUERY})
    assert not accepted(two, changed)
    assert not accepted(
        Client("n", "N", application_type="native", redirect_uris=(WEB, WEB_QUERY)), changed
    )


@given(st.integers(0, 30), st.text(min_size=1, max_size=4), st.integers(0, 2))
def test_no_mutation_of_a_loopback_uri_but_its_port_is_accepted(
    at: int, piece: str, cut: int
) -> None:
    """What is accepted for a native app differs from a registered URI in digits of a port alone."""
    changed = LOOPBACK[:at] + piece + LOOPBACK[at + cut :]
    if accepted(native, changed):
        host, path = "http://127.0.0.1", "/callback"
        assert changed.startswith(host)
        assert changed.endswith(path)
        port = changed[len(host) : -len(path)]
        assert not port or (port[0] == ":" and port[1:].isascii() and port[1:].isdigit())


@pytest.mark.parametrize(
    ("uri", "proven"),
    [
        ("https://app.example/cb", True),
        ("https://app.example:8443/cb", True),
        ("http://app.example/cb", False),
        ("http://127.0.0.1:1/cb", False),
        ("https://127.0.0.1/cb", False),
        ("https://127.8.8.8/cb", False),
        ("https://[::1]/cb", False),
        ("https://[::ffff:127.0.0.1]/cb", False),
        ("https://localhost/cb", False),
        ("https://localhost./cb", False),
        ("https://app.localhost/cb", False),
        ("com.example.app:/cb", False),
    ],
)
def test_only_https_to_another_machine_proves_a_client(uri: str, proven: bool) -> None:
    """RFC 8252 §8.6: what any local app could claim is shown a page, whoever operates it."""
    assert redirects.proves_client(uri) is proven


def test_an_answer_keeps_the_query_and_leaves_out_what_is_none() -> None:
    """RFC 6749 §4.1.2: the registered query is retained; values are encoded."""
    answer = {"code": "a b&c", "state": None, "iss": "https://id.example"}
    tail = "code=a+b%26c&iss=https%3A%2F%2Fid.example"
    assert redirects.answer_url(WEB, answer) == f"{WEB}?{tail}"
    assert redirects.answer_url(WEB_QUERY, answer) == f"{WEB_QUERY}&{tail}"
    assert redirects.answer_url(CUSTOM, answer) == f"{CUSTOM}?{tail}"
    assert redirects.answer_url(WEB, {"state": None}) == WEB


@given(st.text(st.characters(codec="utf-8")))
def test_whatever_an_app_sends_comes_back_encoded_as_a_form(state: str) -> None:
    """RFC 6749 Appendix B: nothing of a state can end its value, or the address."""
    answer = {"code": "plain-1.2_3~4", "state": state}
    assert redirects.answer_url(WEB, answer) == f"{WEB}?{urlencode(answer)}"


def test_what_a_page_says_of_the_way_on() -> None:
    """The CSP source covers the address, and people read a host or that it is an app."""
    assert redirects.origin(WEB) == "https://app.example"
    assert redirects.origin("http://127.0.0.1:51004/cb") == "http://127.0.0.1:51004"
    assert redirects.origin(CUSTOM) == "com.example.app:"
    assert redirects.shown_host(WEB) == "app.example"
    assert "com.example.app:" in redirects.shown_host(CUSTOM)

"""Authorization endpoint: what is wrong with a request, and where the error goes."""

from urllib.parse import urlencode

import pytest

from tests.core.signers import jwks, signs
from tests.protocol.actors import App, Browser
from tests.protocol.checks import answered, is_page, is_refusal
from tests.protocol.harness import World
from tests.protocol.known import API, BACK, CUSTOM, FRONT, ISSUER, NATIVE, ORIGIN, POST, TWO
from tests.upstream.receiving import answer as http
from tests.upstream.receiving import receiving

FORM = {"content-type": "application/x-www-form-urlencoded"}
EVIL = "https://evil.example/callback"

VARIATIONS = [
    EVIL,
    "https://front.example/callback?x=1",
    "https://front.example/callback?",
    "https://front.example/Callback",
    "https://FRONT.example/callback",
    "https://front.example/callback/",
    "https://front.example/./callback",
    "https://front.example/callback/../callback",
    "https://front.example/%63allback",
    "https://user@front.example/callback",
    "https://front.example@evil.example/callback",
    "https://front.example/callback@evil.example@front.example",
    "https://front.example/callback#fragment",
    "https://front.example:443/callback",
    "http://front.example/callback",
    "https://front.example\\@evil.example/callback",
    "javascript:alert(1)",
    "//evil.example/callback",
    "https://front.example/callback\r\nset-cookie: x=y",
]


@pytest.mark.parametrize("uri", VARIATIONS)
async def test_redirect_uri_not_registered(browser: Browser, app: App, uri: str) -> None:
    """A redirect URI that differs in anything is answered with a page, never a redirect."""
    answer = await browser.authorize(app, redirect_uri=uri)
    assert "evil.example" not in is_page(answer)
    posted = await browser.http.post("/authorize", data=app.asks(redirect_uri=uri))
    is_page(posted)


async def test_redirect_uri_absent_while_two_are_registered(world: World, browser: Browser) -> None:
    """Where two are registered, none is guessed; where one is, it is used."""
    is_page(await browser.authorize(world.app(TWO), redirect_uri=None))


@pytest.mark.parametrize(
    "changed",
    ["https://two.example/b", "https://two.example/b?x=2", "https://two.example/b?x=1&y=2",
     "https://two.example/a?x=1"],
)  # fmt: skip
async def test_registered_query_changed(world: World, browser: Browser, changed: str) -> None:
    """A query is part of what was registered."""
    is_page(await browser.authorize(world.app(TWO), redirect_uri=changed))


async def test_registered_query_is_kept(world: World, browser: Browser) -> None:
    """The answer is added to the registered query (RFC 6749 §3.1.2)."""
    app = world.app(TWO)
    app.redirect_uri = TWO.redirect_uris[1]
    answer = await browser.arrive(app)
    assert answer.headers["location"].startswith("https://two.example/b?x=1&code=")


async def test_one_redirect_uri_may_be_omitted_throughout(browser: Browser, app: App) -> None:
    """RFC 6749 §4.1.3: omitted in the request, it need not be named with the code either."""
    code = await browser.code(app, redirect_uri=None, scope="profile")
    answer = await app.redeem(code, redirect_uri=None)
    assert answer.status_code == 200


async def test_redirect_uri_omitted_by_an_openid_request(browser: Browser, app: App) -> None:
    """OpenID Connect Core §3.1.2.1: it is REQUIRED there, however many are registered."""
    is_page(await browser.authorize(app, redirect_uri=None))


async def test_loopback_port_of_a_native_app_may_differ(world: World, browser: Browser) -> None:
    """RFC 8252 §7.3: the answer goes to the port that the request named."""
    app = world.app(NATIVE)
    app.redirect_uri = "http://127.0.0.1:51004/callback"
    tokens = await browser.tokens(app)
    assert tokens["access_token"]


@pytest.mark.parametrize(
    "uri",
    ["http://localhost:51004/callback", "http://127.0.0.1:51004/other", "http://[::1]/callback",
     "http://127.0.0.1:51004@evil.example/callback", "https://127.0.0.1:51004/callback",
     "http://127.0.0.1.evil.example/callback", "http://127.0.0.1:51004/callback?x=1"],
)  # fmt: skip
async def test_loopback_anything_but_the_port(world: World, browser: Browser, uri: str) -> None:
    """CVE-2024-8883: the loopback rule opens nothing else."""
    is_page(await browser.authorize(world.app(NATIVE), redirect_uri=uri))


@pytest.mark.parametrize("client_id", [None, "nobody", "", "x" * 300, "front\n", "' OR 1=1 --"])
async def test_unknown_client(browser: Browser, app: App, client_id: str | None) -> None:
    """A client that is not registered is answered with a page."""
    is_page(await browser.authorize(app, client_id=client_id))


async def test_disabled_client(world: World, browser: Browser) -> None:
    """A client that is switched off is answered with a page, as soon as it is followed."""
    app = await world.new_app(FRONT)
    assert (await browser.authorize(app)).status_code == 303
    await world.edit(app, disabled=True)
    is_page(await browser.authorize(app))


@pytest.mark.parametrize(
    "wrong",
    [{"response_type": "bad"}, {"response_type": None}, {"scope": "bad"}, {"scope": None},
     {"prompt": "none login"}, {"code_challenge": None}, {"request_uri": EVIL}],
)  # fmt: skip
async def test_anything_wrong_together_with_an_evil_redirect_uri(
    browser: Browser, app: App, wrong: dict[str, str | None]
) -> None:
    """CVE-2026-41479: the redirect URI is judged before anything is sent to it."""
    answer = await browser.authorize(app, redirect_uri=EVIL, **wrong)
    assert "evil" not in is_page(answer)


@pytest.mark.parametrize(
    "kind", ["token", "id_token", "code id_token", "code token", "id_token token", "none", "device"]
)
async def test_response_types_not_enabled(browser: Browser, app: App, kind: str) -> None:
    """Only the code flow is offered."""
    is_refusal(await browser.authorize(app, response_type=kind), app, "unsupported_response_type")


async def test_response_type_missing(browser: Browser, app: App) -> None:
    """RFC 6749 §4.1.2.1: a required parameter is missing."""
    is_refusal(await browser.authorize(app, response_type=None), app, "invalid_request")


@pytest.mark.parametrize("scope", [None, "", "unheard_of", "openid\\"])
async def test_scope_bad_or_missing(browser: Browser, app: App, scope: str | None) -> None:
    """Nothing is asked for, or nothing that we know."""
    is_refusal(await browser.authorize(app, scope=scope), app, "invalid_scope")


@pytest.mark.parametrize(
    "name", ["state", "scope", "response_type", "nonce", "code_challenge", "prompt", "max_age"]
)
async def test_parameter_given_twice(browser: Browser, app: App, name: str) -> None:
    """RFC 6749 §3.1, in the query and in a posted form; a doubled state is not sent back."""
    asks = app.asks(prompt="login", max_age="1")
    pairs = [*asks.items(), (name, asks[name])]
    state = None if name == "state" else "its own"
    is_refusal(await browser.http.get("/authorize", params=pairs), app, "invalid_request",
               state=state)  # fmt: skip
    content = urlencode(pairs)
    posted = await browser.http.post("/authorize", content=content, headers=FORM)
    is_refusal(posted, app, "invalid_request", state=state)


@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
async def test_client_id_or_redirect_uri_given_twice(browser: Browser, app: App, name: str) -> None:
    """Then nobody knows where an answer belongs, even if both are the same."""
    asks = app.asks()
    is_page(await browser.http.get("/authorize", params=[*asks.items(), (name, asks[name])]))


async def test_resource_may_repeat(world: World, browser: Browser) -> None:
    """RFC 8707 §2: and each of them is granted."""
    app = world.app(BACK)
    pairs = [*app.asks().items(), ("resource", API), ("resource", "https://other-api.example")]
    answer = await browser.go_on(await browser.http.get("/authorize", params=pairs))
    assert answered(answer, app)["code"]


@pytest.mark.parametrize("resource", ["https://evil.example", API + "#x", "relative"])
async def test_resource_not_registered(world: World, browser: Browser, resource: str) -> None:
    """RFC 8707 §2: a token for somebody else's service is not handed out."""
    app = world.app(BACK)
    is_refusal(await browser.authorize(app, resource=resource), app, "invalid_target")


@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": None},
        {"code_challenge": "too-short"},
        {"code_challenge": "=" * 43},
        {"code_challenge": "x" * 44},
        {"code_challenge": None},
    ],
)
async def test_pkce_missing_plain_or_malformed(
    world: World, browser: Browser, changes: dict[str, str | None]
) -> None:
    """RFC 9700 §2.1.1: for public and, by default, for confidential clients."""
    for client in (world.app(BACK), world.app(NATIVE), world.app(CUSTOM)):
        is_refusal(await browser.authorize(client, **changes), client, "invalid_request")


async def test_pkce_exempted_in_the_registration(world: World, browser: Browser) -> None:
    """A confidential client may be exempted, and then signs in without."""
    app = world.app(POST)
    code = await browser.code(app, code_challenge=None, code_challenge_method=None)
    assert (await app.redeem(code, code_verifier=None)).status_code == 200


@pytest.mark.parametrize(
    "prompt", ["none login", "none consent", "login none select_account", "create", "NONE", "x"]
)
async def test_prompt_none_with_another_or_unknown(browser: Browser, app: App, prompt: str) -> None:
    """OpenID Connect Core §3.1.2.1."""
    is_refusal(await browser.authorize(app, prompt=prompt), app, "invalid_request")


@pytest.mark.parametrize(
    "uri", ["https://evil.example/request.jwt", "http://127.0.0.1:1/", "file:///etc/passwd",
            "urn:ietf:params:oauth:request_uri:not-ours"],
)  # fmt: skip
async def test_request_uri_not_ours(browser: Browser, app: App, uri: str) -> None:
    """CVE-2020-10770: nothing is fetched, on GET and POST alike."""
    is_refusal(await browser.authorize(app, request_uri=uri), app, "request_uri_not_supported")
    posted = await browser.http.post("/authorize", data=app.asks(request_uri=uri))
    is_refusal(posted, app, "request_uri_not_supported")


async def test_request_uri_is_not_fetched(world: World, browser: Browser) -> None:
    """CVE-2020-10770: somebody listens there, and hears nothing; not even of a client with keys."""
    signing = await world.new_app(BACK, jwks=jwks(signs("RS256")))
    async with receiving(http(b"{}")) as (port, requests):
        uri = f"http://127.0.0.1:{port}/request.jwt"
        for app in (world.app(FRONT), signing):
            refused = await browser.authorize(app, request_uri=uri)
            is_refusal(refused, app, "request_uri_not_supported")
    assert requests == []


async def test_request_object_and_registration(browser: Browser, app: App) -> None:
    """OpenID Connect Core §6 and §7.2.1: what is not offered is refused by its own error."""
    is_refusal(await browser.authorize(app, request="a.b.c"), app, "request_not_supported")
    is_refusal(await browser.authorize(app, registration="{}"), app, "registration_not_supported")


@pytest.mark.parametrize("max_age", ["-1", "soon", "1e3", "99999999999"])
async def test_max_age_malformed(browser: Browser, app: App, max_age: str) -> None:
    """A number of seconds, or an error."""
    is_refusal(await browser.authorize(app, max_age=max_age), app, "invalid_request")


async def test_state_comes_back_as_it_was(browser: Browser, app: App) -> None:
    """Whatever the client put into it; a value that could break a header is refused."""
    app.state = "a b&c=d%20é/?#\"'<>"
    answered(await browser.arrive(app), app)
    is_refusal(await browser.authorize(app, state="a\r\nb"), app, "invalid_request", state=None)


async def test_iss_is_ours_whatever_the_request_says(browser: Browser, app: App) -> None:
    """RFC 9207: the issuer comes from configuration, not from Host or a proxy's headers."""
    forged = {
        "host": "evil.example",
        "x-forwarded-host": "evil.example",
        "x-forwarded-proto": "http",
        "forwarded": "host=evil.example",
    }
    answer = await browser.http.get("/authorize", params=app.asks(prompt="none"), headers=forged)
    is_refusal(answer, app, "login_required")
    for path in ("openid-configuration", "oauth-authorization-server"):
        document = (await browser.http.get(f"/.well-known/{path}", headers=forged)).json()
        assert document["issuer"] == ISSUER
        assert "evil" not in str(document)


async def test_no_cors_for_pages(browser: Browser, app: App) -> None:
    """No other origin reads what a browser is shown here."""
    answer = await browser.http.get("/authorize", params=app.asks(), headers={"origin": ORIGIN})
    assert not [name for name in answer.headers if name.startswith("access-control")]

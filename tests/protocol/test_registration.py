"""Clients that register themselves: RFC 7591 and OpenID Connect Dynamic Registration 1.0."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from html import unescape

import pytest
import pytest_asyncio
from joserfc.jwk import OKPKey

from broker.core.clients import digest
from tests.protocol.actors import Browser
from tests.protocol.checks import is_challenge, is_page, is_refusal, query_of
from tests.protocol.harness import Shelf, World, begin
from tests.protocol.known import ADA, ISSUER
from tests.protocol.registering import (
    PUBLIC,
    WANTED,
    app_of,
    bearer,
    edit,
    kept,
    register,
    registered,
    ticket,
)
from tests.upstream.receiving import answer as http
from tests.upstream.receiving import receiving


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def open_world(
    shared: Shelf, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """A broker where anybody may register."""
    folder = tmp_path_factory.mktemp("open")
    allow = ("127.0.0.1",)
    async with begin(shared, folder, registration="open", outbound_allow=allow) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def world(open_world: World) -> World:
    await open_world.reset()
    return open_world


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def gated_world(
    shared: Shelf, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """A broker where those may register who have an initial access token."""
    async with begin(shared, tmp_path_factory.mktemp("gated"), registration="token") as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def gated(gated_world: World) -> World:
    await gated_world.reset()
    return gated_world


async def test_a_registered_client_is_told_all_of_itself(world: World) -> None:
    """RFC 7591 §3.2.1, RFC 7592 §3: 201, every member, a secret of 256 bits, not to be kept."""
    answer = await register(world)
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    assert answer.headers["content-type"] == "application/json"
    told = answer.json()
    assert told["client_id_issued_at"] == int(world.clock.now())
    assert told["client_secret_expires_at"] == 0
    assert len(told["client_secret"]) == len(told["registration_access_token"]) == 43
    assert told["registration_client_uri"] == f"{ISSUER}/register/{told['client_id']}"
    ours = {"client_id", "client_id_issued_at", "client_secret", "client_secret_expires_at"}
    ours |= {"registration_access_token", "registration_client_uri"}
    assert {name: value for name, value in told.items() if name not in ours} == WANTED | {
        "application_type": "web",
        "scope": "openid profile email offline_access",
        "response_types": ["code"],
        "id_token_signed_response_alg": "RS256",
        "subject_type": "public",
    }


async def test_neither_secret_nor_token_is_kept(world: World) -> None:
    """Only digests are, and the audit log knows that the client did it."""
    told = await registered(world)
    client = await kept(world, told)
    assert client.secrets[0].digest == digest(told["client_secret"])
    assert client.registration_digest == digest(told["registration_access_token"])
    (event,) = await world.audit("client.added")
    assert (event.event.actor, event.event.client_id) == ("client", told["client_id"])
    assert told["client_secret"] not in str(event)


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "none"])
async def test_a_registered_client_signs_people_in(world: World, method: str) -> None:
    """At once; people are asked for their consent, whatever it said of itself."""
    told = await registered(world, token_endpoint_auth_method=method, first_party=True)
    assert ("client_secret" in told) is (method != "none")
    app, browser = await app_of(world, told), world.browser()
    page = await browser.arrive(app)
    assert page.status_code == 200
    assert "Lantern" in page.text
    code = (await browser.go_on(await browser.decide(page, "allow"))).headers["location"]
    assert code.startswith("https://lantern.example/cb?")
    tokens = await browser.tokens(app, ADA, scope="openid offline_access", prompt="consent")
    assert (await app.refresh(tokens["refresh_token"])).status_code == 200


async def test_a_client_of_fapi_keeps_its_refresh_token(world: World) -> None:
    """FAPI 2.0 Security Profile §5.3.2.1: no rotation; an operator's own choice stays."""
    fapi = {
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": {"keys": [OKPKey.generate_key("Ed25519").as_dict(private=False)]},
        "require_pushed_authorization_requests": True,
        "dpop_bound_access_tokens": True,
    }
    told = await registered(world, **fapi)
    assert (await kept(world, told)).rotate_refresh_tokens is False
    for changes, rotates in (({"dpop_bound_access_tokens": False}, True), (fapi, False)):
        assert (await edit(world, told, **changes)).status_code == 200
        assert (await kept(world, told)).rotate_refresh_tokens is rotates
    public = await registered(world, **fapi | {"token_endpoint_auth_method": "none", "jwks": None})
    assert (await kept(world, public)).rotate_refresh_tokens is True


@pytest.mark.parametrize("method", ["client_secret_basic", "none"])
async def test_its_bad_links_lead_nowhere_by_themselves(world: World, method: str) -> None:
    """RFC 9700 §4.11.2: anybody may register any address; going there is for the person to say."""
    app = await app_of(world, await registered(world, token_endpoint_auth_method=method))
    page = is_page(await world.browser().authorize(app, response_type="token"))
    assert "Go back to lantern.example" in page
    (back,) = (at for at in re.findall(r'href="([^"]*)"', page) if "error=" in at)
    assert back.startswith("https://lantern.example/cb?")
    told = query_of(back)
    assert (told["error"], told["state"]) == ("unsupported_response_type", app.state)
    assert told["iss"] == ISSUER
    page = is_page(
        await world.browser().authorize(app, response_mode="form_post", response_type="token")
    )
    assert '<form method="post" action="https://lantern.example/cb">' in page
    silent = await world.browser().authorize(app, prompt="none", response_type="token")
    is_refusal(silent, app, "unsupported_response_type")
    twice = await world.browser().authorize(app, prompt=["none", "none"])
    assert "error=invalid_request" in is_page(twice)


async def test_nor_do_its_links_to_a_request_that_is_gone(world: World) -> None:
    """The same for what was pushed; nothing is lost, the app hears of it if the person wants."""
    app = await app_of(world, await registered(world))
    changes = {"request_uri": "urn:ietf:params:oauth:request_uri:garbage"}
    page = is_page(await world.browser().authorize(app, **changes))
    assert "error=request_uri_not_supported" in page


async def test_its_people_say_no_and_are_back(world: World) -> None:
    """Whoever was asked has said that they want to go there."""
    app, browser = await app_of(world, await registered(world)), world.browser()
    page = await browser.arrive(app)
    is_refusal(await browser.decide(page, "deny"), app, "access_denied")


async def test_it_counts_at_once_though_its_name_was_asked_for_before(world: World) -> None:
    """An identifier looked up too early is kept as unknown for 3 s, but not where it was made."""
    told = await registered(world)
    followed = world.sql.followed_clients
    followed.forget(told["client_id"])
    followed._unknown[told["client_id"]] = world.clock.now() + 3
    assert await followed.find(told["client_id"]) is None
    followed.forget(told["client_id"])
    assert await followed.find(told["client_id"]) is not None


async def test_a_page_that_registers_may_call_the_token_endpoint(world: World) -> None:
    """A public client's own origins may, at once; a confidential one's have no need to."""
    await registered(world, **PUBLIC)
    await registered(world, redirect_uris=["https://back.lantern.example/cb"])
    for origin, allowed in (("https://lantern.example", True), ("https://back.lantern.example", 0)):
        answer = await world.api.options("/token", headers={"origin": origin})
        assert (answer.headers.get("access-control-allow-origin") == origin) is bool(allowed)


PRIVATE = OKPKey.generate_key("Ed25519").as_dict(private=True)
OPERATORS_OWN = {
    "first_party": True, "require_pkce": False, "audience": "https://api.example",
    "resources": ["https://api.example"], "origins": ["https://evil.example"],
    "exchange": ["impersonation"], "rotate_refresh_tokens": False, "disabled": True,
    "access_token_lifetime": 3600, "id_token_lifetime": 3600, "grant_lifetime": 10**7,
    "grant_idle": 10**7, "id_token_at_refresh": False, "client_id": "front",
    "client_secret_digests": [{"sha256": "0" * 64, "created_at": 1}],
    "registration_access_token_digest": "0" * 64,
}  # fmt: skip


async def test_nobody_gives_himself_what_operators_give(world: World) -> None:
    """Such members are passed by; the registration is as if they were not there."""
    plain, greedy = await registered(world), await registered(world, **OPERATORS_OWN)
    assert greedy.keys() == plain.keys()
    first, second = await kept(world, plain), await kept(world, greedy)
    for name in OPERATORS_OWN.keys() - {"client_id"}:
        if hasattr(first, name):
            assert getattr(first, name) == getattr(second, name), name
    assert second.first_party is False
    assert second.require_pkce is True
    assert greedy["client_id"] != "front"
    assert second.secrets[0].digest == digest(greedy["client_secret"])


async def test_a_scope_is_narrowed_to_what_anybody_may_have(world: World) -> None:
    """RFC 7591 §3.2.1: the answer says what was registered."""
    assert (await registered(world, scope="openid root email"))["scope"] == "openid email"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"redirect_uris": None}, "invalid_redirect_uri"),
        ({"redirect_uris": []}, "invalid_redirect_uri"),
        ({"redirect_uris": "https://lantern.example/cb"}, "invalid_redirect_uri"),
        ({"redirect_uris": ["javascript:alert(1)"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["data:text/html,x"], "application_type": "native"},
         "invalid_redirect_uri"),
        ({"redirect_uris": ["http://lantern.example/cb"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://lantern.example/cb#x"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://*.example/cb"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://lantern.example\\@evil.example/"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://lantern.example/\u0000"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://läntern.example/cb"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://lantern.example/" + "a" * 2000]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://a.example"] * 60}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://[::1"]}, "invalid_redirect_uri"),
        ({"client_name": "Lantern\u202e"}, "invalid_client_metadata"),
        ({"client_name": "\ud800"}, "invalid_client_metadata"),
        ({"client_name": "x" * 101}, "invalid_client_metadata"),
        ({"client_name": {"en": "x"}}, "invalid_client_metadata"),
        ({"logo_uri": "javascript:alert(1)"}, "invalid_client_metadata"),
        ({"client_uri": "http://lantern.example"}, "invalid_client_metadata"),
        ({"tos_uri": "//lantern.example"}, "invalid_client_metadata"),
        ({"client_name#ko": "x" * 101}, "invalid_client_metadata"),
        ({"logo_uri#ko": "javascript:alert(1)"}, "invalid_client_metadata"),
        ({"client_uri#ko-KR": "http://lantern.example"}, "invalid_client_metadata"),
        ({"policy_uri#ko": "https://me:pw@lantern.example/"}, "invalid_client_metadata"),
        ({"tos_uri#ko": "//lantern.example"}, "invalid_client_metadata"),
        ({"support_uri": "javascript:alert(1)"}, "invalid_client_metadata"),
        ({"support_uri": "mailto:help@lantern.example\r\nbcc:x"}, "invalid_client_metadata"),
        ({"support_uri#ko": "http://lantern.example"}, "invalid_client_metadata"),
        ({"brand_accent": "#ffcc00"}, "invalid_client_metadata"),
        ({"brand_accent": "#fff"}, "invalid_client_metadata"),
        ({"brand_accent": "#14604f;}body{display:none"}, "invalid_client_metadata"),
        ({"brand_accent": ["#14604f"]}, "invalid_client_metadata"),
        ({"grant_types": ["client_credentials"]}, "invalid_client_metadata"),
        ({"grant_types": ["urn:ietf:params:oauth:grant-type:token-exchange"]},
         "invalid_client_metadata"),
        ({"grant_types": ["implicit"]}, "invalid_client_metadata"),
        ({"response_types": ["code id_token"]}, "invalid_client_metadata"),
        ({"scope": "profile"}, "invalid_client_metadata"),
        ({"scope": 5}, "invalid_client_metadata"),
        ({"token_endpoint_auth_method": "client_secret_jwt"}, "invalid_client_metadata"),
        ({"token_endpoint_auth_method": "tls_client_auth"}, "invalid_client_metadata"),
        ({"id_token_signed_response_alg": "none"}, "invalid_client_metadata"),
        ({"id_token_signed_response_alg": "HS256"}, "invalid_client_metadata"),
        ({"id_token_encrypted_response_alg": "RSA-OAEP"}, "invalid_client_metadata"),
        ({"subject_type": "secret"}, "invalid_client_metadata"),
        ({"application_type": "toaster"}, "invalid_client_metadata"),
        ({"default_max_age": "60"}, "invalid_client_metadata"),
        ({"contacts": "me@lantern.example"}, "invalid_client_metadata"),
        ({"jwks": {"keys": [{"kty": "RSA"}]}}, "invalid_client_metadata"),
        ({"jwks": {"keys": [PRIVATE]}}, "invalid_client_metadata"),
        ({"jwks": "keys"}, "invalid_client_metadata"),
        ({"jwks": {"keys": [{"kty": "oct", "k": "AAAA" * 16}]}}, "invalid_client_metadata"),
        ({"jwks_uri": "http://169.254.169.254/keys"}, "invalid_client_metadata"),
        ({"jwks_uri": "https://10.0.0.1/keys"}, "invalid_client_metadata"),
        ({"backchannel_logout_uri": "https://localhost/bye"}, "invalid_client_metadata"),
        ({"post_logout_redirect_uris": ["javascript:alert(1)"]}, "invalid_client_metadata"),
        ({"initiate_login_uri": "http://lantern.example"}, "invalid_client_metadata"),
    ],
)  # fmt: skip
async def test_hostile_metadata(world: World, changes: dict, error: str) -> None:
    """RFC 7591 §3.2.2: 400, the code, a sentence that names the member; nothing is registered."""
    before = len(await world.sql.clients.list())
    members = {name: value for name, value in (WANTED | changes).items() if value is not None}
    answer = await world.api.post(
        "/register", content=json.dumps(members), headers={"content-type": "application/json"}
    )
    assert (answer.status_code, answer.json()["error"]) == (400, error), answer.text
    assert answer.json()["error_description"].startswith(next(iter(changes)) + ": ")
    assert answer.headers["cache-control"] == "no-store"
    assert len(await world.sql.clients.list()) == before


async def test_it_may_say_how_it_looks(world: World) -> None:
    """Its colour, and its name and addresses in other languages (RFC 7591 §2.2), told as sent.

    An edit that leaves them out takes them away (RFC 7592 §2.2).
    """
    said = {
        "brand_accent": "#7A1FA2",
        "support_uri": "mailto:help@lantern.example",
        "client_name#ko": "등불",
        "client_name#zh-Hant": "燈籠",
        "client_uri#ko": "https://lantern.example/ko",
        "logo_uri#ko": "https://lantern.example/ko.svg",
        "policy_uri#ko": "https://lantern.example/ko/privacy",
        "tos_uri#ko": "https://lantern.example/ko/terms",
    }
    told = await registered(world, **said, **{"client_name#fr": "", "scope#ko": "openid"})
    assert {name: one for name, one in told.items() if "#" in name or name in said} == said
    client = await kept(world, told)
    assert client.brand_accent == "#7A1FA2"
    assert client.translations == {name: one for name, one in said.items() if "#" in name}
    page = await world.browser().arrive(await app_of(world, told), ui_locales="ko-KR")
    assert "등불" in page.text
    answer = await edit(world, told, **dict.fromkeys(said))
    assert answer.status_code == 200
    after = await kept(world, told)
    assert (after.brand_accent, after.support_uri, after.translations) == (None, None, None)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"grant_types": ["implicit"], "response_types": ["token"]}, "only code is offered"),
        ({"response_types": []}, "must be ['code']"),
        ({"redirect_uris": ["https://läntern.example/cb"]}, "in its xn-- form"),
    ],
)
async def test_what_is_told_helps(world: World, changes: dict, words: str) -> None:
    """A developer reads what to write instead."""
    assert words in (await register(world, **changes)).json()["error_description"]


@pytest.mark.parametrize(
    "wrong",
    [{"client_name#": "x"}, {"client_name#k": "x"}, {"client_name#ko_KR": "x"},
     {"client_name#<b>": "x"}, {"client_name#ko#KR": "x"}, {"client_name#ko": {"x": "y"}},
     {"client_name#ko": ["x"]}, {"client_name#ko": 5},
     {"client_name#ko": "앱\u202e"},
     {f"client_name#ko-{n:04}": "x" for n in range(1900, 1951)}],
    ids=lambda one: next(iter(one)),
)  # fmt: skip
async def test_bad_languages(world: World, wrong: dict) -> None:
    """No tag, too many of them, no text: the member is named, what was sent is not repeated."""
    answer = await register(world, **wrong)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client_metadata")
    assert answer.json()["error_description"].startswith("client_name#: ")
    assert "<b>" not in answer.text


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b'"x"', b"5", b"{", b"{'a': 1}", b'{"a": NaN}', b'{"a": Infinity}',
     b"\xff\xfe", b'{"client_name": "a", "client_name": "b"}', b"[" * 50_000, b"{}" * 2,
     b'{"redirect_uris": ' + b"9" * 5000 + b"}"],
    ids=lambda body: repr(body[:24]),
)  # fmt: skip
async def test_what_is_no_json_object(world: World, body: bytes) -> None:
    """Never a 500."""
    answer = await world.api.post(
        "/register", content=body, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"] in {"invalid_client_metadata", "invalid_redirect_uri"}


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1", None],
)
async def test_a_body_that_is_not_declared_as_json(world: World, kind: str | None) -> None:
    """Another site's form cannot register anything."""
    headers = {} if kind is None else {"content-type": kind}
    answer = await world.api.post("/register", content=json.dumps(WANTED), headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_a_body_over_the_limit(world: World) -> None:
    """413, read no further."""
    answer = await register(world, client_name="x" * 70_000)
    assert answer.status_code == 413


async def test_an_address_that_registers_too_often_waits(world: World) -> None:
    """429 with Retry-After; another address goes on, and so does this one after the hour."""
    statuses = [(await register(world, redirect_uris=[])).status_code for _ in range(101)]
    assert statuses == [400] * 100 + [429]
    answer = await register(world)
    assert (answer.status_code, answer.json()["error"]) == (429, "too_many_requests")
    assert 0 < int(answer.headers["retry-after"]) <= 3600


async def test_a_sector_document_lists_every_redirect_uri(world: World) -> None:
    """Dynamic Registration §5: fetched once, at the registration; else refused."""
    uris = WANTED["redirect_uris"]
    cases = ((uris, True), ([], False), ({uris[0]: 1}, False), ("no json", False))
    for listed, good in cases:
        body = listed.encode() if isinstance(listed, str) else json.dumps(listed).encode()
        async with receiving(http(body)) as (port, seen):
            address = f"http://127.0.0.1:{port}/hosts.json"
            answer = await register(world, sector_identifier_uri=address)
            assert len(seen) == 1
        assert answer.status_code == (201 if good else 400), (listed, answer.text)
        if not good:
            assert answer.json()["error"] == "invalid_client_metadata"
            assert answer.json()["error_description"].startswith("sector_identifier_uri: ")


async def test_a_sector_document_is_asked_again_at_an_edit(world: World) -> None:
    """Where sector or redirect URIs change: nobody moves into a sector that does not know them."""
    uris = [*WANTED["redirect_uris"], "https://lantern.example/other"]
    async with receiving(http(json.dumps(uris).encode())) as (port, seen):
        address = f"http://127.0.0.1:{port}/hosts.json"
        told = await registered(world, sector_identifier_uri=address)
        assert (await edit(world, told, client_name="Lamp")).status_code == 200
        assert len(seen) == 1
        assert (await edit(world, told, redirect_uris=uris)).status_code == 200
        elsewhere, unknown = f"{address}?v=2", [uris[0], "https://lantern.example/unknown"]
        for changes in (
            {"redirect_uris": unknown},
            {"sector_identifier_uri": elsewhere, "redirect_uris": unknown},
        ):
            answer = await edit(world, told, **changes)
            assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client_metadata")
        assert len(seen) == 4


async def test_a_sector_document_that_may_not_be_fetched(world: World) -> None:
    """Nothing inside our network is asked for the sake of a stranger."""
    for address in ("https://192.168.0.1/", "https://metadata.internal/", "file:///etc/passwd"):
        answer = await register(world, sector_identifier_uri=address)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client_metadata")


async def test_an_initial_access_token_lets_in(gated: World) -> None:
    """RFC 7591 §3: without one nobody registers; with one as many as it allows."""
    is_challenge(await register(gated), None)
    answer = await register(gated, ticket(gated))
    assert answer.status_code == 201
    assert (await register(gated, ticket(gated))).status_code == 201


@pytest.mark.parametrize("token", ["x", "A" * 82, "a.b.c"])
async def test_a_token_that_is_not_ours(gated: World, token: str) -> None:
    """401, and nothing that was sent is read: not even a body over the limit."""
    is_challenge(await register(gated, token))
    is_challenge(await register(gated, token, client_name="x" * 70_000))


async def test_a_token_of_another_kind(gated: World, browser: Browser) -> None:
    """A registration access token, or a handle of another kind, is no leave to register."""
    told = (await register(gated, ticket(gated))).json()
    is_challenge(await register(gated, told["registration_access_token"]))


async def test_an_expired_ticket(gated: World) -> None:
    """It ends at its second."""
    token = ticket(gated, lives=60)
    await gated.advance(60)
    is_challenge(await register(gated, token))


async def test_a_ticket_for_one_client(gated: World) -> None:
    """Of many at once exactly one registers; what is refused for its metadata costs nothing."""
    token = ticket(gated, uses=1, number=2)
    assert (await register(gated, token, redirect_uris=[])).status_code == 400
    answers = await asyncio.gather(*(register(gated, token) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [201, 401, 401, 401, 401]


async def test_an_operator_may_let_confidential_clients_off_pkce(gated: World) -> None:
    """By the ticket, never by what is asked; a public client never, not even later."""
    waived, plain = ticket(gated, pkce=False, number=4), ticket(gated)
    for token, method, needed in (
        (waived, "client_secret_basic", False),
        (waived, "none", True),
        (plain, "client_secret_basic", True),
    ):
        answer = await register(gated, token, token_endpoint_auth_method=method, require_pkce=False)
        told = answer.json()
        app, browser = await app_of(gated, told), gated.browser()
        answer = await browser.authorize(app, code_challenge=None, code_challenge_method=None)
        assert ("error=invalid_request" in unescape(answer.text)) is needed
        assert (await kept(gated, told)).require_pkce is needed
    told = (await register(gated, waived)).json()
    for method in ("none", "client_secret_basic"):
        assert (await edit(gated, told, token_endpoint_auth_method=method)).status_code == 200
        assert (await kept(gated, told)).require_pkce is True


async def test_a_revoked_ticket(gated: World) -> None:
    """As an operator's command revokes it."""
    from broker.core.tickets import Ticket

    token = ticket(gated, number=3)
    assert (await register(gated, token)).status_code == 201
    admissions = gated.broker.stores.redis.admissions(gated.clock)
    revoked = Ticket(f"{3:032x}", int(gated.clock.now() + 60))
    await admissions.revoke(revoked, now=gated.clock.now())
    is_challenge(await register(gated, token))


async def test_where_registration_is_off_there_is_nothing(broker_world: World) -> None:
    """404 whatever the method, and discovery does not speak of it."""
    await broker_world.reset()
    for method in ("POST", "GET", "PUT", "DELETE"):
        for path in ("/register", "/register/front"):
            answer = await broker_world.api.request(method, path, headers=bearer("x"))
            assert answer.status_code == 404
    document = (await broker_world.api.get("/.well-known/openid-configuration")).json()
    assert "registration_endpoint" not in document


async def test_discovery_names_the_endpoint_where_it_is_on(world: World, gated: World) -> None:
    """In both documents (Discovery §3, RFC 8414 §2)."""
    for one in (world, gated):
        for name in ("openid-configuration", "oauth-authorization-server"):
            document = (await one.api.get(f"/.well-known/{name}")).json()
            assert document["registration_endpoint"] == f"{ISSUER}/register"

"""What clients see when something is wrong, word for word; changed on purpose only."""

from tests.protocol.actors import App, Browser
from tests.protocol.checks import query_of
from tests.protocol.harness import World
from tests.protocol.known import BACK, ISSUER

TOKEN_ERRORS = {
    "invalid_client": "Client authentication failed",
    "invalid_grant": "The code or token is invalid, expired, used or not yours",
    "invalid_request": "grant_type is missing",
    "invalid_scope": "The scope is invalid, unknown or more than was granted",
    "invalid_target": "The resource is unknown or more than was granted",
    "unauthorized_client": "This client may not use this grant type",
    "unsupported_grant_type": "This grant type is not offered",
}


async def test_token_errors(world: World, browser: Browser) -> None:
    """RFC 6749 §5.2: an error code for the program, a sentence for whoever reads its log."""
    app = world.app(BACK)
    stranger = await world.new_app(BACK, grant_types=("authorization_code",))
    token = (await browser.tokens(app))["refresh_token"]
    liar = world.app(BACK)
    liar.secret = "wrong"
    answers = [
        await liar.refresh(token),
        await app.refresh("garbage"),
        await app.token(code="x"),
        await app.refresh(token, scope="email"),
        await app.refresh(token, resource="https://evil.example"),
        await stranger.refresh(token),
        await app.token(grant_type="password"),
    ]
    found = {a.json()["error"]: a.json()["error_description"] for a in answers}
    assert found == TOKEN_ERRORS
    assert answers[0].headers["www-authenticate"] == f'Basic realm="{ISSUER}", charset="UTF-8"'


async def test_challenges(world: World, browser: Browser, app: App) -> None:
    """RFC 6750 §3 and RFC 9449 §7.1, header for header; without a token both ways are named."""
    token = (await browser.tokens(app, scope="profile"))["access_token"]
    none, bad, little = (
        await world.api.get("/userinfo"),
        await world.userinfo("garbage"),
        await world.userinfo(token),
    )
    assert none.headers["www-authenticate"] == (
        f'Bearer realm="{ISSUER}", DPoP realm="{ISSUER}", algs="PS256 ES256 EdDSA Ed25519"'
    )
    assert bad.headers["www-authenticate"] == (
        f'Bearer realm="{ISSUER}", error="invalid_token", '
        'error_description="The access token is invalid, expired or revoked"'
    )
    assert little.headers["www-authenticate"] == (
        f'Bearer realm="{ISSUER}", error="insufficient_scope", '
        'error_description="The access token does not carry the scope this needs", scope="openid"'
    )


async def test_a_refusal(browser: Browser, app: App) -> None:
    """RFC 6749 §4.1.2.1 and RFC 9207, the whole address."""
    answer = await browser.authorize(app, prompt="none")
    assert query_of(answer.headers["location"]) == {
        "error": "login_required",
        "error_description": "The person is not signed in",
        "state": app.state,
        "iss": ISSUER,
    }


async def test_discovery(world: World) -> None:
    """Every address that discovery names is there."""
    document = (await world.api.get("/.well-known/openid-configuration")).json()
    addresses = [document[name] for name in document if name.endswith(("_endpoint", "_uri"))]
    assert len(addresses) == 9
    for address in addresses:
        assert address.startswith(f"{ISSUER}/")
        answer = await world.api.get(address)
        assert answer.status_code in {200, 400, 401, 405}
        if answer.status_code == 405:
            assert answer.headers["allow"] == "POST"

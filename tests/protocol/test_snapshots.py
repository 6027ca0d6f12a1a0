"""What clients see when something is wrong, word for word; changed on purpose only."""

from tests.protocol.actors import App, Browser
from tests.protocol.checks import is_token_error, query_of
from tests.protocol.harness import World
from tests.protocol.known import BACK, ISSUER

NO_GRANT = "The code or token is invalid, expired, used or not yours"
MISMATCH = (
    "The redirect_uri or the code_verifier is missing, or not that of the request which the code "
    "answers"
)
GRANT_ERRORS = [
    "code_verifier must be 43 to 128 letters, digits or - . _ ~ (RFC 7636 section 4.1)",
    MISMATCH,
    MISMATCH,
    "The code was used before; the tokens that it led to have been revoked",
    "The code has expired: redeem it as soon as it comes",
    "The refresh token was used before: all that came of it has been revoked; keep the newest one",
    NO_GRANT,  # it is gone by now
    "The sign-in that it came from is over: sign in again",
    "The refresh token has expired: sign in again",
    NO_GRANT,
]
TOKEN_ERRORS = {
    "invalid_client": "Client authentication failed",
    "invalid_grant": NO_GRANT,
    "invalid_request": "grant_type is missing",
    "invalid_scope": "The scope is invalid, unknown or more than was granted",
    "invalid_target": "This client is not registered for the resource",
    "unauthorized_client": "This client is not registered for the grant type refresh_token",
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


async def test_why_a_grant_is_invalid(world: World, browser: Browser, app: App) -> None:
    """A client's developer reads what to mend; of what is another client's nobody is told more."""
    used, late = await browser.code(app), await browser.code(app)
    tokens = (await app.redeem(used)).json()
    other = (await browser.tokens(app))["refresh_token"]
    thief = world.app(BACK)
    stolen = [
        await thief.redeem(late, code_verifier=app.verifier, redirect_uri=app.redirect_uri),
        await thief.refresh(other),
    ]
    found = [
        await app.redeem(late, code_verifier="short"),
        await app.redeem(late, code_verifier="w" * 43),
        await app.redeem(late, code_verifier=None),
        await app.redeem(used),
    ]
    await app.refresh(other)
    await world.advance(60)
    found += [await app.redeem(late), await app.refresh(other), await app.refresh(other)]
    ended = (await browser.tokens(app))["refresh_token"]
    await world.advance(8 * 86400)
    found.append(await app.refresh(ended))
    await world.advance(31 * 86400)
    found += [await app.refresh(ended), await app.refresh(tokens["refresh_token"])]
    assert [answer.json()["error_description"] for answer in found] == GRANT_ERRORS
    for answer in (*found, *stolen):
        is_token_error(answer, "invalid_grant")
    assert {answer.json()["error_description"] for answer in stolen} == {NO_GRANT}


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

"""What was begun before an ending stays ended, whatever the person does since."""

from tests.protocol.actors import App, Browser
from tests.protocol.checks import is_page, is_token_error
from tests.protocol.harness import World
from tests.protocol.known import THIRD


async def test_code_of_before_a_sign_out(world: World, browser: Browser, app: App) -> None:
    """A code issued before a sign-out everywhere makes no grant, though its session goes on.

    The ending is committed in SQL but not yet carried to Redis when the person signs in again in
    the same browser.
    """
    code = await browser.code(app)
    account_id = await world.account_of("ada.lindqvist")
    await world.advance(1)
    await world.sql.accounts.sign_out(account_id, world.clock.at)
    await world.advance(1)
    again = world.app(app.client)
    await browser.code(again, prompt="login")
    is_token_error(await app.redeem(code), "invalid_grant")


async def test_client_switched_off_at_the_consent_page(world: World, browser: Browser) -> None:
    """A client that is switched off while its consent page is open gets no code and no consent."""
    app = await world.new_app(THIRD)
    page = await browser.arrive(app)
    await world.edit(app, disabled=True)
    is_page(await browser.decide(page, "allow"))
    assert not await world.audit("consent.given")


async def test_redirect_uri_taken_away_at_the_consent_page(world: World, browser: Browser) -> None:
    """A redirect URI that is no longer registered is not gone to, whatever was begun before."""
    app = await world.new_app(THIRD)
    page = await browser.arrive(app)
    await world.edit(app, redirect_uris=("https://third.example/elsewhere",))
    for decision in ("allow", "deny"):
        is_page(await browser.decide(page, decision))
    is_page(await browser.http.get(f"/interaction?request={page.url.params.get('request')}"))


async def test_lowered_longest_lifetime(world: World, browser: Browser) -> None:
    """No token outlives the longest lifetime of the settings, whatever its client has.

    Retired keys leave the JWKS after that (a client may have been registered under a longer one).
    """
    app = await world.new_app(THIRD, access_token_lifetime=7200)
    tokens = await browser.tokens(app)
    assert tokens["expires_in"] == 3600

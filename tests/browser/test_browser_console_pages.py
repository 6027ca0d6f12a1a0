"""The console's pages in a real browser: each action does what the command line would."""

import re
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest
from playwright.async_api import Page, expect

from broker.core.clients import digest
from tests.browser.operating import Site, inside, shared, site
from tests.browsing import sign_in
from tests.protocol.known import ADA, BACK, FRONT

__all__ = ["inside", "shared", "site"]

pytestmark = [pytest.mark.chromium, pytest.mark.slow]


async def somebody(site: Site, person: str = "ben_okafor") -> str:
    """Somebody with a session and a grant; returns the account."""
    world, app = site.world, site.world.app(FRONT)
    address = f"{site.address}/authorize?{urlencode(app.asks())}"
    async with httpx2.AsyncClient(trust_env=False) as browser:
        back = await sign_in(
            browser, address, app.redirect_uri, discord=world.discord_origin, person=person
        )
    code = parse_qs(urlsplit(back).query)["code"][0]
    assert (await app.redeem(code)).status_code == 200
    return await world.account_of(person)


async def events(site: Site, kind: str) -> list[dict[str, object]]:
    return [dict(entry.event.detail) for entry in await site.world.audit(kind)]


async def test_accounts_are_found_and_looked_at(site: Site, inside: Page) -> None:
    """By part of a name, by Discord's identifier; with what is alive in Redis."""
    account = await somebody(site)
    record = await site.world.sql.accounts.get(account)
    for query in ("okaf", record.identities[0].subject, str(record.email)):
        await inside.goto(f"{site.address}/admin/accounts")
        await inside.get_by_label("Name, username").fill(query)
        await inside.get_by_role("button", name="Search").click()
        await expect(inside.locator("tbody tr")).to_have_count(1)
    await inside.get_by_role("link", name=record.name).click()
    await expect(inside.get_by_text("Sessions, live: 1")).to_be_visible()
    await expect(inside.get_by_text("Grants, live: 1")).to_be_visible()


async def test_an_account_is_switched_off_and_on(site: Site, inside: Page) -> None:
    """What lived has ended; the log names the operator. Nobody switches off themselves."""
    account, operator = await somebody(site), await site.world.account_of(ADA)
    await inside.goto(f"{site.address}/admin/accounts/{account}")
    await inside.get_by_label("Reason").fill("spam")
    await inside.get_by_role("button", name="Switch off").click()
    await expect(inside.get_by_role("status")).to_contain_text("1 session and 1 grant were")
    assert await events(site, "account.disabled") == [{"reason": "spam", "operator": operator}]
    await inside.get_by_role("button", name="Switch on").click()
    await expect(inside.get_by_role("status")).to_contain_text("is switched on")
    await inside.get_by_role("button", name="Sign out everywhere").click()
    await expect(inside.get_by_role("status")).to_contain_text("signed out everywhere")
    for kind in ("account.enabled", "account.signed_out"):
        assert await events(site, kind) == [{"operator": operator}]
    await inside.goto(f"{site.address}/admin/accounts/{operator}")
    await inside.get_by_role("button", name="Switch off").click()
    await expect(inside.get_by_role("alert")).to_contain_text("Not your own account")


async def test_an_app_is_registered_and_its_secret_is_shown_once(site: Site, inside: Page) -> None:
    """Bad values are refused at their fields, as by the command line; nothing typed is lost."""
    await inside.goto(f"{site.address}/admin/clients")
    await inside.get_by_role("link", name="Register an app").click()
    await inside.get_by_label("client_id", exact=True).fill("shop")
    await inside.get_by_label("Name", exact=True).fill("Shop")
    await inside.get_by_label("Redirect URIs").fill("http://shop.example/cb")
    await expect(inside.get_by_label("Access tokens")).to_be_hidden()
    await inside.locator("summary", has_text="How long").press("Enter")
    await inside.get_by_label("Access tokens").fill("soon")
    await inside.get_by_role("button", name="Register").click()
    await expect(inside.get_by_text("write seconds, or a number")).to_be_visible()
    await inside.get_by_role("alert").get_by_role("link", name="Access tokens").click()
    await expect(inside.get_by_label("Access tokens")).to_be_focused()
    await inside.get_by_label("Access tokens").fill("10m")
    await inside.get_by_label("Scopes").fill("openid nobodys")
    await inside.get_by_role("button", name="Register").click()
    await expect(inside.get_by_text("plain http is for this machine alone")).to_be_visible()
    await expect(inside.get_by_text("nobodys is neither")).to_be_visible()
    await inside.get_by_label("Scopes").fill("openid profile")
    await inside.get_by_label("Redirect URIs").fill("https://shop.example/cb")
    await inside.get_by_role("button", name="Register").click()
    secret = await inside.locator("#secret").inner_text()
    record = await site.world.sql.clients.get("shop")
    assert record is not None
    client = record.client
    assert [one.digest for one in client.secrets] == [digest(secret)]
    assert client.redirect_uris == ("https://shop.example/cb",)
    assert (client.access_token_lifetime, client.scopes) == (600, ("openid", "profile"))
    await inside.goto(f"{site.address}/admin/clients/shop")
    assert secret not in await inside.content()
    operator = await site.world.account_of(ADA)
    assert await events(site, "client.added") == [{"operator": operator}]
    await inside.goto(f"{site.address}/admin/clients/new")
    await inside.get_by_label("client_id", exact=True).fill("shop")
    await inside.get_by_label("Name", exact=True).fill("Another")
    await inside.get_by_label("Redirect URIs").fill("https://shop.example/cb")
    await inside.get_by_role("button", name="Register").click()
    await expect(inside.get_by_text("The client_id shop is taken")).to_be_visible()


async def test_an_app_is_edited_switched_off_and_given_a_secret(site: Site, inside: Page) -> None:
    """What the form does not show stays; an edit of an older version is refused."""
    other = await inside.context.new_page()
    for page in (inside, other):
        await page.goto(f"{site.address}/admin/clients/back/edit")
    await inside.get_by_label("Name", exact=True).fill("Back office")
    before = await site.world.sql.clients.get("back")
    assert before is not None
    await inside.get_by_role("button", name="Save").click()
    await expect(inside.get_by_role("status")).to_contain_text("Back office is changed")
    after = await site.world.sql.clients.get("back")
    assert after is not None
    assert after.client.secrets == BACK.secrets
    changed = {
        name
        for name in BACK.__slots__
        if getattr(before.client, name) != getattr(after.client, name)
    }
    assert changed == {"name"}
    await other.get_by_label("Name", exact=True).fill("Too late")
    await other.get_by_role("button", name="Save").click()
    await expect(other.get_by_role("alert")).to_contain_text("changed it meanwhile")
    await inside.get_by_role("button", name="Switch off").click()
    await expect(inside.get_by_role("status")).to_contain_text("switched off")
    await inside.get_by_role("button", name="Switch on").click()
    await inside.get_by_role("button", name="New secret, the old one good").click()
    secret = await inside.locator("#secret").inner_text()
    record = await site.world.sql.clients.get("back")
    assert record is not None
    new, old = record.client.secrets
    assert (new.digest, new.expires_at) == (digest(secret), None)
    assert old.expires_at == site.world.clock.at + 86400
    await inside.get_by_role("button", name="New secret, end the old ones").click()
    record = await site.world.sql.clients.get("back")
    assert record is not None
    assert len(record.client.secrets) == 1


async def test_keys_are_drawn_rotated_and_revoked(site: Site, inside: Page) -> None:
    """As by command: at once where caches know the successor; a revocation has to be typed."""
    await site.world.advance(1700)
    await inside.goto(f"{site.address}/admin/keys")
    assert await inside.locator("svg.picture rect").count() >= 3
    await inside.get_by_role("button", name="Rotate now").click()
    await expect(inside.get_by_role("status")).to_be_visible()
    assert len(await site.world.audit("keys.rotate-now")) == 1
    await site.world.advance(300)
    await inside.get_by_role("button", name="Rotate now").click()
    await expect(inside.get_by_role("alert")).to_be_visible()
    await inside.get_by_role("button", name="Rotate", exact=True).click()
    await expect(inside.get_by_role("status")).to_be_visible()
    kid = str(await inside.locator("#kid option").first.get_attribute("value"))
    await inside.get_by_label("Key", exact=True).select_option(kid)
    await inside.get_by_label("Reason").fill("leaked")
    await inside.get_by_label("To confirm").fill("wrong")
    await inside.get_by_role("button", name="Revoke for good").click()
    await expect(inside.get_by_role("alert")).to_contain_text("nothing was revoked")
    await inside.get_by_label("Key", exact=True).select_option(kid)
    await inside.get_by_label("Reason").fill("leaked")
    await inside.get_by_label("To confirm").fill(kid[:8])
    await inside.get_by_role("button", name="Revoke for good").click()
    await expect(inside.get_by_role("status")).to_be_visible()
    (event,) = await events(site, "keys.revoke")
    assert event["operator"] == await site.world.account_of(ADA)
    records = {one.kid: one for one in await site.world.broker.stores.keys.all()}
    assert records[kid].revoked_reason == "leaked"


async def test_the_log_is_filtered_and_the_first_page_counts(site: Site, inside: Page) -> None:
    """By kind, account, app and day; the charts say how many there were."""
    account = await somebody(site)
    await inside.goto(f"{site.address}/admin")
    await expect(inside.get_by_text("Sign-ins, 14 days: 2")).to_be_visible()
    await inside.goto(f"{site.address}/admin/audit?kind=sign_in&account={account}")
    await expect(inside.locator("tbody tr")).to_have_count(1)
    await inside.goto(f"{site.address}/admin/audit?until=2001-01-01")
    await expect(inside.get_by_text("Nothing fits.")).to_be_visible()
    await inside.goto(f"{site.address}/admin/audit?since=nonsense&before=x")
    await expect(inside.locator("tbody tr").first).to_be_visible()


async def test_registers_and_policies_are_told_in_words(site: Site, inside: Page) -> None:
    """APIs, guilds by name, who may use which app in sentences, operators with their passkeys."""
    from broker.core.apis import Api
    from broker.core.community.registry import Guild

    world = site.world
    guild = Guild("613425648685547541", "Raid Leaders", None, {"613425648685547543": "Officers"})
    await world.sql.guilds.add(guild, now=world.clock.at)
    await world.sql.apis.add(Api("https://api.example/v1", "Stock"), now=world.clock.at)
    rule = {"id": guild.guild_id, "any_role": ["613425648685547543"]}
    await world.edit(world.app(FRONT), policy={"guilds": [rule]})
    for page, words in (("apis", "Stock"), ("guilds", "Officers"), ("operators", "Laptop")):
        await inside.goto(f"{site.address}/admin/{page}")
        await expect(inside.get_by_text(words).first).to_be_visible()
    await inside.goto(f"{site.address}/admin/guilds/one?id={guild.guild_id}")
    await inside.get_by_text("Remove it …").click()
    await inside.goto(f"{site.address}/admin/policies")
    told = inside.get_by_role("listitem").filter(has_text="Officers")
    await expect(told).to_contain_text("Raid Leaders")
    await inside.get_by_role("link", name="May somebody use an app?").click()
    await inside.get_by_label("Account, Discord id").fill(ADA)
    await inside.get_by_label("App", exact=True).select_option("front")
    await inside.get_by_role("button", name="Explain").click()
    await expect(inside.get_by_role("status")).to_contain_text("may not use Front")


async def test_what_is_not_there_is_said_to_be_missing(site: Site, inside: Page) -> None:
    """404 within the console's frame; a name that is markup stays text."""
    for path in ("accounts/nobody", "clients/none", "nowhere"):
        answer = await inside.goto(f"{site.address}/admin/{path}")
        assert answer is not None
        assert answer.status == 404
    await site.world.new_app(FRONT, name="<script>alert(1)</script>")
    await inside.goto(f"{site.address}/admin/clients")
    await expect(inside.get_by_text(re.compile("<script>alert"))).to_be_visible()

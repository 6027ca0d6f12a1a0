"""The operator's pages, from the door on: how each is reached, in the order of a walk."""

from collections.abc import Awaitable, Callable
from typing import Final

from playwright.async_api import CDPSession, Page

from broker.demo.discord.cast import LIGHTHOUSE
from tests.browser.operating import Site, authenticator
from tests.gallery.showing import UNFOLD
from tests.gallery.world import BOARD, CALENDAR, LONG, MINJI, NIGHT
from tests.protocol.known import API, BEN

Go = Callable[[Site, Page], Awaitable[None]]
Look = Callable[[Page, str], Awaitable[None]]

Stop = tuple[str, str]


def plain() -> tuple[Stop, ...]:
    """Pages that an address leads to, by name; under /admin."""
    return (
        ("overview", ""),
        ("accounts", "/accounts"),
        ("accounts-nobody", "/accounts?q=nobody+at+all"),
        ("clients", "/clients"),
        ("client", f"/clients/{BOARD.client_id}"),
        ("client-long", f"/clients/{CALENDAR.client_id}"),
        ("client-new", "/clients/new"),
        ("client-edit", f"/clients/{NIGHT.client_id}/edit"),
        ("apis", "/apis"),
        ("api-new", "/apis/new"),
        ("api", f"/apis/one?id={API}"),
        ("guilds", "/guilds"),
        ("guild", f"/guilds/one?id={LIGHTHOUSE.id}"),
        ("policies", "/policies"),
        ("policy-check", "/policies/check"),
        ("policy-told", f"/policies/check?who={BEN}&client={NIGHT.client_id}"),
        ("keys", "/keys"),
        ("operators", "/operators"),
        ("audit", "/audit"),
        ("audit-nothing", "/audit?until=2001-01-01"),
        ("missing", "/accounts/nobody"),
    )


async def door(site: Site, page: Page, look: Look) -> CDPSession:
    """Come to the door a stranger, be turned away, then come in; returns the authenticator."""
    held = await authenticator(page)
    await page.goto(f"{site.address}/admin")
    await look(page, "door")
    await site.sign_in(page)
    await look(page, "door-nobody")
    code = await site.grant()
    await page.goto(f"{site.address}/admin/enter")
    await look(page, "door-enrol")
    await site.enrol(page, code)
    await page.get_by_role("button", name="Use my passkey").wait_for()
    await look(page, "door-passkey")
    await site.enter(page)
    return held


async def account(site: Site, page: Page, person: str) -> None:
    """Go to the page of an account."""
    await page.goto(f"{site.address}/admin/accounts/{await site.world.account_of(person)}")


async def inside(site: Site, page: Page, look: Look) -> None:
    """Look at every page once inside; ends with those that change something."""
    for name, path in plain():
        await page.goto(f"{site.address}/admin{path}")
        await look(page, name)
    for name, person in PEOPLE:
        await account(site, page, person)
        await look(page, name)
    for name, path in UNFOLDED:
        await page.goto(f"{site.address}/admin{path}")
        await page.evaluate(UNFOLD)
        await look(page, name)
    await _menu(site, page, look)
    for name, go in CHANGES:
        await go(site, page)
        await look(page, name)


PEOPLE: Final[tuple[Stop, ...]] = (
    ("account", BEN),
    ("account-long", LONG),
    ("account-operator", MINJI),
    ("account-banned", "spam_lord_9000"),
    ("account-leaving", "leaver"),
)
UNFOLDED: Final[tuple[Stop, ...]] = (
    ("client-removing", f"/clients/{BOARD.client_id}"),
    ("guild-removing", f"/guilds/one?id={LIGHTHOUSE.id}"),
    ("operators-removing", "/operators"),
)


async def _menu(site: Site, page: Page, look: Look) -> None:
    """Open the menu on a phone."""
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.goto(f"{site.address}/admin/accounts")
    await page.get_by_role("button", name="Menu").click()
    await page.get_by_role("link", name="Policies").wait_for()
    await look(page, "menu")


async def _refused(site: Site, page: Page) -> None:
    await page.goto(f"{site.address}/admin/clients/new")
    await page.get_by_label("client_id", exact=True).fill("shop")
    await page.get_by_label("Name", exact=True).fill("Shop")
    await page.get_by_label("Redirect URIs").fill("http://shop.example/cb")
    await page.locator("summary", has_text="How long").click()
    await page.get_by_label("Access tokens").fill("soon")
    await page.get_by_role("button", name="Register").click()


async def _secret(site: Site, page: Page) -> None:
    await page.goto(f"{site.address}/admin/clients/{BOARD.client_id}")
    await page.get_by_role("button", name="New secret, the old one good").click()


async def _switched_off(site: Site, page: Page) -> None:
    await account(site, page, BEN)
    await page.get_by_label("Reason").fill("spam")
    await page.get_by_role("button", name="Switch off").click()


async def _refused_rotation(site: Site, page: Page) -> None:
    await page.goto(f"{site.address}/admin/keys")
    for _ in range(2):
        await page.get_by_role("button", name="Rotate now").first.click()


CHANGES: Final[tuple[tuple[str, Go], ...]] = (
    ("client-refused", _refused),
    ("client-secret", _secret),
    ("account-done", _switched_off),
    ("keys-refused", _refused_rotation),
)

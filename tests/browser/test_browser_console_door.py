"""The console's door in a real browser, with an authenticator: who comes in, and who does not."""

import re

import pytest
from playwright.async_api import Page, expect

from broker.core.console import IDLE, LONGEST
from tests.browser.operating import Site, authenticator, inside, shared, site
from tests.browser.steps import look
from tests.protocol.known import ADA

__all__ = ["inside", "shared", "site"]

pytestmark = [pytest.mark.chromium, pytest.mark.slow]
DOOR = re.compile(r"/admin/enter$")
KINDS = ("operator.granted", "operator.enrolled", "operator.signed_in", "operator.signed_out")


async def test_an_operator_comes_in_and_leaves(site: Site, page: Page) -> None:
    """Sign-in, code, passkey, console; left, the passkey is asked for again; pages pass axe."""
    await authenticator(page)
    await page.goto(f"{site.address}/admin")
    await look(page, "console-door")
    await site.sign_in(page)
    await expect(page.get_by_text("which is no operator")).to_be_visible()
    await look(page, "console-nobody")
    code = await site.grant()
    await page.goto(f"{site.address}/admin/enter")
    await expect(page.locator("#problem")).to_be_hidden()
    await look(page, "console-enrol")
    await site.enrol(page, code)
    await expect(page.get_by_role("button", name="Use my passkey")).to_be_visible()
    await look(page, "console-passkey")
    await site.enter(page)
    await ringed(page)
    await page.get_by_role("button", name="Leave the console").click()
    await expect(page).to_have_url(DOOR)
    await page.goto(f"{site.address}/admin/accounts")
    await expect(page).to_have_url(DOOR)
    await site.enter(page)
    told = [e.event.kind for e in await site.world.sql.audit.page()]
    assert [kind for kind in reversed(told) if kind in KINDS] == [*KINDS, "operator.signed_in"]


async def test_whoever_is_no_operator_stays_outside(site: Site, page: Page) -> None:
    """A page with 403 says so, and it is remembered."""
    await site.sign_in(page)
    answer = await page.goto(f"{site.address}/admin/enter")
    assert answer is not None
    assert answer.status == 403
    await page.goto(f"{site.address}/admin/keys")
    await expect(page).to_have_url(DOOR)
    assert (await site.world.audit("operator.refused"))[0].event.detail["reason"] == "no operator"


async def test_a_wrong_code_makes_no_passkey(site: Site, page: Page) -> None:
    """It says so; the right one still works."""
    await authenticator(page)
    await site.sign_in(page)
    code = await site.grant()
    await page.goto(f"{site.address}/admin")
    await site.enrol(page, "AAAAA-AAAAA-AAAAA-AAAAA")
    await expect(page.get_by_role("alert")).to_contain_text("wrong, spent, or older")
    await site.enrol(page, code)
    await site.enter(page)


async def test_an_authenticator_that_sees_nobody_opens_nothing(site: Site, page: Page) -> None:
    """Whoever holds the key must have been seen, or known its PIN."""
    await authenticator(page, hasUserVerification=False, isUserVerified=False)
    await site.sign_in(page)
    code = await site.grant()
    await page.goto(f"{site.address}/admin")
    await site.enrol(page, code)
    await expect(page.get_by_role("alert")).to_contain_text("did not answer")


async def ringed(page: Page) -> None:
    """Check that whoever goes by keyboard sees where they are: a link, a button, a field."""
    ring = "one => getComputedStyle(one).outline"
    await page.goto(page.url.rstrip("/") + "/accounts")
    for role, name in (("link", "Keys"), ("button", "Search"), ("searchbox", "Name, username")):
        one = page.get_by_role(role, name=name)  # type: ignore[arg-type]
        await page.keyboard.press("Tab")
        await one.focus()
        assert "solid 3px" in await one.evaluate(ring), name


@pytest.mark.parametrize("end", ["idle", "longest", "role", "disabled", "signed_out", "browser"])
async def test_the_console_ends_with_what_it_stands_on(site: Site, inside: Page, end: str) -> None:
    """Its times, the role, the account, the browser's session: the next page is the door."""
    world, account = site.world, await site.world.account_of(ADA)
    match end:
        case "idle":
            await world.advance(IDLE)
        case "longest":
            for _ in range(int(LONGEST // (IDLE - 1)) + 1):
                await world.advance(IDLE - 1)
                await inside.goto(f"{site.address}/admin")
        case "role":
            await world.sql.operators.revoke(account, now=world.clock.at)
        case "disabled":
            await world.disable(account)
        case "signed_out":
            await world.sign_out(account)
        case _:
            await inside.goto(f"{site.address}/logout")
            await inside.get_by_role("button", name="Sign out").click()
    await inside.goto(f"{site.address}/admin/accounts")
    await expect(inside).to_have_url(DOOR)


async def test_it_goes_on_while_it_is_used(site: Site, inside: Page) -> None:
    """Each look puts off the end that disuse brings."""
    for _ in range(3):
        await site.world.advance(IDLE - 1)
        answer = await inside.goto(f"{site.address}/admin/accounts")
        assert answer is not None
        assert "/admin/accounts" in inside.url


async def test_an_old_sign_in_is_not_enough(site: Site, inside: Page) -> None:
    """Out after hours, the person signs in again before the passkey counts."""
    await site.world.advance(LONGEST)
    await inside.goto(f"{site.address}/admin")
    await expect(inside.get_by_text("you signed in a while ago")).to_be_visible()
    assert await inside.get_by_role("button", name="Use my passkey").count() == 0


async def test_answers_are_kept_from_caches_frames_and_scripts(site: Site, inside: Page) -> None:
    """Nothing is kept, nothing runs inline, nobody frames it; its cookie goes nowhere else."""
    answer = await inside.goto(f"{site.address}/admin/accounts")
    assert answer is not None
    headers = await answer.all_headers()
    assert headers["cache-control"] == "no-store"
    policy = headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    cookies = {c["name"]: c for c in await inside.context.cookies()}
    assert cookies["broker_console"]["sameSite"] == "Strict"
    assert cookies["broker_console"]["httpOnly"] is True


async def test_files_of_pages_are_there_for_everybody(site: Site, page: Page) -> None:
    """Stylesheets, scripts, fonts: kept for an hour; what is none is not found."""
    for path in ("console.css", "theme.js", "css/vendor/tabler.min.css", "js/vendor/tabler.min.js"):
        answer = await page.request.get(f"{site.address}/admin/static/{path}")
        assert (answer.status, answer.headers["cache-control"]) == (200, "public, max-age=3600")
    for path in ("none.css", "../site.py", "%2e%2e/site.py"):
        answer = await page.request.get(f"{site.address}/admin/static/{path}", max_redirects=0)
        assert answer.status in {404, 303}
        assert "import" not in await answer.text()


async def test_forms_of_others_are_refused(site: Site, inside: Page) -> None:
    """Without our token, or from another origin: 403, and nothing happened."""
    account = await site.world.account_of(ADA)
    address = f"{site.address}/admin/accounts/{account}/sign-out"
    ours = {"origin": site.address}
    bare = await inside.request.post(address, headers=ours, form={"csrftoken": ""})
    assert bare.status == 403
    await inside.goto(f"{site.address}/admin/accounts/{account}")
    token = await inside.locator("input[name=csrftoken]").first.get_attribute("value")
    for headers in ({"origin": "https://evil.example"}, {}):
        away = await inside.request.post(
            address, headers=headers, form={"csrftoken": str(token)}, max_redirects=0
        )
        assert away.status == 403
    assert await site.world.audit("account.signed_out") == []
    door = await inside.request.post(f"{site.address}/admin/enter", form={"action": "passkey"})
    assert door.status == 403

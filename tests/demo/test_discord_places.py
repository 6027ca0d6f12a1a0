"""The pages of the simulated Discord where things are done to people."""

import httpx2
import pytest

from broker.demo.discord.cast import ADA, BEN, CHIYO, LIGHTHOUSE
from broker.demo.forms import Form, read_forms
from tests.demo.conftest import REDIRECT, Discord

KEEPER_ROLE, MEMBER_ROLE = LIGHTHOUSE.roles
GUILD = f"/guilds/{LIGHTHOUSE.id}"
APPS = f"/people/{ADA.id}/apps"


async def shown(discord: Discord, path: str) -> httpx2.Response:
    return await discord.client.get(discord.origin + path)


def form_of(page: httpx2.Response, person_id: str) -> Form:
    forms = read_forms(page.text, str(page.url))
    return next(form for form in forms if form.fields.get("person") == person_id)


async def press(discord: Discord, person_id: str, deed: str) -> httpx2.Response:
    """Press a button of a person's on the guild's page; returns the page that comes after."""
    form = form_of(await shown(discord, GUILD), person_id)
    return await discord.client.post(
        form.action, data=form.pressed("do", deed), follow_redirects=True
    )


async def test_a_role_is_taken_and_given_by_a_click(discord: Discord):
    """Promise: the button does it, and the page says so and shows the other button."""
    page = await press(discord, ADA.id, f"take:{KEEPER_ROLE}")
    assert discord.state.person(ADA.id).membership(LIGHTHOUSE.id).roles == (MEMBER_ROLE,)
    assert "Ada Lindqvist</bdi> has lost a role" in page.text
    assert form_of(page, ADA.id).offers("do", f"give:{KEEPER_ROLE}")
    await press(discord, ADA.id, f"give:{KEEPER_ROLE}")
    assert KEEPER_ROLE in discord.state.person(ADA.id).membership(LIGHTHOUSE.id).roles


async def test_people_are_made_pending_timed_out_kicked_and_put_in(discord: Discord):
    """Promise: each button changes one thing, and its opposite changes it back."""

    def membership():
        return discord.state.person(BEN.id).membership(LIGHTHOUSE.id)

    await press(discord, BEN.id, "pending")
    assert membership().pending
    await press(discord, BEN.id, "passed")
    assert not membership().pending
    await press(discord, BEN.id, "hush")
    assert membership().communication_disabled_until == "2027-01-15T08:10:00.000000+00:00"
    discord.clock.seconds += 601
    assert form_of(await shown(discord, GUILD), BEN.id).offers("do", "hush")
    discord.clock.seconds -= 601
    await press(discord, BEN.id, "speak")
    assert membership().communication_disabled_until is None
    await press(discord, BEN.id, "kick")
    assert membership() is None
    page = await shown(discord, GUILD)
    form = next(f for f in read_forms(page.text, str(page.url)) if f.offers("person", CHIYO.id))
    await discord.client.post(form.action, data=form.pressed("person", CHIYO.id))
    assert discord.state.person(CHIYO.id).membership(LIGHTHOUSE.id) is not None


async def test_an_app_is_deauthorized_by_a_click(discord: Discord):
    """Promise: its tokens end, the page lists it no more and says that nobody was told."""
    await discord.sign_in()
    page = await shown(discord, APPS)
    assert "Broker under test may" in page.text
    assert "guilds.members.read" in page.text
    form = read_forms(page.text, str(page.url))[0]
    after = await discord.client.post(
        discord.origin + APPS, data=form.pressed("deauthorize", "1001"), follow_redirects=True
    )
    assert "it was not told" in after.text
    assert "Broker under test" not in after.text
    assert (await discord.get("/users/@me")).status_code == 401
    again = await discord.client.post(
        discord.origin + APPS, data={"deauthorize": "1001"}, follow_redirects=True
    )
    assert "had no authorization" in again.text


async def test_the_first_page_leads_everywhere(discord: Discord):
    """Promise: every guild's page, and every person's apps."""
    text = (await shown(discord, "/")).text
    for path in (GUILD, APPS):
        assert f'href="{path}"' in text


async def test_apps_are_those_of_whoever_is_signed_in(discord: Discord):
    """Promise: the person of this browser, and the first page where there is none."""
    assert (await shown(discord, "/apps")).headers["location"] == "/"
    await discord.sign_in()
    assert (await shown(discord, "/apps")).headers["location"] == APPS


@pytest.mark.parametrize("path", ["/guilds/1", "/people/1/apps"])
async def test_what_does_not_exist_is_a_page_that_says_so(discord: Discord, path: str):
    """Promise: 404, as a page."""
    answer = await shown(discord, path)
    assert answer.status_code == 404
    assert "There is no" in answer.text


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"do": "kick"},
        {"do": "kick", "person": "1"},
        {"do": "give:1", "person": ADA.id},
        {"do": "explode", "person": ADA.id},
        {"do": "pending", "person": CHIYO.id},
    ],
)
async def test_a_form_that_fits_nothing_changes_nothing(discord: Discord, form: dict[str, str]):
    """Promise: 400, and no traceback."""
    before = dict(discord.state.people)
    answer = await discord.client.post(discord.origin + GUILD, data=form)
    assert answer.status_code == 400
    assert discord.state.people == before


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_a_form_of_another_site_changes_nothing(discord: Discord, site: str):
    """Promise: other pages in the same browser, on other ports too, press no buttons here."""
    for path, form in ((GUILD, {"do": "kick", "person": ADA.id}), (APPS, {"deauthorize": "1001"})):
        answer = await discord.client.post(
            discord.origin + path, data=form, headers={"Sec-Fetch-Site": site}
        )
        assert answer.status_code == 403
    assert discord.state.people[ADA.id] == ADA


async def test_names_cannot_break_a_page(discord: Discord):
    """Promise: markup is text, and a name that turns the writing around ends with itself."""
    discord.state.change_person(ADA.id, global_name="\u202e<b>x</b>")
    discord.state.set_member(ADA.id, LIGHTHOUSE.id, nick="\u202e<i>y</i>")
    discord.state.issue_code("1001", ADA.id, REDIRECT, {"identify"})
    for path in ("/", GUILD, APPS):
        text = (await shown(discord, path)).text
        assert "<b>x" not in text
        assert "<i>y" not in text
        assert "<bdi>\u202e" in text

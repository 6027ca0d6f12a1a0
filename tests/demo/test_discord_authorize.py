"""The simulated Discord in the browser."""

import httpx2
import pytest

from broker.demo.discord import RefusedError, approve, approve_sync, serve_in_thread
from broker.demo.discord.cast import LIGHTHOUSE
from broker.demo.forms import read_forms
from tests.demo.conftest import CHALLENGE, REDIRECT, Discord


async def page(discord: Discord, **changes: str | None) -> httpx2.Response:
    return await discord.client.get(discord.authorize_url(**changes))


async def test_the_first_page_asks_who_you_are_and_loads_nothing_from_elsewhere(discord: Discord):
    """Promise: everybody can be picked; no script, no frame, no foreign resource."""
    answer = await page(discord)
    assert answer.status_code == 200
    for person in discord.state.people.values():
        assert person.username in answer.text
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "<script" not in answer.text
    assert "//" not in answer.text.replace(discord.origin, "").replace("<!doctype", "")


async def test_a_picked_person_sees_the_app_and_every_scope(discord: Discord):
    """Promise: the approval page names the application and what it asks for."""
    url = discord.authorize_url()
    answer = await discord.client.post(url, data={"person": "ben_okafor"}, follow_redirects=True)
    assert "Broker under test" in answer.text
    assert "Ben Okafor" in answer.text
    for scope in ("identify", "email", "guilds", "guilds.members.read", "openid"):
        assert f"<code>{scope}</code>" in answer.text


async def test_approval_returns_code_and_state(discord: Discord):
    """Promise: yes sends the person back with a code and the request's own state."""
    callback = httpx2.URL(await approve(discord.client, discord.authorize_url()))
    assert str(callback).startswith(REDIRECT + "?")
    assert set(callback.params) == {"code", "state"}
    assert callback.params["state"] == "st"


async def test_refusal_returns_access_denied(discord: Discord):
    """Promise: no sends the person back with access_denied and no code."""
    url = discord.authorize_url()
    callback = httpx2.URL(await approve(discord.client, url, deny=True))
    assert callback.params["error"] == "access_denied"
    assert callback.params["state"] == "st"
    assert "code" not in callback.params


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": None},
        {"client_id": "abc"},
        {"client_id": "1002"},
        {"redirect_uri": REDIRECT + "/"},
        {"redirect_uri": REDIRECT + "?a=b"},
        {"redirect_uri": "http://127.0.0.1:10/callback"},
        {"redirect_uri": "http://evil.example/callback", "response_type": "token"},
    ],
)
async def test_a_wrong_app_or_redirect_uri_is_a_page(discord: Discord, changes: dict[str, str]):
    """Promise: nobody is sent to an address that was not registered exactly so."""
    answer = await page(discord, **changes)
    assert answer.status_code == 400
    assert "location" not in answer.headers
    with pytest.raises(RefusedError):
        await approve(discord.client, discord.authorize_url(**changes))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": None}, "unsupported_response_type"),
        ({"scope": "identify nonsense"}, "invalid_scope"),
        ({"scope": ""}, "invalid_scope"),
        ({"code_challenge": CHALLENGE}, "invalid_request"),
        ({"code_challenge": CHALLENGE, "code_challenge_method": "plain"}, "invalid_request"),
    ],
)
async def test_other_mistakes_are_sent_back(discord: Discord, changes: dict[str, str], error: str):
    """Promise: with a good redirect URI the app learns what it did wrong."""
    callback = httpx2.URL((await page(discord, **changes)).headers["location"])
    assert callback.params["error"] == error
    assert callback.params["state"] == "st"


async def test_the_only_redirect_uri_may_be_left_out(discord: Discord):
    """Promise: with one URI registered the request need not repeat it."""
    callback = await approve(discord.client, discord.authorize_url(redirect_uri=None))
    assert callback.startswith(REDIRECT)


async def test_prompt_none_skips_what_was_approved_before(discord: Discord):
    """Promise: the page is skipped for the same scopes or fewer, never for more."""
    assert (await page(discord, prompt="none")).status_code == 200
    await discord.code(scope="identify email")
    assert (await page(discord, prompt="none", scope="identify")).status_code == 303
    assert (await page(discord, prompt="none", scope="identify guilds")).status_code == 200
    assert (await page(discord, prompt="consent", scope="identify")).status_code == 200
    assert (await page(discord, prompt=None, scope="identify")).status_code == 200


async def test_a_withdrawn_approval_is_asked_again(discord: Discord):
    """Promise: `deauthorize` ends the tokens and what `prompt=none` relied on."""
    await discord.sign_in("chiyo", scope="identify")
    discord.state.deauthorize(discord.state.find_person("chiyo").id, "1001")
    assert (await discord.get("/users/@me")).status_code == 401
    assert (await page(discord, prompt="none", scope="identify")).status_code == 200


async def test_switching_person_forgets_who_one_was(discord: Discord):
    """Promise: "Not you?" leads back to the list."""
    url = discord.authorize_url()
    await discord.client.post(url, data={"person": "chiyo"})
    assert "wants to access" in (await page(discord)).text
    await discord.client.post(url, data={"switch": "1"})
    assert "Who are you" in (await page(discord)).text


async def test_somebody_new_can_be_made(discord: Discord):
    """Promise: a new person has a snowflake of their own and what the form said."""
    form = {"new_name": "Zoë.9", "new_email": "z@example.com"}
    url = discord.authorize_url()
    assert (await discord.client.post(url, data=form)).status_code == 400
    form["new_name"] = "zoe.9"
    answer = await discord.client.post(url, data=form, follow_redirects=True)
    assert "zoe.9" in answer.text
    made = discord.state.find_person("zoe.9")
    assert made is not None
    assert made.id.isdigit()
    assert (made.email, made.verified) == ("z@example.com", False)
    taken = await discord.client.post(url, data=form)
    assert taken.status_code == 400


async def test_names_are_escaped(discord: Discord):
    """Promise: a person's name cannot put markup into a page."""
    discord.state.add_person("mallory", global_name="<script>alert(1)</script>")
    assert "<script>" not in (await page(discord)).text


def test_the_blocking_driver_approves_too(discord_thread: tuple[str, str]):
    """Promise: scripts without an event loop can sign in, as anybody they name."""
    url, person_id = discord_thread
    with httpx2.Client() as client:
        assert "code=" in approve_sync(client, url, person_id)


@pytest.fixture
def discord_thread(clock):
    from broker.demo.discord import Application, SimulatedDiscord

    state = SimulatedDiscord(now=clock)
    state.add_application(Application("1001", "s3cret", (REDIRECT,)))
    person = state.add_person("thread")
    with serve_in_thread(state) as origin:
        url = f"{origin}/oauth2/authorize?client_id=1001&response_type=code&scope=identify"
        yield f"{url}&redirect_uri={REDIRECT}", person.id


async def test_a_person_can_allow_less_than_was_asked(discord: Discord):
    """Promise: the answer names what was granted; who is asked again may allow the rest."""
    url = discord.authorize_url(scope="identify email guilds", prompt="none")

    async def granted(**choice: list[str]) -> set[str]:
        callback = httpx2.URL(await approve(discord.client, url, **choice))
        answer = await discord.redeem(callback.params["code"])
        return set(answer.json()["scope"].split())

    assert await granted(scopes=["guilds"]) == {"identify", "guilds"}
    # Less was approved than is asked, so the page is shown again in spite of `prompt=none`.
    assert await granted() == {"identify", "email", "guilds"}
    assert await granted(scopes=[]) == {"identify", "email", "guilds"}


async def test_scopes_can_be_withheld_whoever_clicks(discord: Discord):
    """Promise: people untick these until told otherwise; nothing left is a refusal."""
    discord.state.withhold("email", "guilds", "identify")
    assert (await discord.sign_in(scope="identify email guilds"))["scope"] == "identify"
    url = discord.authorize_url(scope="guilds")
    callback = httpx2.URL(await approve(discord.client, url))
    assert callback.params["error"] == "access_denied"
    discord.state.withhold()
    assert (await discord.sign_in(scope="identify email"))["scope"] == "email identify"


async def test_the_page_has_a_box_for_what_can_be_refused(discord: Discord):
    """Promise: all boxes are ticked; a form sent as it stands allows everything asked."""
    url = discord.authorize_url(scope="identify email")
    await discord.client.post(url, data={"person": "ada.lindqvist"})
    page = await discord.client.get(url)
    form = next(f for f in read_forms(page.text, url) if f.offers("decision", "allow"))
    assert form.fields["allow:email"] == "on"
    assert "allow:identify" not in form.fields
    back = await discord.client.post(url, data=form.pressed("decision", "allow"))
    code = httpx2.URL(back.headers["location"]).params["code"]
    assert (await discord.redeem(code)).json()["scope"] == "email identify"


async def test_somebody_new_can_be_put_into_guilds(discord: Discord):
    """Promise: those that are ticked; the page ticks the first one; what is no guild is nothing."""
    url = discord.authorize_url()
    form = next(f for f in read_forms((await discord.client.get(url)).text, url) if f.fields)
    assert [name for name in form.fields if name.startswith("new_guild:")] == [
        f"new_guild:{LIGHTHOUSE.id}"
    ]
    made = {"new_name": "eva", f"new_guild:{LIGHTHOUSE.id}": "on", "new_guild:1": "on"}
    assert (await discord.client.post(url, data=made)).status_code == 303
    memberships = discord.state.person("eva").memberships
    assert [membership.guild_id for membership in memberships] == [LIGHTHOUSE.id]
    await discord.client.post(url, data={"new_name": "otto"})
    assert discord.state.person("otto").memberships == ()

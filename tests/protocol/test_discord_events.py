"""Webhook events of Discord: proven first, then done, once; what was begun since stays."""

import asyncio
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.protocol.actors import App, Browser
from tests.protocol.checks import is_challenge, is_refusal, is_token_error
from tests.protocol.events import (
    PATH,
    body,
    held_back,
    ping,
    send,
    signed,
    told,
    withdrawal,
    withdrawn,
)
from tests.protocol.harness import World
from tests.protocol.known import ADA, BACK, BEN, DISCORD_ID, FRONT
from tests.protocol.services import introspected

PROFILE = "/users/@me"
OFFLINE = "openid offline_access"
REFUSED = {
    "error": "invalid_signature",
    "error_description": "The request is not signed by Discord for this application",
}


class Life:
    """Somebody's session at a time, and what was made of it: a grant, an offline one, a code."""

    def __init__(self, world: World, app: App, browser: Browser) -> None:
        self.world, self.app, self.browser = world, app, browser
        self.bound: dict[str, Any] = {}
        self.offline: dict[str, Any] = {}
        self.code = ""

    async def begin(self, person: str = ADA) -> "Life":
        self.bound = await self.browser.tokens(self.app, person)
        self.offline = await self.browser.tokens(self.app, person, scope=OFFLINE)
        self.code = await self.browser.code(self.app, person)
        return self

    async def is_over(self) -> None:
        """Nothing of it works: not at the token endpoint, not elsewhere, not in the browser."""
        for tokens in (self.bound, self.offline):
            is_token_error(await self.app.refresh(tokens["refresh_token"]), "invalid_grant")
            is_challenge(await self.world.userinfo(tokens["access_token"]))
            assert await introspected(self.app, tokens["access_token"]) == {"active": False}
        is_token_error(await self.app.redeem(self.code), "invalid_grant")
        silent = await self.browser.authorize(self.app, prompt="none")
        is_refusal(silent, self.app, "login_required")

    async def goes_on(self) -> None:
        """All of it works, and goes on working."""
        for tokens in (self.bound, self.offline):
            answer = await self.app.refresh(tokens["refresh_token"])
            assert answer.status_code == 200, answer.text
            tokens.update(answer.json())
            assert (await self.world.userinfo(tokens["access_token"])).status_code == 200
        assert (await self.app.redeem(self.code)).status_code == 200
        self.code = await self.browser.code(self.app)


async def life(world: World, person: str = ADA) -> Life:
    return await Life(world, world.app(BACK), world.browser()).begin(person)


# ── whose it is ────────────────────────────────────────────────────────────────────────────


async def test_a_ping(world: World) -> None:
    """204 and nothing in it, so that Discord's portal takes the address; as often as it likes."""
    for _ in range(2):
        answer = await send(world, ping())
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["content-type"] == "application/json"


def forged(world: World) -> dict[str, dict[str, str | None]]:
    """Headers that prove nothing."""
    content = withdrawal(world)
    right = {name.lower(): one for name, one in signed(world, content).headers.items()}
    signature, stamp = right["x-signature-ed25519"], right["x-signature-timestamp"]
    own = world.discord.applications[DISCORD_ID].private_key
    stranger = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
    named: dict[str, dict[str, str | None]] = {
        "no signature": {"x_signature_ed25519": None},
        "no timestamp": {"x_signature_timestamp": None},
        "neither": {"x_signature_ed25519": None, "x_signature_timestamp": None},
        "empty": {"x_signature_ed25519": ""},
        "short": {"x_signature_ed25519": signature[:-2]},
        "long": {"x_signature_ed25519": signature + "00"},
        "odd": {"x_signature_ed25519": signature[:-1]},
        "not hexadecimal": {"x_signature_ed25519": "g" * 128},
        "spaced": {"x_signature_ed25519": f"{signature[:64]} {signature[65:]}"},
        "zero": {"x_signature_ed25519": "0" * 128},
        "a bit wrong": {"x_signature_ed25519": f"{int(signature, 16) ^ 1:0128x}"},
        "another key's": {"x_signature_ed25519": stranger.sign(stamp.encode() + content).hex()},
        "of the body alone": {"x_signature_ed25519": own.sign(content).hex()},
        "another second": {"x_signature_timestamp": str(int(stamp) + 1)},
        "a second written otherwise": {"x_signature_timestamp": f"0{stamp}"},
        "a fraction": {"x_signature_timestamp": f"{stamp}.0"},
        "no number": {"x_signature_timestamp": "now"},
        "endless": {"x_signature_timestamp": "9" * 5000},
        "of another script": {"x_signature_timestamp": "٣" * 10},
    }
    return named


async def test_what_discord_has_not_signed(world: World) -> None:
    """401, always, always with the same body; nothing ends. Discord tries this out on purpose."""
    was = await life(world)
    for name, headers in forged(world).items():
        answer = await send(world, withdrawal(world), **headers)
        assert (answer.status_code, answer.json()) == (401, REFUSED), name
    request = signed(world, ping())
    answer = await world.api.post(PATH, content=request.body + b" ", headers=dict(request.headers))
    assert (answer.status_code, answer.json()) == (401, REFUSED)
    assert (await world.api.post(PATH)).json() == REFUSED
    assert (await world.api.post(PATH, content=b"\xff" * 60_000)).json() == REFUSED
    await was.goes_on()


async def test_old_and_future_signatures(world: World) -> None:
    """Discord tries an event for ten minutes: what is older than fifteen is somebody's replay."""
    for seconds, status in ((-900, 204), (-901, 401), (-86400, 401), (60, 204), (61, 401)):
        answer = await send(world, ping(), at=world.clock.at + seconds)
        assert answer.status_code == status, seconds
        assert answer.content == b"" or answer.json() == REFUSED


@pytest.mark.parametrize("application", ["1130000000000000002", 1130000000000000001, None])
async def test_another_application_s_event(world: World, application: Any) -> None:
    """Though the key is ours: then the settings do not belong together, and the portal says so."""
    was = await life(world)
    for content in (ping(application_id=application), withdrawal(world)):
        whole = json.loads(content) | {"application_id": application}
        answer = await send(world, json.dumps(whole).encode())
        assert (answer.status_code, answer.json()) == (401, REFUSED)
    await was.goes_on()


# ── what it says ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "content",
    [
        body(event={"type": "APPLICATION_AUTHORIZED", "timestamp": told(0), "data": {}}),
        body(event={"type": "LOBBY_MESSAGE_CREATE"}),
        body(event={"type": ["APPLICATION_DEAUTHORIZED"]}),
        body(event={}),
        body(event=[]),
        body(),
        body(type=2),
        body(type="0"),
        body(version=2),
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff",
        b'{"a":' * 10_000,
        b'{"type": ' + b"9" * 5000 + b"}",
    ],
)
async def test_what_is_not_known(world: World, content: bytes) -> None:
    """204 and logged: that Discord tries again would help nobody."""
    answer = await send(world, content)
    assert (answer.status_code, answer.content) == (204, b"")


async def test_a_withdrawal_ends_all_that_was_built_on_it(world: World) -> None:
    """Session, codes, grants, offline ones too; nobody else's. It is in the audit log."""
    was, other = await life(world), await life(world, BEN)
    await withdrawn(world)
    await was.is_over()
    assert (await other.app.refresh(other.offline["refresh_token"])).status_code == 200
    (entry,) = await world.audit("account.deauthorized")
    assert entry.event.account_id == await world.account_of(ADA)
    assert (entry.event.actor, entry.event.at) == ("person", world.clock.at)
    assert entry.event.detail["upstream"] == "discord"


async def test_a_new_sign_in_is_a_new_beginning(world: World, browser: Browser) -> None:
    """The same account, right after: it was signed out, not closed."""
    was = await life(world)
    await withdrawn(world)
    await world.advance(1)
    again = await life(world)
    await again.goes_on()
    await was.is_over()
    assert len(await world.sql.accounts.find(ADA)) == 1


async def test_what_was_begun_since_stays(world: World) -> None:
    """Discord's word comes late: who has signed in again meanwhile stays signed in."""
    was = await life(world)
    await world.advance(10)
    moment = world.clock.at
    await world.advance(10)
    since = await life(world)
    await world.advance(10)
    await withdrawn(world, at=moment)
    await was.is_over()
    await since.goes_on()


async def test_what_an_old_session_led_to_since_does_not_stay(world: World) -> None:
    """A grant made after the moment, in a session begun before it: it was built on the same."""
    was = await life(world)
    await world.advance(10)
    moment = world.clock.at
    await world.advance(10)
    await was.begin()
    await withdrawn(world, at=moment)
    await was.is_over()


async def test_a_sign_in_that_is_under_way(world: World, browser: Browser) -> None:
    """Discord has answered the code, and is slow with the profile: what begins then is dead."""
    app = world.app(BACK)
    await world.browser().tokens(app)
    with held_back(PROFILE) as held:
        under_way = asyncio.create_task(browser.arrive(app))
        await held.given()
        world.clock.at += 1
        await withdrawn(world)
        world.clock.at += 1
        held.let_go()
        assert (await under_way).status_code == 403
    assert not browser.session
    assert await world.browser().tokens(app)


async def test_replays_are_harmless(world: World) -> None:
    """The very same request again, and the same event signed anew: nothing new ends."""
    await life(world)
    content = withdrawal(world)
    for _ in range(2):
        assert (await send(world, content)).status_code == 204
    await world.advance(30)
    since = await life(world)
    for at in (world.clock.at - 30, None):
        assert (await send(world, content, at=at)).status_code == 204
        await world.drain()
    await since.goes_on()
    assert len(await world.audit("account.deauthorized")) == 1


async def test_events_in_the_wrong_order(world: World) -> None:
    """An older one after a newer one brings nothing to life and ends nothing."""
    was = await life(world)
    await world.advance(60)
    await withdrawn(world)
    await withdrawn(world, at=world.clock.at - 30)
    await was.is_over()
    assert len(await world.audit("account.deauthorized")) == 1


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("{naive}", 0),
        ("{naive}Z", 0),
        ("{naive}+00:00", 0),
        ("{naive}.064834", 0),
        ("{naive}+02:00", -7200),
        ("9999-12-31T23:59:59", 0),
        ("{naive}-12:00", 0),
    ],
)
async def test_times_as_they_are_written(world: World, written: str, seconds: int) -> None:
    """UTC where no offset is named; one that is to come is now, and shuts nobody out."""
    was = await life(world)
    moment = world.clock.at
    await world.advance(1)
    stamp = written.replace("{naive}", told(moment))
    assert (await send(world, withdrawal(world, timestamp=stamp))).status_code == 204
    if seconds:
        await was.goes_on()
        return
    await was.is_over()
    await world.advance(1)
    await (await life(world)).goes_on()


@pytest.mark.parametrize("stamp", [None, "", "yesterday", 17, "0000-01-01T00:00:00", ["x"]])
async def test_times_that_are_none(world: World, stamp: Any) -> None:
    """The signature's own counts: whoever withdrew has withdrawn, whatever the clock said."""
    was = await life(world)
    await world.advance(5)
    assert (await send(world, withdrawal(world, timestamp=stamp))).status_code == 204
    await was.is_over()


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        {"user": None},
        {"user": []},
        {"user": {}},
        {"user": {"id": 80351110224678912}},
        {"user": {"id": ""}},
        {"user": {"id": "' OR 1=1"}},
        {"user": {"id": "1" * 4000}},
        {"user": {"id": "٣" * 18}},
        {"user": {"id": "80351110224678999"}},
        {"user": {"id": "\ud800"}},
    ],
)
async def test_an_event_about_nobody(world: World, data: Any) -> None:
    """204: nobody's sign-ins end."""
    was = await life(world)
    answer = await send(world, withdrawal(world, data=data))
    assert (answer.status_code, answer.content) == (204, b"")
    await was.goes_on()


async def test_a_disabled_account_stays_disabled(world: World) -> None:
    """What an operator has switched off is not switched on by it."""
    was = await life(world)
    await world.disable(await world.account_of(ADA))
    await world.advance(5)
    await withdrawn(world)
    await was.is_over()
    page = await world.browser().arrive(world.app(FRONT))
    assert page.status_code == 403


async def test_a_crash_between_sql_and_redis(world: World) -> None:
    """Whoever drains the outbox carries it on, and spares what was begun since all the same."""
    was = await life(world)
    person = world.discord.find_person(ADA)
    assert person is not None
    await world.advance(10)
    moment = world.clock.at
    await world.advance(10)
    since = await life(world)
    await world.sql.accounts.deauthorized("discord", person.id, at=moment, now=world.clock.at)
    await world.drain()
    await was.is_over()
    await since.goes_on()

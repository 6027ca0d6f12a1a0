"""A broker with a past: people of every kind, apps, guilds, policies, keys in every phase."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2

from broker.core.apis import Api
from broker.core.community.registry import Guild
from broker.core.model import Client
from broker.core.operators import CODE_LIFETIME, Passkey, new_code
from broker.demo.discord.cast import GREENHOUSE, LIGHTHOUSE
from tests.browser.operating import Site
from tests.browsing import Lost, sign_in
from tests.core.helpers import Counted
from tests.gallery.people import AGENTS, DAY, HOUR
from tests.protocol.harness import Shelf, settings_for
from tests.protocol.known import API, BEN, KEPT

KEEPER, MEMBER = LIGHTHOUSE.roles
BOARD: Final = Client(
    "board",
    "Lantern Board",
    redirect_uris=("https://board.example/callback", "https://staging.board.example/callback"),
    first_party=True,
    auth_method="client_secret_basic",
    secrets=KEPT,
    client_uri="https://board.example/",
    resources=(API,),
    guilds=(LIGHTHOUSE.id, GREENHOUSE.id),
    role_mapping={LIGHTHOUSE.id: {KEEPER: ["keeper", "crew"], MEMBER: ["crew"]}},
    contacts=("harbour@lighthouse.example",),
)
NIGHT: Final = Client(
    "night-watch",
    "등대지기 길드 출석부",
    redirect_uris=("https://night.example/callback",),
    first_party=True,
    guilds=(LIGHTHOUSE.id,),
    policy={
        "guilds": [{"id": LIGHTHOUSE.id, "any_role": [KEEPER], "not_timed_out": True}],
        "account_age": "30d",
    },
)
CALENDAR: Final = Client(
    "northern-harbour-historical-society-calendar",
    "The Northern Harbour Historical Society's Shared Calendar and Boat Register",
    redirect_uris=("https://calendar.northern-harbour-historical-society.example/oidc/callback",),
    scopes=("openid", "profile", "email", "offline_access"),
    client_uri="https://calendar.northern-harbour-historical-society.example/",
)
OLD: Final = Client(
    "old-wiki", "Old wiki", redirect_uris=("https://wiki.example/cb",), disabled=True
)
APPS: Final = (BOARD, NIGHT, CALENDAR, OLD)
MINJI: Final = "minji.the.keeper.of.long.nights"
LONG: Final = "wolfeschlegelsteinhausenberger.j"
NEWCOMERS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    (MINJI, {"global_name": "김민지 (등대의 밤을 지키는 사람)", "email": "minji@keepers.example"}),
    (LONG, {"global_name": "J. Wolfeschlegelsteinhausenbergerdorff the Second",
            "email": "j.wolfeschlegelsteinhausenbergerdorff@northern-harbour.example"}),
    ("spam_lord_9000", {"global_name": "FREE NITRO", "email": "spam@example.org"}),
    ("leaver", {"global_name": "Frida, going", "email": "frida@example.org"}),
    ("rin", {"global_name": "凛", "email": None}),
)  # fmt: skip
STRANGERS: Final = ("chiyo", "dmitri7", "noa.bd")


@dataclass
class Past:
    """Makes it.

    Attributes:
        site: the broker, and where it is served.
        shelf: the servers that it uses.
        days: on how many people came; at most 13.
    """

    site: Site
    shelf: Shelf
    days: int = 13

    async def make(self) -> None:
        """Rotate keys for three months, register everything, let people come for days."""
        await self._keys()
        await self._register()
        world = self.site.world
        world.discord.join("ada.lindqvist", GREENHOUSE.id)
        for username, fields in NEWCOMERS:
            world.discord.add_person(username, **fields)
            if username in (MINJI, LONG):
                world.discord.join(username, LIGHTHOUSE.id, roles=(MEMBER,))
        for day in range(13 - self.days, 13):
            await self._day(day)
            await world.advance(DAY)
        await self._trouble()

    async def _keys(self) -> None:
        """Go through two changes of keys, and one revocation."""
        world = self.site.world
        for _ in range(3):
            await world.advance(20 * DAY)
        settings = settings_for(self.shelf, Path("unused"), issuer=self.site.address)
        rotation = world.broker.stores.rotation(settings)
        await rotation.rotate_now(world.clock.at, "RS256")
        retired = min(
            (one for one in await world.broker.stores.keys.all() if one.alg == "RS256"),
            key=lambda one: one.created_at,
        )
        await rotation.revoke(retired.kid, "a backup of it was left on a train", world.clock.at)
        await world.advance(HOUR)

    async def _register(self) -> None:
        sql, now = self.site.world.sql, self.site.world.clock.at
        for client in APPS:
            await sql.clients.add(client, now=now)
        named = {KEEPER: "Keeper", MEMBER: "Member"}
        invite = "https://discord.gg/lighthouse"
        for guild in (
            Guild(LIGHTHOUSE.id, LIGHTHOUSE.name, invite, named),
            Guild(GREENHOUSE.id, GREENHOUSE.name),
            Guild("613425648685547599", "야간 당직 서버", None, {"613425648685547598": "당직"}),
        ):
            await sql.guilds.add(guild, now=now)
        scopes = ("board.read", "board.write", "board.admin")
        await sql.apis.add(Api(API, "Lantern Board's stock", scopes=scopes), now=now)
        await sql.apis.add(Api("https://other-api.example", "Boat register"), now=now)
        await self.site.world.advance(0)

    async def _day(self, day: int) -> None:
        """Let a few people sign in, each day others, and one be refused."""
        comers = ("ada.lindqvist", BEN, *(name for name, _ in NEWCOMERS))
        for number in range((day * 5) % 7):
            await self.comes(comers[(day + number) % len(comers)], BOARD, AGENTS[number % 5])
        if day % 2:
            await self.comes(STRANGERS[day % 3], NIGHT, AGENTS[1])

    async def _trouble(self) -> None:
        """Ban somebody, let somebody leave, make a second operator, and sign Ben in everywhere."""
        world = self.site.world
        now = world.clock.at
        for username, _ in NEWCOMERS:
            await self.comes(username, BOARD, AGENTS[0])
        for number, agent in enumerate(AGENTS):
            await self.comes(BEN, (BOARD, CALENDAR)[number % 2], agent)
            await world.advance(number * HOUR)
        spammer, leaver = await world.account_of("spam_lord_9000"), await world.account_of("leaver")
        await world.sql.accounts.disable(spammer, "advertised in every channel", now)
        await world.sql.own.leave(leaver, now=now, grace=14 * DAY, actor="person")
        await world.drain()
        await world.sql.accounts.disable(await world.account_of("rin"), "left in anger", now)
        await world.sql.own.leave(await world.account_of("rin"), now=now, grace=0, actor="operator")
        await world.drain()
        minji = await world.account_of(MINJI)
        code = new_code(Counted(b"second"))
        await world.sql.operators.grant(minji, code, until=now + CODE_LIFETIME, now=now)
        for number, name in enumerate(("Telephone", "Key on the ring")):
            passkey = Passkey(bytes([number]) * 16, minji, b"key", 0, name, now)
            await world.sql.operators.enrol(passkey, code, now=now)

    async def comes(self, person: str, client: Client, agent: str) -> None:
        """Sign somebody in to an app, in a browser of that kind; whoever is refused goes away."""
        world = self.site.world
        app = world.app(client)
        address = (
            f"{self.site.address}/authorize?{urlencode(app.asks(scope='openid profile email'))}"
        )
        headers = {"user-agent": agent}
        async with httpx2.AsyncClient(trust_env=False, headers=headers) as browser:
            try:
                back = await sign_in(
                    browser, address, app.redirect_uri, discord=world.discord_origin, person=person
                )
            except Lost:
                return
        code = parse_qs(urlsplit(back).query)["code"][0]
        await app.redeem(code)

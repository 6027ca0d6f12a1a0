"""A simulated Discord over real HTTP, and the upstream that uses it."""

from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import httpx2

from broker.core.community.needs import Needs
from broker.core.pkce import encode
from broker.demo.discord import Application, SimulatedDiscord, approve, endpoints, serve
from broker.upstream.base import BoundedTransport
from broker.upstream.budget import ProcessBudget
from broker.upstream.discord import Discord, DiscordSettings
from broker.upstream.pacing import NoTally, Wire
from tests.core.helpers import Hands, Ticking

REDIRECT = "http://127.0.0.1:1/login/discord/callback"
SECRET = "of-the-portal"
VERIFIER = encode(bytes(range(32)))
EMAIL = Needs(email=True)


class Counting:
    """A tally in memory."""

    def __init__(self):
        self.calls, self.waits, self.refused = [], [], []

    def called(self, upstream, route, outcome):
        self.calls.append((route, str(outcome)))

    def waited(self, upstream, seconds):
        self.waits.append(seconds)

    def declined(self, upstream, why):
        self.refused.append(str(why))


class Portal:
    """A simulated Discord, and the upstream that uses it."""

    def __init__(self, state, origin, transport, *, budget=None, clock=None, **changed):
        where = endpoints(origin)
        self.state, self.origin, self.transport = state, origin, transport
        self.clock = clock or Hands()
        settings = {
            "client_id": "1",
            "client_secret": SECRET,
            "redirect_uri": REDIRECT,
            "authorize_url": where["authorize_url"],
            "api_url": where["api_base"],
            "cdn_url": where["cdn_base"],
            "timeout": 2.0,
        } | changed
        self.settings = DiscordSettings(**settings)
        self.tally = Counting()
        self.ticking = Ticking(self.clock)
        self.wire = Wire(transport, budget or ProcessBudget(self.ticking), self.tally)
        self.upstream = Discord(self.settings, self.wire, self.clock)

    async def code(self, person="ada.lindqvist", prompt="none", needs=EMAIL, **approval):
        url = await self.upstream.authorization_url(
            state="s" * 43, verifier=VERIFIER, prompt=prompt, login_hint="", needs=needs
        )
        async with httpx2.AsyncClient(trust_env=False, verify=False) as browser:
            back = await approve(browser, url, person, **approval)
        return parse_qs(urlsplit(back).query)["code"][0]

    async def arrive(self, person="ada.lindqvist", needs=EMAIL, **approval):
        code = await self.code(person, needs=needs, **approval)
        return await self.upstream.fetch(code=code, verifier=VERIFIER)

    async def profile(self, person="ada.lindqvist"):
        return (await self.arrive(person)).profile

    async def token(self, person="ada.lindqvist", needs=EMAIL):
        return (await self.arrive(person, needs)).authorization.access_token


@asynccontextmanager
async def opened(transport=None, **state):
    """Serve a simulated Discord, and yield the portal to it."""
    discord = SimulatedDiscord(**state)
    discord.add_application(Application("1", SECRET, (REDIRECT,)))
    bounded = transport or BoundedTransport()
    async with serve(discord) as origin:
        yield Portal(discord, origin, bounded)
    if transport is None:
        await bounded.shut()


def unused():
    """A wire for what makes no calls."""
    return Wire(BoundedTransport(), ProcessBudget(Hands()), NoTally())

"""The far side of each upstream, over real HTTP, and what the contract's tests need of it.

A ``Far`` has the ``upstream``, the ``clock`` it goes by, and two places where a fault may be laid:
its ``token`` endpoint and where its ``profile`` is read.
"""

from contextlib import asynccontextmanager
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import httpx2

from broker.core.community.needs import Needs
from broker.core.pkce import encode
from broker.demo.discord import Application, Fault, SimulatedDiscord, approve, endpoints, serve
from broker.demo.serving import serving
from broker.upstream.budget import ProcessBudget
from broker.upstream.discord import Discord, DiscordSettings
from broker.upstream.github import GitHub, GitHubSettings
from broker.upstream.line import Line
from broker.upstream.oidc import OpenIdProvider, ProviderSettings
from broker.upstream.pacing import NoTally, Wire
from tests.core.helpers import Hands, Ticking
from tests.upstream import fake_github, fake_provider
from tests.upstream.fake_github import FakeGitHub
from tests.upstream.fake_provider import FakeProvider

VERIFIER = encode(bytes(range(32)))
STATE = "s" * 43
EMAIL = Needs(email=True)


def callback(name):
    return f"http://127.0.0.1:1/login/{name}/callback"


class Far:
    """What all of them share."""

    secret = "of-the-portal"

    def __init__(self):
        self.clock = Hands()
        self.ticking = Ticking(self.clock)
        self.budget = ProcessBudget(self.ticking)

    def wire(self, transport):
        return Wire(transport, self.budget, NoTally())

    async def url(self, *, prompt="none", login_hint="", needs=EMAIL):
        return await self.upstream.authorization_url(
            state=STATE, verifier=VERIFIER, prompt=prompt, login_hint=login_hint, needs=needs
        )

    async def code(self, needs=EMAIL):
        """What the person brings back."""
        return parse_qs(urlsplit(await self.back(await self.url(needs=needs))).query)["code"][0]

    async def back(self, url):
        async with httpx2.AsyncClient(trust_env=False, verify=False) as browser:
            answer = await browser.get(url)
        return answer.headers["location"]

    async def fetch(self, needs=EMAIL):
        return await self.upstream.fetch(code=await self.code(needs), verifier=VERIFIER)

    def fault(self, place, fault):
        self.strange.faults = {} if fault is None else {self.places[place]: fault}

    def calls(self, place):
        return self.strange.calls[self.places[place]]


class FarDiscord(Far):
    places: ClassVar = {"token": "/oauth2/token", "profile": "/users/@me"}

    def __init__(self, transport, state, origin, **changed):
        super().__init__()
        self.state, where = state, endpoints(origin)
        settings = {
            "client_id": "1",
            "client_secret": self.secret,
            "redirect_uri": callback("discord"),
            "authorize_url": where["authorize_url"],
            "api_url": where["api_base"],
            "cdn_url": where["cdn_base"],
            "timeout": 8.0,
        } | changed
        self.upstream = Discord(DiscordSettings(**settings), self.wire(transport), self.clock)

    async def back(self, url):
        async with httpx2.AsyncClient(trust_env=False, verify=False) as browser:
            return await approve(browser, url, "ada.lindqvist")

    def fault(self, place, fault):
        kind, _, word = (fault or "").partition(" ")
        self.state.faults.clear()
        if kind:
            self.state.faults.set(self.places[place], _discords(kind, word))

    def calls(self, place):
        return self.state.calls[self.places[place]]


def _discords(kind, word):
    """The simulator's fault of that kind; it sends nobody elsewhere."""
    match kind:
        case "status" | "html":
            return Fault(kind, status=int(word))
        case "redirect":
            return Fault("status", status=302)
        case "slow":
            return Fault("delay", seconds=float(word))
        case "limit":
            return Fault("rate_limited", seconds=float(word), scope="global")
        case _:
            return Fault({"cut": "truncated", "text": "not_json"}.get(kind, kind), size=4_000_000)


class FarProvider(Far):
    places: ClassVar = {"token": "/token", "profile": "/userinfo"}
    secret = fake_provider.SECRET

    def __init__(self, transport, provider, *, timeout=8.0, **changed):
        super().__init__()
        self.provider, self.strange = provider, provider.app
        provider.clock = self.clock
        self.transport, self.timeout = transport, timeout
        given = {
            "name": "corp",
            "title": "Corp",
            "issuer": provider.origin,
            "client_id": fake_provider.CLIENT,
            "client_secret": self.secret,
            "redirect_uri": callback("corp"),
        }
        self.settings = ProviderSettings(**given | changed)
        self.again()

    def again(self):
        """The upstream as in a process that has just begun."""
        line = Line("corp", self.wire(self.transport), self.clock, timeout=self.timeout)
        self.upstream = OpenIdProvider(self.settings, line)


class FarGitHub(Far):
    places: ClassVar = {"token": "/login/oauth/access_token", "profile": "/api/v3/user"}
    secret = fake_github.SECRET

    def __init__(self, transport, github, *, timeout=8.0, **changed):
        super().__init__()
        self.github, self.strange = github, github.app
        given = {
            "name": "github",
            "title": "GitHub",
            "client_id": fake_github.CLIENT,
            "client_secret": self.secret,
            "redirect_uri": callback("github"),
            "site": github.origin,
        }
        line = Line("github", self.wire(transport), self.clock, timeout=timeout)
        self.upstream = GitHub(GitHubSettings(**given | changed), line)


@asynccontextmanager
async def far_discord(transport, **changed):
    state = SimulatedDiscord()
    state.add_application(Application("1", Far.secret, (callback("discord"),)))
    async with serve(state) as origin:
        yield FarDiscord(transport, state, origin, **changed)


@asynccontextmanager
async def far_provider(transport, **changed):
    provider = FakeProvider(None)
    # So that the contract's faults are met: the ID token alone would do.
    provider.told = ("sub",)
    async with serving(provider.app) as provider.origin:
        yield FarProvider(transport, provider, **changed)


@asynccontextmanager
async def far_github(transport, **changed):
    github = FakeGitHub()
    async with serving(github.app) as github.origin:
        yield FarGitHub(transport, github, **changed)


FARS = {"discord": far_discord, "oidc": far_provider, "github": far_github}

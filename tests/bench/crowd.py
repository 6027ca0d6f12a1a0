"""People who are signed in, and the clients they use: what the loads draw on."""

import asyncio
import base64
import hashlib
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import redis

from broker.core.handles import Handle, Handles, Kind
from tests.browsing import sign_in
from tests.running import RunningBroker

PEOPLE: Final = 256  # many enough that no account reaches its cap of codes and grants
NAMES: Final = tuple(f"person.{number}" for number in range(PEOPLE))
AT_ONCE: Final = 4
CALLBACK: Final = "https://app.example.com/callback"
VERIFIER: Final = "a-verifier-of-the-benchmark-that-is-long-enough-0123456789"
SCOPE: Final = "openid profile email"
FORM: Final = "application/x-www-form-urlencoded"

# Copies a grant under new identifiers, with its entry in the account's index.
COPY: Final = """
local base, old, index = KEYS[1], ARGV[1], KEYS[1] .. 'index'
local function member(id)
  return 'g:' .. string.gsub(id, '%x%x', function(two) return string.char(tonumber(two, 16)) end)
end
local entry, score
for _, each in ipairs(redis.call('ZRANGE', index, 0, -1)) do
  if string.sub(each, 1, 18) == member(old) then
    entry, score = string.sub(each, 19), redis.call('ZSCORE', index, each)
  end
end
for i = 2, #ARGV do
  redis.call('COPY', base .. 'grant:' .. old, base .. 'grant:' .. ARGV[i])
  redis.call('ZADD', index, score, member(ARGV[i]) .. entry)
end
"""


@dataclass(frozen=True, slots=True)
class App:
    """A registered client of ours: first-party, confidential, its redirect https."""

    client_id: str
    secret: str

    @property
    def authorization(self) -> str:
        """Its Authorization header (RFC 6749 §2.3.1)."""
        pair = f"{self.client_id}:{self.secret}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"

    @property
    def authorize_path(self) -> str:
        """Path and query of its authorization request."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest())
        query = {
            "client_id": self.client_id,
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "scope": SCOPE,
            "state": "a-state-of-the-benchmark",
            "nonce": "a-nonce-of-the-benchmark",
            "code_challenge": challenge.decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        return f"/authorize?{urlencode(query)}"

    @property
    def token_form(self) -> str:
        """Its token request, but for the code."""
        form = {"grant_type": "authorization_code", "redirect_uri": CALLBACK}
        return urlencode(form | {"code_verifier": VERIFIER})


class Crowd:
    """So many people, signed in.

    Args:
        broker: a running broker.
        handles: made of its secret.
        store: its Redis.
    """

    def __init__(self, broker: RunningBroker, handles: Handles, store: "redis.Redis") -> None:
        self.cookies: list[str] = []
        self._broker = broker
        self._handles = handles
        self._store = store

    @property
    def issuer(self) -> str:
        """The broker's issuer."""
        return self._broker.issuer

    def register(self, name: str, *options: str) -> App:
        """Register a client at the broker."""
        words = ("clients", "add", name, "--first-party", "--redirect-uri", CALLBACK, *options)
        made = self._broker.cli(*words)
        return App(made["client_id"], made["client_secret"])

    async def arrive(self, app: App) -> None:
        """Sign everybody in."""
        for name in NAMES:
            self._broker.discord.add_person(name, email=f"{name}@example.com", verified=True)
        self.cookies = await self.arrive_again(app)

    async def arrive_again(self, app: App) -> list[str]:
        """Sign those who arrived in once more, from another browser; returns its cookies."""
        return await _each(NAMES, lambda name: self._signed_in(app, name))

    async def _signed_in(self, app: App, name: str) -> str:
        """Return the Cookie header of a browser in which the person is signed in."""
        broker = self._broker
        async with httpx2.AsyncClient(trust_env=False, timeout=30) as browser:
            url = broker.issuer + app.authorize_path
            await sign_in(browser, url, CALLBACK, discord=broker.discord_origin, person=name)
            return "; ".join(
                f"{c.name}={c.value}" for c in browser.cookies.jar if "session" in c.name
            )

    async def tokens(self, app: App) -> list[dict[str, Any]]:
        """Return a fresh token answer for each person."""
        async with httpx2.AsyncClient(base_url=self._broker.issuer, trust_env=False) as client:
            return await _each(self.cookies, lambda cookie: self._flow(client, app, cookie))

    async def _flow(self, client: httpx2.AsyncClient, app: App, cookie: str) -> dict[str, Any]:
        answer = await client.get(app.authorize_path, headers={"Cookie": cookie})
        code = parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]
        answer = await client.post(
            "/token",
            content=f"{app.token_form}&code={code}",
            headers={"Authorization": app.authorization, "Content-Type": FORM},
        )
        answer.raise_for_status()
        return dict(answer.json())

    async def many_refresh_tokens(self, app: App, number: int) -> list[str]:
        """Return so many refresh tokens, each of a grant of its own.

        Asking for each would take minutes: each person's grant is copied in Redis, and the copies'
        tokens are made as the broker makes them.
        """
        copies: list[str] = []
        for answer in await self.tokens(app):
            token = self._handles.open(Kind.REFRESH, answer["refresh_token"])
            if token is None:
                raise ValueError("a refresh token that does not open")
            base = f"tb:{{{token.account_id}}}:"
            ids = [f"{len(copies) + i:032x}" for i in range(number // PEOPLE)]
            self._store.eval(COPY, 1, base, token.item_id, *ids)
            copies += [
                self._handles.make(Kind.REFRESH, Handle(token.account_id, one, token.generation))
                for one in ids
            ]
        return copies


async def _each(items: Any, work: Any) -> list[Any]:
    """Return what the work makes of each item, some at a time."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(item: Any) -> Any:
        async with turn:
            return await work(item)

    return await asyncio.gather(*(one(item) for item in items))

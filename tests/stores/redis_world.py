"""One account, one client and a clock moved by hand around Redis stores."""

from contextlib import nullcontext
from dataclasses import replace
from itertools import count
from typing import Any

from redis.asyncio import RedisCluster
from redis.client import NEVER_DECODE

from broker.core.model import AuthorizationRequest, Facts, Session
from broker.core.ports import (
    CodeIssued,
    CodeRedemption,
    CodeRefused,
    CodeRequest,
    GrantAlive,
    GrantRefused,
    RefreshRequest,
)
from broker.stores.redis import RedisStores

CLIENT = "app"
OTHER = "another"
CALLBACK = "https://app.example/cb"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
ACCOUNT = "ac" * 16
SID = "5e" * 16
START = 1_700_000_000.0


class Announced:
    """A queue to which the ending was announced before."""

    ending = staticmethod(nullcontext)


class World:
    """Does the usual thing unless told otherwise, and remembers the time."""

    def __init__(self, stores: RedisStores) -> None:
        self.stores = stores
        self.now = START
        self.facts = Facts(
            version=1,
            sub="sub-1",
            claims={"name": "Zoë", "updated_at": 1},
            consents={CLIENT: "openid profile offline_access", OTHER: "openid"},
        )
        self.session = Session(
            ACCOUNT, SID, 1, START, START, START + 30 * 86400, "discord", "Firefox"
        )
        self.request = AuthorizationRequest(
            CLIENT,
            CALLBACK,
            ("openid", "profile"),
            nonce="n-1",
            code_challenge=CHALLENGE,
            resources=("https://api.example/a", "https://api.example/b"),
        )
        self._ids = count(1)

    def new_id(self) -> str:
        return f"{next(self._ids):032x}"

    async def sign_in(self, **changes: Any) -> bool:
        """Open the session; changes are of the session."""
        self.session = replace(self.session, **changes)
        return await self.stores.sessions.open(
            self.session, self.facts, now=self.now, idle=7 * 86400
        )

    async def try_code(self, code_id: str = "", **changes: Any) -> CodeIssued | CodeRefused:
        """Ask for a code; changes are of the step's request."""
        wanted = CodeRequest(
            ACCOUNT,
            self.session.sid,
            self.session.generation,
            code_id or self.new_id(),
            self.request,
            self.now,
            code_lifetime=60,
            session_idle=7 * 86400,
        )
        return await self.stores.sessions.issue_code(replace(wanted, **changes))

    async def code(self, *, scope: str = "", **changes: Any) -> str:
        """Have a code."""
        if scope:
            changes["request"] = replace(self.request, scope=tuple(scope.split()))
        code_id = self.new_id()
        answer = await self.try_code(code_id, **changes)
        assert isinstance(answer, CodeIssued), answer
        return code_id

    async def redeem(self, code_id: str, **changes: Any) -> GrantAlive | GrantRefused:
        """Present a code; changes are of the step's request."""
        wanted = CodeRedemption(
            account_id=ACCOUNT,
            code_id=code_id,
            client_id=CLIENT,
            redirect_uri=CALLBACK,
            code_challenge=CHALLENGE,
            grant_id=self.new_id(),
            now=self.now,
            grant_lifetime=90 * 86400,
            grant_idle=30 * 86400,
        )
        return await self.stores.grants.redeem(replace(wanted, **changes))

    async def grant(self, *, scope: str = "openid profile", **changes: Any) -> str:
        """Have a grant: its identifier."""
        answer = await self.redeem(await self.code(scope=scope), **changes)
        assert isinstance(answer, GrantAlive), answer
        return answer.grant.grant_id

    async def refresh(
        self, grant_id: str, generation: int = 1, **changes: Any
    ) -> GrantAlive | GrantRefused:
        """Present a refresh token; changes are of the step's request."""
        wanted = RefreshRequest(
            ACCOUNT, grant_id, generation, CLIENT, None, (), self.now, 10, 30 * 86400
        )
        return await self.stores.grants.refresh(replace(wanted, **changes))

    async def look(self, grant_id: str) -> GrantAlive | GrantRefused:
        return await self.stores.grants.look(ACCOUNT, grant_id, now=self.now)

    async def alive(self, grant_id: str) -> bool:
        return isinstance(await self.look(grant_id), GrantAlive)

    def key(self, rest: str) -> str:
        """The name of one of the account's keys."""
        return f"{self.stores.grants._names.account(ACCOUNT)}{rest}"

    async def everything(self) -> dict[str, Any]:
        """All that Redis holds for the account."""
        client = self.stores.client
        options = {"target_nodes": "all"} if isinstance(client, RedisCluster) else {}
        keys = await client.keys(self.key("*").replace("{", "?").replace("}", "?"), **options)
        found: dict[str, Any] = {}
        for key in keys:
            kind = await client.type(key)
            if kind == "string":
                found[key] = await client.get(key)
            elif kind == "hash":
                found[key] = await client.hgetall(key)
            else:
                found[key] = await self._index(key)
        return found

    async def _index(self, key: str) -> list[tuple[str, float]]:
        """The members of the index in digits, and their ends."""
        words = ("ZRANGE", key, 0, -1)
        answer = await self.stores.client.execute_command(*words, **{NEVER_DECODE: []})
        return [
            (readable(member), await self.stores.client.zscore(key, member)) for member in answer
        ]


def readable(member: bytes) -> str:
    """Return a member of the index as text, identifiers in digits."""
    kind, rest = member[:2].decode(), member[2:]
    if kind in {"s:", "p:"} or rest[32:33] == b":":
        return member.decode()
    more = rest[32:].decode()
    return ":".join(
        [kind[0], rest[:16].hex(), rest[16:32].hex(), *filter(None, (more[:1], more[1:]))]
    )

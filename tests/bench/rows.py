"""What is measured: each row's load, what it draws on, and its floor's paths."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2

from tests.bench.crowd import FORM, App, Crowd
from tests.bench.devices import Waiting
from tests.bench.proofs import proofs

JWKS: Final = "/.well-known/jwks.json"
DISCOVERY: Final = "/.well-known/openid-configuration"
REVOCATIONS: Final = 7000  # more than one worker manages in a second of a run
EXCHANGE: Final = "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange"
TYPE_ACCESS: Final = "urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token"
SERVICE: Final = (
    "--grant", "code", "--grant", "client-credentials", "--grant", "token-exchange",
    "--exchange", "impersonation",
)  # fmt: skip
PROOFS: Final = 1500  # likewise
POLLS: Final = 1500  # likewise, where each makes two signatures


@dataclass(frozen=True, slots=True)
class Stage:
    """What rows draw on.

    Attributes:
        crowd: people who are signed in.
        app: a client that gets an ID token at each refresh.
        lean: one that does not.
        pool: a file for tokens.
        service: one that acts for itself, and exchanges tokens.
        tv: a client whose devices have no browser.
        waiting: its devices.
    """

    crowd: Crowd
    app: App
    lean: App
    pool: Path
    service: App
    tv: App
    waiting: Waiting

    def fill(self, texts: list[str]) -> None:
        """Write the pool that the next run draws on."""
        self.pool.write_text("\n".join(texts) + "\n", encoding="ascii")


Prepare = Callable[[Stage, int], Awaitable[None]]
Words = Callable[[Stage], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table.

    Attributes:
        name: what people read.
        script: the load.
        ours: its arguments for the broker.
        floor: its arguments for the floor.
        prepare: fills the pool for a run of so many seconds.
    """

    name: str
    script: str
    ours: Words
    floor: Words
    prepare: Prepare


async def _nothing(stage: Stage, seconds: int) -> None:
    """Fill no pool."""


async def _cookies(stage: Stage, seconds: int) -> None:
    stage.fill(stage.crowd.cookies)


async def _refresh(stage: Stage, seconds: int) -> None:
    stage.fill([one["refresh_token"] for one in await stage.crowd.tokens(stage.app)])


async def _refresh_lean(stage: Stage, seconds: int) -> None:
    stage.fill([one["refresh_token"] for one in await stage.crowd.tokens(stage.lean)])


async def _access(stage: Stage, seconds: int) -> None:
    stage.fill([one["access_token"] for one in await stage.crowd.tokens(stage.app)])


async def _revocations(stage: Stage, seconds: int) -> None:
    stage.fill(await stage.crowd.many_refresh_tokens(stage.app, seconds * REVOCATIONS))


async def _kind(stage: Stage, seconds: int) -> None:
    stage.fill(["client_credentials"])


async def _subjects(stage: Stage, seconds: int) -> None:
    stage.fill([one["access_token"] for one in await stage.crowd.tokens(stage.service)])


async def _devices(stage: Stage, seconds: int) -> None:
    stage.fill(await stage.waiting.codes(stage.crowd.cookies, seconds * POLLS))


async def _proofs(stage: Stage, seconds: int) -> None:
    """Write cookies, and a proof for each flow: making one while it is measured would count."""
    made = proofs(f"{stage.crowd.issuer}/token", seconds * PROOFS)
    stage.fill([*stage.crowd.cookies, *made])


def _code(stage: Stage, authorize: str, token: str) -> tuple[str, ...]:
    pool, app = str(stage.pool), stage.app
    return (authorize, pool, token, app.authorization, app.token_form)


def _posted(path: str, *, lean: bool = False) -> Words:
    """Return arguments of a load that posts to a path as a client."""

    def words(stage: Stage) -> tuple[str, ...]:
        return path, str(stage.pool), (stage.lean if lean else stage.app).authorization

    return words


def _service(path: str, form: str) -> Words:
    """Return arguments of a load that posts a form of the service, its last value from the pool."""
    return lambda stage: (path, str(stage.pool), stage.service.authorization, form)


KIND: Final = "grant_type="
SHOWN: Final = "token="
EXCHANGED: Final = f"grant_type={EXCHANGE}&subject_token_type={TYPE_ACCESS}&subject_token="

ROWS: Final = (
    Row("JWKS", "get.lua", lambda _: (JWKS,), lambda _: ("/jwks",), _nothing),
    Row("discovery", "get.lua", lambda _: (DISCOVERY,), lambda _: ("/discovery",), _nothing),
    Row(
        "code flow, signed in (2 requests)",
        "code.lua",
        lambda s: _code(s, s.app.authorize_path, "/token"),
        lambda s: _code(s, "/authorize", "/code"),
        _cookies,
    ),
    Row(
        "code flow with DPoP, signed in (2 requests)",
        "code_dpop.lua",
        lambda s: _code(s, s.app.authorize_path, "/token"),
        lambda s: _code(s, "/authorize", "/code-dpop"),
        _proofs,
    ),
    Row(
        "refresh with ID token",
        "refresh.lua",
        _posted("/token"),
        _posted("/refresh"),
        _refresh,
    ),
    Row(
        "refresh without ID token",
        "refresh.lua",
        _posted("/token", lean=True),
        _posted("/refresh-lean", lean=True),
        _refresh_lean,
    ),
    Row(
        "userinfo",
        "bearer.lua",
        lambda s: ("/userinfo", str(s.pool)),
        lambda s: ("/userinfo", str(s.pool)),
        _access,
    ),
    Row(
        "device grant, last poll",
        "device.lua",
        lambda s: ("/token", str(s.pool), s.tv.authorization),
        lambda s: ("/device", str(s.pool), s.tv.authorization),
        _devices,
    ),
    Row(
        "client credentials",
        "posted.lua",
        _service("/token", KIND),
        _service("/own", KIND),
        _kind,
    ),
    Row(
        "introspection",
        "posted.lua",
        _service("/introspect", SHOWN),
        _service("/introspect", SHOWN),
        _subjects,
    ),
    Row(
        "token exchange",
        "posted.lua",
        _service("/token", EXCHANGED),
        _service("/exchange", EXCHANGED),
        _subjects,
    ),
    Row("revoke", "revoke.lua", _posted("/revoke"), _posted("/revoke"), _revocations),
)


async def samples(issuer: str, stage: Stage) -> dict[str, Any]:
    """Return one answer of the broker for each path of the floor, to be answered alike."""
    found: dict[str, httpx2.Response] = {}
    async with httpx2.AsyncClient(base_url=issuer, trust_env=False) as client:
        found["jwks"] = await client.get(JWKS)
        found["discovery"] = await client.get(DISCOVERY)
        cookie = {"Cookie": stage.crowd.cookies[0]}
        found["authorize"] = await client.get(stage.app.authorize_path, headers=cookie)
        for name, app in (("refresh", stage.app), ("refresh-lean", stage.lean)):
            tokens = (await stage.crowd.tokens(app))[0]
            headers = {"Authorization": app.authorization, "Content-Type": FORM}
            form = f"grant_type=refresh_token&refresh_token={tokens['refresh_token']}"
            found[name] = await client.post("/token", content=form, headers=headers)
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        found["userinfo"] = await client.get("/userinfo", headers=bearer)
        form = f"token={tokens['refresh_token']}"
        found["revoke"] = await client.post("/revoke", content=form, headers=headers)
        found |= await _service_samples(client, stage)
    found["code"] = found["device"] = found["refresh"]
    return {
        name: {
            "status": answer.status_code,
            "body": answer.text,
            "location": answer.headers.get("location", ""),
        }
        for name, answer in found.items()
    }


async def _service_samples(client: httpx2.AsyncClient, stage: Stage) -> dict[str, httpx2.Response]:
    headers = {"Authorization": stage.service.authorization, "Content-Type": FORM}
    token = (await stage.crowd.tokens(stage.service))[0]["access_token"]
    asked = {
        "own": ("/token", f"{KIND}client_credentials"),
        "introspect": ("/introspect", f"{SHOWN}{token}"),
        "exchange": ("/token", f"{EXCHANGED}{token}"),
    }
    return {
        name: await client.post(path, content=form, headers=headers)
        for name, (path, form) in asked.items()
    }

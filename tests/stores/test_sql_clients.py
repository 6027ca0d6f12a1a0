"""Clients: edits are versioned, and every process follows them without asking SQL each time."""

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import fields, replace

import pytest
from sqlalchemy import event

from broker.core.model import Client, ClientSecret
from broker.stores.sql import followed
from broker.stores.sql.audit import AuditFilter
from broker.stores.sql.errors import AlreadyExists, EditConflict, NotFound
from broker.stores.sql.facade import SqlStores
from broker.stores.sql.followed import FollowedClients
from tests.stores.sql_fixtures import APP, NOW, Hands, another, clock, migrated_url, stores

__all__ = ["another", "clock", "migrated_url", "stores"]

FULL = Client(
    client_id="full",
    name="Full",
    auth_method="client_secret_basic",
    secrets=(ClientSecret("ab" * 32, NOW), ClientSecret("cd" * 32, NOW - 9, NOW + 9)),
    application_type="native",
    redirect_uris=("http://127.0.0.1/cb", "app:/cb"),
    post_logout_redirect_uris=("https://app.example/bye",),
    grant_types=("authorization_code",),
    scopes=("openid",),
    resources=("https://api.example",),
    audience="https://api.example",
    origins=("https://app.example",),
    first_party=True,
    require_pkce=False,
    id_token_at_refresh=False,
    id_token_signed_response_alg="ES256",
    access_token_lifetime=60,
    client_uri="https://app.example",
    logo_uri="https://app.example/logo",
    policy_uri="https://app.example/policy",
    tos_uri="https://app.example/tos",
    support_uri="mailto:help@app.example",
    brand_accent="#7a1fa2",
    translations={"client_name#ko": "앱", "tos_uri#ko": "https://app.example/ko/tos"},
    disabled=True,
    jwks={"keys": [{"kty": "EC", "kid": "one"}]},
    jwks_uri="https://app.example/jwks",
    token_endpoint_auth_signing_alg="ES256",
    request_object_signing_alg="PS256",
    require_signed_request_object=True,
    require_pushed_authorization_requests=True,
    dpop_bound_access_tokens=True,
    subject_type="pairwise",
    sector_identifier_uri="https://app.example/sector",
    userinfo_signed_response_alg="ES256",
    backchannel_logout_uri="https://app.example/out",
    backchannel_logout_session_required=True,
    default_max_age=0,
    id_token_lifetime=61,
    grant_lifetime=3600,
    grant_idle=600,
    rotate_refresh_tokens=False,
    exchange=("impersonation", "delegation"),
    contacts=("ops@app.example",),
    initiate_login_uri="https://app.example/in",
    software_id="software",
    software_version="1.0",
    guilds=("613425648685547541",),
    role_mapping={"613425648685547541": {"*": ["member"]}},
    policy={"email_verified": True},
    upstreams=("discord",),
    upstream_token=True,
    registration_digest="ef" * 32,
)


class Statements:
    """Counts the statements that an engine sends."""

    def __init__(self, stores: SqlStores) -> None:
        self.texts: list[str] = []
        event.listen(stores.engine.sync_engine, "before_cursor_execute", self._see)

    def _see(self, _connection, _cursor, statement, *_rest) -> None:
        if not statement.startswith("BEGIN"):
            self.texts.append(statement)


@asynccontextmanager
async def following(stores: SqlStores):
    stop = asyncio.Event()
    task = asyncio.create_task(stores.followed_clients.follow(stop))
    await asyncio.sleep(0)
    try:
        yield
    finally:
        stop.set()
        await task


async def _eventually(check, seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not await check():
            await asyncio.sleep(0.02)


async def test_every_field_comes_back(stores: SqlStores) -> None:
    """A registration is read as it was written, whatever field is set."""
    different = [f.name for f in fields(Client) if getattr(FULL, f.name) == getattr(APP, f.name)]
    assert different == []
    for client in (FULL, APP):
        added = await stores.clients.add(client, now=NOW)
        assert added.client == client
        assert await stores.clients.get(client.client_id) == added
    assert [r.client for r in await stores.clients.list()] == [APP, FULL]


async def test_edits_name_the_version_they_were_made_from(stores: SqlStores) -> None:
    """Of two operators who edit one client at once, the second is told."""
    added = await stores.clients.add(APP, now=NOW)
    renamed = replace(APP, name="Renamed")
    edited = await stores.clients.edit(renamed, version=added.version, now=NOW + 1)
    assert (edited.client, edited.version, edited.updated_at) == (renamed, 2, NOW + 1)
    with pytest.raises(EditConflict):
        await stores.clients.edit(APP, version=added.version, now=NOW + 2)
    assert await stores.clients.get("app") == edited
    same = await stores.clients.edit(renamed, version=2, now=NOW + 3)
    assert same == edited
    (entry,) = await stores.audit.page(AuditFilter(kind="client.edited", client_id="app"))
    assert entry.event.detail == {"fields": ["name"]}


async def test_racing_edits_lose_nothing(another: Callable[[], SqlStores]) -> None:
    """Exactly one of many edits from the same version wins."""
    one, two = another(), another()
    await one.clients.add(APP, now=NOW)
    edits = [
        each.clients.edit(replace(APP, name=f"{n}"), version=1, now=NOW)
        for n, each in enumerate((one, two) * 4)
    ]
    answers = await asyncio.gather(*edits, return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == [
        "ClientRecord",
        *["EditConflict"] * 7,
    ]


async def test_an_identifier_is_never_given_again(another: Callable[[], SqlStores]) -> None:
    """Neither at once, nor after a removal: consents must not pass to another client."""
    one, two = another(), another()
    adding = (each.clients.add(APP, now=NOW) for each in (one, two))
    answers = await asyncio.gather(*adding, return_exceptions=True)
    assert sorted(type(a).__name__ for a in answers) == ["AlreadyExists", "ClientRecord"]
    removed = await one.clients.remove("app", now=NOW + 1)
    assert removed.removed_at == NOW + 1
    assert await one.clients.get("app") is None
    assert await one.clients.list() == ()
    assert [r.client.client_id for r in await one.clients.list(removed=True)] == ["app"]
    with pytest.raises(AlreadyExists):
        await one.clients.add(APP, now=NOW + 2)
    for change in (
        one.clients.remove("app", now=NOW),
        one.clients.edit(APP, version=2, now=NOW),
    ):
        with pytest.raises(NotFound):
            await change


async def test_a_removed_client_keeps_no_secret(stores: SqlStores) -> None:
    """Its digests are wiped from the row that stays."""
    await stores.clients.add(FULL, now=NOW)
    assert (await stores.clients.remove("full", now=NOW)).client.secrets == ()


async def test_a_client_used_lately_needs_no_sql(stores: SqlStores) -> None:
    """The first use reads it; the hot path after that sends nothing."""
    await stores.clients.add(FULL, now=NOW)
    assert await stores.followed_clients.find("full") == FULL
    seen = Statements(stores)
    for _ in range(50):
        assert await stores.followed_clients.find("full") == FULL
    assert seen.texts == []


async def test_every_process_follows_edits(another: Callable[[], SqlStores]) -> None:
    """An edit, a switching-off, a removal and an addition are seen where nobody told of them."""
    operator, server = another(), another()
    find = server.followed_clients.find
    await operator.clients.add(APP, now=NOW)
    async with following(server):
        assert await find("app") == APP
        off = replace(APP, disabled=True)
        await operator.clients.edit(off, version=1, now=NOW)

        async def switched_off() -> bool:
            return await find("app") == off

        await _eventually(switched_off)
        await operator.clients.remove("app", now=NOW)

        async def gone() -> bool:
            return await find("app") is None

        await _eventually(gone)


async def test_without_following_nothing_is_kept_for_long(
    another: Callable[[], SqlStores], clock: Hands
) -> None:
    """A process that forgot to follow serves no edit of an hour ago."""
    operator, server = another(), another()
    await operator.clients.add(APP, now=NOW)
    assert await server.followed_clients.find("app") == APP
    await operator.clients.edit(replace(APP, disabled=True), version=1, now=NOW)
    clock.at += 1
    assert (await server.followed_clients.find("app")).disabled


async def test_unknown_clients_are_not_asked_for_again_and_again(
    stores: SqlStores, clock: Hands
) -> None:
    """An unknown identifier costs one statement in three seconds, nonsense none at all."""
    seen = Statements(stores)
    for _ in range(20):
        assert await stores.followed_clients.find("unknown") is None
        for nonsense in ("", "x" * 256, "a\0b", "clïent", "a\nb"):
            assert await stores.followed_clients.find(nonsense) is None
    assert len(seen.texts) == 1
    await stores.clients.add(replace(APP, client_id="unknown"), now=NOW)
    clock.at += 4
    assert await stores.followed_clients.find("unknown") is not None


async def test_a_flood_of_unknown_clients_drives_no_real_one_out(stores: SqlStores) -> None:
    """The real one stays at hand, what is kept stays bounded, connections stay free."""
    await stores.clients.add(APP, now=NOW)
    followed = stores.followed_clients
    await followed.find("app")
    answers: list[object] = []
    used: list[int] = []
    for start in range(0, 600, 100):
        names = [f"unknown-{n}" for n in range(start, start + 100)]
        flood = asyncio.gather(*map(followed.find, names), return_exceptions=True)
        while not flood.done():
            await asyncio.sleep(0.005)
            used.append(stores.engine.pool.checkedout())
        answers += await flood
    # None, or on a slow machine a refusal: what matters is that nobody else pays
    assert {type(answer).__name__ for answer in answers} <= {"NoneType", "StoreUnavailable"}
    assert max(used) <= 3
    assert len(followed._unknown) <= 512
    seen = Statements(stores)
    assert await followed.find("app") == APP
    assert seen.texts == []


async def test_lookups_that_were_given_up_still_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their connections are others' only when SQL is done with them: never more than three."""
    monkeypatch.setattr(followed, "TURN", 0.1)
    asked: list[str] = []
    done = asyncio.Event()

    class Slow:
        async def get(self, client_id: str) -> None:
            asked.append(client_id)
            await done.wait()

    lookups = FollowedClients(Slow(), Hands(), None, None)  # type: ignore[arg-type]
    for start in range(0, 9, 3):
        flood = [lookups.find(f"unknown-{n}") for n in range(start, start + 3)]
        answers = await asyncio.gather(*flood, return_exceptions=True)
        assert {type(answer).__name__ for answer in answers} == {"StoreUnavailable"}
    assert asked == ["unknown-0", "unknown-1", "unknown-2"]
    done.set()
    assert await lookups.find("unknown-9") is None


async def test_one_lookup_serves_all_who_wait(stores: SqlStores) -> None:
    """A hundred first requests of one client are one statement."""
    await stores.clients.add(APP, now=NOW)
    seen = Statements(stores)
    found = await asyncio.gather(*(stores.followed_clients.find("app") for _ in range(100)))
    assert set(found) == {APP}
    assert len(seen.texts) == 1


async def test_the_cache_is_bounded(stores: SqlStores) -> None:
    """The least lately used goes first."""
    followed = stores.followed_clients
    followed._size = 2
    for name in ("a", "b", "c"):
        await stores.clients.add(replace(APP, client_id=name), now=NOW)
    for name in ("a", "b", "a", "c"):
        await followed.find(name)
    assert list(followed._known) == ["a", "c"]


async def test_many_are_changed_together_or_not_at_all(stores: SqlStores) -> None:
    """One that is refused leaves all others as they were; each that is taken leaves an event."""
    clients, one, two = stores.clients, replace(APP, client_id="one"), replace(APP, client_id="two")
    before = await clients.add(APP, now=NOW)
    renamed = replace(APP, name="New")
    for added, edited, refusal in (
        ((one, APP), ((renamed, before.version),), AlreadyExists),
        ((one,), ((renamed, before.version + 1),), EditConflict),
        ((one,), ((renamed, before.version), (two, 1)), NotFound),
    ):
        with pytest.raises(refusal):
            await clients.apply(added, edited, now=NOW + 1)
        assert await clients.list() == (before,)
    await clients.apply((one, two), ((renamed, before.version),), now=NOW + 2)
    assert [record.client for record in await clients.list()] == sorted(
        (renamed, one, two), key=lambda client: client.client_id
    )
    events = [entry.event.kind for entry in await stores.audit.page()]
    assert sorted(events) == ["client.added", "client.added", "client.added", "client.edited"]


async def test_a_process_knows_at_once_what_it_has_changed_itself(stores: SqlStores) -> None:
    """What was kept of a client, or that it is unknown, does not outlive ``forget``."""
    followed = stores.followed_clients
    assert await followed.find(APP.client_id) is None
    record = await stores.clients.add(APP, now=NOW)
    assert await followed.find(APP.client_id) is None  # kept as unknown for three seconds
    followed.forget(APP.client_id)
    assert await followed.find(APP.client_id) == APP
    renamed = replace(APP, name="New")
    await stores.clients.edit(renamed, version=record.version, now=NOW)
    followed.forget(APP.client_id)
    assert await followed.find(APP.client_id) == renamed


async def test_names_of_those_that_exist_or_did(stores: SqlStores) -> None:
    """A removed client has its name still."""
    for client in (APP, FULL):
        await stores.clients.add(client, now=NOW)
    await stores.clients.remove(FULL.client_id, now=NOW)
    known = await stores.clients.names((APP.client_id, FULL.client_id, "none"))
    assert known == {APP.client_id: APP.name, FULL.client_id: FULL.name}

"""What another release wrote, newer or older, while both run: it is read, and never a failure.

A newer one may add fields, which are passed by here and survive where the record is written back;
an older one lacks those added since, which have defaults.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from broker.core.apis import Api
from broker.core.community.model import Community, GuildList, ListedGuild, Standing
from broker.core.community.registry import Guild
from broker.core.console import ConsoleSession
from broker.core.device.model import Approval, Device, Poll
from broker.core.model import AuthorizationRequest, ClientSecret, JsonValue, PendingRequest
from broker.core.ports import CodeIssued, GrantAlive, GrantRefused, Refusal
from broker.stores import community as documents
from broker.stores.passing import known
from broker.stores.redis import RedisStores, codec
from broker.stores.sql.facade import SqlStores
from broker.stores.sql.tables import ApiRow, ClientRow, GuildRow, IdentityRow
from tests.stores.redis_world import ACCOUNT, CLIENT, SID, START, World
from tests.stores.sql_fixtures import ADA, APP, NOW, another, clock, migrated_url
from tests.stores.sql_fixtures import stores as sql_stores

__all__ = ["another", "clock", "migrated_url", "sql_stores"]

NEWER = {"newer": "than we", "!": [1, {"x": None}]}

words = st.sampled_from(["", "a", "of two", "\u2028ü", '"}', "null", "1", "\\u0000"])
times = st.integers(0, 2**40).map(lambda number: number / 8)
json_values = st.sampled_from([None, True, 0, -1.5, "x", [], {}, [None, {"request": []}], {"a": 1}])
strange = st.dictionaries(st.sampled_from(["", "x", "crit", "🐘"]), json_values, max_size=3)


def records(kind: type[Any], **given: Any) -> st.SearchStrategy[Any]:
    """Records of a kind, each field by its type."""
    by_type: dict[Any, st.SearchStrategy[Any]] = {
        str: words, float: times, bool: st.booleans(),
        str | None: st.none() | words.filter(bool), int | None: st.none() | st.integers(0, 99),
        tuple[str, ...]: st.lists(words, max_size=3).map(tuple),
        Mapping[str, JsonValue] | None: st.none() | st.dictionaries(words, json_values),
        tuple[str, str, int] | None: st.none() | st.tuples(words, words, st.integers(0, 9)),
        tuple[str, float, str] | None: st.none() | st.tuples(words, times, words),
    }  # fmt: skip
    made = {f.name: given[f.name] if f.name in given else by_type[f.type] for f in fields(kind)}
    return st.builds(kind, **made)


pending_requests = records(
    PendingRequest,
    request=records(AuthorizationRequest),
    attempt=st.sampled_from(["", "ab" * 16]),
    request_id=st.just("4e" * 16),
)


@given(pending_requests, strange, strange)
def test_a_request_under_way_of_a_newer_release(pending, beside, within):
    """It comes back as it was written, whatever is said beside."""
    text = codec.pending_text(pending)
    assert codec.pending(pending.request_id, text) == pending
    *trip, rest = text.split("|", 2)
    document = json.loads(rest)
    document = beside | NEWER | document | {"request": within | NEWER | document["request"]}
    newer = "|".join([*trip, json.dumps(document)])
    assert codec.pending(pending.request_id, newer) == pending


@given(pending_requests, st.data())
def test_a_request_under_way_of_an_older_release(pending, data):
    """What it did not say is the default."""
    *trip, rest = codec.pending_text(pending).split("|", 2)
    document = json.loads(rest)
    told = [
        (part, field)
        for part, kind in ((document, PendingRequest), (document["request"], AuthorizationRequest))
        for field in fields(kind)
        if field.name in part and field.default is not MISSING
    ]
    for part, field in data.draw(
        st.lists(st.sampled_from(told), unique_by=id) if told else st.just([])
    ):
        del part[field.name]
        if part is document:
            pending = replace(pending, **{field.name: field.default})
        else:
            asked = replace(pending.request, **{field.name: field.default})
            pending = replace(pending, request=asked)
    assert codec.pending(pending.request_id, "|".join([*trip, json.dumps(document)])) == pending


def test_an_account_that_leaves_as_an_older_release_tells_it():
    """What it kept of one that leaves is read all the same."""
    before = PendingRequest("4e" * 16, AuthorizationRequest("c", "r", ()), "b", 1.0, 2.0)
    *trip, rest = codec.pending_text(before).split("|", 2)
    older = json.dumps(json.loads(rest) | {"keeps": ["a", 5.0]})
    assert codec.pending(before.request_id, "|".join([*trip, older])).keeps == ("a", 5.0, "")


guild_ids = st.integers(1, 2**63).map(str)
standings = st.builds(
    Standing, guild_ids, times, st.booleans(), st.none() | words, st.lists(words).map(tuple),
    st.none() | words, st.booleans(), st.none() | words,
)  # fmt: skip
lists = st.builds(
    GuildList, times,
    st.lists(st.builds(ListedGuild, guild_ids, words, st.booleans()), max_size=3).map(tuple),
)  # fmt: skip
communities = st.builds(
    Community,
    st.lists(standings, max_size=3).map(lambda found: {one.guild_id: one for one in found}),
    st.none() | lists,
)


def grown(value: Any, beside: dict[str, Any]) -> Any:
    """Return a document with something unknown in each of its objects but those keyed by ids."""
    if isinstance(value, list):
        return [grown(one, beside) for one in value]
    if isinstance(value, dict):
        inner = {name: grown(one, beside) for name, one in value.items()}
        return inner if any(name.isdecimal() for name in value) else beside | inner
    return value


@given(communities, strange)
def test_community_facts_of_a_newer_release(known_of, beside):
    """In SQL's one document as in the parts that Redis has."""
    whole = documents.document(known_of)
    assert documents.community(grown(json.loads(json.dumps(whole)), beside | NEWER)) == known_of
    for one in known_of.standings.values():
        document = grown(documents.standing_document(one), beside | NEWER)
        assert documents.standing(one.guild_id, one.read_at, document) == one


@given(records(ConsoleSession), strange)
def test_console_sessions_and_secrets_of_a_newer_release(session, beside):
    """What they know beside is passed by."""
    assert known(ConsoleSession, beside | NEWER | asdict(session)) == session
    secret = ClientSecret("ab" * 32, START)
    assert known(ClientSecret, beside | NEWER | asdict(secret)) == secret
    assert known(ClientSecret, {"digest": "ab" * 32, "created_at": START}) == secret


async def rewritten(world: World, change: Callable[[list[Any]], list[Any]]) -> None:
    """Have every record of the account be as another release would have written it."""
    client = world.stores.client
    for key, value in (await world.everything()).items():
        if isinstance(value, str) and value.startswith("["):
            await client.set(key, json.dumps(change(json.loads(value))), keepttl=True)
        elif isinstance(value, dict):
            await client.hset(key, mapping={"zz": "newer", "zz:1": "newer"})


def longer(record: list[Any]) -> list[Any]:
    """A newer release has more fields, behind all those that we may leave out."""
    optional = {13: record[4], 14: record[5]} if len(record) > 8 else {}  # AUTH, where it is BEGUN
    told = [optional[len(record)]] if len(record) in optional else []
    return [*record, *told, "newer", ""]


async def test_records_of_a_newer_release(world: World) -> None:
    """Sessions, codes, grants and facts go on through every step; what is unknown survives."""
    await world.sign_in()
    code, gid = await world.code(), await world.grant(scope="openid offline_access")
    await rewritten(world, longer)
    sessions = world.stores.sessions
    assert await sessions.look(ACCOUNT, SID, world.session.generation, now=world.now)
    assert isinstance(await world.try_code(), CodeIssued)
    assert isinstance(await world.redeem(code), GrantAlive)
    for generation in (1, 1, 2):
        answer = await world.refresh(gid, generation)
        assert isinstance(answer, GrantAlive)
        assert answer.grant.scope == ("openid", "offline_access")
    living = await world.stores.accounts.living(ACCOUNT, now=world.now)
    assert len(living[0]) == 1
    assert len(living[1]) == 2
    kept = json.loads(await world.stores.client.get(world.key(f"grant:{gid}")))
    assert kept[-2:] == ["newer", ""]
    world.now += 11
    assert await world.refresh(gid, 1) == GrantRefused(Refusal.REUSED, ended=gid)
    assert (await sessions.end(ACCOUNT, SID, now=world.now)).grants


async def test_records_of_the_first_release(world: World) -> None:
    """Codes and grants without the fields added since: bound to no key, no claims asked for."""
    await world.sign_in()
    code, gid = await world.code(), await world.grant()
    # A session has 8 fields, a code had 11, a grant 12.
    shorter = {8: 8, 13: 11, 14: 12}
    await rewritten(world, lambda record: record[: shorter[len(record)]])
    for answer in (await world.redeem(code), await world.refresh(gid), await world.look(gid)):
        assert isinstance(answer, GrantAlive)
        assert (answer.grant.dpop_jkt, answer.grant.claims) == (None, None)


async def test_a_device_of_a_newer_release(stores: RedisStores) -> None:
    """It is shown, decided and polled as ever."""
    device = Device("de" * 16, CLIENT, ("openid",), (), START + 600)
    approval = Approval(ACCOUNT, "1" * 32, "2" * 32)
    assert await stores.devices.begin(device, "c0" * 16, now=START)
    key = stores.devices._device(device.device_id)
    record = json.loads(await stores.client.get(key))
    await stores.client.set(key, json.dumps([*record, "newer"]), keepttl=True)
    assert await stores.devices.look(device.device_id) == device
    assert (await stores.devices.poll(device.device_id, CLIENT, now=START))[0] is Poll.WAITING
    assert await stores.devices.decide(device.device_id, approval, now=START + 9)
    found = await stores.devices.poll(device.device_id, CLIENT, now=START + 9)
    assert found == (Poll.APPROVED, approval)
    assert json.loads(await stores.client.get(key))[-1] == "newer"


async def _all(stores: SqlStores, kind: type[Any]) -> Any:
    async with AsyncSession(stores.engine, expire_on_commit=False) as session:
        return (await session.exec(select(kind))).all()


async def _newer(stores: SqlStores, kind: type[Any], column: str) -> None:
    """Have every row of a table say more than we know."""
    async with AsyncSession(stores.engine) as session, session.begin():
        for row in await session.exec(select(kind)):
            setattr(row, column, NEWER | (getattr(row, column) or {}))


@pytest.mark.parametrize(
    ("register", "table", "one"),
    [
        (
            "clients",
            ClientRow,
            replace(APP, secrets=(ClientSecret("ab" * 32, NOW),), guilds=("1",)),
        ),
        ("apis", ApiRow, Api("https://api.example", "API", scopes=("read",))),
        ("guilds", GuildRow, Guild("80351110224678912", "Guild")),
    ],
)
async def test_an_edit_keeps_what_a_newer_release_knows(
    sql_stores: SqlStores, register: str, table: type[Any], one: Any
) -> None:
    """A restriction that we do not know must not go away because an old process edits the name."""
    store = getattr(sql_stores, register)
    added = await store.add(one, now=NOW)
    await _newer(sql_stores, table, "more")
    (before,) = await store.list()
    assert before == added
    renamed = replace(one, name="Another")
    await store.edit(renamed, version=1, now=NOW)
    (row,) = await _all(sql_stores, table)
    assert row.more.items() >= NEWER.items()
    (after,) = await store.list()
    assert after.version == 2
    assert getattr(after, register.removesuffix("s")) == renamed


async def test_identities_of_a_newer_release(sql_stores: SqlStores) -> None:
    """Their profile is taken over as far as it is known here; the rest stays with them."""
    account, _ = await sql_stores.accounts.sign_in(ADA, now=NOW)
    ada = account if isinstance(account, str) else account.account_id
    there = replace(ADA, upstream="github", subject="1", email=None)
    await sql_stores.identities.link(ada, there, now=NOW)
    for column in ("profile", "raw", "community"):
        await _newer(sql_stores, IdentityRow, column)
    usable = ("discord", "github")
    found = await sql_stores.identities.unlink(ada, "discord", usable=usable, now=NOW)
    assert "email" not in found.claims
    (row,) = await _all(sql_stores, IdentityRow)
    assert row.profile.items() >= NEWER.items()

"""Accounts that leave: off at once, gone in time, nobody afterwards; and what is told of them."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import text

from broker.core.errors import SignInRefused
from broker.core.federation import UpstreamAuthorization
from broker.core.identities import NotLinked
from broker.core.model import AuditEvent
from broker.core.operators import Passkey
from broker.stores.sql import records
from broker.stores.sql.account_import import NewAccount
from broker.stores.sql.audit import AuditFilter
from broker.stores.sql.errors import NotFound
from broker.stores.sql.facade import SqlStores
from tests.stores.sql_fixtures import ADA, BOB, NOW, another, clock, migrated_url, stores

__all__ = ["another", "clock", "migrated_url", "stores"]

DAY = 86400
AT_GITHUB = replace(ADA, upstream="github", subject="583231")
HELD = UpstreamAuthorization("access-x", "refresh-x", ("identify",), NOW + 5)
TABLES = ("account", "identity", "upstream_token", "consent", "operator", "passkey")


async def lived(stores: SqlStores) -> str:
    """Ada, of whom there is something in every table."""
    ada, _ = await stores.accounts.sign_in(ADA, now=NOW)
    await stores.authorizations.keep(ada, "discord", HELD, now=NOW)
    await stores.accounts.consent(ada, "app", ("openid", "email"), now=NOW)
    await stores.operators.grant(ada, "CODE", until=NOW + 9, now=NOW)
    passkey = Passkey(b"cred", ada, b"public", 0, "Ada's laptop", NOW)
    assert await stores.operators.enrol(passkey, "CODE", now=NOW)
    await stores.accounts.disable(ada, "Ada was rude", NOW)
    await stores.accounts.enable(ada, NOW)
    event = AuditEvent("access.refused", NOW, "system", ada, "app", {"reasons": "not_member:1"})
    await stores.audit.record(event)
    return ada


async def rows(stores: SqlStores) -> dict[str, int]:
    """How many rows each table has that hold anything of a person."""
    async with stores.engine.begin() as connection:
        return {
            table: (await connection.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one()
            for table in TABLES
        }


async def test_leaving_switches_off_and_waits(stores: SqlStores) -> None:
    """Off at once, what upstreams let us do is forgotten, the outbox ends what lives."""
    ada = await lived(stores)
    for item in await stores.outbox.waiting():
        await stores.outbox.done(item.number, NOW)
    before = await stores.accounts.facts(ada)
    leaving = await stores.own.leave(ada, now=NOW + 1, grace=14 * DAY, actor="person")
    assert leaving.at == NOW + 1 + 14 * DAY
    facts = leaving.facts
    assert facts is not None
    assert before is not None
    assert (facts.disabled, facts.not_before, facts.leaving_at) == (True, NOW + 1, leaving.at)
    assert facts.version == before.version + 1
    assert await stores.authorizations.get(ada, "discord") is None
    (item,) = await stores.outbox.waiting()
    assert item.kind == records.ACCOUNT_ENDED
    (entry,) = await stores.audit.page(AuditFilter(kind="account.leaving"))
    assert (entry.event.actor, entry.event.detail) == ("person", {"at": leaving.at})
    assert await stores.accounts.sign_in(ADA, now=NOW + 2) == (ada, facts)
    assert await stores.own.due(leaving.at - 1) == ()
    assert not await stores.own.erase(ada, now=leaving.at - 1)


async def test_a_date_only_comes_nearer(stores: SqlStores) -> None:
    """Asked again, it is the sooner of both, and it is kept who wanted that one."""
    ada, _ = await stores.accounts.sign_in(ADA, now=NOW)
    first = await stores.own.leave(ada, now=NOW, grace=DAY, actor="person")
    again = await stores.own.leave(ada, now=NOW + 9, grace=9 * DAY, actor="operator")
    assert again.at == first.at
    assert again.facts is not None
    assert again.facts.leaving_by == "person"
    assert (await stores.own.leave(ada, now=NOW + 9, grace=9, actor="operator")).at == NOW + 18
    assert (await stores.accounts.get(ada)).delete_by == "operator"
    await stores.own.keep(ada, now=NOW + 10, actor="person")
    assert (await stores.accounts.get(ada)).delete_by is None


async def test_keeping_it_after_all(stores: SqlStores) -> None:
    """As it was, but for what was ended; not twice, and not too late."""
    ada, first = await stores.accounts.sign_in(ADA, now=NOW)
    assert await stores.own.keep(ada, now=NOW, actor="person") is None
    await stores.own.leave(ada, now=NOW + 1, grace=DAY, actor="person")
    assert await stores.own.keep(ada, now=NOW + 1 + DAY, actor="person") is None
    kept = await stores.own.keep(ada, now=NOW + 2, actor="person")
    assert kept is not None
    assert (kept.disabled, kept.leaving_at, kept.sub) == (False, None, first.sub)
    assert (await stores.outbox.waiting())[-1].kind == records.ACCOUNT_CHANGED
    assert await stores.own.due(NOW + 99 * DAY) == ()
    assert len(await stores.audit.page(AuditFilter(kind="account.kept"))) == 1


async def test_nothing_is_left(stores: SqlStores) -> None:
    """Every row is gone; the log goes on without what could tell who it was."""
    ada = await lived(stores)
    await stores.accounts.sign_in(BOB, now=NOW)
    await stores.own.leave(ada, now=NOW, grace=DAY, actor="person")
    assert await stores.own.due(NOW + DAY) == (ada,)
    assert await stores.own.erase(ada, now=NOW + DAY)
    assert not await stores.own.erase(ada, now=NOW + DAY)
    assert await stores.own.due(NOW + DAY) == ()
    assert await rows(stores) == dict.fromkeys(TABLES, 0) | {"account": 1, "identity": 1}
    assert (await stores.outbox.waiting())[-1].kind == records.ACCOUNT_ERASED
    with pytest.raises(NotFound):
        await stores.accounts.get(ada)
    told = await stores.audit.page(AuditFilter(account_id=ada))
    assert {entry.event.kind for entry in told} >= {"account.created", "account.deleted"}
    written = json.dumps([dict(entry.event.detail) for entry in told])
    for word in ("laptop", "rude", "not_member", "ada"):
        assert word not in written.lower()


async def test_who_comes_back_is_somebody_new(stores: SqlStores) -> None:
    """Another account, another subject; also where nobody has deleted the old one in time."""
    ada, first = await stores.accounts.sign_in(ADA, now=NOW)
    await stores.own.leave(ada, now=NOW, grace=0, actor="person")
    again, second = await stores.accounts.sign_in(ADA, now=NOW + 1)
    assert again != ada
    assert second.sub != first.sub
    await stores.own.leave(again, now=NOW + 1, grace=DAY, actor="person")
    late, third = await stores.accounts.sign_in(ADA, now=NOW + 1 + DAY)
    assert late not in {ada, again}
    assert third.sub not in {first.sub, second.sub}
    assert not third.disabled
    assert len(await stores.accounts.page()) == 1


async def test_a_ban_outlives_its_account(stores: SqlStores) -> None:
    """Of each identity what the upstream calls it, since when and why; it opens nothing."""
    ada, _ = await stores.accounts.sign_in(ADA, now=NOW)
    await stores.identities.link(ada, AT_GITHUB, now=NOW)
    await stores.accounts.disable(ada, "spam", NOW)
    await stores.own.leave(ada, now=NOW + 5, grace=0, actor="operator")
    (ban,) = await stores.bans.page()
    assert (ban.account_id, ban.since, ban.reason, ban.kept_at) == (ada, NOW, "spam", NOW + 5)
    assert ban.identities == (("discord", ADA.subject), ("github", AT_GITHUB.subject))
    (told,) = await stores.audit.page(AuditFilter(kind="account.deleted"))
    assert told.event.detail == {"banned": True}
    bob, _ = await stores.accounts.sign_in(BOB, now=NOW)
    for profile in (ADA, AT_GITHUB):
        with pytest.raises(SignInRefused):
            await stores.accounts.sign_in(profile, now=NOW + 9)
    assert await stores.identities.link(bob, AT_GITHUB, now=NOW) is NotLinked.BANNED
    assert [one.account_id for one in await stores.accounts.page()] == [bob]
    (refused,) = await stores.audit.page(AuditFilter(kind="identity.refused"))
    assert refused.event.detail == {"upstream": "github"}


async def test_a_ban_is_lifted_by_any_of_its_names(stores: SqlStores) -> None:
    """All identities of the account at once, with an event; then comes a first sign-in."""
    ada, first = await stores.accounts.sign_in(ADA, now=NOW)
    await stores.identities.link(ada, AT_GITHUB, now=NOW)
    await stores.own.leave(ada, now=NOW, grace=DAY, actor="person")
    await stores.accounts.disable(ada, "", NOW + 1)  # while it is leaving
    assert await stores.own.erase(ada, now=NOW + DAY)
    for name in (ADA.subject, AT_GITHUB.subject, ada):
        assert [one.account_id for one in await stores.bans.find(name)] == [ada]
    assert await stores.bans.find(BOB.subject) == ()
    assert await stores.bans.lift(ada, now=NOW, by="0b" * 16)
    assert not await stores.bans.lift(ada, now=NOW)
    assert await stores.bans.page() == ()
    (told,) = await stores.audit.page(AuditFilter(kind="ban.lifted"))
    assert (told.event.account_id, told.event.detail) == (ada, {"operator": "0b" * 16})
    again, second = await stores.accounts.sign_in(ADA, now=NOW + 2 * DAY)
    assert again != ada
    assert second.sub != first.sub


async def test_bans_by_pages(stores: SqlStores) -> None:
    """In the order of the accounts, each with all of its identities."""
    for profile in (ADA, BOB):
        account, _ = await stores.accounts.sign_in(profile, now=NOW)
        await stores.accounts.disable(account, "", NOW)
        await stores.own.leave(account, now=NOW, grace=0, actor="operator")
    (first,) = await stores.bans.page(1)
    (second,) = await stores.bans.page(1, first.account_id)
    assert first.account_id < second.account_id
    assert await stores.bans.page() == (first, second)
    assert await stores.bans.page(1, second.account_id) == ()


async def test_who_is_imported_is_banned_still(stores: SqlStores) -> None:
    """The account is made, switched off since then, for the same reason; the ban is its own."""
    ada, _ = await stores.accounts.sign_in(ADA, now=NOW)
    await stores.accounts.disable(ada, "spam", NOW)
    await stores.own.leave(ada, now=NOW + 5, grace=0, actor="operator")
    await stores.account_import.add([NewAccount(ADA, None, NOW, NOW)], now=NOW + 9)
    (record,) = await stores.accounts.page()
    assert (record.disabled_at, record.disabled_reason) == (NOW, "spam")
    assert await stores.bans.page() == ()
    _, facts = await stores.accounts.sign_in(ADA, now=NOW + 9)
    assert facts.disabled


async def test_many_processes_delete_one_account_once(
    another: Callable[[], SqlStores],
) -> None:
    """Beside a person who keeps it or signs in: one of all that happens, and whole."""
    one = another()
    for attempt in range(6):
        at = NOW + attempt * 10 * DAY
        ada, _ = await one.accounts.sign_in(ADA, now=at)
        await one.own.leave(ada, now=at, grace=DAY, actor="person")
        done = await asyncio.gather(
            *(another().own.erase(ada, now=at + DAY) for _ in range(3)),
            one.own.keep(ada, now=at + DAY - 1, actor="person"),
        )
        kept = done.pop() is not None
        assert done.count(True) == (0 if kept else 1)
        deleted = await one.audit.page(AuditFilter(kind="account.deleted", account_id=ada))
        assert len(deleted) == (0 if kept else 1)


async def test_everything_is_told_but_secrets(stores: SqlStores) -> None:
    """Profile, identities, consents, role and events; no token, key, digest or operator."""
    ada = await lived(stores)
    await stores.accounts.disable(ada, "spam", NOW + 1, by="0b" * 16)
    told = await stores.own.everything(ada)
    written = json.dumps(told)
    assert told["account"]["email"] == "ada@example.org"
    assert told["account"]["created_at"] == "2023-11-14T22:13:20Z"
    (identity,) = told["identities"]
    assert (identity["subject"], identity["raw"]) == (ADA.subject, {"premium_type": 2})
    assert identity["authorization"]["scope"] == "identify"
    assert [one["scope"] for one in told["consents"]] == ["openid email"]
    assert [one["name"] for one in told["operator"]["passkeys"]] == ["Ada's laptop"]
    assert {"account.created", "account.disabled"} <= {one["kind"] for one in told["audit"]}
    for secret in ("access-x", "refresh-x", "sealed", "public", "digest", "0b" * 16, "lease"):
        assert secret not in written
    assert await stores.own.everything("0" * 32) == {}


async def test_what_was_agreed_to(stores: SqlStores) -> None:
    """The latest first, each with the first time and the last."""
    ada, _ = await stores.accounts.sign_in(ADA, now=NOW)
    await stores.accounts.consent(ada, "app", ("openid",), now=NOW)
    await stores.accounts.consent(ada, "other", ("openid",), now=NOW + 1)
    await stores.accounts.consent(ada, "app", ("email",), now=NOW + 2)
    first, second = await stores.own.agreements(ada)
    assert (first.client_id, first.since, first.changed_at) == ("app", NOW, NOW + 2)
    assert first.scope == ("openid", "email")
    assert second.client_id == "other"

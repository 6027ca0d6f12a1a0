"""Accounts: one an identity, versions that only grow, and ends that cannot be half done."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from broker.stores.sql import records
from broker.stores.sql.account_search import AccountFilter, State, state_of
from broker.stores.sql.audit import AuditFilter
from broker.stores.sql.errors import NotFound
from broker.stores.sql.facade import SqlStores
from tests.stores.sql_fixtures import (
    ADA,
    BOB,
    NOW,
    Hands,
    another,
    clock,
    migrated_url,
    stores,
)

__all__ = ["another", "clock", "migrated_url", "stores"]


async def test_a_first_sign_in_makes_an_account(stores: SqlStores) -> None:
    """The facts carry the profile as standard claims, and a sub that is not the key."""
    account_id, facts = await stores.accounts.sign_in(ADA, now=NOW)
    assert len(account_id) == 32
    assert facts.sub not in {account_id, ADA.subject}
    assert (facts.version, facts.disabled, facts.not_before) == (1, False, 0.0)
    assert facts.claims == {
        "name": "Ada",
        "preferred_username": "ada",
        "picture": "https://cdn.example/ada.png",
        "email": "ada@example.org",
        "email_verified": True,
        "locale": "en-GB",
        "updated_at": int(NOW),
    }
    assert await stores.accounts.facts(account_id) == facts
    assert await stores.accounts.facts("0" * 32) is None


async def test_a_later_sign_in_finds_the_account(stores: SqlStores) -> None:
    """The snowflake is the identity: a new username changes the profile, not the account."""
    first, before = await stores.accounts.sign_in(ADA, now=NOW)
    same, unchanged = await stores.accounts.sign_in(ADA, now=NOW + 1)
    assert (same, unchanged) == (first, before)
    renamed = replace(ADA, username="countess", email=None, email_verified=False)
    found, after = await stores.accounts.sign_in(renamed, now=NOW + 2)
    assert found == first
    assert after.sub == before.sub
    assert after.version == before.version + 1
    assert after.claims["preferred_username"] == "countess"
    assert after.claims["updated_at"] == int(NOW) + 2
    assert not {"email", "email_verified"} & after.claims.keys()
    record = await stores.accounts.get(first)
    assert record.last_sign_in_at == NOW + 2
    assert [(i.subject, i.username) for i in record.identities] == [(ADA.subject, "countess")]


async def test_accounts_are_never_joined_by_email(stores: SqlStores) -> None:
    """Two identities with one address, or one subject at two upstreams, are two accounts."""
    ada, _ = await stores.accounts.sign_in(ADA, now=NOW)
    bob, _ = await stores.accounts.sign_in(BOB, now=NOW)
    elsewhere, _ = await stores.accounts.sign_in(replace(ADA, upstream="other"), now=NOW)
    assert BOB.email == ADA.email
    assert len({ada, bob, elsewhere}) == 3


async def test_text_that_databases_refuse_is_cleaned(stores: SqlStores) -> None:
    """A NUL or half a surrogate pair in a name does not keep a person out."""
    odd = replace(ADA, display_name="A\0da\ud800", raw={"bio": "\0"})
    _, facts = await stores.accounts.sign_in(odd, now=NOW)
    assert facts.claims["name"] == "Ada?"


async def test_racing_first_sign_ins_make_one_account(
    another: Callable[[], SqlStores],
) -> None:
    """However many processes see a person first, there is one account."""
    processes = [another(), another(), another()]
    answers = await asyncio.gather(
        *(process.accounts.sign_in(ADA, now=NOW) for process in processes for _ in range(4))
    )
    assert len({account_id for account_id, _ in answers}) == 1
    assert len({facts.sub for _, facts in answers}) == 1
    assert len(await processes[0].accounts.page()) == 1
    created = await processes[0].audit.page(AuditFilter(kind="account.created"))
    assert len(created) == 1


async def test_consent_adds_up(stores: SqlStores) -> None:
    """Scopes are added, never lost; only a change makes newer facts."""
    ada, signed_in = await stores.accounts.sign_in(ADA, now=NOW)
    first = await stores.accounts.consent(ada, "app", ("profile", "openid"), now=NOW)
    again = await stores.accounts.consent(ada, "app", ("openid",), now=NOW + 1)
    more = await stores.accounts.consent(ada, "app", ("email",), now=NOW + 2)
    assert first.consents == {"app": "openid profile"}
    assert first.version == signed_in.version + 1
    assert again == first
    assert more.consents == {"app": "openid profile email"}
    assert more.version == first.version + 1
    other = await stores.accounts.consent(ada, "other", ("openid", "x:read"), now=NOW + 3)
    assert other.consents == {"app": "openid profile email", "other": "openid x:read"}
    assert await stores.accounts.facts(ada) == other
    with pytest.raises(NotFound):
        await stores.accounts.consent("0" * 32, "app", ("openid",), now=NOW)


async def test_withdrawing_consent_is_carried_on(stores: SqlStores) -> None:
    """The consent is gone, the facts are newer, the outbox and the log know; each time."""
    ada, _ = await stores.accounts.sign_in(ADA, now=NOW)
    given = await stores.accounts.consent(ada, "app", ("openid",), now=NOW)
    gone, consented = await stores.accounts.withdraw_consent(ada, "app", now=NOW + 1)
    assert (gone.consents, gone.version, consented) == ({}, given.version + 1, True)
    again, consented = await stores.accounts.withdraw_consent(ada, "app", now=NOW + 2)
    assert (again.consents, again.version, consented) == ({}, gone.version + 1, False)
    first, second = await stores.outbox.waiting()
    assert first.kind == second.kind == records.CONSENT_WITHDRAWN
    payload = {"account_id": ada, "client_id": "app"}
    assert first.payload == {**payload, "version": gone.version, "at": NOW + 1, "consented": True}
    assert second.payload["consented"] is False
    newest, oldest = await stores.audit.page(AuditFilter(kind="consent.withdrawn"))
    assert (oldest.event.detail, newest.event.detail) == ({"scope": "openid"}, {})


async def test_versions_only_grow(another: Callable[[], SqlStores]) -> None:
    """Changes of one account from several processes at once each get a version of their own."""
    one, two = another(), another()
    ada, first = await one.accounts.sign_in(ADA, now=NOW)
    changes = [
        *(one.accounts.consent(ada, f"app-{n}", ("openid",), now=NOW) for n in range(4)),
        *(two.accounts.sign_out(ada, NOW + n) for n in range(4)),
    ]
    facts = await asyncio.gather(*changes)
    versions = sorted(each.version for each in facts)
    assert versions == list(range(first.version + 1, first.version + 9))
    newest = await one.accounts.facts(ada)
    assert newest == max(facts, key=lambda each: each.version)


async def test_disabling_marks_queues_and_remembers(stores: SqlStores) -> None:
    """One transaction: the marker, the outbox row that ends everything, the audit event."""
    ada, before = await stores.accounts.sign_in(ADA, now=NOW)
    facts = await stores.accounts.disable(ada, "spam", NOW + 5)
    assert (facts.disabled, facts.not_before) == (True, NOW + 5)
    assert facts.version == before.version + 1
    (item,) = await stores.outbox.waiting()
    assert item.kind == records.ACCOUNT_ENDED
    assert item.payload == {
        "account_id": ada,
        "version": facts.version,
        "not_before": NOW + 5,
    }
    (entry,) = await stores.audit.page(AuditFilter(kind="account.disabled"))
    assert (entry.event.account_id, entry.event.actor) == (ada, "operator")
    assert entry.event.detail == {"reason": "spam"}
    record = await stores.accounts.get(ada)
    assert (record.disabled_at, record.disabled_reason) == (NOW + 5, "spam")


async def test_a_disabled_account_stays_so_until_enabled(stores: SqlStores) -> None:
    """Signing in does not enable it, and what was begun before stays dead when it is."""
    ada, _ = await stores.accounts.sign_in(ADA, now=NOW)
    disabled = await stores.accounts.disable(ada, "spam", NOW + 5)
    _, facts = await stores.accounts.sign_in(ADA, now=NOW + 6)
    assert facts == disabled
    enabled = await stores.accounts.enable(ada, NOW + 7)
    assert (enabled.disabled, enabled.not_before) == (False, NOW + 5)
    assert enabled.version == disabled.version + 1
    assert (await stores.outbox.waiting())[-1].kind == records.ACCOUNT_CHANGED
    assert (await stores.accounts.get(ada)).disabled_reason is None


async def test_not_before_never_goes_back(stores: SqlStores) -> None:
    """A clock that stepped back brings nothing to life."""
    ada, _ = await stores.accounts.sign_in(ADA, now=NOW)
    await stores.accounts.sign_out(ada, NOW + 100)
    facts = await stores.accounts.sign_out(ada, NOW)
    assert facts.not_before == NOW + 100
    assert facts.version == 3


@pytest.mark.parametrize("operation", ["disable", "enable", "sign_out", "get"])
async def test_an_unknown_account_is_named_unknown(stores: SqlStores, operation: str) -> None:
    """No operation makes an account, and none leaves a trace of one."""
    arguments = {"disable": ("spam", NOW), "get": ()}.get(operation, (NOW,))
    with pytest.raises(NotFound):
        await getattr(stores.accounts, operation)("0" * 32, *arguments)
    assert await stores.outbox.waiting() == ()
    assert await stores.audit.page() == ()


async def test_operators_find_accounts_by_any_name(stores: SqlStores) -> None:
    """By key, sub, snowflake, username or e-mail; an ambiguous name gives several."""
    ada, facts = await stores.accounts.sign_in(ADA, now=NOW)
    bob, _ = await stores.accounts.sign_in(BOB, now=NOW)
    for name in (ada, facts.sub, ADA.subject, "ada", " Ada "):
        assert [found.account_id for found in await stores.accounts.find(name)] == [ada]
    both = await stores.accounts.find("Ada@example.org")
    assert {found.account_id for found in both} == {ada, bob}
    assert await stores.accounts.find("nobody\0") == ()


async def test_a_username_hides_nobodys_identifier(stores: SqlStores) -> None:
    """People choose their usernames; another's snowflake or key still names that other."""
    ada, _ = await stores.accounts.sign_in(ADA, now=NOW)
    for n, name in enumerate((ADA.subject, ada)):
        await stores.accounts.sign_in(replace(BOB, subject=str(n), username=name), now=NOW)
        assert [found.account_id for found in await stores.accounts.find(name)] == [ada]


async def test_pages_of_accounts(stores: SqlStores, clock: Hands) -> None:
    """Pages follow one another without gaps; a query narrows them, wildcards are plain text."""
    for n in range(7):
        profile = replace(ADA, subject=str(n), username=f"user_{n}", email=None)
        await stores.accounts.sign_in(profile, now=clock.now())
    whole = [record.account_id for record in await stores.accounts.page()]
    pages: list[str] = []
    while part := await stores.accounts.page(limit=3, after=pages[-1] if pages else None):
        pages += [record.account_id for record in part]
    assert pages == whole
    assert len(whole) == 7
    assert [r.username for r in await stores.accounts.page(AccountFilter("USER_3"))] == ["user_3"]
    assert await stores.accounts.page(AccountFilter("user%3")) == ()
    assert [r.username for r in await stores.accounts.page(AccountFilter("5"))] == ["user_5"]


async def test_whoever_is_called_so_is_on_the_first_page(stores: SqlStores) -> None:
    """However many others have that in their names; nobody is left out on the way."""
    for n, name in enumerate(("maxine", "maximus", "climax", "flax", "max", "maxwell", "maxim")):
        profile = replace(ADA, subject=str(n), username=name, display_name=name, email=None)
        await stores.accounts.sign_in(profile, now=NOW + n)
    ids = {one.username: one.account_id for one in await stores.accounts.page()}
    for query in ("max", "MAX", ids["max"]):
        first = await stores.accounts.page(AccountFilter(query), limit=2)
        assert "max" in {one.username for one in first}
    seen: set[str] = set()
    after: str | None = None
    while part := await stores.accounts.page(AccountFilter("max"), limit=2, after=after):
        assert len(part) <= 2
        seen |= {one.username for one in part}
        after = part[-1].account_id
    assert seen == {"maxine", "maximus", "climax", "max", "maxwell", "maxim"}


async def test_accounts_by_how_they_stand(stores: SqlStores) -> None:
    """By state, role, and last sign-in: from the one moment on, before the other."""
    names = ("active", "off", "leaving", "both")
    ids = {}
    for n, name in enumerate(names):
        profile = replace(ADA, subject=str(n), username=name, email=f"{name}@example.org")
        ids[name], _ = await stores.accounts.sign_in(profile, now=NOW + n)
    for name in ("off", "both"):
        await stores.accounts.disable(ids[name], "spam", NOW + 9)
    for name in ("leaving", "both"):
        await stores.own.leave(ids[name], now=NOW + 9, grace=99, actor="person")
    await stores.operators.grant(ids["active"], "CODE", until=NOW + 99, now=NOW)
    await stores.operators.grant(ids["leaving"], "MORE", until=NOW + 99, now=NOW)
    await stores.accounts.consent(ids["both"], "app", ("openid",), now=NOW)

    async def found(**wanted: Any) -> set[str]:
        records = await stores.accounts.page(AccountFilter(**wanted))
        assert [one.account_id for one in records] == sorted(one.account_id for one in records)
        return {one.username for one in records}

    assert await found(state=State.ACTIVE) == {"active"}
    assert await found(state=State.DISABLED) == {"off", "both"}
    assert await found(state=State.LEAVING) == {"leaving"}
    assert await found(operators=True) == {"active", "leaving"}
    assert await found(operators=True, state=State.ACTIVE) == {"active"}
    assert await found(since=NOW + 1, until=NOW + 3) == {"off", "leaving"}
    assert await found(query="example", since=NOW + 2) == {"leaving", "both"}
    (both,) = await stores.accounts.page(AccountFilter("both"))
    assert (both.consents, state_of(both)) == ({"app": "openid"}, State.DISABLED)
    assert both == await stores.accounts.get(ids["both"])


async def test_a_withdrawn_authorization_ends_what_was_begun_before(stores: SqlStores) -> None:
    """One transaction, as for an operator's sign-out; the moment is the event's, not ours."""
    ada, before = await stores.accounts.sign_in(ADA, now=NOW)
    bob, others = await stores.accounts.sign_in(BOB, now=NOW)
    ended = await stores.accounts.deauthorized("discord", ADA.subject, at=NOW + 5, now=NOW + 60)
    assert ended is not None
    assert ended[0] == ada
    facts = ended[1]
    assert (facts.not_before, facts.version) == (NOW + 5, before.version + 1)
    assert not facts.disabled
    (item,) = await stores.outbox.waiting()
    assert (item.kind, item.created_at) == (records.ACCOUNT_ENDED, NOW + 60)
    assert item.payload == {
        "account_id": ada,
        "version": facts.version,
        "not_before": NOW + 5,
        "since_stays": True,
    }
    (entry,) = await stores.audit.page(AuditFilter(kind="account.deauthorized"))
    assert (entry.event.account_id, entry.event.actor, entry.event.at) == (ada, "person", NOW + 60)
    assert entry.event.detail == {"upstream": "discord", "at": NOW + 5}
    assert await stores.accounts.facts(bob) == others


async def test_a_withdrawal_ends_nothing_twice(stores: SqlStores) -> None:
    """Told again, told late, told of an earlier moment, or of nobody: no change, no trace."""
    ada, _ = await stores.accounts.sign_in(ADA, now=NOW)
    await stores.accounts.deauthorized("discord", ADA.subject, at=NOW + 5, now=NOW + 5)
    known = await stores.accounts.facts(ada)
    for upstream, subject, at in (
        ("discord", ADA.subject, NOW + 5),
        ("discord", ADA.subject, NOW - 5),
        ("discord", BOB.subject, NOW + 9),
        ("github", ADA.subject, NOW + 9),
        ("discord", "", NOW + 9),
    ):
        assert await stores.accounts.deauthorized(upstream, subject, at=at, now=NOW + 9) is None
    assert await stores.accounts.facts(ada) == known
    assert len(await stores.outbox.waiting()) == 1
    assert len(await stores.audit.page(AuditFilter(kind="account.deauthorized"))) == 1


async def test_withdrawals_at_once_are_one(another: Callable[[], SqlStores]) -> None:
    """Discord tries an event again while two processes still work at it."""
    one, two = another(), another()
    await one.accounts.sign_in(ADA, now=NOW)
    tried = [
        store.accounts.deauthorized("discord", ADA.subject, at=NOW + 5, now=NOW + 5)
        for store in (one, two) * 3
    ]
    ended = [found for found in await asyncio.gather(*tried) if found is not None]
    assert len(ended) == 1
    assert len(await one.outbox.waiting()) == 1


async def test_names_of_those_that_exist(stores: SqlStores) -> None:
    """Whoever is not there has none."""
    ada, _ = await stores.accounts.sign_in(ADA, now=NOW)
    assert await stores.accounts.names({ada, "0" * 32}) == {ada: "Ada"}
    assert await stores.accounts.names(()) == {}

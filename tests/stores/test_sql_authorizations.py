"""Upstream tokens: sealed, one an identity, renewed by one process at a time."""

import asyncio
import logging
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from broker.core.federation import KeptAuthorization, UpstreamAuthorization
from broker.stores.sql import engine
from broker.stores.sql.audit import AuditFilter
from broker.stores.sql.facade import SqlStores
from tests.stores.sql_fixtures import (
    ADA,
    BOB,
    NOW,
    Counted,
    Hands,
    another,
    clock,
    migrated_url,
    stores,
)

__all__ = ["another", "clock", "migrated_url", "stores"]

ACCESS, REFRESH = "an-access-token-of-discord", "a-refresh-token-of-discord"
GRANTED = UpstreamAuthorization(ACCESS, REFRESH, ("identify", "guilds.members.read"), NOW + 604800)
RENEWED = replace(GRANTED, access_token="another", refresh_token=None, expires_at=None)
OLD, NEW = b"the older of two secrets of 32 bytes", b"the newer of two secrets of 32 bytes"


async def signed_in(stores: SqlStores) -> str:
    account_id, _ = await stores.accounts.sign_in(ADA, now=NOW)
    return account_id


async def begin(stores: SqlStores) -> tuple[str, int]:
    """An account with an authorization: the account_id, and its version."""
    ada = await signed_in(stores)
    assert await stores.authorizations.keep(ada, "discord", GRANTED, now=NOW)
    kept = await stores.authorizations.get(ada, "discord")
    assert kept is not None
    return ada, kept.version


async def lease(stores: SqlStores, ada: str, version: int, at: float = 0) -> bool:
    return await stores.authorizations.lease(
        ada, "discord", version=version, now=NOW + at, seconds=20
    )


async def kept(stores: SqlStores, ada: str) -> KeptAuthorization:
    found = await stores.authorizations.get(ada, "discord")
    assert found is not None
    return found


async def test_what_is_kept_comes_back(stores: SqlStores) -> None:
    """Whole, for that identity alone; what replaces it has a later version."""
    ada, version = await begin(stores)
    assert await kept(stores, ada) == KeptAuthorization(GRANTED, version)
    assert await stores.authorizations.get(ada, "github") is None
    assert await stores.authorizations.get("0" * 32, "discord") is None
    await stores.authorizations.keep(ada, "discord", RENEWED, now=NOW + 1)
    assert await kept(stores, ada) == KeptAuthorization(RENEWED, version + 1)


async def test_nothing_is_kept_without_an_identity(stores: SqlStores) -> None:
    """Such as one that was unlinked meanwhile."""
    ada = await signed_in(stores)
    for account_id, upstream in ((ada, "github"), ("0" * 32, "discord")):
        assert not await stores.authorizations.keep(account_id, upstream, GRANTED, now=NOW)
        assert await stores.authorizations.get(account_id, upstream) is None


async def test_one_of_many_has_the_lease(another: Callable[[], SqlStores]) -> None:
    """However many processes ask at once, with however many connections."""
    processes = [another(), another(), another()]
    ada, version = await begin(processes[0])
    answers = await asyncio.gather(
        *(lease(process, ada, version) for process in processes for _ in range(5))
    )
    assert sorted(answers) == [False] * 14 + [True]


async def test_a_lease_is_for_one_version_and_one_person(stores: SqlStores) -> None:
    """Another version has been replaced, or never was; others' are others'."""
    ada, version = await begin(stores)
    bob, _ = await stores.accounts.sign_in(BOB, now=NOW)
    await stores.authorizations.keep(bob, "discord", GRANTED, now=NOW)
    assert not await lease(stores, ada, version - 1)
    assert not await lease(stores, ada, version + 1)
    assert await lease(stores, ada, version)
    assert await lease(stores, bob, (await kept(stores, bob)).version)


async def test_keeping_ends_the_lease(stores: SqlStores) -> None:
    """The next one may be taken at once, for the next version."""
    ada, version = await begin(stores)
    assert await lease(stores, ada, version)
    assert await stores.authorizations.keep(ada, "discord", RENEWED, now=NOW + 1, version=version)
    assert not await lease(stores, ada, version, 2)
    assert await lease(stores, ada, version + 1, 2)


async def test_a_renewal_does_not_replace_a_sign_in(stores: SqlStores) -> None:
    """The person signed in again while the upstream answered: that authorization is the newer."""
    ada, version = await begin(stores)
    assert await lease(stores, ada, version)
    wider = replace(GRANTED, scope=(*GRANTED.scope, "guilds"))
    await stores.authorizations.keep(ada, "discord", wider, now=NOW + 1)
    late = await stores.authorizations.keep(ada, "discord", RENEWED, now=NOW + 2, version=version)
    assert not late
    assert (await kept(stores, ada)).authorization == wider


async def test_the_lease_of_the_dead_runs_out(stores: SqlStores) -> None:
    """And not before."""
    ada, version = await begin(stores)
    assert await lease(stores, ada, version)
    assert not await lease(stores, ada, version, 19.9)
    assert await lease(stores, ada, version, 20)
    assert not await lease(stores, ada, version, 21)


async def test_a_refused_version_is_marked(stores: SqlStores) -> None:
    """Nobody renews it again; once in the log; a sign-in makes it good."""
    ada, version = await begin(stores)
    await lease(stores, ada, version)
    for n in range(2):
        await stores.authorizations.lose(ada, "discord", version=version, now=NOW + n)
    assert await kept(stores, ada) == KeptAuthorization(GRANTED, version, lost=True)
    assert not await lease(stores, ada, version, 100)
    (entry,) = await stores.audit.page(AuditFilter(kind="upstream.lost"))
    assert (entry.event.account_id, entry.event.at) == (ada, NOW)
    assert entry.event.detail == {"upstream": "discord"}
    await stores.authorizations.keep(ada, "discord", GRANTED, now=NOW + 2)
    assert await kept(stores, ada) == KeptAuthorization(GRANTED, version + 1)


async def test_what_was_refused_is_that_version(stores: SqlStores) -> None:
    """A newer one that was kept meanwhile stays as it is."""
    ada, version = await begin(stores)
    await stores.authorizations.keep(ada, "discord", RENEWED, now=NOW)
    await stores.authorizations.lose(ada, "discord", version=version, now=NOW)
    assert not (await kept(stores, ada)).lost
    assert await stores.audit.page(AuditFilter(kind="upstream.lost")) == ()


async def test_what_is_forgotten_is_gone(stores: SqlStores) -> None:
    """A version is never given again, so whoever still holds an old one changes nothing."""
    ada, version = await begin(stores)
    for _ in range(2):
        await stores.authorizations.forget(ada, "discord")
        assert await stores.authorizations.get(ada, "discord") is None
    assert not await lease(stores, ada, version)
    assert not await stores.authorizations.keep(ada, "discord", RENEWED, now=NOW, version=version)
    await stores.authorizations.keep(ada, "discord", GRANTED, now=NOW + 1)
    assert (await kept(stores, ada)).version > version


async def dump(stores: SqlStores) -> list[Any]:
    async with stores.engine.connect() as connection:
        found = await connection.execute(text("SELECT * FROM upstream_token"))
        return [bytes(v) if isinstance(v, memoryview) else v for row in found for v in row]


async def test_a_dump_holds_no_token(
    stores: SqlStores, caplog: pytest.LogCaptureFixture, migrated_url: str
) -> None:
    """Nor does a log, at any level, nor any representation of what is read."""
    caplog.set_level(logging.DEBUG)
    ada, _ = await begin(stores)
    found = await kept(stores, ada)
    seen = repr((found, await dump(stores), caplog.text))
    if migrated_url.startswith("sqlite"):
        file = Path(migrated_url.removeprefix("sqlite:///"))
        seen += "".join(repr(part.read_bytes()) for part in file.parent.glob(file.name + "*"))
    for token in (ACCESS, REFRESH):
        assert token not in seen
        assert token.encode().hex() not in seen


async def test_a_row_that_was_moved_does_not_open(
    stores: SqlStores, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever writes to the database still cannot act as somebody else upstream."""
    ada, _ = await begin(stores)
    bob, _ = await stores.accounts.sign_in(BOB, now=NOW)
    await stores.authorizations.keep(bob, "discord", RENEWED, now=NOW)
    async with stores.engine.begin() as connection:
        swap = (
            "UPDATE upstream_token SET sealed = (SELECT other.sealed FROM upstream_token AS other "
            "WHERE other.identity_id <> upstream_token.identity_id)"
        )
        await connection.execute(text(swap))
    assert await stores.authorizations.get(ada, "discord") is None
    assert "does not open" in caplog.text
    assert ACCESS not in caplog.text


def with_secrets(url: str, *secrets: bytes) -> SqlStores:
    return SqlStores(engine.create(url), Counted(repr(secrets).encode()), Hands(), secrets)


async def test_secrets_change_without_losing_a_token(migrated_url: str) -> None:
    """Appended, put first, sealed anew, dropped: each step opens what the one before sealed."""
    before = with_secrets(migrated_url, OLD)
    ada, version = await begin(before)
    appended = with_secrets(migrated_url, OLD, NEW)
    assert await appended.authorizations.sealed_with_last() == 0
    assert await appended.authorizations.rewrap() == 0
    first = with_secrets(migrated_url, NEW, OLD)
    assert await first.authorizations.sealed_with_last() == 1
    assert (await kept(first, ada)).authorization == GRANTED
    assert await lease(first, ada, version)
    assert await first.authorizations.rewrap() == 1
    assert await first.authorizations.rewrap() == 0
    assert await first.authorizations.sealed_with_last() == 0
    assert not await lease(first, ada, version, 1), "a lease outlives it"
    dropped = with_secrets(migrated_url, NEW)
    assert await kept(dropped, ada) == KeptAuthorization(GRANTED, version)
    assert await before.authorizations.get(ada, "discord") is None
    assert await before.authorizations.rewrap() == 0
    for each in (before, appended, first, dropped):
        await each.close()


async def test_many_are_sealed_anew(migrated_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In several transactions, while they are read and renewed; what nobody opens is passed by."""
    monkeypatch.setattr("broker.stores.sql.authorizations.BATCH", 3)
    before, after = with_secrets(migrated_url, OLD), with_secrets(migrated_url, NEW, OLD)
    accounts = []
    for n in range(10):
        ada, _ = await before.accounts.sign_in(replace(ADA, subject=str(n)), now=NOW)
        await before.authorizations.keep(ada, "discord", GRANTED, now=NOW)
        accounts.append(ada)
    async with before.engine.begin() as connection:
        garbage = {"sealed": b"\1" + b"garbage" * 9}
        await connection.execute(
            text(
                "UPDATE upstream_token SET sealed = :sealed WHERE identity_id = "
                "(SELECT id FROM identity WHERE subject = '4')"
            ),
            garbage,
        )
    first, *_ = await asyncio.gather(
        after.authorizations.rewrap(),
        *(after.authorizations.keep(ada, "discord", RENEWED, now=NOW + 1) for ada in accounts[5:]),
    )
    assert first <= 9
    assert await after.authorizations.sealed_with_last() == 0
    alone = with_secrets(migrated_url, NEW)
    found = [await alone.authorizations.get(ada, "discord") for ada in accounts]
    assert [one and one.authorization for one in found] == ([GRANTED] * 4 + [None] + [RENEWED] * 5)
    for each in (before, after, alone):
        await each.close()


RENEW = """
import asyncio, sys
from broker.stores.sql import engine
from broker.stores.sql.facade import SqlStores
from tests.stores.sql_fixtures import NOW, SECRETS, Counted, Hands

async def main(url, account_id, version, seed):
    stores = SqlStores(engine.create(url), Counted(seed.encode()), Hands(), SECRETS)
    await stores.authorizations.get(account_id, "discord")
    print("ready", flush=True)
    sys.stdin.readline()
    had = await stores.authorizations.lease(
        account_id, "discord", version=int(version), now=NOW, seconds=20
    )
    print(had, flush=True)
    sys.stdin.readline()  # killed here, with the lease

asyncio.run(main(*sys.argv[1:]))
"""


async def test_two_processes_and_a_kill(stores: SqlStores, migrated_url: str) -> None:
    """One of two has the lease; killed with it, it leaves the authorization to the next."""
    ada, version = await begin(stores)
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", RENEW, migrated_url, ada, str(version), seed),
            cwd=Path(__file__).parents[2],
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for seed in ("one", "two")
    ]
    pipes = [(process.stdin, process.stdout) for process in processes]
    for _, out in pipes:
        assert out is not None
        assert await out.readline() == b"ready\n"
    for into, _ in pipes:
        assert into is not None
        into.write(b"\n")
    answers = [await out.readline() for _, out in pipes if out is not None]
    for process in processes:
        process.kill()
        await process.wait()
    assert sorted(answers) == [b"False\n", b"True\n"]
    assert not await lease(stores, ada, version, 19)
    assert await lease(stores, ada, version, 20)
    assert (await kept(stores, ada)).authorization == GRANTED


async def test_a_withdrawal_forgets_what_was_kept_before(stores: SqlStores) -> None:
    """It is dead by then; what a sign-in has brought since is another one, and stays."""
    ada, _ = await stores.accounts.sign_in(ADA, now=NOW)
    for kept_at, withdrawn_at, left in ((NOW, NOW + 5, None), (NOW + 9, NOW + 7, RENEWED)):
        await stores.authorizations.keep(ada, "discord", RENEWED, now=kept_at)
        await stores.accounts.deauthorized(
            "discord", ADA.subject, at=withdrawn_at, now=withdrawn_at + 10
        )
        found = await stores.authorizations.get(ada, "discord")
        assert (found and found.authorization) == left


async def test_a_withdrawal_is_forgotten_though_everything_is_dead(stores: SqlStores) -> None:
    """An operator's sign-out leaves what upstream lets us do; the person's word does not."""
    ada, _ = await stores.accounts.sign_in(ADA, now=NOW)
    await stores.authorizations.keep(ada, "discord", GRANTED, now=NOW)
    await stores.accounts.sign_out(ada, NOW + 9)
    assert (
        await stores.accounts.deauthorized("discord", ADA.subject, at=NOW + 5, now=NOW + 9) is None
    )
    assert await stores.authorizations.get(ada, "discord") is None

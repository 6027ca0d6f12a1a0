"""``broker accounts``: switching an account on again, and bans that have outlived theirs."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from broker.cli import show
from broker.cli.account_commands import Who, found, put, say, tidy
from broker.cli.paging import PAGE, After, Limit, tell_rest
from broker.cli.running import Exit, Failure, with_stores

if TYPE_CHECKING:
    from broker.app.clock import SystemClock
    from broker.app.settings import Settings
    from broker.app.stores import Stores
    from broker.stores.sql.records import AccountRecord, BanRecord


def enable(who: Who, json: show.Json = False) -> None:
    """Switch an account on again, what was ended stays ended; or lift a deleted one's ban."""

    async def work(
        stores: "Stores", _settings: "Settings", clock: "SystemClock"
    ) -> "tuple[AccountRecord | BanRecord, bool]":
        ban = await _banned(stores, who)
        if ban is not None:
            return ban, await stores.sql.bans.lift(ban.account_id, now=clock.now())
        record = await found(stores, who)
        facts = await stores.sql.accounts.enable(record.account_id, clock.now())
        carried = await put(stores, record.account_id, facts)
        await tidy(stores, clock)
        return record, carried

    record, carried = with_stores(work, redis=True)
    lifted = f"The ban on {record.name} is lifted: they may sign in, as somebody new."
    told = "" if hasattr(record, "sub") else lifted
    say(record, "enabled", None, carried=carried, json=json, told=told)


def bans(
    limit: Limit = PAGE,
    after: After = None,
    json: show.Json = False,
) -> None:
    """List who may not sign in though their account is deleted: it was switched off then."""

    async def work(
        stores: "Stores", _settings: "Settings", clock: "SystemClock"
    ) -> "tuple[tuple[BanRecord, ...], float]":
        return await stores.sql.bans.page(limit, after), clock.now()

    found_bans, now = with_stores(work)
    if json:
        show.document([_ban(one) for one in found_bans])
        return
    show.table(
        ("account", "who", "off", "deleted", "reason"),
        [
            (
                one.account_id,
                one.name,
                show.when(one.since, now),
                show.when(one.kept_at, now),
                one.reason or "",
            )
            for one in found_bans
        ],
        empty="No ban has outlived its account.",
    )
    tell_rest(found_bans, limit)


async def _banned(stores: "Stores", who: str) -> "BanRecord | None":
    """Return the one ban that a reference means, where it means no account."""
    if await stores.sql.accounts.find(who):
        return None
    bans = await stores.sql.bans.find(who)
    if len(bans) > 1:
        names = ", ".join(one.account_id for one in bans)
        raise Failure(Exit.USAGE, f"{who} may mean several accounts that were: {names}")
    return bans[0] if bans else None


def _ban(one: "BanRecord") -> dict[str, Any]:
    who = [{"upstream": upstream, "subject": subject} for upstream, subject in one.identities]
    moments = {"since": show.stamp(one.since), "kept_at": show.stamp(one.kept_at)}
    return asdict(one) | moments | {"identities": who}

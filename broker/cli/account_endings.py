"""``broker accounts``: withdrawing an app's access, deleting an account, keeping it after all."""

from typing import TYPE_CHECKING, Annotated

import typer

from broker.cli import show
from broker.cli.account_commands import Who, found, put, say, tidy
from broker.cli.confirming import Yes, sure
from broker.cli.running import Exit, Failure, with_stores

if TYPE_CHECKING:
    from broker.app.clock import SystemClock
    from broker.app.settings import Settings
    from broker.app.stores import Stores
    from broker.core.account.own import Leaving
    from broker.stores.sql.records import AccountRecord


def withdraw(
    who: Who,
    client: Annotated[str, typer.Option("--client", help="The app's client_id.")],
    json: show.Json = False,
) -> None:
    """Withdraw an app's access to an account: what was agreed to, and all that stood on it."""

    async def work(
        stores: "Stores", _settings: "Settings", clock: "SystemClock"
    ) -> "tuple[AccountRecord, tuple[tuple[str, str], ...] | None]":
        from broker.core.account.apps import withdraw as withdraw_access

        record, now = await found(stores, who), clock.now()
        if client not in record.consents and await stores.sql.clients.get(client) is None:
            raise Failure(Exit.NOT_FOUND, f"there is no client {client}; see: broker clients list")
        ended = await withdraw_access(
            stores.sql.accounts,
            stores.redis.accounts,
            record.account_id,
            client,
            now=now,
            actor="operator",
        )
        await tidy(stores, clock)
        return record, None if ended is None else ended.grants

    record, ended = with_stores(work, redis=True)
    told = f"The access of {client} is withdrawn, and {len(ended or ())} grants ended."
    say(record, "withdrawn", ended, carried=ended is not None, json=json, told=told)


def delete(
    who: Who,
    grace: Annotated[
        str,
        typer.Option(
            help="How long the person may come back and keep it, such as 14d; 0 for not at all. "
            "Default: BROKER_DELETION_GRACE."
        ),
    ] = "",
    yes: Yes = False,
    json: show.Json = False,
) -> None:
    """Delete an account: off at once, with all that lives of it; gone when the grace is over."""

    async def work(
        stores: "Stores", settings: "Settings", clock: "SystemClock"
    ) -> "tuple[AccountRecord, Leaving, tuple[tuple[str, str], ...] | None]":
        from broker.app.upstreams import reaching
        from broker.core.account.deletion import leave
        from broker.core.account.holdings import Holdings

        record = await found(stores, who)
        seconds = _seconds(grace) if grace else settings.deletion_grace
        sure(f"Delete {record.name} ({record.account_id})", yes=yes)
        async with reaching(settings, clock) as upstreams:
            leaving, ended = await leave(
                stores.sql.own,
                stores.redis.accounts,
                Holdings(stores.sql.identities, stores.sql.authorizations, upstreams),
                record.account_id,
                now=clock.now(),
                grace=seconds,
                actor="operator",
            )
        await tidy(stores, clock)
        return record, leaving, None if ended is None else ended.grants

    record, leaving, ended = with_stores(work, redis=True)
    gone = leaving.facts is None
    what, when = "deleted" if gone else "leaving", show.stamp(leaving.at)
    told = f"{record.name} ({record.account_id}) " + (
        "is deleted." if gone else f"is switched off, and will be deleted at {when}."
    )
    if record.disabled_at is not None:
        told += " The ban stays, until broker accounts enable lifts it by the Discord id."
    say(record, what, ended, carried=ended is not None, json=json, told=told)


def keep(who: Who, json: show.Json = False) -> None:
    """Keep an account that was to be deleted; what was ended stays ended."""

    async def work(
        stores: "Stores", _settings: "Settings", clock: "SystemClock"
    ) -> "tuple[AccountRecord, bool]":
        record = await found(stores, who)
        facts = await stores.sql.own.keep(record.account_id, now=clock.now(), actor="operator")
        if facts is None:
            raise Failure(Exit.REFUSED, f"{record.name} is not about to be deleted")
        carried = await put(stores, record.account_id, facts)
        await tidy(stores, clock)
        return record, carried

    record, carried = with_stores(work, redis=True)
    say(record, "kept", None, carried=carried, json=json)


def _seconds(grace: str) -> int:
    from broker.core import durations

    try:
        found = int(durations.parse(grace))
    except (TypeError, ValueError) as error:
        raise Failure(Exit.USAGE, f"--grace: {error}") from None
    if found < 0:
        raise Failure(Exit.USAGE, "--grace: it cannot be negative")
    return found

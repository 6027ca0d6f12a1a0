"""``broker accounts grant-operator``, ``revoke-operator``, ``operators``: who has the console."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from broker.cli import show
from broker.cli.account_commands import Who, found
from broker.cli.confirming import Yes, sure
from broker.cli.running import with_stores

if TYPE_CHECKING:
    from broker.app.clock import SystemClock
    from broker.app.settings import Settings
    from broker.app.stores import Stores
    from broker.core.operators import Operator
    from broker.stores.sql.records import AccountRecord

    Known = tuple[Operator, AccountRecord]


def grant_operator(who: Who, json: show.Json = False) -> None:
    """Let an account use the console, with a passkey that the printed code makes.

    The code is shown this once, and good for 15 minutes and one passkey. Run it again for another
    passkey, or for somebody who has lost theirs. The console itself is on with BROKER_ADMIN=on.
    """

    async def work(
        stores: "Stores", settings: "Settings", clock: "SystemClock"
    ) -> "tuple[AccountRecord, Operator, str, str]":
        from broker.app.clock import SystemEntropy
        from broker.core.operators import CODE_LIFETIME, new_code

        record, now, code = await found(stores, who), clock.now(), new_code(SystemEntropy())
        operator = await stores.sql.operators.grant(
            record.account_id, code, until=now + CODE_LIFETIME, now=now
        )
        return record, operator, code, settings.public_issuer

    record, operator, code, issuer = with_stores(work)
    if json:
        until = show.stamp(operator.code_until)
        show.document(_facts(operator, record) | {"code": code, "code_until": until})
        return
    typer.echo(f"{record.name} ({record.account_id}) is an operator.")
    typer.echo(f"Code for a passkey, good for 15 minutes, shown this once: {code}")
    typer.echo(f"It is asked for at {issuer}/admin, after signing in as this account.")


def revoke_operator(who: Who, yes: Yes = False, json: show.Json = False) -> None:
    """Take the console away from an account, with all its passkeys; who is in it is out at once."""

    async def work(
        stores: "Stores", _settings: "Settings", clock: "SystemClock"
    ) -> "AccountRecord":
        record = await found(stores, who)
        sure(f"Take role and passkeys from {record.name} ({record.account_id})", yes=yes)
        await stores.sql.operators.revoke(record.account_id, now=clock.now())
        return record

    record = with_stores(work)
    if json:
        show.document({"account_id": record.account_id, "action": "revoked"})
        return
    typer.echo(f"{record.name} ({record.account_id}) is no operator any more.")


def operators(json: show.Json = False) -> None:
    """List who may use the console, and with how many passkeys."""

    async def work(
        stores: "Stores", _settings: "Settings", clock: "SystemClock"
    ) -> "tuple[list[Known], float]":
        every = await stores.sql.operators.list()
        known = [(one, await stores.sql.accounts.get(one.account_id)) for one in every]
        return known, clock.now()

    known, now = with_stores(work)
    if json:
        show.document([_facts(operator, record) for operator, record in known])
        return
    show.table(
        ("account", "name", "since", "passkeys", "last used"),
        [
            (
                one.account_id,
                record.name,
                show.when(one.since, now),
                ", ".join(key.name for key in one.passkeys) or "none yet",
                show.when(max(_uses(one), default=None), now),
            )
            for one, record in known
        ],
        empty="Nobody is; see: broker accounts grant-operator --help",
    )


def _facts(operator: "Operator", record: "AccountRecord") -> dict[str, Any]:
    moments = ("created_at", "last_used_at")
    keys = [
        {"name": one.name, "sign_count": one.sign_count}
        | {name: show.stamp(asdict(one)[name]) for name in moments}
        for one in operator.passkeys
    ]
    return {
        "account_id": operator.account_id,
        "name": record.name,
        "since": show.stamp(operator.since),
        "passkeys": keys,
    }


def _uses(operator: "Operator") -> list[float]:
    return [one.last_used_at for one in operator.passkeys if one.last_used_at is not None]

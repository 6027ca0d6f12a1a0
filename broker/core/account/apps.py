"""Apps that have access to an account, and its withdrawal.

An app has access by a consent (SQL), by grants (Redis), or by both: those of ours need no consent,
and a consent outlives the grants that stood on it.
"""

from dataclasses import dataclass

from broker.core.account.own import Agreement
from broker.core.desk import Desk
from broker.core.errors import StoreUnavailable
from broker.core.model import Client, Grant
from broker.core.ports import Accounts, AccountStates, Ended


@dataclass(frozen=True, slots=True)
class AppAccess:
    """An app that has access to an account.

    Attributes:
        client_id: which.
        client: the same as registered; None where it is gone.
        scope: what it may know and do.
        since: since when, UTC seconds.
        used_at: when it last made use of it; None where it holds nothing at the moment.
        offline: whether it keeps its access after a sign-out.
    """

    client_id: str
    client: Client | None
    scope: tuple[str, ...]
    since: float
    used_at: float | None
    offline: bool = False


async def with_access(desk: Desk, account_id: str, grants: tuple[Grant, ...]) -> list[AppAccess]:
    """Return the apps that have access to an account, the one used last first.

    Args:
        desk: what a sign-in needs at hand.
        account_id: whose.
        grants: those of the account that are alive.
    """
    agreed = {one.client_id: one for one in await desk.own.agreements(account_id)}
    names = dict.fromkeys((*(one.client_id for one in grants), *agreed))
    found = [
        _access(
            name,
            await desk.clients.find(name),
            agreed.get(name),
            [one for one in grants if one.client_id == name],
        )
        for name in names
    ]
    return sorted(found, key=lambda one: one.used_at or one.since, reverse=True)


async def withdraw(
    accounts: Accounts,
    states: AccountStates,
    account_id: str,
    client_id: str,
    *,
    now: float,
    actor: str,
    by: str | None = None,
) -> Ended | None:
    """Take an app's access away: its consent, its unspent codes, its grants and their tokens.

    SQL commits it together with an entry of the outbox and the audit event; then one step ends
    everything in Redis, and queues the notice of back-channel logout. Where this process dies or
    Redis fails, any process that drains the outbox carries it out.

    Args:
        accounts: whose consents.
        states: what lives.
        account_id: whose.
        client_id: which app.
        now: UTC seconds.
        actor: ``person`` or ``operator``.
        by: the operator's account, where one is known.

    Returns:
        What ended; None where Redis is out of reach, so that it is left to the outbox.

    Raises:
        StoreUnavailable: SQL is out of reach; nothing was withdrawn.
    """
    facts, consented = await accounts.withdraw_consent(
        account_id, client_id, now=now, actor=actor, by=by
    )
    try:
        return await states.end_access(account_id, facts, client_id, until=now, consented=consented)
    except StoreUnavailable:
        return None


def _access(
    client_id: str, client: Client | None, agreed: Agreement | None, grants: list[Grant]
) -> AppAccess:
    scopes = dict.fromkeys(word for one in grants for word in one.scope)
    scope = agreed.scope if agreed else tuple(scopes)
    begun = [one.created_at for one in grants] + ([agreed.since] if agreed else [])
    used = [max(one.seen_at, one.created_at) for one in grants]
    offline = any(one.offline for one in grants)
    return AppAccess(client_id, client, scope, min(begun), max(used, default=None), offline)

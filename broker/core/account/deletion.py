"""Deleting accounts: asked for, waited for, done; for people, operators and the background alike.

::

    asked for ─▶ off, everything ended ─▶ grace ─▶ gone from SQL, then from Redis
                                            └──▶ kept, as its person signs in and says so
"""

from contextlib import suppress

from broker.core.account.holdings import Holdings
from broker.core.account.own import Leaving, OwnAccounts
from broker.core.errors import StoreUnavailable
from broker.core.ports import AccountStates, Ended


async def leave(
    own: OwnAccounts,
    states: AccountStates,
    holdings: Holdings,
    account_id: str,
    *,
    now: float,
    grace: int,
    actor: str,
    by: str | None = None,
) -> tuple[Leaving, Ended | None]:
    """Switch an account off and end all that lives of it, to be deleted after the grace.

    SQL commits it together with an entry of the outbox and the audit event; where this process dies
    or Redis fails before the second half, any process that drains the outbox carries it out. What
    upstreams let us do for the person is given back last, as far as they can be reached.

    Args:
        own: the accounts.
        states: what lives.
        holdings: what upstreams let us do.
        account_id: which.
        now: UTC seconds.
        grace: seconds until it is deleted; 0 for at once.
        actor: ``person`` or ``operator``.
        by: the operator's account, where one is known.

    Returns:
        When it goes, and what ended; None where Redis is out of reach.

    Raises:
        StoreUnavailable: SQL is out of reach; nothing was changed.
    """
    held = await holdings.of(account_id)
    leaving = await own.leave(account_id, now=now, grace=grace, actor=actor, by=by)
    ended: Ended | None = None
    with suppress(StoreUnavailable):
        ended = (
            await states.erase(account_id, now=now)
            if leaving.facts is None
            else await states.end_all(account_id, leaving.facts)
        )
    await holdings.give_back(held)
    return leaving, ended


async def delete_due(own: OwnAccounts, states: AccountStates, now: float) -> int:
    """Delete the accounts whose time has come; return how many this process did.

    Any number of processes may do it at once, and any may be killed: each account goes in one
    transaction, and the outbox has it forgotten in Redis should this process not come to that.

    Raises:
        StoreUnavailable: a store is out of reach; what is left is done the next time.
    """
    count = 0
    while due := await own.due(now):
        for account_id in due:
            if await own.erase(account_id, now=now):
                count += 1
                await states.erase(account_id, now=now)
    return count

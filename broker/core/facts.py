"""Facts that are missing in Redis are read from SQL once and put back."""

from broker.core.errors import InvalidGrant
from broker.core.model import Facts
from broker.core.ports import Accounts, AccountStates


async def restore(accounts: Accounts, states: AccountStates, account_id: str) -> Facts:
    """Read the account's facts from SQL and put them beside its grants; return them.

    Raises:
        InvalidGrant: there is no such account (any more).
        StoreUnavailable: SQL or Redis is out of reach.
    """
    facts = await accounts.facts(account_id)
    if facts is None:
        raise InvalidGrant(private=f"account {account_id} is gone")
    await states.put_facts(account_id, facts)
    return facts

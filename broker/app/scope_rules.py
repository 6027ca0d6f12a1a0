"""Scopes that mean something: ours, and those of registered APIs."""

from broker.core import vocabulary as v
from broker.core.model import Client
from broker.stores.sql.facade import SqlStores


async def nobodys(client: Client, sql: SqlStores) -> tuple[str, ...]:
    """Return the scopes of a client that are nobody's: slips of the pen."""
    apis = [record.api for record in await sql.apis.list()]
    known = {*v.PERSONAL_SCOPES, *(scope for api in apis for scope in api.scopes)}
    return tuple(scope for scope in client.scopes if scope not in known)

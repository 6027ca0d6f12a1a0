"""The tables. ``signing_key`` is in ``keys.stores.sql`` and shares their metadata.

Times are UTC seconds since the epoch in double precision, as everywhere in the core: nothing naive,
nothing to convert, the same number on SQLite and PostgreSQL. Lists and digests are JSON. JSON is
replaced whole, never edited in place, because SQLAlchemy does not see such an edit.
"""

from broker.stores.sql.tables.events import AuditEventRow, OutboxRow, SchemaCompatibilityRow
from broker.stores.sql.tables.people import (
    AccountRow,
    BanRow,
    ConsentRow,
    IdentityRow,
    OperatorRow,
    PasskeyRow,
    UpstreamTokenRow,
)
from broker.stores.sql.tables.registered import ApiRow, ClientRow, GuildRow
from keys.stores.sql import SigningKeyRow

__all__ = [
    "AccountRow",
    "ApiRow",
    "AuditEventRow",
    "BanRow",
    "ClientRow",
    "ConsentRow",
    "GuildRow",
    "IdentityRow",
    "OperatorRow",
    "OutboxRow",
    "PasskeyRow",
    "SchemaCompatibilityRow",
    "SigningKeyRow",
    "UpstreamTokenRow",
]

"""What an operator's change may meet; ``StoreUnavailable`` of the core is for everything else.

::

    BrokerError
    ├── NotFound         no such account, client, API or guild
    ├── AlreadyExists    the identifier is taken; a client's may be by one that was removed
    ├── EditConflict     somebody else changed it since it was read
    └── Unavailable
        ├── SchemaOutdated   the database is older than the code
        └── SchemaTooNew     the database is newer, and this code cannot use it
"""

from broker.core.errors import BrokerError, Unavailable


class NotFound(BrokerError):
    """There is no such account, client, API or guild."""

    code = "not_found"
    title = "There is no such record"


class AlreadyExists(BrokerError):
    """The identifier is taken, perhaps by a client that was removed: it is never given again."""

    code = "already_exists"
    title = "This identifier is taken"


class EditConflict(BrokerError):
    """The record is no longer as it was read: read it again and repeat the edit."""

    code = "edit_conflict"
    title = "Somebody else changed this record in the meantime"


class SchemaOutdated(Unavailable):
    """The database is older than the code."""

    code = "schema_outdated"
    title = "The database is out of date: run `broker db upgrade`"


class SchemaTooNew(Unavailable):
    """The database was made by a newer broker that this one cannot share it with."""

    code = "schema_too_new"
    title = "The database is newer than this broker, which cannot use it: install the newer broker"

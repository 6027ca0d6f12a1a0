"""The APIs' repository: the resource servers that operators register."""

from typing import Final

from broker.core.apis import Api
from broker.stores.sql.records import ApiRecord
from broker.stores.sql.register import Kind, SqlRegister
from broker.stores.sql.tables import ApiRow
from broker.stores.sql.unit import Units

_KIND: Final = Kind("API", "api", "identifier", Api, ApiRow, ApiRecord)


class SqlApis(SqlRegister[Api, ApiRecord]):
    """Registered APIs in SQL, by their identifiers.

    Args:
        units: where transactions run.
    """

    def __init__(self, units: Units) -> None:
        super().__init__(units, _KIND)

"""Columns that several tables have."""

from sqlalchemy import BigInteger, Integer

# SQLite numbers rows by itself only in a column declared INTEGER, which has 64 bits there.
SERIAL = BigInteger().with_variant(Integer, "sqlite")
# And it gives the number of a deleted last row away again unless told not to.
NEVER_AGAIN = {"sqlite_autoincrement": True}

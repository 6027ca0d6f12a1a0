"""Very many accounts without their sign-ins: real records of one person, copied for others."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import asyncpg  # type: ignore[import-untyped]
import redis

from broker.core.handles import Handle, Handles, Kind

BATCH: Final = 500
KINDS: Final = ("facts", "session", "grant")  # in the order in which a person gets them
# Copies one kind of record under other accounts, with its entry in their index.
COPY: Final = """
local donor, kind = KEYS[1], ARGV[1]
local names = { facts = 'facts', session = 'session:' .. ARGV[2], grant = 'grant:' .. ARGV[3] }
local bytes = string.gsub(ARGV[3], '%x%x', function(two) return string.char(tonumber(two, 16)) end)
local marks = { session = 's:' .. ARGV[2], grant = 'g:' .. bytes }
local entry, score
for _, each in ipairs(redis.call('ZRANGE', donor .. 'index', 0, -1)) do
  if marks[kind] and string.find(each, marks[kind], 1, true) then
    entry, score = each, redis.call('ZSCORE', donor .. 'index', each)
  end
end
local left = redis.call('PTTL', donor .. 'index')
for i = 5, #ARGV do
  local base = string.gsub(donor, ARGV[4], ARGV[i])
  redis.call('COPY', donor .. names[kind], base .. names[kind])
  if entry then
    redis.call('ZADD', base .. 'index', score, entry)
    redis.call('PEXPIRE', base .. 'index', left)
  end
end
"""


def account(number: int) -> str:
    """Return the identifier of a copy's account: random, as real ones are, and known."""
    return hashlib.md5(f"account {number}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Person:
    """Whose records are copied.

    Attributes:
        account_id, sid, grant_id, generation: of one session with one grant.
    """

    account_id: str
    sid: str
    grant_id: str
    generation: int


class RedisFilling:
    """Copies in Redis.

    Args:
        store: a single server.
        person: whose records.
        handles: make refresh tokens of the copies.
    """

    def __init__(self, store: "redis.Redis", person: Person, handles: Handles) -> None:
        self.there = 0
        self._store = store
        self._person = person
        self._handles = handles

    def fill(self, number: int) -> dict[str, float]:
        """Have so many accounts in all; returns the bytes that each kind took, of those added."""
        taken = {}
        for kind in KINDS:
            before = self._memory()
            for batch in _batches(self.there, number):
                self._copy(kind, batch)
            taken[kind] = (self._memory() - before) / max(number - self.there, 1)
        self.there = number
        return taken

    def token(self, number: int) -> str:
        """Return the refresh token of a copy's grant."""
        whose = self._person
        handle = Handle(account(number), whose.grant_id, whose.generation)
        return self._handles.make(Kind.REFRESH, handle)

    def grant_bytes(self, number: int) -> int:
        """Return what the record of a copy's grant weighs."""
        name = f"tb:{{{account(number)}}}:grant:{self._person.grant_id}"
        return int(self._store.memory_usage(name, samples=0) or 0)

    def _copy(self, kind: str, accounts: list[str]) -> None:
        whose = self._person
        donor = f"tb:{{{whose.account_id}}}:"
        self._store.eval(
            COPY, 1, donor, kind, whose.sid, whose.grant_id, whose.account_id, *accounts
        )

    def _memory(self) -> int:
        return int(self._store.info("memory")["used_memory"])


def _batches(first: int, end: int) -> Iterator[list[str]]:
    for begin in range(first, end, BATCH):
        yield [account(number) for number in range(begin, min(begin + BATCH, end))]


# What differs between a copy and its original; every other column is copied.
DIFFERENT: Final = {
    "account": {"id": "md5('account ' || n)", "sub": "md5('sub ' || n)"},
    "identity": {
        "id": None,
        "account_id": "md5('account ' || n)",
        "subject": "(100000000000000000 + n)::text",
    },
    "audit_event": {"id": None, "account_id": "md5('account ' || n)"},
}


async def fill_sql(address: str, account_id: str, number: int) -> dict[str, float]:
    """Copy an account so many times; returns the bytes of a row of each table, indexes included.

    Args:
        address: of PostgreSQL.
        account_id: whose rows are copied.
        number: how many copies.
    """
    line = await asyncpg.connect(address)
    try:
        taken = {}
        for table, different in DIFFERENT.items():
            before = await _size(line, table)
            done = await line.execute(await _copying(line, table, different, number), account_id)
            taken[table] = (await _size(line, table) - before) / _rows(done)
        before = await _size(line, "upstream_token")
        done = await line.execute(await _tokens(line), account_id)
        taken["upstream_token"] = (await _size(line, "upstream_token") - before) / _rows(done)
        await line.execute("ANALYZE")
        return taken
    finally:
        await line.close()


def _rows(done: str) -> int:
    """Return how many rows were inserted, by what PostgreSQL says; 1 instead of none."""
    return int(done.rsplit(maxsplit=1)[-1]) or 1


async def _copying(line: Any, table: str, different: dict[str, str | None], number: int) -> str:
    names = [name for name in await _columns(line, table) if different.get(name, name)]
    values = [different.get(name) or name for name in names]
    whose = "id" if table == "account" else "account_id"
    return (
        f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(values)} "
        f"FROM {table}, generate_series(0, {number - 1}) AS n WHERE {whose} = $1"
    )


async def _tokens(line: Any) -> str:
    """Return what copies the tokens of the upstream to every identity that has none."""
    names = [f"t.{name}" for name in await _columns(line, "upstream_token")]
    values = ["i.id" if name == "t.identity_id" else name for name in names]
    return (
        f"INSERT INTO upstream_token ({', '.join(name[2:] for name in names)}) "
        f"SELECT {', '.join(values)} FROM identity i, upstream_token t "
        "WHERE t.identity_id = (SELECT min(id) FROM identity WHERE account_id = $1) "
        "AND NOT EXISTS (SELECT FROM upstream_token o WHERE o.identity_id = i.id)"
    )


async def _columns(line: Any, table: str) -> list[str]:
    found = await line.fetch(
        "SELECT column_name FROM information_schema.columns "
        "WHERE table_name = $1 ORDER BY ordinal_position",
        table,
    )
    return [row["column_name"] for row in found]


async def _size(line: Any, table: str) -> int:
    return int(await line.fetchval("SELECT pg_total_relation_size($1::regclass)", table))

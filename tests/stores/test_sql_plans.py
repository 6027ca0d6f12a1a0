"""What is asked of SQL at a sign-in, or of one person, stays quick among 100 million accounts."""

from typing import Any

import pytest
from sqlalchemy import event, text

from broker.stores.sql import engine
from broker.stores.sql.account_search import AccountFilter
from broker.stores.sql.facade import SqlStores
from tests.postgresql import Cluster
from tests.stores.sql_fixtures import (
    ADA,
    BOB,
    NOW,
    SECRETS,
    Counted,
    Hands,
    migrated_postgresql,
)

READS = ("SELECT", "UPDATE", "DELETE")


@pytest.mark.postgresql
async def test_every_look_up_of_a_sign_in_has_an_index(postgresql_cluster: Cluster) -> None:
    """PostgreSQL reads no whole table for it: EXPLAIN, with such reading as the last resort.

    Nor where an operator looks for somebody by Discord id.
    """
    url = postgresql_cluster.fresh(migrated_postgresql(postgresql_cluster))
    opened = engine.create(url)
    stores = SqlStores(opened, Counted(), Hands(), SECRETS, follow_interval=60)
    account_id, _ = await stores.accounts.sign_in(ADA, now=NOW)
    await stores.accounts.sign_in(BOB, now=NOW)
    await stores.accounts.consent(account_id, "app", ("openid",), now=NOW)
    asked: list[tuple[str, Any]] = []

    def remember(_: Any, __: Any, statement: str, values: Any, *___: Any) -> None:
        asked.append((statement, values))

    event.listen(opened.sync_engine, "before_cursor_execute", remember)
    try:
        await stores.accounts.sign_in(ADA, now=NOW + 1)
        await stores.accounts.facts(account_id)
        await stores.accounts.consent(account_id, "app", ("openid", "profile"), now=NOW + 2)
        assert len(await stores.accounts.page(AccountFilter(ADA.subject))) == 1
    finally:
        event.remove(opened.sync_engine, "before_cursor_execute", remember)
    reads = [(statement, values) for statement, values in asked if statement.startswith(READS)]
    assert len(reads) >= 5
    async with opened.connect() as line:
        await line.execute(text("SET enable_seqscan = off"))
        for statement, values in reads:
            found = await line.exec_driver_sql(f"EXPLAIN {statement}", values)
            plan = "\n".join(row[0] for row in found)
            assert "Index" in plan, f"{statement}\n{plan}"
            assert "Seq Scan" not in plan, f"{statement}\n{plan}"
    await stores.close()

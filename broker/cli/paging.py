"""Long lists of accounts, a page at a time."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from broker.stores.sql.records import AccountRecord, BanRecord

Limit = Annotated[int, typer.Option(min=1, max=1000, help="How many at the most.")]
After = Annotated[str | None, typer.Option(help="The last account identifier of the page before.")]
PAGE = 50


def tell_rest(page: "Sequence[AccountRecord | BanRecord]", limit: int) -> None:
    """Say how to come to the next page, where this one is full."""
    if len(page) == limit:
        typer.echo(f"There may be more: --after {page[-1].account_id}")

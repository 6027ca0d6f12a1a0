"""``broker secrets``."""

from typing import TYPE_CHECKING

import typer

from broker.cli import show
from broker.cli.running import Exit, Failure, with_stores

if TYPE_CHECKING:
    from broker.app.clock import SystemClock
    from broker.app.settings import Settings
    from broker.app.stores import Stores

app = typer.Typer(
    help="The operator's secrets. To change: append the new one everywhere, put it first "
    "everywhere, run rewrap, ask retire, drop the old one.",
    no_args_is_help=True,
)


@app.command("rewrap")
def rewrap(json: show.Json = False) -> None:
    """Seal everything with the first secret, so that the others can be dropped.

    That is signing keys, and tokens that upstreams have given us.
    """

    async def work(
        stores: "Stores", _settings: "Settings", clock: "SystemClock"
    ) -> tuple[tuple[str, ...], int]:
        from broker.core.model import AuditEvent
        from keys.upkeep import rewrap as reseal

        keys = await reseal(stores.keys, stores.vault)
        tokens = await stores.sql.authorizations.rewrap()
        if keys or tokens:
            detail = {"keys": list(keys), "upstream_tokens": tokens}
            event = AuditEvent("secrets.rewrap", clock.now(), "operator", detail=detail)
            await stores.sql.audit.record(event)
        return keys, tokens

    keys, tokens = with_stores(work)
    if json:
        show.document({"rewrapped": list(keys), "rewrapped_upstream_tokens": tokens})
    elif keys or tokens:
        typer.echo(
            f"Sealed {len(keys)} signing keys and the upstream tokens of {tokens} identities "
            "with the first secret."
        )
    else:
        typer.echo("Everything was sealed with the first secret already.")


@app.command("retire")
def retire(json: show.Json = False) -> None:
    """Say what dropping the last of several secrets would end. Changes nothing.

    Exit code 4 where anything is still sealed with it. Without its signing keys the broker would
    not start again; without their upstream tokens people are asked to sign in again.
    """

    async def work(
        stores: "Stores", settings: "Settings", _clock: "SystemClock"
    ) -> tuple[list[str], int, "Settings"]:
        if len(stores.secrets) < 2:
            raise Failure(Exit.REFUSED, "there is only one secret; append a new one first")
        tokens = await stores.sql.authorizations.sealed_with_last()
        return await _sealed_with_last(stores), tokens, settings

    sealed, tokens, settings = with_stores(work)
    lasting = {
        "sign-ins under way": settings.request_lifetime,
        "browser sessions (and their cookies)": settings.session_lifetime,
        "refresh tokens": settings.grant_lifetime,
        "access tokens, at userinfo": settings.longest_token_lifetime,
    }
    if json:
        show.document(
            {
                "sealed_keys": sealed,
                "sealed_upstream_tokens": tokens,
                "handles_live_for_seconds": lasting,
            }
        )
    else:
        _tell(sealed, tokens, lasting)
    if sealed or tokens:
        raise typer.Exit(Exit.REFUSED)


async def _sealed_with_last(stores: "Stores") -> list[str]:
    """Return the signing keys that only the last secret opens."""
    from broker.app.clock import SystemEntropy
    from keys.errors import KeyRecordCorrupt
    from keys.sealing import Sealer

    without = Sealer(stores.secrets[:-1], SystemEntropy().token)
    found = []
    for record in await stores.keys.all():
        if record.sealed is None:
            continue
        try:
            without.open(record.kid, record.sealed)
        except KeyRecordCorrupt:
            found.append(record.kid)
    return found


def _tell(sealed: list[str], tokens: int, lasting: dict[str, int]) -> None:
    from broker.core import durations

    if sealed:
        typer.echo(f"{len(sealed)} signing keys are sealed with the last secret:")
        for kid in sealed:
            typer.echo(f"  {kid}")
        typer.echo("Run: broker secrets rewrap. Without it the broker would not start again.")
    else:
        typer.echo("No signing key is sealed with the last secret.")
    if tokens:
        typer.echo(f"The upstream tokens of {tokens} identities are sealed with it.")
        typer.echo(
            "Run: broker secrets rewrap. Without it their people are asked to sign in again."
        )
    typer.echo("What was made with it before another became the first ends when it is dropped:")
    for what, seconds in lasting.items():
        typer.echo(f"  {what}: live for up to {durations.show(seconds)}")
    typer.echo("Dropped that long after the change, nobody notices; earlier, people sign in again.")

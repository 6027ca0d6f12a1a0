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
    """Seal every signing key with the first secret, so that the others can be dropped."""

    async def work(
        stores: "Stores", _settings: "Settings", clock: "SystemClock"
    ) -> tuple[str, ...]:
        from broker.core.model import AuditEvent
        from keys.upkeep import rewrap as reseal

        changed = await reseal(stores.keys, stores.vault)
        if changed:
            event = AuditEvent(
                "secrets.rewrap", clock.now(), "operator", detail={"keys": list(changed)}
            )
            await stores.sql.audit.record(event)
        return changed

    changed = with_stores(work)
    if json:
        show.document({"rewrapped": list(changed)})
    elif changed:
        typer.echo(f"Sealed {len(changed)} signing keys with the first secret.")
    else:
        typer.echo("Every signing key was sealed with the first secret already.")


@app.command("retire")
def retire(json: show.Json = False) -> None:
    """Say what dropping the last of several secrets would end. Changes nothing.

    Exit code 4 where signing keys are still sealed with it: the broker would not start again.
    """

    async def work(
        stores: "Stores", settings: "Settings", _clock: "SystemClock"
    ) -> tuple[list[str], "Settings"]:
        if len(stores.secrets) < 2:
            raise Failure(Exit.REFUSED, "there is only one secret; append a new one first")
        return await _sealed_with_last(stores), settings

    sealed, settings = with_stores(work)
    lasting = {
        "sign-ins under way": settings.request_lifetime,
        "browser sessions (and their cookies)": settings.session_lifetime,
        "refresh tokens": settings.grant_lifetime,
        "access tokens, at userinfo": settings.longest_token_lifetime,
    }
    if json:
        show.document({"sealed_keys": sealed, "handles_live_for_seconds": lasting})
    else:
        _tell(sealed, lasting)
    if sealed:
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


def _tell(sealed: list[str], lasting: dict[str, int]) -> None:
    from broker.core import durations

    if sealed:
        typer.echo(f"{len(sealed)} signing keys are sealed with the last secret:")
        for kid in sealed:
            typer.echo(f"  {kid}")
        typer.echo("Run: broker secrets rewrap. Without it the broker would not start again.")
    else:
        typer.echo("No signing key is sealed with the last secret.")
    typer.echo("What was made with it before another became the first ends when it is dropped:")
    for what, seconds in lasting.items():
        typer.echo(f"  {what}: live for up to {durations.show(seconds)}")
    typer.echo("Dropped that long after the change, nobody notices; earlier, people sign in again.")

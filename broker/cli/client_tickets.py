"""``broker clients registration-token``: letting apps register themselves."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from broker.cli import show
from broker.cli.running import Exit, Failure, with_stores

if TYPE_CHECKING:
    from broker.app.clock import SystemClock
    from broker.app.settings import Settings
    from broker.app.stores import Stores
    from broker.core.tickets import Ticket


def registration_token(
    *,
    expires: Annotated[
        str, typer.Option(metavar="DURATION", help="How long it is good, such as 7d.")
    ] = "7d",
    uses: Annotated[
        int,
        typer.Option(
            min=0, max=2**23 - 1, help="How many apps may be registered with it; 0: any number."
        ),
    ] = 0,
    pkce: Annotated[
        bool,
        typer.Option(
            "--pkce/--no-pkce",
            help="Whether confidential apps registered with it must use PKCE; others always must.",
        ),
    ] = True,
    revoke: Annotated[
        str | None, typer.Option(metavar="TOKEN", help="End this one instead of making one.")
    ] = None,
    json: show.Json = False,
) -> None:
    """Make an initial access token: who has it may register apps (BROKER_REGISTRATION=token).

    It is not kept, and shown this once. It is good in every process until it expires; to end it
    before, give it to --revoke. Without the token at hand, BROKER_REGISTRATION=off ends all.
    """
    from broker.core.tickets import Ticket

    async def work(stores: "Stores", settings: "Settings", clock: "SystemClock") -> dict[str, Any]:
        from broker.app.clock import SystemEntropy
        from broker.core import tickets
        from broker.core.handles import Handles

        now = clock.now()
        ticket = Ticket(SystemEntropy().token(16).hex(), int(now) + _lifetime(expires), uses, pkce)
        await _remember(stores, "registration_token.made", ticket, now)
        return {
            "initial_access_token": tickets.make(Handles(stores.secrets), ticket),
            "expires_at": show.stamp(ticket.expires_at),
            "uses": uses or None,
            "pkce": pkce,
            "registration_endpoint": f"{settings.public_issuer}/register",
            "registration": settings.registration,
        }

    if revoke is not None:
        _revoke(revoke)
        return
    found = with_stores(work)
    mode = found.pop("registration")
    if json:
        show.document(found)
    else:
        show.details(
            [
                ("token", found["initial_access_token"]),
                ("good until", found["expires_at"]),
                ("apps", uses or "any number"),
                ("PKCE", "required" if pkce else "not required of confidential apps"),
                ("used at", found["registration_endpoint"]),
            ]
        )
    if mode != "token":
        hint = f"BROKER_REGISTRATION is {mode} here: set to token, it opens /register to this one"
        typer.secho(hint, fg="yellow", err=True)


def _revoke(token: str) -> None:
    async def work(stores: "Stores", _settings: "Settings", clock: "SystemClock") -> None:
        from broker.core import tickets
        from broker.core.handles import Handles

        ticket = tickets.read(Handles(stores.secrets), token)
        if ticket is None:
            raise Failure(Exit.NOT_FOUND, "that is no initial access token of this broker")
        await stores.redis.admissions(clock).revoke(ticket, now=clock.now())
        await _remember(stores, "registration_token.revoked", ticket, clock.now())

    with_stores(work, redis=True)
    typer.echo("Revoked: nobody registers with it any more.")


async def _remember(stores: "Stores", kind: str, ticket: "Ticket", now: float) -> None:
    """Write an audit event of a ticket, by the number in it that nobody can use."""
    from broker.core.model import AuditEvent

    until = show.stamp(ticket.expires_at)
    detail = {"ticket": ticket.ticket_id, "expires_at": until, "uses": ticket.uses}
    await stores.sql.audit.record(AuditEvent(kind, now, "operator", detail=detail))


def _lifetime(text: str) -> int:
    from broker.core import durations

    try:
        found = int(durations.parse(text))
    except ValueError as error:
        raise Failure(Exit.USAGE, f"--expires: {error}") from None
    if not 60 <= found <= 366 * show.DAY:
        raise Failure(Exit.USAGE, "--expires: between 1m and 366d")
    return found

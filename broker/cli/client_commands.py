"""``broker clients``."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from broker.cli import show
from broker.cli.algorithm_check import check_signs
from broker.cli.client_changes import applied, changes
from broker.cli.client_communities import Guilds, guilds_of, resolved
from broker.cli.client_options import Disabled, Kind, described
from broker.cli.client_views import facts, tell, tell_secret
from broker.cli.confirming import Yes, sure
from broker.cli.running import Exit, Failure, reported, with_stores

if TYPE_CHECKING:
    from broker.app.clock import SystemClock
    from broker.app.settings import Settings
    from broker.app.stores import Stores
    from broker.core.model import Client
    from broker.stores.sql.records import ClientRecord

app = typer.Typer(help="The apps that may sign people in.", no_args_is_help=True)

ClientId = Annotated[str, typer.Argument(metavar="CLIENT_ID", help="The app's client_id.")]
DAY = "24h"


@app.command("add")
@described
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What people read on our pages.")],
    *,
    client_id: Annotated[
        str | None, typer.Option(help="Its identifier. Default: a random one.")
    ] = None,
    kind: Kind = None,
    json: show.Json = False,
    **description: Any,
) -> None:
    """Register an app. A confidential one gets a secret, which is shown this once.

    A single-page app is --public; one on a phone or desktop is --native. A web app with a server
    is --confidential, the default; one that signs instead has --auth-method private_key_jwt.

    Such as: broker clients add "My app" --redirect-uri https://app.example.org/callback
    """
    with reported():
        given = changes(description | {"kind": kind})
    given.setdefault("auth_method", "none" if given.get("native") else "client_secret_basic")

    async def work(
        stores: "Stores", settings: "Settings", clock: "SystemClock"
    ) -> "tuple[ClientRecord, str | None, Guilds]":
        from broker.app.client_secrets import with_secret
        from broker.app.clock import SystemEntropy
        from broker.app.registration import check_client, web_origins
        from broker.core.model import Client

        entropy = SystemEntropy()
        blank = Client(client_id=client_id or entropy.token(12).hex(), name=name)
        client = applied(_without_people(blank, given), await resolved(stores, given))
        if client.public and "origin" not in given:
            client = replace(client, origins=web_origins(client))
        check_client(client, settings)
        await _check_scopes(stores, client, given)
        alg = client.id_token_signed_response_alg
        await check_signs(alg, "--id-token-alg", stores, settings, clock.now())
        client, secret = with_secret(client, entropy, clock.now())
        record = await stores.sql.clients.add(client, now=clock.now())
        return record, secret, await guilds_of(stores)

    record, secret, guilds = with_stores(work)
    tell(record, secret, guilds, json=json)


@app.command("list")
def list_clients(json: show.Json = False) -> None:
    """List the registered apps."""

    async def work(
        stores: "Stores", _settings: "Settings", clock: "SystemClock"
    ) -> "tuple[tuple[ClientRecord, ...], float]":
        return await stores.sql.clients.list(), clock.now()

    records, now = with_stores(work)
    if json:
        show.document([facts(record) for record in records])
        return
    show.table(
        ("client_id", "name", "kind", "state", "redirect URIs", "changed"),
        [
            (
                one.client.client_id,
                one.client.name,
                "public" if one.client.public else "confidential",
                "disabled" if one.client.disabled else "active",
                "\n".join(one.client.redirect_uris),
                show.when(one.updated_at, now),
            )
            for one in records
        ],
        empty="No apps are registered; see: broker clients add --help",
    )


@app.command("show")
def show_client(client_id: ClientId, json: show.Json = False) -> None:
    """Show one app's registration; secrets are kept as digests and cannot be shown."""

    async def work(
        stores: "Stores", _settings: "Settings", _clock: "SystemClock"
    ) -> "tuple[ClientRecord, Guilds]":
        return await _found(stores, client_id), await guilds_of(stores)

    record, guilds = with_stores(work)
    tell(record, None, guilds, json=json)


@app.command("edit")
@described
def edit(
    client_id: ClientId,
    *,
    name: Annotated[str | None, typer.Option(help="What people read on our pages.")] = None,
    disabled: Disabled = None,
    json: show.Json = False,
    **description: Any,
) -> None:
    """Change a registration; what is not named stays. Running servers follow within seconds.

    An option that may be given several times replaces the whole list; an empty text clears a value.
    """
    with reported():
        given = changes(description | {"name": name, "disabled": disabled})
    if not given:
        raise typer.BadParameter("nothing to change was named")

    async def work(
        stores: "Stores", settings: "Settings", clock: "SystemClock"
    ) -> "tuple[ClientRecord, Guilds]":
        from broker.app.registration import check_client

        record, now = await _found(stores, client_id), clock.now()
        client = applied(record.client, await resolved(stores, given))
        check_client(client, settings)
        await _check_scopes(stores, client, given)
        alg, before = client.id_token_signed_response_alg, record.client
        if alg != before.id_token_signed_response_alg or before.disabled > client.disabled:
            await check_signs(alg, "--id-token-alg", stores, settings, now)
        edited = await stores.sql.clients.edit(client, version=record.version, now=now)
        return edited, await guilds_of(stores)

    record, guilds = with_stores(work)
    tell(record, None, guilds, json=json)


@app.command("rotate-secret")
def rotate_secret(
    client_id: ClientId,
    keep_old: Annotated[
        str, typer.Option(help="How long the old secret is still accepted; 0 ends it at once.")
    ] = DAY,
    json: show.Json = False,
) -> None:
    """Make a new client secret, shown this once; the old one works for a while beside it."""

    async def work(
        stores: "Stores", _settings: "Settings", clock: "SystemClock"
    ) -> "tuple[ClientRecord, str | None]":
        from broker.app.client_secrets import ending, has_secrets, with_secret
        from broker.app.clock import SystemEntropy

        record, now = await _found(stores, client_id), clock.now()
        if not has_secrets(record.client):
            why = "is public" if record.client.public else "signs with keys of its own"
            raise Failure(Exit.REFUSED, f"{client_id} {why}: it has no secret")
        old = ending(record.client.secrets, now, now + _seconds(keep_old))
        client, secret = with_secret(record.client, SystemEntropy(), now, old)
        edited = await stores.sql.clients.edit(client, version=record.version, now=now)
        return edited, secret

    record, secret = with_stores(work)
    tell_secret(record, secret, json=json)


@app.command("remove")
def remove(
    client_id: ClientId,
    yes: Yes = False,
    json: show.Json = False,
) -> None:
    """Remove an app for good: its tokens stop working here, its identifier is never used again."""
    sure(f"Remove the app {client_id} for good", yes=yes)

    async def work(stores: "Stores", _settings: "Settings", clock: "SystemClock") -> "ClientRecord":
        return await stores.sql.clients.remove(client_id, now=clock.now())

    with_stores(work)
    if json:
        show.document({"client_id": client_id, "action": "removed"})
        return
    typer.echo(f"Removed {client_id}.")


async def _found(stores: "Stores", client_id: str) -> "ClientRecord":
    record = await stores.sql.clients.get(client_id)
    if record is None:
        raise Failure(Exit.NOT_FOUND, f"there is no client {client_id}; see: broker clients list")
    return record


async def _check_scopes(stores: "Stores", client: "Client", given: dict[str, Any]) -> None:
    """A scope that is nobody's is a slip of the pen."""
    from broker.app.scope_rules import nobodys
    from broker.core import vocabulary as v

    if "scope" not in given:
        return
    unknown = await nobodys(client, stores.sql)
    if unknown:
        raise Failure(
            Exit.REFUSED,
            f"--scope: {unknown[0]} is neither one of ours ({', '.join(v.PERSONAL_SCOPES)}) nor of "
            "a registered API; see: broker apis add --help (--scope)",
        )


def _seconds(text: str) -> int:
    from broker.core import durations

    try:
        return int(durations.parse(text))
    except ValueError as error:
        raise Failure(Exit.USAGE, f"--keep-old: {error}") from None


def _without_people(blank: Any, given: dict[str, Any]) -> Any:
    """Return what a client is before its options: without scopes if it signs nobody in."""
    grants = {word for value in given.get("grant", ["code"]) for word in value.split()}
    return blank if grants & {"code", "device"} else replace(blank, scopes=())

"""``broker apis``."""

import sys
from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from broker.cli import show
from broker.cli.algorithm_check import check_signs
from broker.cli.running import Exit, Failure, with_stores

if TYPE_CHECKING:
    from broker.app.clock import SystemClock
    from broker.app.settings import Settings
    from broker.app.stores import Stores
    from broker.core.model import Client
    from broker.stores.sql.records import ApiRecord

app = typer.Typer(
    help="The services that access tokens are for. One that is not registered gets RS256.",
    no_args_is_help=True,
)

Identifier = Annotated[
    str,
    typer.Argument(
        metavar="IDENTIFIER",
        help="What its access tokens say in aud: its resource indicator (RFC 8707) or audience.",
    ),
]
Name = Annotated[str | None, typer.Option(help="What operators call it. Default: its identifier.")]
Alg = Annotated[
    str | None,
    typer.Option(
        help="Signature algorithm of access tokens for it, one of BROKER_SIGNING_ALGORITHMS. "
        "Default: RS256."
    ),
]


@app.command("add")
def add(
    identifier: Identifier, *, name: Name = None, alg: Alg = None, json: show.Json = False
) -> None:
    """Register an API, to say how its access tokens are signed."""

    async def work(
        stores: "Stores", settings: "Settings", clock: "SystemClock"
    ) -> "tuple[ApiRecord, tuple[Client, ...]]":
        from broker.app.api_registration import check_api
        from broker.core.apis import Api
        from keys.model import RS256

        api, now = Api(identifier, name or identifier, alg or RS256), clock.now()
        check_api(api, settings)
        await check_signs(api.access_token_signed_response_alg, "--alg", stores, settings, now)
        return await stores.sql.apis.add(api, now=now), await _users(stores, identifier)

    record, users = with_stores(work)
    _tell(record, users, json=json)
    _warn(record, users)


@app.command("list")
def list_apis(json: show.Json = False) -> None:
    """List the registered APIs."""

    async def work(
        stores: "Stores", _settings: "Settings", clock: "SystemClock"
    ) -> "tuple[tuple[ApiRecord, ...], float]":
        return await stores.sql.apis.list(), clock.now()

    records, now = with_stores(work)
    if json:
        show.document([_facts(record) for record in records])
        return
    show.table(
        ("API", "name", "access tokens", "changed"),
        [
            (
                one.api.identifier,
                one.api.name,
                one.api.access_token_signed_response_alg,
                show.when(one.updated_at, now),
            )
            for one in records
        ],
        empty="No APIs are registered; access tokens are signed with RS256. "
        "See: broker apis add --help",
    )


@app.command("show")
def show_api(identifier: Identifier, json: show.Json = False) -> None:
    """Show one API, and the apps that can get access tokens for it."""

    async def work(
        stores: "Stores", _settings: "Settings", _clock: "SystemClock"
    ) -> "tuple[ApiRecord, tuple[Client, ...]]":
        return await _found(stores, identifier), await _users(stores, identifier)

    _tell(*with_stores(work), json=json)


@app.command("edit")
def edit(
    identifier: Identifier, *, name: Name = None, alg: Alg = None, json: show.Json = False
) -> None:
    """Change an API; what is not named stays. Running servers follow within seconds.

    An empty text puts the default back. Let the service accept the new algorithm first.
    """
    if name is None and alg is None:
        raise typer.BadParameter("nothing to change was named")

    async def work(
        stores: "Stores", settings: "Settings", clock: "SystemClock"
    ) -> "tuple[ApiRecord, ApiRecord, tuple[Client, ...]]":
        from broker.app.api_registration import check_api
        from keys.model import RS256

        before, now = await _found(stores, identifier), clock.now()
        api = before.api
        if name is not None:
            api = replace(api, name=name or identifier)
        if alg is not None:
            api = replace(api, access_token_signed_response_alg=alg or RS256)
        check_api(api, settings)
        wanted = api.access_token_signed_response_alg
        if wanted != before.api.access_token_signed_response_alg:
            await check_signs(wanted, "--alg", stores, settings, now)
        edited = await stores.sql.apis.edit(api, version=before.version, now=now)
        return before, edited, await _users(stores, identifier)

    before, record, users = with_stores(work)
    _tell(record, users, json=json)
    if record.api != replace(before.api, name=record.api.name):
        _warn(record, users)


@app.command("remove")
def remove(
    identifier: Identifier,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove an API; access tokens for it are then signed with RS256."""
    if not yes and sys.stdin.isatty():
        typer.confirm(f"Remove {identifier}?", abort=True)

    async def work(stores: "Stores", _settings: "Settings", clock: "SystemClock") -> "ApiRecord":
        return await stores.sql.apis.remove(identifier, now=clock.now())

    with_stores(work)
    typer.echo(f"Removed {identifier}; access tokens for it are signed with RS256 from now on.")


async def _found(stores: "Stores", identifier: str) -> "ApiRecord":
    record = await stores.sql.apis.get(identifier)
    if record is None:
        raise Failure(Exit.NOT_FOUND, f"there is no API {identifier}")
    return record


async def _users(stores: "Stores", identifier: str) -> "tuple[Client, ...]":
    """Return the clients that can get access tokens for an API."""
    from broker.core.signing import audiences

    clients = [record.client for record in await stores.sql.clients.list()]
    return tuple(
        client for client in clients if identifier in (*audiences(client, ()), *client.resources)
    )


def _facts(record: "ApiRecord") -> dict[str, Any]:
    moments = {"created_at": record.created_at, "updated_at": record.updated_at}
    return asdict(record.api) | {name: show.stamp(at) for name, at in moments.items()}


def _tell(record: "ApiRecord", users: "Iterable[Client]", *, json: bool) -> None:
    clients = [client.client_id for client in users]
    if json:
        show.document(_facts(record) | {"clients": clients})
        return
    api = record.api
    show.details(
        [
            ("API", api.identifier),
            ("name", api.name if api.name != api.identifier else None),
            ("access tokens", f"signed with {api.access_token_signed_response_alg}"),
            ("for apps", clients or "none yet; see: broker clients edit --help (--resource)"),
            ("made", show.stamp(record.created_at)),
            ("changed", show.stamp(record.updated_at)),
        ]
    )


def _warn(record: "ApiRecord", users: "Iterable[Client]") -> None:
    """Say what a service behind a changed API has to be ready for."""
    if any(users):
        alg, identifier = record.api.access_token_signed_response_alg, record.api.identifier
        text = f"Within seconds access tokens for {identifier} are signed with {alg}: "
        typer.secho(text + "its service has to accept that.", fg="yellow", err=True)

"""``broker apis``."""

from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from broker.cli import show
from broker.cli.algorithm_check import check_signs
from broker.cli.client_changes import seconds, words
from broker.cli.confirming import Yes, sure
from broker.cli.running import Exit, Failure, with_stores

if TYPE_CHECKING:
    from broker.app.clock import SystemClock
    from broker.app.settings import Settings
    from broker.app.stores import Stores
    from broker.core.apis import Api
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
Scopes = Annotated[
    list[str] | None,
    typer.Option(metavar="SCOPE", help="A scope that means something to it; several times."),
]
Lifetime = Annotated[
    str | None,
    typer.Option(
        metavar="TIME", help="Lifetime of access tokens for it, such as 10m. Default: the app's."
    ),
]
Introspected = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CLIENT_ID",
        help="A confidential app that may introspect access tokens for it; several times.",
    ),
]


@app.command("add")
def add(
    identifier: Identifier,
    *,
    name: Name = None,
    alg: Alg = None,
    scope: Scopes = None,
    access_token_lifetime: Lifetime = None,
    introspected_by: Introspected = None,
    json: show.Json = False,
) -> None:
    """Register an API: how its access tokens are signed, and what else there is to know of it."""
    given = _given(name, alg, scope, access_token_lifetime, introspected_by)

    async def work(
        stores: "Stores", settings: "Settings", clock: "SystemClock"
    ) -> "tuple[ApiRecord, tuple[Client, ...]]":
        from broker.app.api_registration import check_api
        from broker.core.apis import Api

        now = clock.now()
        api = _applied(Api(identifier, identifier), given)
        check_api(api, settings)
        await _check_asking(stores, api)
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
    identifier: Identifier,
    *,
    name: Name = None,
    alg: Alg = None,
    scope: Scopes = None,
    access_token_lifetime: Lifetime = None,
    introspected_by: Introspected = None,
    json: show.Json = False,
) -> None:
    """Change an API; what is not named stays. Running servers follow within seconds.

    An empty text puts the default back. Let the service accept the new algorithm first.
    """
    given = _given(name, alg, scope, access_token_lifetime, introspected_by)
    if not given:
        raise typer.BadParameter("nothing to change was named")

    async def work(
        stores: "Stores", settings: "Settings", clock: "SystemClock"
    ) -> "tuple[ApiRecord, ApiRecord, tuple[Client, ...]]":
        from broker.app.api_registration import check_api

        before, now = await _found(stores, identifier), clock.now()
        api = _applied(before.api, given)
        check_api(api, settings)
        await _check_asking(stores, api)
        wanted = api.access_token_signed_response_alg
        if wanted != before.api.access_token_signed_response_alg:
            await check_signs(wanted, "--alg", stores, settings, now)
        edited = await stores.sql.apis.edit(api, version=before.version, now=now)
        return before, edited, await _users(stores, identifier)

    before, record, users = with_stores(work)
    _tell(record, users, json=json)
    alg_before = before.api.access_token_signed_response_alg
    if record.api.access_token_signed_response_alg != alg_before:
        _warn(record, users)


@app.command("remove")
def remove(
    identifier: Identifier,
    yes: Yes = False,
    json: show.Json = False,
) -> None:
    """Remove an API; access tokens for it are then signed with RS256."""
    sure(f"Remove the API {identifier}", yes=yes)

    async def work(stores: "Stores", _settings: "Settings", clock: "SystemClock") -> "ApiRecord":
        return await stores.sql.apis.remove(identifier, now=clock.now())

    with_stores(work)
    if json:
        show.document({"identifier": identifier, "action": "removed"})
        return
    typer.echo(f"Removed {identifier}; access tokens for it are signed with RS256 from now on.")


async def _found(stores: "Stores", identifier: str) -> "ApiRecord":
    record = await stores.sql.apis.get(identifier)
    if record is None:
        raise Failure(Exit.NOT_FOUND, f"there is no API {identifier}; see: broker apis list")
    return record


def _given(
    name: str | None,
    alg: str | None,
    scope: list[str] | None,
    lifetime: str | None,
    introspected_by: list[str] | None,
) -> dict[str, Any]:
    """Return the fields of an API that were named, as their options have them."""
    found = {
        "name": name,
        "access_token_signed_response_alg": alg,
        "scopes": scope,
        "access_token_lifetime": lifetime,
        "introspected_by": introspected_by,
    }
    return {field: value for field, value in found.items() if value is not None}


def _applied(api: "Api", given: dict[str, Any]) -> "Api":
    """Return the API with the options put in; an empty text is the default."""
    new: dict[str, Any] = {}
    for field, value in given.items():
        if field == "access_token_lifetime":
            new[field] = seconds(field, value)
        else:
            new[field] = words(value) if isinstance(value, list) else value or _default(api, field)
    return replace(api, **new)


def _default(api: "Api", field: str) -> str:
    from keys.model import RS256

    return api.identifier if field == "name" else RS256


async def _check_asking(stores: "Stores", api: "Api") -> None:
    """Whoever introspects has to be registered, and able to prove who it is (RFC 7662 §2.1)."""
    from broker.app.api_registration import UNKNOWN, cannot_ask

    async for client_id, reason in cannot_ask(api, stores.sql):
        if reason == UNKNOWN:
            raise Failure(Exit.NOT_FOUND, f"--introspected-by: there is no client {client_id}")
        raise Failure(Exit.REFUSED, f"--introspected-by: {client_id} {reason}")


async def _users(stores: "Stores", identifier: str) -> "tuple[Client, ...]":
    from broker.app.api_registration import users

    return await users(identifier, stores.sql)


def _facts(record: "ApiRecord") -> dict[str, Any]:
    moments = {"created_at": record.created_at, "updated_at": record.updated_at}
    return asdict(record.api) | {name: show.stamp(at) for name, at in moments.items()}


def _tell(record: "ApiRecord", users: "Iterable[Client]", *, json: bool) -> None:
    from broker.core import durations

    clients = [client.client_id for client in users]
    if json:
        show.document(_facts(record) | {"clients": clients})
        return
    api, lifetime = record.api, record.api.access_token_lifetime
    show.details(
        [
            ("API", api.identifier),
            ("name", api.name if api.name != api.identifier else None),
            ("access tokens", f"signed with {api.access_token_signed_response_alg}"),
            ("they live", None if lifetime is None else durations.show(lifetime)),
            ("scopes", " ".join(api.scopes)),
            ("introspected by", api.introspected_by),
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

"""``broker guilds``."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from broker.cli import show
from broker.cli.confirming import Yes, sure
from broker.cli.running import Exit, Failure, with_stores

if TYPE_CHECKING:
    from broker.app.clock import SystemClock
    from broker.app.settings import Settings
    from broker.app.stores import Stores
    from broker.core.community.registry import Guild
    from broker.stores.sql.records import GuildRecord

app = typer.Typer(
    help="The Discord servers (guilds) that apps know of: what they and their roles are called, "
    "and how people join them. Discord tells role ids alone.",
    no_args_is_help=True,
)

GuildId = Annotated[
    str, typer.Argument(metavar="GUILD_ID", help="Its id at Discord, with developer mode: Copy ID.")
]
Invite = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="How people join it; shown to who is refused for want of membership.",
    ),
]
Roles = Annotated[
    list[str] | None,
    typer.Option(
        "--role",
        metavar="ID=NAME",
        help="What one of its roles is called; several times. ID= takes a name away.",
    ),
]


@app.command("add")
def add(
    guild_id: GuildId,
    *,
    name: Annotated[str, typer.Option(help="What people read on our pages and in claims.")],
    invite: Invite = None,
    role: Roles = None,
    json: show.Json = False,
) -> None:
    """Register a guild. Apps know of it when they are registered for it: clients edit --guild.

    Such as: broker guilds add 613425648685547541 --name "The Lighthouse" --role
    613425648685547542=Keeper
    """
    given = {"name": name, "invite": invite, "roles": role}

    async def work(
        stores: "Stores", settings: "Settings", clock: "SystemClock"
    ) -> "tuple[GuildRecord, tuple[str, ...]]":
        from broker.app.guild_registration import check_guild
        from broker.core.community.registry import Guild

        guild = _applied(Guild(guild_id, name), given)
        check_guild(guild)
        record = await stores.sql.guilds.add(guild, now=clock.now())
        return record, await _named_by(stores, settings, guild_id)

    _tell(*with_stores(work), json=json)


@app.command("list")
def list_guilds(json: show.Json = False) -> None:
    """List the registered guilds."""

    async def work(
        stores: "Stores", _settings: "Settings", clock: "SystemClock"
    ) -> "tuple[tuple[GuildRecord, ...], float]":
        return await stores.sql.guilds.list(), clock.now()

    records, now = with_stores(work)
    if json:
        show.document([_facts(record) for record in records])
        return
    show.table(
        ("guild", "name", "roles", "invitation", "changed"),
        [
            (
                one.guild.guild_id,
                one.guild.name,
                str(len(one.guild.roles)),
                one.guild.invite or "",
                show.when(one.updated_at, now),
            )
            for one in records
        ],
        empty="No guilds are registered; see: broker guilds add --help",
    )


@app.command("show")
def show_guild(guild_id: GuildId, json: show.Json = False) -> None:
    """Show one guild, and the apps whose registration or policy names it."""

    async def work(
        stores: "Stores", settings: "Settings", _clock: "SystemClock"
    ) -> "tuple[GuildRecord, tuple[str, ...]]":
        return await _found(stores, guild_id), await _named_by(stores, settings, guild_id)

    _tell(*with_stores(work), json=json)


@app.command("edit")
def edit(
    guild_id: GuildId,
    *,
    name: Annotated[
        str | None, typer.Option(help="What people read on our pages and in claims.")
    ] = None,
    invite: Invite = None,
    role: Roles = None,
    json: show.Json = False,
) -> None:
    """Change what is said of a guild; what is not named stays. Servers follow within seconds.

    An empty text for --invite takes it away, for --role all names.
    """
    given = {"name": name, "invite": invite, "roles": role}
    if all(value is None for value in given.values()):
        raise typer.BadParameter("nothing to change was named")

    async def work(
        stores: "Stores", settings: "Settings", clock: "SystemClock"
    ) -> "tuple[GuildRecord, tuple[str, ...]]":
        from broker.app.guild_registration import check_guild

        before = await _found(stores, guild_id)
        guild = _applied(before.guild, given)
        check_guild(guild)
        record = await stores.sql.guilds.edit(guild, version=before.version, now=clock.now())
        return record, await _named_by(stores, settings, guild_id)

    _tell(*with_stores(work), json=json)


@app.command("remove")
def remove(
    guild_id: GuildId,
    yes: Yes = False,
    json: show.Json = False,
) -> None:
    """Forget the names and the invitation of a guild; apps that name it go on as before."""
    sure(f"Remove the guild {guild_id}", yes=yes)

    async def work(
        stores: "Stores", settings: "Settings", clock: "SystemClock"
    ) -> "tuple[GuildRecord, tuple[str, ...]]":
        record = await stores.sql.guilds.remove(guild_id, now=clock.now())
        return record, await _named_by(stores, settings, guild_id)

    record, apps = with_stores(work)
    if json:
        show.document({"guild_id": guild_id, "action": "removed", "named_by": list(apps)})
        return
    typer.echo(f"Removed {record.guild.name} ({guild_id}): people read its id from now on.")
    if apps:
        typer.secho(f"It is still named by {', '.join(apps)}.", fg="yellow", err=True)


async def _found(stores: "Stores", guild_id: str) -> "GuildRecord":
    record = await stores.sql.guilds.get(guild_id)
    if record is None:
        raise Failure(Exit.NOT_FOUND, f"there is no guild {guild_id}; see: broker guilds list")
    return record


async def _named_by(stores: "Stores", settings: "Settings", guild_id: str) -> tuple[str, ...]:
    from broker.app.guild_registration import named_by

    return await named_by(guild_id, stores.sql, settings)


def _applied(guild: "Guild", given: Mapping[str, Any]) -> "Guild":
    """Return the guild with the options put in; an empty text takes away."""
    new: dict[str, Any] = {}
    if given["name"] is not None:
        new["name"] = given["name"]
    if given["invite"] is not None:
        new["invite"] = given["invite"] or None
    if given["roles"] is not None:
        new["roles"] = _named_roles(guild.roles, given["roles"])
    return replace(guild, **new)


def _named_roles(roles: Mapping[str, str], given: list[str]) -> dict[str, str]:
    """Return the names of roles with ID=NAME put in, in the order of their ids."""
    from broker.core.community.needs import by_id

    found = dict(roles)
    for one in given:
        role_id, equals, name = one.partition("=")
        if one and not equals:
            raise Failure(Exit.USAGE, f"--role: {one} is not of the form ID=NAME")
        if not one:
            found.clear()
        elif name:
            found[role_id.strip()] = name.strip()
        else:
            found.pop(role_id.strip(), None)
    return {role_id: found[role_id] for role_id in sorted(found, key=by_id)}


def _facts(record: "GuildRecord") -> dict[str, Any]:
    moments = {"created_at": record.created_at, "updated_at": record.updated_at}
    return asdict(record.guild) | {name: show.stamp(at) for name, at in moments.items()}


def _tell(record: "GuildRecord", apps: tuple[str, ...], *, json: bool) -> None:
    if json:
        show.document(_facts(record) | {"named_by": list(apps)})
        return
    guild = record.guild
    show.details(
        [
            ("guild", guild.guild_id),
            ("name", guild.name),
            ("invitation", guild.invite),
            ("roles", [f"{role_id} {name}" for role_id, name in guild.roles.items()]),
            ("named by", apps or "none yet; see: broker clients edit --help (--guild)"),
            ("made", show.stamp(record.created_at)),
            ("changed", show.stamp(record.updated_at)),
        ]
    )

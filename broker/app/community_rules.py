"""What a client may be registered with of communities: guilds, a mapping of roles, a policy."""

from collections.abc import Iterator
from typing import Final

from broker.app.policies import deployment_policy
from broker.app.settings import Settings
from broker.app.upstream_settings import DISCORD
from broker.core.community import mapping
from broker.core.community.needs import MAX_STANDINGS, needs_of
from broker.core.community.snowflakes import is_snowflake
from broker.core.documents import BadDocument, shown
from broker.core.model import Client
from broker.core.policy import reading
from broker.core.policy.model import Policy

MOST_GUILDS: Final = 50  # of one client

Wrong = tuple[str, str]
"""A field of ``Client``, and what is wrong with it in words."""


def faults(client: Client, settings: Settings) -> Iterator[Wrong]:
    """Yield what is wrong with a registration as it is to be.

    A policy may name guilds that the client is told nothing of; a mapping may not.
    """
    found = [*_guilds(client), *_mapping(client), *_upstreams(client, settings)]
    own: tuple[Policy, ...] = ()
    try:
        own = () if client.policy is None else (reading.read(client.policy),)
    except BadDocument as error:
        found.append(("policy", str(error)))
    yield from found
    if not found and not client.disabled:  # so that one that needs too much can be disabled
        yield from _needs(client, own, settings)


def upstream_names(settings: Settings) -> tuple[str, ...]:
    """Return the names of the upstreams that people can sign in with."""
    return (DISCORD, *(one.name for one in settings.upstreams))


def _upstreams(client: Client, settings: Settings) -> Iterator[Wrong]:
    for name in client.upstreams:
        if name not in upstream_names(settings):
            known = ", ".join(upstream_names(settings))
            yield ("upstreams", f"{shown(name)} is none of: {known}")


def _guilds(client: Client) -> Iterator[Wrong]:
    if len(client.guilds) > MOST_GUILDS:
        yield ("guilds", f"more than {MOST_GUILDS}")
    for guild_id in client.guilds:
        if not is_snowflake(guild_id):
            yield ("guilds", f"{shown(guild_id)} is no Discord id")


def _mapping(client: Client) -> Iterator[Wrong]:
    try:
        mapping.read({} if client.role_mapping is None else client.role_mapping, client.guilds)
    except BadDocument as error:
        yield ("role_mapping", str(error))


def _needs(client: Client, own: tuple[Policy, ...], settings: Settings) -> Iterator[Wrong]:
    """Discord is asked for one person's member record in a guild only so often."""
    everybodys = deployment_policy(settings)
    policies = own if everybodys is None else (everybodys, *own)
    needs = needs_of(client, policies)
    if needs.membership and client.upstreams and DISCORD not in client.upstreams:
        yield ("upstreams", f"{DISCORD} is not among them, and only it tells of guilds and roles")
    wanted = needs.standings
    if len(wanted) > MAX_STANDINGS:
        reason = (
            f"{len(wanted)} guilds would have to be looked at, with the mapping of roles and the "
            f"policy for all: {', '.join(wanted)}; Discord can be asked about {MAX_STANDINGS}"
        )
        yield ("policy" if client.policy else "role_mapping", reason)

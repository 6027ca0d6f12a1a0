"""The whole demonstration in one process: simulated Discord, sample app and a real broker."""

import asyncio
import errno
import json
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any, Final

from broker.app import logs
from broker.app.asgi import console
from broker.app.beforehand import make_ready
from broker.app.checks import check_serving
from broker.app.clock import SystemClock
from broker.app.compose import Broker, compose
from broker.app.data_dir import DEMO_SETTINGS, mark_demo
from broker.app.loading import load
from broker.app.occupants import occupant
from broker.app.server import redis_of
from broker.app.settings import Settings
from broker.core.model import Client
from broker.demo.check import Report, check
from broker.demo.community import FRESH_SECONDS, POLICY, ROLE_MAPPING, registered_guild
from broker.demo.discord.cast import LIGHTHOUSE
from broker.demo.discord.events import EndpointRefusedError
from broker.demo.run import (
    DISCORD_CLIENT_ID,
    DISCORD_CLIENT_SECRET,
    HOST,
    Demo,
    DemoPorts,
    discord_application,
    running,
    sample_client,
)
from broker.demo.serving import listen, listen_as_localhost, serving_as_localhost
from broker.stores.sql.facade import SqlStores

DATA_DIR: Final = Path(".broker-demo")
TRIES: Final = 3  # to get free ports

# What of the sample app's registration depends on its port.
_ADDRESSES: Final = (
    "redirect_uris",
    "post_logout_redirect_uris",
    "audience",
    "origins",
    "client_uri",
    "backchannel_logout_uri",
)

Started = Callable[[DemoPorts, Path], None]


def run(port: int, data_dir: Path | None, started: Started, *, log: bool = False) -> None:
    """Run the demonstration until SIGINT or SIGTERM.

    Args:
        port: the broker's; the simulated Discord and the sample app take the next two.
        data_dir: where the broker keeps its data; it is marked as a demonstration's.
        started: told when everything answers.
        log: whether the broker's log is printed.

    Raises:
        Refused: the data directory is not a demonstration's.
        OSError: a port is taken.
    """

    async def work(ports: DemoPorts, settings: Settings) -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        async with everything(ports, settings):
            started(ports, folder)
            await stop.wait()

    ports, folder = DemoPorts.from_base(port), data_dir or DATA_DIR
    with settings_for(ports, folder, log=log) as settings:
        asyncio.run(work(ports, settings))


def run_check(data_dir: Path | None, report: Report) -> bool:
    """Start everything on free ports, walk a sign-in, stop everything.

    Args:
        data_dir: where the broker keeps its data, or None for a directory of its own.
        report: told each step's name, whether it went well, and a detail.

    Returns:
        Whether every step went well.
    """

    async def work(ports: DemoPorts, settings: Settings) -> bool:
        async with everything(ports, settings):
            origins = ports.issuer, ports.sample_origin, ports.discord_origin
            return await check(*origins, report, community=True)

    own = Path(tempfile.mkdtemp(prefix="broker-demo-")) if data_dir is None else None
    try:
        return _on_free_ports(data_dir or own or DATA_DIR, work)
    finally:
        if own is not None:
            shutil.rmtree(own, ignore_errors=True)


def _on_free_ports(
    folder: Path, work: Callable[[DemoPorts, Settings], Coroutine[Any, Any, bool]]
) -> bool:
    """Do it; on others where somebody was given one of them before we listened there."""
    tries = 0
    while True:
        tries, ports = tries + 1, free_ports()
        try:
            with settings_for(ports, folder) as settings:
                return asyncio.run(work(ports, settings))
        except OSError as error:
            if tries == TRIES or error.errno != errno.EADDRINUSE:
                raise


@contextmanager
def settings_for(ports: DemoPorts, data_dir: Path, *, log: bool = False) -> Iterator[Settings]:
    """Return a demonstration's settings, those of a real broker put out of sight.

    The operator's own database and Redis must never be a demonstration's. The settings are kept in
    its directory too, for commands that operate it.
    """
    kept = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("BROKER_")}
    try:
        mark_demo(data_dir)
        given = _given(ports, data_dir.resolve())
        settings = load(**given, log_level="info" if log else "warning")
        check_serving(settings)
        (data_dir / DEMO_SETTINGS).write_text(_toml(given), encoding="utf-8")
        logs.configure(settings)
        # Shorter than an operator may set it, so after it was read.
        yield settings.model_copy(update={"membership_fresh": FRESH_SECONDS})
    finally:
        os.environ.update(kept)


def _given(ports: DemoPorts, data_dir: Path) -> dict[str, Any]:
    """Return the settings that a demonstration does not leave as they are."""
    return {
        "port": ports.broker,
        "issuer": ports.issuer,
        "data_dir": str(data_dir),
        "discord_client_id": DISCORD_CLIENT_ID,
        "discord_client_secret": DISCORD_CLIENT_SECRET,
        "discord_authorize_url": f"{ports.discord_origin}/oauth2/authorize",
        "discord_api_url": f"{ports.discord_origin}/api/v10",
        "discord_cdn_url": ports.discord_origin,
        "discord_public_key": discord_application(ports.issuer).verify_key,
        "outbound_allow": [f"{HOST}:{ports.sample}"],
        "admin": "on",
        "registration": "open",  # nobody but this machine gets here
    }


def _toml(given: Mapping[str, Any]) -> str:
    """Return settings as TOML, of whose values JSON is a form where they are as simple as these."""
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in given.items())


@asynccontextmanager
async def everything(ports: DemoPorts, settings: Settings) -> AsyncIterator[Broker]:
    """Run Redis, the broker, the simulated Discord and the sample app."""
    with redis_of(settings) as redis_url:
        await make_ready(settings, redis_url)
        async with compose(settings, redis_url, console=console(settings)) as broker:
            await _register_guild(broker)
            await register_sample(broker.stores.sql, ports)
            async with serving_as_localhost(broker.web, ports.broker), running(ports) as demo:
                await _send_events(demo, f"{ports.issuer}/webhooks/discord")
                yield broker


async def _send_events(demo: Demo, url: str) -> None:
    """Have the simulated Discord tell the broker of withdrawals.

    The simulator waits for the broker's answers, so not in the loop of both; a machine that has
    much to do may answer too late the first time.

    Raises:
        EndpointRefusedError: the broker does not take events.
    """
    for last in (False, False, True):
        try:
            await asyncio.to_thread(demo.discord.send_events, DISCORD_CLIENT_ID, url)
        except EndpointRefusedError:
            if last:
                raise
        else:
            return


def _sample(ports: DemoPorts) -> Client:
    wanted = sample_client(ports)
    return Client(
        client_id=wanted.client_id,
        name=wanted.name,
        redirect_uris=(wanted.redirect_uri,),
        post_logout_redirect_uris=(wanted.post_logout_redirect_uri,),
        scopes=wanted.scopes,
        audience=wanted.audience,
        origins=(wanted.origin,),
        client_uri=wanted.origin,
        backchannel_logout_uri=wanted.backchannel_logout_uri,
        backchannel_logout_session_required=True,
        guilds=(LIGHTHOUSE.id,),
        role_mapping=ROLE_MAPPING,
        policy=POLICY,
    )


async def _register_guild(broker: Broker) -> None:
    """Register the guild, or bring it up to date."""
    guilds, now, wanted = broker.stores.sql.guilds, SystemClock().now(), registered_guild()
    known = await guilds.get(wanted.guild_id)
    if known is None:
        await guilds.add(wanted, now=now, actor="system")
    elif known.guild != wanted:
        await guilds.edit(wanted, version=known.version, now=now, actor="system")
    await broker.stores.sql.followed_guilds.read()  # not only within its interval


async def register_sample(sql: SqlStores, ports: DemoPorts) -> None:
    """Add the sample app's client, or bring its addresses up to date with the ports of today.

    What was edited of it is left alone.
    """
    clients, now, client = sql.clients, SystemClock().now(), _sample(ports)
    known = await clients.get(client.client_id)
    if known is None:
        await clients.add(client, now=now, actor="system")
    elif not set(client.redirect_uris) <= set(known.client.redirect_uris):
        addresses = {name: getattr(client, name) for name in _ADDRESSES}
        changed = replace(known.client, **addresses)
        await clients.edit(changed, version=known.version, now=now, actor="system")


def obstacle(port: int) -> str | None:
    """Return which of a demonstration's three ports cannot be had, and who has it; None for none.

    Looked at before anything is started, so that whoever starts a second one hears at once.
    """
    for one in astuple(DemoPorts.from_base(port)):
        try:
            probes = listen_as_localhost(one) if one == port else [listen(HOST, one)]
        except OSError as error:
            who = occupant(one)
            return f"port {one}: {error.strerror}" + (f", by {who}" if who else "")
        for probe in probes:
            probe.close()
    return None


def free_ports() -> DemoPorts:
    """Return three ports that nobody listens on."""
    socks = [socket.socket() for _ in range(3)]
    try:
        for sock in socks:
            sock.bind((HOST, 0))
        return DemoPorts(*(sock.getsockname()[1] for sock in socks))
    finally:
        for sock in socks:
            sock.close()

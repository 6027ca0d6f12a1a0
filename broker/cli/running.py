"""Running a command: opening the stores, one clear line for each failure, exit codes.

::

    0  done
    1  failed
    2  wrong usage (said by the parser)
    3  not found
    4  refused by a rule
    5  a store is out of reach
"""

import asyncio
import os
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from enum import IntEnum
from typing import TYPE_CHECKING, TypeVar

import typer

if TYPE_CHECKING:
    from broker.app.clock import SystemClock
    from broker.app.settings import Settings
    from broker.app.stores import Stores

T = TypeVar("T")


class Exit(IntEnum):
    """What a command's exit code says."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    REFUSED = 4
    OUT_OF_REACH = 5


class Failure(Exception):
    """A command failed in a way it can name.

    Args:
        code: the exit code.
        text: one line for people.
    """

    def __init__(self, code: Exit, text: str) -> None:
        super().__init__(text)
        self.code = code


@contextmanager
def reported() -> Iterator[None]:
    """Turn every failure into a line on standard error and an exit code."""
    try:
        yield
    except (typer.Exit, typer.Abort, SystemExit):
        raise
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except Exception as error:  # noqa: BLE001 - a traceback is nothing for an operator
        code, text = judge(error)
        with suppress(OSError):  # nobody reads it: the exit code is as it would be
            for line in text.splitlines() or [""]:
                typer.secho(f"broker: {line}", fg="red", err=True)
        if code is Exit.FAILED and os.environ.get("BROKER_LOG_LEVEL", "").lower() == "debug":
            traceback.print_exception(error, file=sys.stderr)
        raise typer.Exit(code) from None


def judge(error: Exception) -> tuple[Exit, str]:
    """Return the exit code of a failure and what to say of it."""
    from broker.app.problems import Refused
    from broker.core.errors import BrokerError, StoreUnavailable
    from broker.stores.embedded import EmbeddedRedisFailed
    from broker.stores.sql.errors import NotFound
    from keys import errors as keys

    if isinstance(error, Failure):
        return error.code, str(error)
    if isinstance(error, StoreUnavailable):
        return Exit.OUT_OF_REACH, f"a store is out of reach: {error.private or error.public}"
    kinds: dict[tuple[type[Exception], ...], Exit] = {
        (keys.VaultMisconfigured,): Exit.REFUSED,
        (keys.KeyStoreUnavailable, keys.VaultUnavailable, EmbeddedRedisFailed): Exit.OUT_OF_REACH,
        (NotFound, keys.KeyNotFound): Exit.NOT_FOUND,
        (Refused, keys.KeysError, BrokerError): Exit.REFUSED,
    }
    for classes, code in kinds.items():
        if isinstance(error, classes):
            return code, str(error)
    return Exit.FAILED, f"{type(error).__name__}: {error}"


@contextmanager
def embedded_or(settings: "Settings", *, needed: bool) -> Iterator[str]:
    """Yield the Redis to use: the configured one, the running server's, or one for this moment."""
    if settings.redis_url is not None:
        yield settings.redis_url.get_secret_value()
        return
    if not needed:
        yield "unix:///nowhere"  # no command is sent, so no connection is made
        return
    from broker.stores.embedded import EmbeddedRedis

    with EmbeddedRedis.join(settings.data_dir) as embedded:
        yield embedded.url


@asynccontextmanager
async def _opened(settings: "Settings", *, redis: bool) -> AsyncIterator["Stores"]:
    from broker.app.clock import SystemClock, SystemEntropy
    from broker.app.stores import make_schema, open_stores

    with embedded_or(settings, needed=redis) as url:
        async with open_stores(settings, SystemClock(), SystemEntropy(), url) as stores:
            await make_schema(settings, stores)
            yield stores


def with_stores(
    work: "Callable[[Stores, Settings, SystemClock], Awaitable[T]]", *, redis: bool = False
) -> T:
    """Open the stores, do the work, close them; failures end the command.

    Args:
        work: is handed the stores, the settings and the clock.
        redis: whether it speaks to Redis; else an embedded one is not started for it.
    """
    from broker.app.checks import check
    from broker.app.clock import SystemClock
    from broker.app.data_dir import prepare
    from broker.app.loading import load
    from broker.cli.quiet import quiet

    async def everything(settings: "Settings") -> T:
        async with _opened(settings, redis=redis) as stores:
            return await work(stores, settings, SystemClock())

    with reported():
        settings = load()
        check(settings)
        quiet(settings)
        if settings.database_url is None or settings.redis_url is None:
            prepare(settings.data_dir)
        return asyncio.run(everything(settings))
    raise AssertionError  # reported() always leaves when something failed

"""What every process that serves runs: a broker for its lifespan."""

import gc
import os
from contextlib import AsyncExitStack
from importlib import import_module
from typing import TYPE_CHECKING, Final

from starlette.types import ASGIApp, Receive, Scope, Send

from broker.app.compose import MakeConsole, compose
from broker.app.problems import Problem, Refused
from broker.app.settings import Settings
from broker.app.sources import EMBEDDED_REDIS, METRICS_DIRECTORY

if TYPE_CHECKING:  # it loads the metrics library
    from broker.app.watching import Watch

_STARTING: Final = b"starting"


# A name, not an import: what it makes is in a layer above this one.
CONSOLE: Final = "broker.admin.console"


def application(settings: Settings) -> ASGIApp:
    """Return the application of a worker.

    Args:
        settings: checked.

    Raises:
        Refused: no Redis was handed on.
    """
    return Lifespan(
        settings,
        redis_address(settings),
        watch=watching(settings) if os.environ.get(METRICS_DIRECTORY) else None,
        console=console(settings),
    )


def console(settings: Settings) -> MakeConsole | None:
    """Return what makes the operator console, where it is on; its libraries are loaded for it."""
    if settings.admin == "off":
        return None
    found: MakeConsole = import_module(CONSOLE).console_of
    return found


def watching(settings: Settings) -> "Watch | None":
    """Return what measures this process, where metrics are wanted.

    Whether it writes them to files or keeps them is decided when their library is loaded, which
    is here, by the environment variable that `METRICS_DIRECTORY` names.
    """
    if not settings.metrics_address:
        return None
    from broker.app.watching import Watch  # noqa: PLC0415 - see above

    return Watch()


def redis_address(settings: Settings) -> str:
    """Return the Redis that is configured, or the embedded one that the server started.

    Raises:
        Refused: neither is there.
    """
    if settings.redis_url is not None:
        return settings.redis_url.get_secret_value()
    url = os.environ.get(EMBEDDED_REDIS)
    if not url:
        raise Refused(
            Problem("BROKER_REDIS_URL", "not set, and no embedded Redis runs: use broker serve")
        )
    return url


class Lifespan:
    """An ASGI application that is composed when its server starts and closed when it stops.

    Args:
        settings: of the broker.
        redis_url: its Redis.
        watch: measures what goes on, where metrics are wanted.
        console: makes the operator console, where it is wanted.
    """

    def __init__(
        self,
        settings: Settings,
        redis_url: str,
        *,
        watch: "Watch | None" = None,
        console: MakeConsole | None = None,
    ) -> None:
        self._settings = settings
        self._redis_url = redis_url
        self._watch = watch
        self._console = console
        self._web: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection, or live through the server's lifespan."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif self._web is not None:
            await self._web(scope, receive, send)
        else:
            await _not_yet(send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        async with AsyncExitStack() as stack:
            try:
                made = compose(
                    self._settings, self._redis_url, watch=self._watch, console=self._console
                )
                broker = await stack.enter_async_context(made)
            except Exception as error:  # noqa: BLE001 - the server has to be told, whatever it is
                await send({"type": "lifespan.startup.failed", "message": str(error)})
                return
            self._web = broker.web
            _settle()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            self._web = None
        await send({"type": "lifespan.shutdown.complete"})


def _settle() -> None:
    """Keep the garbage collector off what lives as long as the process, and call it less often.

    A request makes many small objects and hardly a cycle; looking through all modules for each
    few hundred of them costs several per cent. With those out of its sight a look costs next to
    nothing; a rare one costs memory, for each sign-in leaves a client of the upstream in a cycle.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(2_000, 10, 10)


async def _not_yet(send: Send) -> None:
    headers = [(b"retry-after", b"1"), (b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": _STARTING})

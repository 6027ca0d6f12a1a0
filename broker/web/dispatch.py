"""From a request to its route, and from whatever happens there to an answer."""

from collections.abc import Awaitable
from typing import Final

from starlette.requests import Request
from starlette.routing import compile_path
from starlette.types import Receive, Scope, Send

from broker.core.deadlines import Deadline, TookTooLong
from broker.core.errors import AuthorizationRefused, BrokerError, Unavailable
from broker.core.limits import Kind
from broker.log import structlog
from broker.web import cors, errors
from broker.web.addresses import counted
from broker.web.answers import Answer
from broker.web.edge import Edge
from broker.web.problems import BodyTooSlow, ClientGone, NoSuchPath, WrongMethod
from broker.web.routes import Cache, Cors, Entry
from broker.web.trace import Trace

NO_STORE: Final = ((b"cache-control", b"no-store"), (b"pragma", b"no-cache"))


class Dispatch:
    """What is inside the frame: answers a request.

    Args:
        routes: the table.
        edge: what endpoints are handed.
    """

    def __init__(self, routes: tuple[Entry, ...], edge: Edge) -> None:
        self._edge = edge
        self._deadline = Deadline(edge.config.deadline)
        self._literal = {entry.path: entry for entry in routes if "{" not in entry.path}
        self._patterns = [
            (compile_path(entry.path)[0], entry) for entry in routes if "{" in entry.path
        ]
        self._log = structlog.get_logger("broker.web").bind()

    async def __call__(
        self, scope: Scope, receive: Receive, send: Send, trace: Trace
    ) -> Answer | None:
        """Return the answer to a request, not yet sent; None where nobody waits for it any more."""
        request = Request(scope, receive, send)
        entry = self._literal.get(scope["path"]) or self._match(scope)
        if entry is None:
            return self._failed(NoSuchPath(), None, request, trace)
        trace.route = entry.path
        try:
            return await self._run(entry, request, trace)
        except ClientGone:
            trace.error = "client_gone"
            return None

    def _match(self, scope: Scope) -> Entry | None:
        for pattern, entry in self._patterns:
            found = pattern.match(scope["path"])
            if found is not None:
                scope["path_params"] = found.groupdict()
                return entry
        return None

    async def _run(self, entry: Entry, request: Request, trace: Trace) -> Answer:
        """Run the endpoint and give its answer the headers of its route."""
        headers = () if entry.cors is Cors.NONE else await cors.headers(request, entry, self._edge)
        if request.scope["method"] == "OPTIONS" and entry.cors is not Cors.NONE:
            answer = cors.preflight(entry, headers)
        else:
            answer = await self._attempt(entry, request, trace)
        if entry.cache is Cache.PUBLIC and answer.cache is not None:
            answer.raw_headers.append((b"cache-control", answer.cache))
        else:
            answer.raw_headers += NO_STORE
        answer.raw_headers += headers
        return answer

    async def _attempt(self, entry: Entry, request: Request, trace: Trace) -> Answer:
        """Return the endpoint's answer, or what HTTP makes of its failure."""
        try:
            return await self._begin(entry, request)
        except ClientGone:
            raise
        except TookTooLong:
            why = "our own deadline passed"
            error = BodyTooSlow() if trace.reading else Unavailable(private=why)
            return self._failed(error, entry, request, trace)
        except Exception as error:  # noqa: BLE001 - the last resort: nothing leaks, all is logged
            return self._failed(error, entry, request, trace)

    def _begin(self, entry: Entry, request: Request) -> Awaitable[Answer]:
        """Return the endpoint's work, which ends in time."""
        if entry.limited and (who := counted(request, self._edge.config)):
            self._edge.services.limits.take(Kind.ADDRESS, who)
        if request.scope["method"] not in entry.methods:
            raise WrongMethod(entry.methods)
        work = entry.endpoint(request, self._edge)
        if entry.cache is Cache.PUBLIC:  # built before: there is nothing to wait for
            return work
        return self._deadline.within(work)

    def _failed(
        self, error: Exception, entry: Entry | None, request: Request, trace: Trace
    ) -> Answer:
        failure = errors.judge(error, trace.request_id)
        _tell(trace, failure.error, error)
        if not failure.foreseen:
            self._log.error("failed", request_id=trace.request_id, exc_info=error)
        voice = entry.voice if entry else errors.voice_for_unknown(request)
        answer = errors.answer(failure, voice, request, self._edge)
        if entry is None:
            answer.raw_headers += NO_STORE
        return answer


def _tell(trace: Trace, told: BrokerError, error: Exception) -> None:
    """Note what the log is to say of a failure: its code, why, and whose app it met.

    Args:
        trace: of the request.
        told: what stands for the failure outside.
        error: as it was raised.
    """
    cause = told.cause if isinstance(told, AuthorizationRefused) else told
    trace.error = cause.code or type(error).__name__
    trace.detail = told.private or ("" if cause.public == cause.title else str(cause.public))
    trace.app = "" if told.client is None else told.client.client_id

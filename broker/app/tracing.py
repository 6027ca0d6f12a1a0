"""Traces: what a request did, step by step and how long each took, told to a collector (OTLP).

Loaded only where ``BROKER_TRACES`` is on. Spans are written here by hand, not by instrumentations:
those copy addresses, keys and statements, and ours carry codes and handles. What a span says is a
word of ours, a status, a host or a class name; nothing that somebody sent.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from ipaddress import ip_network
from typing import Any, Final

import httpx2
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from broker.stores.redis.connect import Client
from broker.stores.redis.scripts import Script, Steps
from broker.upstream.base import BoundedTransport
from broker.web.middleware import Network, trusted_peer
from broker.web.routes import ROUTES
from broker.web.trace import found_trace

FLUSH: Final = 3.0  # seconds that a process which ends waits for its last spans to be taken
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER: Final = "_OTHER"  # any other method, as the conventions want it
VERBS: Final = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "BEGIN", "PRAGMA"})
_CARRIER: Final = TraceContextTextMapPropagator()
_PATHS: Final = frozenset(entry.path for entry in ROUTES)


class Tracing:
    """Writes the spans of this process and sends them in the background.

    Where to, and how many, say the variables of OpenTelemetry (``OTEL_EXPORTER_OTLP_ENDPOINT``,
    ``OTEL_TRACES_SAMPLER``, ``OTEL_SERVICE_NAME`` and so on), which its library reads.

    Args:
        proxies: addresses and networks whose ``traceparent`` is continued.
    """

    def __init__(self, proxies: Sequence[str]) -> None:
        self._proxies = tuple(ip_network(text) for text in proxies)
        self._exporter = OTLPSpanExporter(timeout=FLUSH)
        self._sending = BatchSpanProcessor(self._exporter)
        # What ends with the process is ended by ``shut``, within a time of ours.
        provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
        provider.add_span_processor(self._sending)
        self._tracer = provider.get_tracer("broker")

    def web(self, app: ASGIApp) -> ASGIApp:
        """Return an application with a span around each request."""
        return _Served(app, self._tracer, self._proxies)

    def transport(self) -> BoundedTransport:
        """Return the transport of calls to upstreams, with a span around each."""
        return _Called(self._tracer)

    def steps(self, client: Client, *, deadline: float, replicas: int = 0) -> Steps:
        """Return what runs steps in Redis, with a span around each."""
        return _TracedSteps(self._tracer, client, deadline=deadline, replicas=replicas)

    def sql(self, engine: AsyncEngine) -> None:
        """Put a span around each statement."""
        _follow_statements(engine, self._tracer)

    async def shut(self) -> None:
        """Send what is left, as far as the collector takes it in time."""
        await asyncio.to_thread(self._shut)

    def _shut(self) -> None:
        # The library itself would wait for half a minute.
        enough = threading.Timer(FLUSH, self._exporter.shutdown)
        enough.start()
        self._sending.shutdown()  # type: ignore[no-untyped-call]
        enough.cancel()


def _resource() -> Resource:
    """Return who speaks: what the environment says, else the name of this product."""
    found = Resource.create()
    if str(found.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        return found.merge(Resource({SERVICE_NAME: "token-broker"}))
    return found


@contextmanager
def _step(tracer: Tracer, name: str, facts: Mapping[str, str]) -> Iterator[Span | None]:
    """Write a span of something done for a request; none for what runs beside requests.

    A failure is told by its class alone: messages quote addresses and statements.
    """
    if not get_current_span().is_recording():
        yield None
        return
    with tracer.start_as_current_span(
        name,
        kind=SpanKind.CLIENT,
        attributes=facts,
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield span
        except BaseException as error:
            _failed(span, type(error).__name__)
            raise


def _failed(span: Span, why: str) -> None:
    span.set_attribute("error.type", why)
    span.set_status(StatusCode.ERROR)


class _Served:
    """The outermost layer: a span for each request, named by its route.

    Args:
        app: the broker.
        tracer: writes spans.
        proxies: whose ``traceparent`` is continued.
    """

    def __init__(self, app: ASGIApp, tracer: Tracer, proxies: Sequence[Network]) -> None:
        self._app = app
        self._tracer = tracer
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in METHODS else OTHER
        status = 0

        async def seen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with self._tracer.start_as_current_span(
            method,
            self._before(scope),
            SpanKind.SERVER,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                await self._app(scope, receive, seen)
            finally:
                if span.is_recording():
                    _tell(span, scope, method, status)

    def _before(self, scope: Scope) -> Context:
        """Return what the request goes on with: a trusted proxy's trace, or nothing at all.

        Anybody else could tie traces of ours together, or switch all of them on.
        """
        if not trusted_peer(scope, self._proxies):
            return Context()
        # ``tracestate`` may hold anything, so it ends here (Trace Context §3.3.1.3 allows that).
        found = [v.decode("latin-1") for k, v in scope["headers"] if k == b"traceparent"]
        return _CARRIER.extract({"traceparent": found[0]} if len(found) == 1 else {}, Context())


def _tell(span: Span, scope: Scope, method: str, status: int) -> None:
    """Write what came of a request."""
    trace = found_trace(scope)
    route = trace.route if trace else scope["path"] if scope["path"] in _PATHS else ""
    span.set_attribute("http.request.method", method)
    if route:
        span.update_name(f"{method} {route}")
        span.set_attribute("http.route", route)
    if status:
        span.set_attribute("http.response.status_code", status)
    if trace:
        span.set_attribute("broker.request_id", trace.request_id)
        if trace.error:
            span.set_attribute("broker.error", trace.error)
    if status >= 500 or not status:
        _failed(span, str(status or "unanswered"))


class _Called(BoundedTransport):
    """The transport of calls to upstreams, with a span from the request to the answer's headers.

    Args:
        tracer: writes spans.
    """

    def __init__(self, tracer: Tracer) -> None:
        super().__init__()
        self._tracer = tracer

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        method = request.method if request.method in METHODS else OTHER
        route = str(request.extensions.get("route", ""))
        facts = {"http.request.method": method, "server.address": request.url.host}
        with _step(self._tracer, f"{method} {route}".strip(), facts) as span:
            answer = await super().handle_async_request(request)
            if span is not None:
                span.set_attribute("http.response.status_code", answer.status_code)
                if answer.status_code >= 400:
                    _failed(span, str(answer.status_code))
            return answer


class _TracedSteps(Steps):
    """What runs in Redis, with spans: the name of a step or command, and no key of it.

    Args:
        tracer: writes spans.
        client, deadline, replicas: as ``Steps`` takes them.
    """

    def __init__(self, tracer: Tracer, client: Client, *, deadline: float, replicas: int) -> None:
        super().__init__(client, deadline=deadline, replicas=replicas)
        self._tracer = tracer

    async def run(self, step: Script, keys: Sequence[str], *args: str) -> Any:
        with _step(self._tracer, f"redis {step.name}", {"db.system.name": "redis"}):
            return await super().run(step, keys, *args)

    async def command(self, *words: str | int) -> Any:
        with _step(self._tracer, f"redis {words[0]}", {"db.system.name": "redis"}):
            return await super().command(*words)


def _follow_statements(engine: AsyncEngine, tracer: Tracer) -> None:
    """Put spans around what runs in SQL: the statement's first word alone."""
    system, target = engine.dialect.name, engine.sync_engine

    def before(
        _conn: Any, _cursor: Any, statement: str, _params: Any, context: Any, _m: Any
    ) -> None:
        if context is None or not get_current_span().is_recording():
            return
        verb = statement.split(None, 1)[0].upper() if statement.strip() else ""
        name = verb if verb in VERBS else OTHER
        context.broker_span = tracer.start_span(
            f"sql {name}", kind=SpanKind.CLIENT, attributes={"db.system.name": system}
        )

    def after(_on: Any, _at: Any, _statement: str, _with: Any, context: Any, _many: Any) -> None:
        if (span := getattr(context, "broker_span", None)) is not None:
            span.end()

    def failed(fault: Any) -> None:
        span = getattr(fault.execution_context, "broker_span", None)
        if span is not None:
            _failed(span, type(fault.original_exception).__name__)
            span.end()

    listeners: dict[str, Callable[..., None]] = {
        "before_cursor_execute": before,
        "after_cursor_execute": after,
        "handle_error": failed,
    }
    for name, listener in listeners.items():
        event.listen(target, name, listener)

"""Traces: what a collector is sent of a request, and that nothing secret is in it."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx2
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.protocol.harness import Shelf, World, begin
from tests.protocol.known import BACK, DISCORD_SECRET, ISSUER, OPERATOR_SECRET
from tests.protocol.secrecy import Wire, overheard

THEIRS = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{THEIRS}-00f067aa0ba902b7-01"


class Collector:
    """A collector of OpenTelemetry, and what it was sent."""

    def __init__(self) -> None:
        self.sent: list[ExportTraceServiceRequest] = []

    @property
    def spans(self) -> list[Span]:
        return [
            span
            for sent in self.sent
            for resource in sent.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]

    def under(self, parent: Span) -> set[str]:
        return {span.name for span in self.spans if span.parent_span_id == parent.span_id}


@contextmanager
def collecting() -> Iterator[Collector]:
    """Run a collector on loopback, named as operators name theirs."""
    found = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            assert self.path == "/v1/traces"
            found.sent.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        with pytest.MonkeyPatch.context() as patch:
            address = f"http://127.0.0.1:{server.server_port}"
            patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
            patch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
            yield found
        server.shutdown()


async def walk(world: World) -> None:
    """Sign in, redeem, refresh; ask for things that carry secrets in address and headers."""
    browser, app = world.browser(), world.app(BACK)
    tokens = await browser.tokens(app, scope="openid offline_access")
    newer = (await app.refresh(tokens["refresh_token"])).json()
    await world.userinfo(newer["access_token"])
    await app.refresh("an-invented-refresh-token")
    await world.api.get("/nowhere/" + newer["refresh_token"])
    await world.api.get("/userinfo", params={"access_token": newer["access_token"]})
    await world.api.request(newer["refresh_token"], "/userinfo")
    headers = {"traceparent": PARENT, "tracestate": f"x={newer['refresh_token'][:200]}"}
    await world.api.get("/.well-known/jwks.json", headers=headers)
    await world.api.get("/livez", headers={"traceparent": "00-garbage"})


async def collected(shared: Shelf, folder: Path, **settings: Any) -> tuple[Wire, Collector]:
    """Return what was heard on the wire, and what the collector had when the broker was gone."""
    with collecting() as collector, overheard() as wire:
        async with begin(shared, folder, traces="on", **settings) as world:
            await walk(world)
    for secret in (DISCORD_SECRET, OPERATOR_SECRET):
        wire.note("configured secret", secret)
    return wire, collector


async def test_requests_are_traced_and_nothing_secret_is_said(
    shared: Shelf, tmp_path: Path
) -> None:
    """A span by route, beneath it the steps it took; no code, token, cookie, address or key."""
    wire, collector = await collected(shared, tmp_path)
    (redeemed, refreshed, refused) = collector.named("POST /token")
    assert "redis code_redeem" in collector.under(redeemed)
    assert collector.under(refreshed) == {"redis grant_refresh"}
    (back,) = collector.named("GET /login/{upstream}/callback")
    below = collector.under(back)
    assert {name.split()[0] for name in below} >= {"POST", "GET", "redis", "sql"}, below
    for span in collector.spans:
        if span.parent_span_id:
            assert span.trace_id in {one.trace_id for one in collector.spans if one.kind == 2}
    said = {a.key: a.value for a in refused.attributes}
    assert said["broker.error"].string_value == "invalid_grant"
    assert said["http.response.status_code"].int_value == 400
    assert {a.key for span in collector.spans for a in span.attributes} <= {
        "broker.error", "broker.request_id", "db.system.name", "error.type", "http.request.method",
        "http.response.status_code", "http.route", "server.address",
    }  # fmt: skip
    assert not any(span.events or span.links or span.trace_state for span in collector.spans)
    kinds = {"code", "cookie", "refresh_token", "access_token", "state", "Basic"}
    assert kinds <= set(wire.heard.values())
    assert wire.found_in(str(collector.sent)) == set()
    assert '"token-broker"' in str(collector.sent[0].resource_spans[0].resource)


@pytest.mark.parametrize(("proxies", "continued"), [((), False), (("127.0.0.1",), True)])
async def test_only_trusted_proxies_have_their_trace_continued(
    shared: Shelf, tmp_path: Path, proxies: tuple[str, ...], continued: bool
) -> None:
    """Whoever else names a trace gets one of ours; what is no trace is passed over."""
    with collecting() as collector:
        async with begin(shared, tmp_path, traces="on", trusted_proxies=proxies) as world:
            for headers in ({"traceparent": PARENT}, {"traceparent": "00-garbage"}):
                await world.api.get("/.well-known/jwks.json", headers=headers)
    first, second = collector.named("GET /.well-known/jwks.json")
    assert (first.trace_id.hex() == THEIRS) is continued
    assert not second.parent_span_id


async def test_a_collector_out_of_reach_delays_nobody(
    shared: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests are answered, and the process still ends."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("broker.app.tracing.FLUSH", 0.3)
    async with begin(shared, tmp_path, traces="on") as world:
        answer: httpx2.Response = await world.api.get(f"{ISSUER}/livez")
        assert answer.status_code == 200

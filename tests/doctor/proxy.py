"""A proxy on loopback that stands in front of a broker and misbehaves in one way at a time."""

from collections.abc import Callable
from dataclasses import dataclass, field

import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_HOP: frozenset[str] = frozenset({"connection", "transfer-encoding", "content-encoding", "date"})
_HOP |= {"content-length", "server"}


@dataclass
class BadProxy:
    """Hands on what the upstream answers, changed by the flaw of the moment.

    Attributes:
        upstream: the origin behind it.
        flaw: the name of a method `flaw_…` without the prefix, or nothing for none.
        kept: the answers a flaw of caching keeps, by path.
        watch: what a stopwatch shows, in seconds: it goes on by what the proxy is slow alone.
    """

    upstream: str = ""
    flaw: str = ""
    kept: dict[str, Response] = field(default_factory=dict)
    watch: float = 0.0

    def behave(self, flaw: str = "") -> None:
        """Misbehave in this way from now on; an empty name ends it."""
        assert not flaw or hasattr(self, f"flaw_{flaw}")
        self.flaw = flaw
        self.kept.clear()

    async def handle(self, request: Request) -> Response:
        if self.flaw == "caches":
            return await self._stored(request)
        answer = await self._handed_on(request)
        change: Callable[[Request, Response], Response] | None
        change = getattr(self, f"flaw_{self.flaw}", None)
        return change(request, answer) if change else answer

    async def _handed_on(self, request: Request) -> Response:
        names = ("if-none-match", "origin", "cache-control", "accept")
        sent = {name: request.headers[name] for name in names if name in request.headers}
        url = f"{self.upstream}{request.url.path}"
        async with httpx2.AsyncClient(trust_env=False, verify=False) as client:
            got = await client.request(request.method, url, headers=sent)
        headers = {name: text for name, text in got.headers.items() if name not in _HOP}
        return Response(got.content, got.status_code, headers)

    async def _stored(self, request: Request) -> Response:
        """Keep a copy for ever, whatever the request says, and hand it out with its hidden age."""
        path = f"{request.url.path}?{request.url.query}"
        if path not in self.kept:
            self.kept[path] = await self._handed_on(request)
        return self.kept[path]

    def flaw_caches(self, _: Request, answer: Response) -> Response:
        return answer

    def flaw_slow(self, request: Request, answer: Response) -> Response:
        if request.url.path.endswith("jwks.json"):
            self.watch += 1.05
        return answer

    def flaw_strips_cache_control(self, _: Request, answer: Response) -> Response:
        del answer.headers["cache-control"]
        return answer

    def flaw_overdue(self, _: Request, answer: Response) -> Response:
        answer.headers["age"] = "4000"
        answer.headers["via"] = "1.1 edge (Varnish/7.1)"
        return answer

    def flaw_weak_etag(self, request: Request, answer: Response) -> Response:
        answer.headers["etag"] = "W/" + answer.headers.get("etag", '""')
        return answer

    def flaw_own_etag(self, request: Request, answer: Response) -> Response:
        """Its ETag means nothing to the broker, so 304 never comes."""
        answer.headers["etag"] = '"of-the-proxy"'
        return answer

    def flaw_strips_etag(self, _: Request, answer: Response) -> Response:
        del answer.headers["etag"]
        return answer

    def flaw_redirects(self, request: Request, answer: Response) -> Response:
        if request.url.path.startswith("/.well-known") and not request.query_params.get("x"):
            return Response(status_code=302, headers={"location": f"{request.url.path}?x=1"})
        return answer

    def flaw_loops(self, request: Request, _: Response) -> Response:
        return Response(status_code=302, headers={"location": request.url.path})

    def flaw_cookie(self, _: Request, answer: Response) -> Response:
        answer.headers["set-cookie"] = "lb=node-1; Path=/"
        return answer

    def flaw_html(self, _: Request, __: Response) -> Response:
        return Response("<!doctype html><p>Back soon", 200, media_type="text/html")

    def flaw_html_keys(self, request: Request, answer: Response) -> Response:
        path = request.url.path
        return self.flaw_html(request, answer) if path.endswith("jwks.json") else answer

    def flaw_drops_cors(self, _: Request, answer: Response) -> Response:
        del answer.headers["access-control-allow-origin"]
        return answer

    def flaw_no_head(self, request: Request, answer: Response) -> Response:
        return Response(status_code=405) if request.method == "HEAD" else answer

    def flaw_fails(self, _: Request, __: Response) -> Response:
        return Response("bad gateway", 502)

    def flaw_keys_fail(self, request: Request, answer: Response) -> Response:
        return Response(status_code=503) if request.url.path.endswith("jwks.json") else answer

    def flaw_bad_gzip(self, request: Request, answer: Response) -> Response:
        if request.url.path.endswith("jwks.json"):
            answer.headers["content-encoding"] = "gzip"
        return answer

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/{path:path}", self.handle, methods=["GET", "HEAD"])])

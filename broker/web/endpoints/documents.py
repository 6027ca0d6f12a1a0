"""Endpoints that read: public documents, static files, probes."""

from starlette.requests import Request

from broker.web.answers import Answer, json_answer
from broker.web.edge import Edge
from broker.web.problems import NoSuchPath


async def jwks(request: Request, edge: Edge) -> Answer:
    """GET /.well-known/jwks.json (RFC 7517 §5)."""
    return edge.documents.jwks.current().answer(request)


async def openid_configuration(request: Request, edge: Edge) -> Answer:
    """GET /.well-known/openid-configuration (OpenID Connect Discovery §4)."""
    return edge.documents.openid_configuration.answer(request)


async def authorization_server(request: Request, edge: Edge) -> Answer:
    """GET /.well-known/oauth-authorization-server (RFC 8414 §3)."""
    return edge.documents.authorization_server.answer(request)


async def static(request: Request, edge: Edge) -> Answer:
    """GET /static/{name}: the name holds the content's digest."""
    document = edge.documents.static(request.path_params["name"])
    if document is None:
        raise NoSuchPath
    return document.answer(request)


async def docs(request: Request, edge: Edge) -> Answer:
    """GET /docs and /docs/{name}: for whoever integrates an app or a service."""
    document = edge.docs.get(request.path_params.get("name", ""))
    if document is None:
        raise NoSuchPath
    return document.answer(request)


async def livez(_request: Request, _edge: Edge) -> Answer:
    """GET /livez: the process answers; nothing else is looked at."""
    return json_answer({"live": True})


async def readyz(_request: Request, edge: Edge) -> Answer:
    """GET /readyz: 200 when everything needed is there, else 503 with the causes."""
    checks = await edge.services.ready()
    ready = all(check.ok for check in checks)
    seen = [
        {"name": check.name, "ok": check.ok} | ({"reason": check.reason} if check.reason else {})
        for check in checks
    ]
    return json_answer({"ready": ready, "checks": seen}, 200 if ready else 503)

"""The operator console, where it is on."""

from starlette.requests import Request

from broker.web.answers import Answer
from broker.web.edge import Edge
from broker.web.problems import NoSuchPath


async def console(request: Request, edge: Edge) -> Answer:
    """GET and POST under /admin: its door, and for whoever is inside its pages."""
    if edge.services.console is None:
        raise NoSuchPath
    return await edge.services.console.answer(request, edge)


async def static(request: Request, edge: Edge) -> Answer:
    """GET /admin/static/…: stylesheets, scripts and fonts of its pages; nobody's secret."""
    if edge.services.console is None:
        raise NoSuchPath
    return await edge.services.console.static(request)

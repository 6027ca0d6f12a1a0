"""Builds the edge."""

from starlette.types import ASGIApp

from broker.web.cookies import Cookies
from broker.web.dispatch import Dispatch
from broker.web.docs.render import Docs
from broker.web.documents import Documents
from broker.web.edge import Edge
from broker.web.edge_config import EdgeConfig
from broker.web.middleware import Frame
from broker.web.routes import ROUTES
from broker.web.services import Services
from broker.web.shelf import Shelf
from broker.web.shortcut import Shortcut


def build(services: Services, config: EdgeConfig) -> ASGIApp:
    """Return the ASGI application of the broker.

    It is built in some milliseconds and holds no state, so it may be built at import or inside a
    lifespan. Logs go through structlog as it is configured at this moment.

    Args:
        services: the core.
        config: the edge's settings.

    Raises:
        ValueError: a trusted proxy is not an address or network.
    """
    edge = Edge(
        services=services,
        config=config,
        cookies=Cookies(config),
        pages=Shelf(config, docs=services.manual is not None),
        documents=Documents(services, config),
        docs=Docs(services.manual, config),
    )
    routes = tuple(
        entry for entry in ROUTES if not entry.needs or getattr(services, entry.needs) is not None
    )
    frame = Frame(Dispatch(routes, edge), config, services.entropy, services.observe)
    return Shortcut(frame, edge.documents, config, services.observe)

"""The console's pages in starlette-admin's frame."""

from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.types import ASGIApp
from starlette_admin.auth import AdminUser, BaseAuthProvider
from starlette_admin.base import BaseAdmin
from starlette_admin.theme import DefaultTheme

from broker.admin.views import VIEWS
from broker.admin.views.home import Home
from broker.app.serving import Parts
from broker.core.handles import derive

PACKAGE: Final = "broker.admin"


class Theme(DefaultTheme):
    """The library's looks, with a frame of our own that needs no inline script."""

    name = "broker"
    package = PACKAGE

    def template_globals(self) -> dict[str, Any]:
        """Return what every page may use."""
        return {}


class WhoIsInside(BaseAuthProvider):
    """Tells the library who was let in; nobody comes this far who was not."""

    async def authenticate(self, request: Request) -> AdminUser | None:
        """Return the operator."""
        inside = getattr(request.state, "inside", None)
        return None if inside is None else AdminUser(username=inside.name)


def site(parts: Parts) -> ASGIApp:
    """Make the application that serves the pages.

    Args:
        parts: what services are made of.
    """
    admin = BaseAdmin(
        title=parts.settings.brand_name,
        base_url="/admin",
        templates_dir="/nonexistent",
        index_view=Home(parts),
        theme=Theme(),
        auth_provider=WhoIsInside(),
        secret_key=derive(parts.stores.secrets[0], "console", 32).hex(),
        timezone_config=None,
    )
    for view in VIEWS:
        admin.add_view(view(parts))
    app = Starlette()
    admin.mount_to(app)
    return app

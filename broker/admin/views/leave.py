"""Leaving the console: its door ends the session when this has found the form to be ours."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette_admin.routing import route

from broker.admin.views.page import Page


class Leave(Page):
    """Answers ``POST /admin/leave``."""

    menu_label = "Leave"
    path = "/leave"
    add_to_menu = False

    @route("", methods=["POST"])
    async def index(self, request: Request) -> Response:  # noqa: ARG002 - its form was judged
        """Lead back to the door."""
        return RedirectResponse("/admin/enter", 303)

"""What worker processes run where the console is on: ``broker.app.asgi`` with it."""

from starlette.types import ASGIApp

from broker.admin.console import console_of
from broker.app import asgi


def create_app() -> ASGIApp:
    """Return the application of a worker, with the console."""
    return asgi.create_app(console_of)

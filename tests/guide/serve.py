"""Serves one of the guide's Python examples: ``python serve.py FRAMEWORK PORT``, in its folder."""

import importlib
import sys
from typing import ClassVar
from wsgiref.simple_server import make_server


def serve(framework: str, port: int) -> None:
    """Serve until killed."""
    sys.path.insert(0, ".")
    if framework in {"fastapi", "starlette"}:
        import uvicorn

        app = importlib.import_module(f"{framework}_app").app
        uvicorn.run(app, port=port, log_level="warning")
        return
    app = importlib.import_module("flask_app").app if framework == "flask" else _django()
    make_server("127.0.0.1", port, app).serve_forever()


def _django() -> object:
    """Return a Django site of the guide's two views."""
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from django.urls import path

    class Urls:
        """What ROOT_URLCONF may be instead of a module."""

        urlpatterns: ClassVar[list[object]] = []

    settings.configure(ALLOWED_HOSTS=["127.0.0.1"], ROOT_URLCONF=Urls, SECRET_KEY="x" * 50)
    application = get_wsgi_application()
    views = importlib.import_module("views")
    Urls.urlpatterns += [path("me", views.me), path("orders", views.orders)]
    return application


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))

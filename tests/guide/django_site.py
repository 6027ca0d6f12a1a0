"""A Django site with the guide's two views: answers one request that it reads from its input.

``django_site.py VIEWS``: standard input is ``{"path", "body"}``, standard output what was answered.
"""

import importlib.util
import json
import sys

import django
from django.conf import settings
from django.urls import path

spec = importlib.util.spec_from_file_location("token_pair", sys.argv[1])
assert spec is not None
assert spec.loader is not None
views = importlib.util.module_from_spec(spec)
settings.configure(SECRET_KEY="x", ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], MIDDLEWARE=[])
django.setup()
spec.loader.exec_module(views)
urlpatterns = [path("api/token/", views.obtain), path("api/token/refresh/", views.refresh)]

if __name__ == "__main__":
    from django.test import Client

    asked = json.load(sys.stdin)
    answer = Client().post(asked["path"], json.dumps(asked["body"]), "application/json")
    headers = dict(answer.headers)
    print(json.dumps({"status": answer.status_code, "body": answer.json(), "headers": headers}))

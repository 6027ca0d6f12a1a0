"""Serves a Django site with allauth, configured by the files of a folder: ``… FOLDER PORT``.

The files are ``settings.py``, ``urls.py`` and ``link.html``, as the pages for developers show them.
"""

import os
import sys
from pathlib import Path
from wsgiref.simple_server import make_server

folder, port = Path(sys.argv[1]), int(sys.argv[2])
sys.path.insert(0, str(folder))
os.environ["DJANGO_SETTINGS_MODULE"] = "site_settings"
os.environ["NO_PROXY"] = "127.0.0.1"

# What startproject writes, as far as it matters here; then the lines to be added.
BEFORE = f"""
SECRET_KEY = "x" * 50
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "site_urls"
DATABASES = {{
    "default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": {str(folder / "db")!r}}}
}}
INSTALLED_APPS = [
    "django.contrib.auth", "django.contrib.contenttypes",
    "django.contrib.sessions", "django.contrib.messages",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [{{
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "DIRS": [{str(folder)!r}], "APP_DIRS": True,
    "OPTIONS": {{"context_processors": [
        "django.template.context_processors.request", "django.contrib.auth.context_processors.auth",
    ]}},
}}]
"""
URLS = """
from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import path

def home(request):
    account = request.user.socialaccount_set.get()
    return JsonResponse({"uid": account.uid, "provider": account.provider})

urlpatterns += [
    path("", home),
    path("signin", lambda request: render(request, "link.html")),
    path("ready", lambda request: HttpResponse("ready")),
]
"""
(folder / "site_settings.py").write_text(BEFORE + (folder / "settings.py").read_text("utf-8"))
(folder / "site_urls.py").write_text((folder / "urls.py").read_text("utf-8") + URLS)

if __name__ == "__main__":
    import django
    from django.core.management import call_command
    from django.core.wsgi import get_wsgi_application

    django.setup()
    call_command("check")
    call_command("migrate", verbosity=0)
    make_server("127.0.0.1", port, get_wsgi_application()).serve_forever()

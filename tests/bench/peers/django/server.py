"""django-oauth-toolkit on SQLite: gunicorn server:app, with PORT, FOLDER.

At its best: SQLite (faster here than PostgreSQL, whose round trips cost more), WAL, no middleware
but what sessions need, client secrets in clear (its default hashes them, a hundred times slower),
opaque access tokens and RS256 ID tokens. /seeds/KIND gives what loads draw on.
"""

import os
import secrets
from datetime import timedelta

import django
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.conf import settings

KEY = rsa.generate_private_key(65537, 2048)
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
SCOPES = {
    "openid": "openid",
    "profile": "profile",
    "email": "email",
    "introspection": "introspection",
}
settings.configure(
    SECRET_KEY="a-key-of-the-benchmark-for-django-that-is-long-enough",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    LOGGING_CONFIG=None,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.path.join(os.environ["FOLDER"], "peer.sqlite"),
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
            },
        }
    },
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "oauth2_provider",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    OAUTH2_PROVIDER={
        "OIDC_ENABLED": True,
        "OIDC_RSA_PRIVATE_KEY": PEM,
        "PKCE_REQUIRED": True,
        "ROTATE_REFRESH_TOKEN": True,
        "ACCESS_TOKEN_EXPIRE_SECONDS": 3600,
        "SCOPES": SCOPES,
        "OAUTH2_VALIDATOR_CLASS": f"{__name__}.Validator",
    },
)
django.setup()

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.contrib.sessions.backends.signed_cookies import SessionStore  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.urls import include, path  # noqa: E402
from django.utils import timezone  # noqa: E402
from oauth2_provider.models import AccessToken, Application, RefreshToken  # noqa: E402
from oauth2_provider.oauth2_validators import OAuth2Validator  # noqa: E402

PEOPLE = 256


class Validator(OAuth2Validator):
    """Puts name and address into ID tokens."""

    def get_additional_claims(self, request):
        return {"name": request.user.username, "email": request.user.email}


def arrive() -> None:
    """Make tables, people and clients."""
    call_command("migrate", verbosity=0)
    if User.objects.exists():
        return
    User.objects.bulk_create(
        User(username=f"person.{i}", email=f"person.{i}@example.com") for i in range(PEOPLE)
    )
    common = {
        "client_type": Application.CLIENT_CONFIDENTIAL,
        "client_secret": "a-secret-of-the-benchmark-that-is-long",
        "hash_client_secret": False,
        "algorithm": Application.RS256_ALGORITHM,
        "skip_authorization": True,
    }
    Application.objects.create(
        client_id="app",
        authorization_grant_type=Application.GRANT_AUTHORIZATION_CODE,
        redirect_uris="https://app.example.com/callback",
        **common,
    )
    Application.objects.create(
        client_id="service",
        authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS,
        **common,
    )


def cookies() -> list[str]:
    """Return the Cookie header of each person's browser."""
    lines = []
    for user in User.objects.all():
        session = SessionStore()
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.save()
        lines.append(f"sessionid={session.session_key}")
    return lines


def made(*, refresh: bool) -> list[str]:
    """Return a fresh access or refresh token of each person."""
    ends = timezone.now() + timedelta(hours=1)
    client = Application.objects.get(client_id="app")
    lines = []
    for user in User.objects.all():
        text = secrets.token_urlsafe(24)
        common = {"user": user, "application": client}
        scope = "openid profile email"
        access = AccessToken.objects.create(token=text, expires=ends, scope=scope, **common)
        if refresh:
            text = secrets.token_urlsafe(24)
            RefreshToken.objects.create(token=text, access_token=access, **common)
        lines.append(text)
    return lines


def seeds(request, kind):
    """Give what loads draw on."""
    lines = cookies() if kind == "cookies" else made(refresh=kind == "refresh")
    return HttpResponse("\n".join(lines), content_type="text/plain")


urlpatterns = [path("seeds/<kind>", seeds), path("", include("oauth2_provider.urls"))]
arrive()
app = get_wsgi_application()

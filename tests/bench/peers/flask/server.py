"""Authlib's provider on Flask: gunicorn server:app, with PORT and REDIS_URL.

At its best: what Authlib leaves to the application is one Redis step at the most (refresh tokens),
or nothing (JWT access tokens, introspected without a store). /seeds/KIND gives what loads draw on.
"""

import json
import os
import secrets
import time

import redis
from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin, grants
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator, JWTIntrospectionEndpoint
from authlib.oidc.core.grants.util import generate_id_token
from flask import Flask, Response
from joserfc.jwk import KeySet, RSAKey

ISSUER = f"http://127.0.0.1:{os.environ['PORT']}"
SECRET = "a-secret-of-the-benchmark-that-is-long"
KEY = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"})
KEY.ensure_kid()
KEYS = KeySet([KEY])
PUBLIC = json.dumps(KEYS.as_dict(private=False))
ABOUT = json.dumps(
    {
        "issuer": ISSUER,
        "authorization_endpoint": f"{ISSUER}/authorize",
        "token_endpoint": f"{ISSUER}/token",
        "introspection_endpoint": f"{ISSUER}/introspect",
        "jwks_uri": f"{ISSUER}/jwks",
        "response_types_supported": ["code"],
        "grant_types_supported": ["client_credentials", "refresh_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "code_challenge_methods_supported": ["S256"],
    }
)
store = redis.Redis.from_url(os.environ["REDIS_URL"])
app = Flask(__name__)


class Client(ClientMixin):
    """The only client."""

    def get_client_id(self):
        return "app"

    def get_allowed_scope(self, scope):
        return scope or ""

    def check_client_secret(self, client_secret):
        return secrets.compare_digest(client_secret, SECRET)

    def check_endpoint_auth_method(self, method, endpoint):
        return method == "client_secret_basic"

    def check_grant_type(self, grant_type):
        return grant_type in ("client_credentials", "refresh_token")


class Kept(dict):
    """What a refresh token stands for."""

    def get_scope(self):
        return self["scope"]

    def check_client(self, client):
        return self["client"] == client.get_client_id()


class Person(str):
    """Somebody."""

    __slots__ = ()

    def get_user_id(self):
        return str(self)


class Refresh(grants.RefreshTokenGrant):
    """Rotation: reading a token spends it."""

    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic",)
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token):
        found = store.getdel(f"peer:refresh:{refresh_token}")
        return Kept(json.loads(found)) if found else None

    def authenticate_user(self, refresh_token):
        return Person(refresh_token["user"])

    def revoke_old_credential(self, refresh_token):
        """Nothing is left of it."""

    def issue_token(self, user, credential):
        token = super().issue_token(user, credential)
        about = {"sub": str(user), "name": str(user), "email": f"{user}@example.com"}
        token["id_token"] = generate_id_token(
            token, about, KEY, ISSUER, ["app"], alg="RS256", exp=3600, nonce="a-nonce",
            auth_time=credential["auth_time"],
        )  # fmt: skip
        return token


class Tokens(JWTBearerTokenGenerator):
    """JWT access tokens."""

    def get_jwks(self):
        return KEYS


class Introspection(JWTIntrospectionEndpoint):
    """Of JWTs, without a store."""

    CLIENT_AUTH_METHODS = ("client_secret_basic",)

    def get_jwks(self):
        return KEYS

    def check_permission(self, token, client, request):
        return True


def keep(user: str, scope: str, token: str) -> None:
    """Keep what a refresh token stands for."""
    text = json.dumps(
        {"user": user, "scope": scope, "client": "app", "auth_time": int(time.time())}
    )
    store.set(f"peer:refresh:{token}", text, ex=86400)


def save(token, request):
    """Keep what Authlib leaves to us."""
    if "refresh_token" in token:
        keep(str(request.user), token.get("scope", ""), token["refresh_token"])


client = Client()
server = AuthorizationServer(app, lambda _: client, save)
server.register_grant(grants.ClientCredentialsGrant)
server.register_grant(Refresh)
tokens = Tokens(
    ISSUER,
    refresh_token_generator=lambda **_: secrets.token_urlsafe(32),
    expires_generator=lambda *_: 3600,
)
server.register_token_generator("default", tokens)
server.register_endpoint(Introspection(ISSUER))


@app.post("/token")
def token():
    return server.create_token_response()


@app.post("/introspect")
def introspect():
    return server.create_endpoint_response("introspection")


@app.get("/jwks")
def jwks():
    return Response(PUBLIC, mimetype="application/json")


@app.get("/discovery")
def discovery():
    return Response(ABOUT, mimetype="application/json")


@app.get("/seeds/<kind>")
def seeds(kind):
    lines = []
    for number in range(256):
        user = f"person.{number}"
        if kind == "refresh":
            one = secrets.token_urlsafe(32)
            keep(user, "openid profile email", one)
        else:
            one = tokens("refresh_token", client, Person(user), "openid profile")["access_token"]
        lines.append(one)
    return "\n".join(lines)

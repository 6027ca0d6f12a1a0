"""Who and what the tests know: addresses, secrets, people, and clients of every kind."""

from dataclasses import replace
from typing import Any

from broker.core.clients import digest
from broker.core.model import Client, ClientSecret
from tests.core.helpers import NOW

ISSUER = "https://127.0.0.1:8443"
API = "https://api.example/v1"
OTHER_API = "https://other-api.example"
ORIGIN = "https://front.example"
DISCORD_ID, DISCORD_SECRET = "1130000000000000001", "simulated-discord-secret"
OPERATOR_SECRET = "x" * 40
SECRET = "s3cret+with/odd%chars:and=more"
ADA, BEN = "ada.lindqvist", "ben_okafor"
KEPT = (ClientSecret(digest(SECRET), NOW),)


def _client(client_id: str, redirect_uri: str, **fields: Any) -> Client:
    return Client(client_id, client_id.title(), redirect_uris=(redirect_uri,), **fields)


FRONT = _client(
    "front", "https://front.example/callback", first_party=True, origins=(ORIGIN,),
    post_logout_redirect_uris=("https://front.example/bye",),
)  # fmt: skip
BACK = _client(
    "back", "https://back.example/callback", first_party=True, auth_method="client_secret_basic",
    secrets=KEPT, resources=(API, OTHER_API), client_uri="https://back.example/",
    post_logout_redirect_uris=("https://back.example/bye",),
)  # fmt: skip
POST = _client(
    "post", "https://post.example/callback", first_party=True, auth_method="client_secret_post",
    secrets=KEPT, audience="https://default.example", require_pkce=False,
)  # fmt: skip
THIRD = _client("third", "https://third.example/callback", client_uri="https://third.example/")
NATIVE = _client("native", "http://127.0.0.1/callback", application_type="native", first_party=True)
CUSTOM = _client("custom", "com.example.app:/callback", application_type="native", first_party=True)
TWO = Client(
    "two", "Two", redirect_uris=("https://two.example/a", "https://two.example/b?x=1"),
    first_party=True,
)  # fmt: skip
CODE_ONLY = replace(FRONT, client_id="code-only", grant_types=("authorization_code",))
NARROW = replace(FRONT, client_id="narrow", scopes=("openid", "profile"))
BARE = replace(FRONT, client_id="bare", id_token_at_refresh=False, access_token_lifetime=60)
CLIENTS = (FRONT, BACK, POST, THIRD, NATIVE, CUSTOM, TWO, CODE_ONLY, NARROW, BARE)

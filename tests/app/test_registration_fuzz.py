"""What a client may ask to be registered with: anything at all is sent."""

import json
from typing import Any
from urllib.parse import urlsplit

from hypothesis import given, settings
from hypothesis import strategies as st

from broker.app.loading import load
from broker.app.registration import judge
from broker.core import registration
from broker.core.client import Client
from broker.core.enrolment import bounded
from broker.core.errors import InvalidClientMetadata, InvalidRedirectUri
from broker.core.redirects import is_loopback

ASKED = {"client_name": "App", "redirect_uris": ["https://app.example/cb"]}

letters = st.text(max_size=30) | st.sampled_from(
    ["", "https://app.example/cb", "http://127.0.0.1/", "https://[::1", "https://a.example:x",
     "openid profile", "authorization_code", "none", "pairwise", "javascript:alert(1)", "//x",
     "https://\u0130.example", "https://a.example/%", "RS256", "native", "\ud800", "a\x00b",
     "https://@", "https://:80", "http://[v1.x]/", "com.example:/x", "private_key_jwt"]
)  # fmt: skip
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | letters,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(letters, inner, max_size=4),
    max_leaves=8,
)
members = st.sampled_from([one.name for one in registration.MEMBERS] + ["response_types", "x"])
SETTINGS = load()


@given(st.dictionaries(members, anything | st.lists(letters, max_size=3), max_size=8))
@settings(max_examples=400, deadline=None)
def test_anything_is_taken_or_refused(wanted: dict[str, Any]) -> None:
    """Whatever is sent, it is a registration that is safe, or one of the standard's two errors."""
    own = Client("0" * 32, "")
    try:
        client = bounded(registration.read(ASKED | wanted, like=own), own)
        judge(client, SETTINGS)
    except (InvalidRedirectUri, InvalidClientMetadata) as error:
        json.dumps(error.public)
        return
    assert (client.client_id, client.first_party, client.require_pkce) == ("0" * 32, False, True)
    for uri in client.redirect_uris:
        parts = urlsplit(uri)
        assert parts.scheme == "https" or is_loopback(parts) or "." in parts.scheme, uri
    json.dumps(registration.document(client), ensure_ascii=False).encode()
    assert registration.read(registration.document(client), like=own) == client

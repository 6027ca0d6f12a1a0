"""Client metadata and our record of a client: nothing is lost on the way, nothing slips in."""

import json
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.core import kinds, registration
from broker.core.client import Client, ClientSecret
from broker.core.errors import InvalidClientMetadata, InvalidRedirectUri
from broker.core.translations import FIELDS

URI = "https://app.example.org/cb"
GIVEN = {"redirect_uris": [URI], "client_name": "App"}
BLANK = Client("new", "")

letter = st.characters(exclude_categories=("C", "Z"))
word = st.text(letter, min_size=1, max_size=20)
text = st.text(letter | st.just(" "), min_size=1, max_size=20)
texts = st.lists(text, unique=True, max_size=4).map(tuple)
seconds = st.integers(0, kinds.LONGEST_TIME)
digest = st.text("0123456789abcdef", min_size=64, max_size=64)
moment = st.floats(0, 4e9)
secret = st.builds(ClientSecret, digest, moment, st.none() | moment)
jwk = st.dictionaries(word, text | st.booleans() | st.lists(text, max_size=9), max_size=25)
key_set = st.fixed_dictionaries({"keys": st.lists(jwk, max_size=3)})
plain = st.dictionaries(word, text | st.booleans() | st.lists(text, max_size=9), max_size=3)
tagged = st.sampled_from([f"{name}#{tag}" for name in FIELDS for tag in ("ko", "pt-BR", "zh-Hant")])
KINDS = {
    "translations": st.none() | st.dictionaries(tagged, text, min_size=1, max_size=4),
    "role_mapping": st.none() | plain,
    "policy": st.none() | plain,
    "client_id": text,
    "name": text,
    "scopes": st.lists(word, unique=True, max_size=4).map(tuple),
    "secrets": st.lists(secret, max_size=2).map(tuple),
    "jwks": st.none() | key_set,
    "registration_digest": st.none() | digest,
}


def kind(field) -> st.SearchStrategy:
    """What a field of a client may hold, by its declared type."""
    by_type = {
        "str": text, "str | None": st.none() | text, "bool": st.booleans(),
        "int | None": st.none() | seconds, "tuple[str, ...]": texts,
    }  # fmt: skip
    declared = field.type if isinstance(field.type, str) else getattr(field.type, "__name__", "")
    declared = declared if declared in by_type else str(field.type)
    return KINDS[field.name] if field.name in KINDS else by_type[declared]


CLIENTS = st.builds(Client, **{one.name: kind(one) for one in fields(Client)})


@given(CLIENTS)
@settings(max_examples=150, deadline=None)
def test_the_way_out_and_back_loses_nothing(client) -> None:
    """read(document(c)) == c for every field, through JSON as it is sent."""
    sent = json.loads(json.dumps(registration.document(client, digests=True)))
    assert registration.read(sent) == client


def test_every_field_has_one_member() -> None:
    """A field that is added to the record cannot be forgotten here."""
    assert [member.field for member in registration.MEMBERS if member.field] != []
    assert {one.name for one in fields(Client)} == set(registration.NAMES)
    assert len(registration.MEMBERS) == len(registration.NAMES) == len(fields(Client))


@given(CLIENTS)
@settings(max_examples=30, deadline=None)
def test_digests_are_written_only_when_asked_for(client) -> None:
    """Not even a digest of a secret stands in an ordinary export."""
    plain = registration.document(client)
    assert not {"client_secret_digests", "registration_access_token_digest"} & plain.keys()
    assert registration.read(plain) == replace(client, secrets=(), registration_digest=None)


def test_what_is_left_out_has_the_standard_s_defaults() -> None:
    """RFC 7591 §2: client_secret_basic, the code grant alone; web (Registration §2)."""
    client = registration.read(GIVEN, like=BLANK)
    assert (client.auth_method, client.grant_types) == (
        "client_secret_basic",
        ("authorization_code",),
    )
    assert (client.application_type, client.subject_type) == ("web", "public")
    assert client == registration.read(GIVEN | {"logo_uri": None, "scope": None}, like=BLANK)


@given(CLIENTS)
@settings(max_examples=60, deadline=None)
def test_a_client_that_registers_itself_cannot_set_what_operators_set(client) -> None:
    """Whatever it sends, those fields stay as they were."""
    sent = registration.document(client, digests=True)
    read = registration.read(sent, like=BLANK)
    for member in registration.MEMBERS:
        source = BLANK if member.operator else client
        assert getattr(read, member.field) == getattr(source, member.field), member.name


def test_what_only_operators_may_set() -> None:
    """The list changes on purpose only."""
    assert {member.name for member in registration.MEMBERS if member.operator} == {
        "client_id", "resources", "audience", "origins", "first_party", "require_pkce",
        "id_token_at_refresh", "access_token_lifetime", "disabled", "id_token_lifetime",
        "grant_lifetime", "grant_idle", "rotate_refresh_tokens", "exchange",
        "client_secret_digests", "registration_access_token_digest", "guilds", "role_mapping",
        "access_policy", "upstreams", "upstream_token",
    }  # fmt: skip


def test_unknown_members_are_passed_by() -> None:
    """RFC 7591 §2: what a server does not understand it ignores."""
    strange = {"x": {"deep": [1]}, "scope#ja": "アプリ", "translations": {"client_name#ja": "x"},
               "software_statement": "e.y.J"}  # fmt: skip
    assert registration.read(GIVEN | strange, like=BLANK) == registration.read(GIVEN, like=BLANK)


def test_members_in_other_languages_are_kept_by_their_names() -> None:
    """RFC 7591 §2.2; null and an empty text are nothing."""
    said = {"client_name#ja": "アプリ", "tos_uri#pt-BR": "https://app.example.org/termos"}
    read = registration.read(GIVEN | said | {"client_name#ko": None, "logo_uri#ko": ""}, like=BLANK)
    assert (read.name, read.translations) == ("App", said)
    assert said.items() <= registration.document(read).items()
    assert registration.read(GIVEN | {"client_name#ko": None}, like=BLANK).translations is None


@pytest.mark.parametrize("value", [5, ["App"], {"ko": "x"}, True, "a\nb", "\ud800", "x" * 2001])
def test_members_in_other_languages_are_texts(value) -> None:
    """As the member without a tag is; what others chose is not repeated."""
    with pytest.raises(InvalidClientMetadata, match=r"^client_name#: must be a text"):
        registration.read(GIVEN | {"client_name#ko": value}, like=BLANK)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "app.example.org"),
        ({"client_uri": "https://home.example.org/"}, "home.example.org"),
        ({"redirect_uris": ["com.example:/cb"]}, "new"),
        ({"redirect_uris": ["https://[::1"]}, "new"),
        ({"client_name": ""}, "app.example.org"),
    ],
)
def test_a_client_without_a_name_is_called_by_its_host(changes, name) -> None:
    """People always read something, and nothing that the client invents by leaving it out."""
    assert registration.read({"redirect_uris": [URI]} | changes, like=BLANK).name == name


@pytest.mark.parametrize(
    "value", [URI, [1], [None], [[URI]], {"0": URI}, [""], ["a\x00b"], ["\ud800"],
              ["x" * 2001], ["a"] * 51, True, 0],
    ids=repr,
)  # fmt: skip
def test_redirect_uris_of_another_kind(value) -> None:
    """RFC 7591 §3.2.2 has a code of its own for them."""
    with pytest.raises(InvalidRedirectUri, match="redirect_uris"):
        registration.read(GIVEN | {"redirect_uris": value}, like=BLANK)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("client_name", 5),
        ("client_name", ["App"]),
        ("client_name", "A\u202eppA"),
        ("client_name", "a\nb"),
        ("client_name", "\udfff"),
        ("client_uri", {"href": "x"}),
        ("scope", ["openid"]),
        ("scope", " ".join(map(str, range(60)))),
        ("grant_types", "authorization_code"),
        ("grant_types", [{}]),
        ("token_endpoint_auth_method", None.__class__.__name__ * 600),
        ("require_signed_request_object", "true"),
        ("require_pushed_authorization_requests", 1),
        ("default_max_age", -1),
        ("default_max_age", True),
        ("default_max_age", 1.5),
        ("default_max_age", 10**12),
        ("default_max_age", "60"),
        ("contacts", "me@example.org"),
        ("jwks", []),
        ("jwks", {"keys": {}}),
        ("jwks", {"keys": [{"kty": "RSA", "n": "\x00"}]}),
        ("jwks", {"keys": [{"a": [[[["deep"]]]]}]}),
        ("jwks", {"keys": [{}] * 51}),
        ("response_types", ["token"]),
        ("response_types", ["code", "code id_token"]),
        ("response_types", "code"),
        ("response_types", []),
        ("id_token_encrypted_response_alg", "RSA-OAEP"),
        ("userinfo_encrypted_response_enc", "A128GCM"),
        ("request_object_encryption_alg", "RSA-OAEP"),
    ],
)
def test_a_member_of_another_kind_is_named(name, value) -> None:
    """The error says which, and never what it held."""
    with pytest.raises(InvalidClientMetadata, match=f"^{name}: ") as caught:
        registration.read(GIVEN | {name: value}, like=BLANK)
    assert caught.value.public.isprintable()


@pytest.mark.parametrize(
    "value",
    ["x", [1], [{}], [{"sha256": "00", "created_at": 1}], [{"sha256": "0" * 64}],
     [{"sha256": "0" * 64, "created_at": True}],
     [{"sha256": "0" * 64, "created_at": 1, "expires_at": "soon"}]],
    ids=repr,
)  # fmt: skip
def test_malformed_digests(value) -> None:
    """An operator's file is read as strictly."""
    with pytest.raises(InvalidClientMetadata, match="client_secret_digests"):
        registration.read(GIVEN | {"client_id": "app", "client_secret_digests": value})


def test_an_operator_names_the_client() -> None:
    """There is no client without an identifier."""
    with pytest.raises(InvalidClientMetadata, match="client_id"):
        registration.read(GIVEN)

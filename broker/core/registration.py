"""Client metadata as JSON, and our record of the client: each field has one place in the other.

Standard names are those of RFC 7591 §2, RFC 9101 §10.5, RFC 9126 §6, RFC 9449 §5.2 and of OpenID
Connect Registration, RP-Initiated and Back-Channel Logout; what has none bears the record's own.
What members mean together is judged elsewhere; here only that each is what it should be.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, Final
from urllib.parse import urlsplit

from broker.core import vocabulary as v
from broker.core.client import Client, ClientSecret
from broker.core.errors import InvalidClientMetadata, InvalidRedirectUri

MOST_ENTRIES: Final = 50  # of a list
MOST_OF_DOCUMENT: Final = 1000  # entries of each list in a policy, or in a mapping of roles
LONGEST: Final = 2000  # characters of a text
LONGEST_TIME: Final = 10 * 366 * 86400  # seconds
DEEPEST: Final = 4  # levels of a JWK Set: set, keys, key, certificates; a policy has as many

_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_DEFAULTS: Final = {one.name: one.default for one in fields(Client) if one.default is not MISSING}

Document = Mapping[str, Any]
"""Client metadata, as JSON."""


class _Wrong(Exception):
    """A member is not of its kind; the text says what it should be."""


@dataclass(frozen=True, slots=True)
class Member:
    """One member of the metadata.

    Attributes:
        name: as the specifications call it.
        field: of ``Client``.
        read: returns the field's value for a JSON value.
        operator: whether an operator alone sets it; else a client that registers itself may.
        always: whether it is written even where it has its default.
        missing: what a member that is not there means; None for the field's own default.
    """

    name: str
    field: str
    read: Callable[[Any], Any]
    operator: bool = False
    always: bool = False
    missing: Any = None


def _text(value: Any) -> str | None:
    if not isinstance(value, str) or len(value) > LONGEST or not value.isprintable():
        raise _Wrong(f"must be a text of at most {LONGEST} printable characters")
    return value or None


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MOST_ENTRIES:
        raise _Wrong(f"must be a list of at most {MOST_ENTRIES} texts")
    found = [_text(one) for one in value]
    if None in found:
        raise _Wrong("must be a list without empty texts")
    return tuple(dict.fromkeys(one for one in found if one))


def _words(value: Any) -> tuple[str, ...]:
    words = (_text(value) or "").split(" ")
    if len(words) > MOST_ENTRIES:
        raise _Wrong(f"must be at most {MOST_ENTRIES} words")
    return tuple(dict.fromkeys(word for word in words if word))


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Wrong("must be true or false")
    return value


def _seconds(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LONGEST_TIME:
        raise _Wrong(f"must be a number of seconds, at most {LONGEST_TIME}")
    return value


def _key_set(value: Any) -> Document:
    if not isinstance(value, dict) or not isinstance(value.get("keys"), list):
        raise _Wrong("must be a JWK Set (RFC 7517 §5)")
    if not _plain(value, DEEPEST):
        raise _Wrong("must be a JWK Set of plain values, none of them endless")
    return value


def _object(value: Any) -> Document:
    if not isinstance(value, dict) or not _plain(value, DEEPEST, MOST_OF_DOCUMENT):
        raise _Wrong("must be a JSON object, small and of plain values")
    return value


def _plain(value: Any, deep: int, most: int = MOST_ENTRIES) -> bool:
    """Whether JSON is small, shallow, and holds no text that a store would choke on."""
    if isinstance(value, dict):
        inside = [*value.keys(), *value.values()]
    elif isinstance(value, list):
        inside = value
    else:
        return not isinstance(value, str) or (value.isprintable() and len(value) <= 4 * LONGEST)
    fits = deep > 0 and len(inside) <= most
    return fits and all(_plain(one, deep - 1, most) for one in inside)


def _digest(value: Any) -> str:
    if not isinstance(value, str) or not _SHA256.fullmatch(value):
        raise _Wrong("must be a SHA-256 digest, hexadecimal")
    return value


def _secrets(value: Any) -> tuple[ClientSecret, ...]:
    if not isinstance(value, list) or len(value) > MOST_ENTRIES:
        raise _Wrong("must be a list of digests")
    return tuple(_secret(one) for one in value)


def _secret(value: Any) -> ClientSecret:
    if not isinstance(value, dict):
        raise _Wrong("must be a list of objects with sha256 and created_at")
    end = value.get("expires_at")
    created_at, expires_at = _moment(value.get("created_at")), end if end is None else _moment(end)
    return ClientSecret(_digest(value.get("sha256")), created_at, expires_at)


def _moment(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 1e11:
        raise _Wrong("must name moments in UTC seconds since the epoch")
    return float(value)


SECRETS: Final = Member("client_secret_digests", "secrets", _secrets, operator=True)
ACCESS: Final = Member(
    "registration_access_token_digest", "registration_digest", _digest, operator=True
)
IDENTIFIER: Final = Member("client_id", "client_id", _text, operator=True, always=True)

MEMBERS: Final = (
    IDENTIFIER,
    Member("client_name", "name", _text, always=True, missing=""),
    Member("token_endpoint_auth_method", "auth_method", _text, always=True, missing=v.AUTH_BASIC),
    Member("application_type", "application_type", _text, always=True),
    Member("redirect_uris", "redirect_uris", _texts, always=True),
    Member("post_logout_redirect_uris", "post_logout_redirect_uris", _texts),
    Member("grant_types", "grant_types", _texts, always=True, missing=(v.GRANT_CODE,)),
    Member("scope", "scopes", _words, always=True),
    Member("resources", "resources", _texts, operator=True),
    Member("audience", "audience", _text, operator=True),
    Member("origins", "origins", _texts, operator=True, always=True),
    Member("first_party", "first_party", _flag, operator=True),
    Member("require_pkce", "require_pkce", _flag, operator=True),
    Member("id_token_at_refresh", "id_token_at_refresh", _flag, operator=True),
    Member("id_token_signed_response_alg", "id_token_signed_response_alg", _text, always=True),
    Member("access_token_lifetime", "access_token_lifetime", _seconds, operator=True),
    Member("client_uri", "client_uri", _text),
    Member("logo_uri", "logo_uri", _text),
    Member("policy_uri", "policy_uri", _text),
    Member("tos_uri", "tos_uri", _text),
    Member("brand_accent", "brand_accent", _text),
    Member("disabled", "disabled", _flag, operator=True),
    Member("jwks", "jwks", _key_set),
    Member("jwks_uri", "jwks_uri", _text),
    Member("token_endpoint_auth_signing_alg", "token_endpoint_auth_signing_alg", _text),
    Member("request_object_signing_alg", "request_object_signing_alg", _text),
    Member("require_signed_request_object", "require_signed_request_object", _flag),
    Member("require_pushed_authorization_requests", "require_pushed_authorization_requests", _flag),
    Member("dpop_bound_access_tokens", "dpop_bound_access_tokens", _flag),
    Member("subject_type", "subject_type", _text, always=True),
    Member("sector_identifier_uri", "sector_identifier_uri", _text),
    Member("userinfo_signed_response_alg", "userinfo_signed_response_alg", _text),
    Member("backchannel_logout_uri", "backchannel_logout_uri", _text),
    Member("backchannel_logout_session_required", "backchannel_logout_session_required", _flag),
    Member("default_max_age", "default_max_age", _seconds),
    Member("id_token_lifetime", "id_token_lifetime", _seconds, operator=True),
    Member("grant_lifetime", "grant_lifetime", _seconds, operator=True),
    Member("grant_idle", "grant_idle", _seconds, operator=True),
    Member("rotate_refresh_tokens", "rotate_refresh_tokens", _flag, operator=True),
    Member("exchange", "exchange", _texts, operator=True),
    Member("contacts", "contacts", _texts),
    Member("initiate_login_uri", "initiate_login_uri", _text),
    Member("software_id", "software_id", _text),
    Member("software_version", "software_version", _text),
    Member("guilds", "guilds", _texts, operator=True),
    Member("role_mapping", "role_mapping", _object, operator=True),
    Member("access_policy", "policy", _object, operator=True),
    Member("upstreams", "upstreams", _texts, operator=True),
    Member("upstream_token", "upstream_token", _flag, operator=True),
    SECRETS,
    ACCESS,
)
NAMES: Final = {member.field: member.name for member in MEMBERS}

# What a client cannot have, and must not believe that it has (OpenID Connect Registration §2).
_ENCRYPTION: Final = re.compile(r"(id_token|userinfo|request_object)_encrypt\w+_(alg|enc)")


def document(client: Client, *, digests: bool = False) -> dict[str, Any]:
    """Return a client's metadata; ``read`` makes the same client of it.

    Args:
        client: the record.
        digests: whether to write those of its secrets and of its registration access token.
    """
    found: dict[str, Any] = {}
    for member in MEMBERS:
        value = getattr(client, member.field)
        hidden = member in {SECRETS, ACCESS} and not digests
        if not hidden and (member.always or value != _DEFAULTS.get(member.field)):
            found[member.name] = _written(member, value)
    found["response_types"] = list(response_types(client))
    return found


def _written(member: Member, value: Any) -> Any:
    if member is SECRETS:
        ends = [{} if one.expires_at is None else {"expires_at": one.expires_at} for one in value]
        return [
            {"sha256": one.digest, "created_at": one.created_at} | end
            for one, end in zip(value, ends, strict=True)
        ]
    if member.read is _words:
        return " ".join(value)
    return list(value) if isinstance(value, tuple) else value


def response_types(client: Client) -> tuple[str, ...]:
    """Return the response types that go with a client's grant types (RFC 7591 §2.1)."""
    return ("code",) if v.GRANT_CODE in client.grant_types else ()


def read(given: Document, *, like: Client | None = None) -> Client:
    """Return the client that metadata describe; members nobody knows are passed by.

    Args:
        given: the metadata; null is as good as nothing.
        like: who a client that registers itself is so far: what an operator alone may set is
            taken from there. None: an operator speaks, and everything is taken from ``given``.

    Raises:
        InvalidRedirectUri: ``redirect_uris`` are not what they should be.
        InvalidClientMetadata: anything else is not.
    """
    found: dict[str, Any] = {}
    for member in MEMBERS:
        if like is not None and member.operator:
            found[member.field] = getattr(like, member.field)
        else:
            found[member.field] = _value(member, given.get(member.name))
    _must_be_possible(given, found)
    found["name"] = found["name"] or _name(found)
    return Client(**found)


def _value(member: Member, value: Any) -> Any:
    default = _DEFAULTS.get(member.field) if member.missing is None else member.missing
    if value is None:
        return default
    try:
        read = member.read(value)
    except _Wrong as error:
        raise wrong(member.field, str(error)) from None
    return default if read is None else read


def _must_be_possible(given: Document, found: Document) -> None:
    if not found["client_id"]:
        raise wrong("client_id", "is missing")
    asked = next((n for n in given if _ENCRYPTION.fullmatch(n)), None)
    if asked is not None and given[asked] is not None:
        raise InvalidClientMetadata(f"{asked}: encryption is not offered")
    types = given.get("response_types")
    if types is None:
        return
    wanted = ["code"] if v.GRANT_CODE in found["grant_types"] else []
    if types != wanted:
        raise InvalidClientMetadata(
            f"response_types: must be {wanted} for these grant_types (RFC 7591 §2.1)"
        )


def _name(found: Document) -> str:
    """Return what to call a client that gives no name: where it lives, else its identifier."""
    for uri in (found["client_uri"], *found["redirect_uris"]):
        try:
            host = urlsplit(uri or "").hostname
        except ValueError:
            continue
        if host:
            return host
    return str(found["client_id"])


def wrong(field: str, reason: str) -> InvalidClientMetadata | InvalidRedirectUri:
    """Return the error that says what is wrong with a field (RFC 7591 §3.2.2)."""
    text = f"{NAMES.get(field, field)}: {reason}"
    return InvalidRedirectUri(text) if field == "redirect_uris" else InvalidClientMetadata(text)

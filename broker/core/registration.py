"""Client metadata as JSON, and our record of the client: each field has one place in the other.

Standard names are those of RFC 7591 §2, RFC 9101 §10.5, RFC 9126 §6, RFC 9449 §5.2 and of OpenID
Connect Registration, RP-Initiated and Back-Channel Logout; what has none bears the record's own.
What members mean together is judged elsewhere; here only that each is what it should be.
"""

import re
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from typing import Any, Final
from urllib.parse import urlsplit

from broker.core import kinds
from broker.core import vocabulary as v
from broker.core.client import Client
from broker.core.errors import InvalidClientMetadata, InvalidRedirectUri
from broker.core.kinds import Document

_DEFAULTS: Final = {one.name: one.default for one in fields(Client) if one.default is not MISSING}


@dataclass(frozen=True, slots=True)
class Member:
    """One member of the metadata.

    Attributes:
        name: as the specifications call it.
        read: returns the field's value for a JSON value.
        own: what the record calls its field, where that is something else.
        operator: whether an operator alone sets it; else a client that registers itself may.
        always: whether it is written even where it has its default.
        missing: what a member that is not there means; None for the field's own default.
    """

    name: str
    read: Callable[[Any], Any]
    own: str = ""
    operator: bool = False
    always: bool = False
    missing: Any = None

    @property
    def field(self) -> str:
        """The field of ``Client`` that it says."""
        return self.own or self.name


SECRETS: Final = Member("client_secret_digests", kinds.secrets, own="secrets", operator=True)
ACCESS: Final = Member(
    "registration_access_token_digest", kinds.digest, own="registration_digest", operator=True
)
# Not a member but as many as there are languages: client_name#ko, logo_uri#ko (RFC 7591 §2.2).
TRANSLATIONS: Final = Member("translations", kinds.translated)
IDENTIFIER: Final = Member("client_id", kinds.text, operator=True, always=True)

MEMBERS: Final = (
    IDENTIFIER,
    Member("client_name", kinds.text, own="name", always=True, missing=""),
    Member(
        "token_endpoint_auth_method",
        kinds.text,
        own="auth_method",
        always=True,
        missing=v.AUTH_BASIC,
    ),
    Member("application_type", kinds.text, always=True),
    Member("redirect_uris", kinds.texts, always=True),
    Member("post_logout_redirect_uris", kinds.texts),
    Member("grant_types", kinds.texts, always=True, missing=(v.GRANT_CODE,)),
    Member("scope", kinds.words, own="scopes", always=True),
    Member("resources", kinds.texts, operator=True),
    Member("audience", kinds.text, operator=True),
    Member("origins", kinds.texts, operator=True, always=True),
    Member("first_party", kinds.flag, operator=True),
    Member("require_pkce", kinds.flag, operator=True),
    Member("id_token_at_refresh", kinds.flag, operator=True),
    Member("id_token_signed_response_alg", kinds.text, always=True),
    Member("access_token_lifetime", kinds.seconds, operator=True),
    Member("client_uri", kinds.text),
    Member("logo_uri", kinds.text),
    Member("policy_uri", kinds.text),
    Member("tos_uri", kinds.text),
    Member("support_uri", kinds.text),
    Member("brand_accent", kinds.text),
    TRANSLATIONS,
    Member("disabled", kinds.flag, operator=True),
    Member("jwks", kinds.key_set),
    Member("jwks_uri", kinds.text),
    Member("token_endpoint_auth_signing_alg", kinds.text),
    Member("request_object_signing_alg", kinds.text),
    Member("require_signed_request_object", kinds.flag),
    Member("require_pushed_authorization_requests", kinds.flag),
    Member("dpop_bound_access_tokens", kinds.flag),
    Member("subject_type", kinds.text, always=True),
    Member("sector_identifier_uri", kinds.text),
    Member("userinfo_signed_response_alg", kinds.text),
    Member("backchannel_logout_uri", kinds.text),
    Member("backchannel_logout_session_required", kinds.flag),
    Member("default_max_age", kinds.seconds),
    Member("id_token_lifetime", kinds.seconds, operator=True),
    Member("grant_lifetime", kinds.seconds, operator=True),
    Member("grant_idle", kinds.seconds, operator=True),
    Member("rotate_refresh_tokens", kinds.flag, operator=True),
    Member("exchange", kinds.texts, operator=True),
    Member("contacts", kinds.texts),
    Member("initiate_login_uri", kinds.text),
    Member("software_id", kinds.text),
    Member("software_version", kinds.text),
    Member("guilds", kinds.texts, operator=True),
    Member("role_mapping", kinds.document, operator=True),
    Member("access_policy", kinds.document, own="policy", operator=True),
    Member("upstreams", kinds.texts, operator=True),
    Member("upstream_token", kinds.flag, operator=True),
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
        if member is TRANSLATIONS:
            found |= client.translations or {}
        elif not hidden and (member.always or value != _DEFAULTS.get(member.field)):
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
    if member.read is kinds.words:
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
        elif member is TRANSLATIONS:
            found[member.field] = _value(member, given)
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
    except kinds.Wrong as error:
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
    if isinstance(types, list) and any(one != "code" for one in types):
        raise InvalidClientMetadata("response_types: only code is offered (RFC 9700 §2.1.2)")
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


def told(field: str, reason: str) -> str:
    """Return what is wrong with a field, as its member is called; of translations each is named."""
    return reason if field == TRANSLATIONS.field else f"{NAMES.get(field, field)}: {reason}"


def wrong(field: str, reason: str) -> InvalidClientMetadata | InvalidRedirectUri:
    """Return the error that says what is wrong with a field (RFC 7591 §3.2.2)."""
    text = told(field, reason)
    return InvalidRedirectUri(text) if field == "redirect_uris" else InvalidClientMetadata(text)

"""What the options of ``broker clients add`` and ``edit`` make of a client."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from broker.cli.client_options import DESCRIBING
from broker.cli.running import Exit, Failure

if TYPE_CHECKING:
    from broker.core.model import Client

# option → attribute of a client
_FLAGS: Final = {
    "name": "name",
    "first_party": "first_party",
    "pkce": "require_pkce",
    "require_par": "require_pushed_authorization_requests",
    "require_signed_request": "require_signed_request_object",
    "dpop": "dpop_bound_access_tokens",
    "rotation": "rotate_refresh_tokens",
    "id_token_at_refresh": "id_token_at_refresh",
    "backchannel_session": "backchannel_logout_session_required",
    "subject_type": "subject_type",
    "auth_method": "auth_method",
    "disabled": "disabled",
    "upstream_token": "upstream_token",
}
_LISTS: Final = {
    "redirect_uri": "redirect_uris",
    "post_logout_redirect_uri": "post_logout_redirect_uris",
    "scope": "scopes",
    "origin": "origins",
    "resource": "resources",
    "exchange": "exchange",
    "contact": "contacts",
    "guild": "guilds",
    "upstream": "upstreams",
}
_TEXTS: Final = {
    "auth_alg": "token_endpoint_auth_signing_alg",
    "request_alg": "request_object_signing_alg",
    "userinfo_alg": "userinfo_signed_response_alg",
} | {
    name: name
    for name in (
        "audience", "client_uri", "logo_uri", "policy_uri", "tos_uri", "initiate_login_uri",
        "jwks_uri", "sector_identifier_uri", "backchannel_logout_uri", "software_id",
        "software_version", "support_uri", "brand_accent",
    )
}  # fmt: skip
_DOCUMENTS: Final = {"map_role": "role_mapping", "policy": "policy"}  # as `resolved` leaves them
_TIMES: Final = (
    "access_token_lifetime", "id_token_lifetime", "grant_lifetime", "grant_idle", "default_max_age",
)  # fmt: skip


def changes(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a command that were named.

    Raises:
        Failure: two of them contradict each other.
    """
    known = (*DESCRIBING, "name", "kind", "disabled")
    found = {name: given[name] for name in known if given.get(name) is not None}
    public = found.pop("kind", None)
    if public is None:
        return found
    method = found.setdefault("auth_method", "none" if public else "client_secret_basic")
    if public is not (method == "none"):
        wanted = "--public" if public else "--confidential"
        raise Failure(Exit.USAGE, f"{wanted} and --auth-method {method} contradict each other")
    return found


def applied(client: "Client", given: Mapping[str, Any]) -> "Client":
    """Return the client with the options put in.

    Args:
        client: as it is.
        given: the options, as ``client_communities.resolved`` leaves them.

    Raises:
        Failure: an option is not what it should be.
    """
    new: dict[str, Any] = {_FLAGS[name]: given[name] for name in _FLAGS if name in given}
    for name, attribute in _LISTS.items():
        if name in given:
            new[attribute] = words(given[name])
    new |= {attribute: given[name] or None for name, attribute in _TEXTS.items() if name in given}
    new |= {name: seconds(name, given[name]) for name in _TIMES if name in given}
    new |= {name: given[option] for option, name in _DOCUMENTS.items() if option in given}
    if "translation" in given:
        new["translations"] = translations(given["translation"])
    new |= _grants(client, given) | _keys(given)
    if "native" in given:
        new["application_type"] = "native" if given["native"] else "web"
    if "id_token_alg" in given:
        new["id_token_signed_response_alg"] = given["id_token_alg"] or "RS256"
    from broker.app.client_secrets import has_secrets

    changed = replace(client, **new)
    return changed if has_secrets(changed) else replace(changed, secrets=())


def words(values: list[str]) -> tuple[str, ...]:
    """Return the words of an option that may be given several times; none for an empty text."""
    return tuple(dict.fromkeys(word for value in values for word in value.split()))


def translations(values: list[str]) -> dict[str, str] | None:
    """Return what MEMBER#LANGUAGE=TEXT, several times, comes to; None for an empty text.

    Raises:
        Failure: one is not of that form, or is there twice.
    """
    found: dict[str, str] = {}
    for value in filter(None, values):
        name, equals, text = (part.strip() for part in value.partition("="))
        if not (equals and text and "#" in name):
            reason = "is not of the form client_name#ko=TEXT"
            raise Failure(Exit.USAGE, f"--translation: {value} {reason}")
        if name in found:
            raise Failure(Exit.USAGE, f"--translation: {name} is there twice")
        found[name] = text
    return found or None


def _grants(client: "Client", given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the grant types that short words stand for."""
    from broker.core import vocabulary as v

    short = {
        "code": v.GRANT_CODE,
        "refresh": v.GRANT_REFRESH,
        "client-credentials": v.GRANT_CLIENT,
        "device": v.GRANT_DEVICE,
        "token-exchange": v.GRANT_EXCHANGE,
    }
    if "grant" not in given and "refresh" not in given:
        return {}
    found = client.grant_types
    if "grant" in given:
        found = tuple(short.get(word, word) for word in words(given["grant"]))
        unknown = [word for word in found if word not in short.values()]
        if unknown:
            known = ", ".join(short)
            raise Failure(Exit.USAGE, f"--grant: {unknown[0]} is none of {known}")
    if "refresh" in given:
        found = tuple(one for one in found if one != v.GRANT_REFRESH)
        found = (*found, v.GRANT_REFRESH) if given["refresh"] else found
    return {"grant_types": found}


def _keys(given: Mapping[str, Any]) -> dict[str, Any]:
    """Keys in a file take the place of those at an address, and the other way round."""
    if given.get("jwks") and given.get("jwks_uri"):
        raise Failure(Exit.USAGE, "--jwks and --jwks-uri: one of them")
    found: dict[str, Any] = {"jwks": None} if given.get("jwks_uri") else {}
    if "jwks" in given:
        found["jwks"] = _key_set(given["jwks"]) if given["jwks"] else None
        found |= {"jwks_uri": None} if given["jwks"] else {}
    return found


def _key_set(name: str) -> Any:
    """Return the JWK Set in a file; a single key is taken for a set of one."""
    from broker.core.client_keys import set_in

    try:
        return set_in(sys.stdin.read() if name == "-" else Path(name).read_text())
    except OSError as error:
        raise Failure(Exit.USAGE, f"--jwks: {name} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise Failure(Exit.USAGE, f"--jwks: {name} is no JWK Set in JSON: {error}") from None


def seconds(name: str, text: str) -> int | None:
    """Return the seconds of an option that is a length of time; None for an empty text.

    Raises:
        Failure: it is none.
    """
    from broker.core import durations

    if not text:
        return None
    try:
        return int(durations.parse(text))
    except ValueError as error:
        raise Failure(Exit.USAGE, f"--{name.replace('_', '-')}: {error}") from None

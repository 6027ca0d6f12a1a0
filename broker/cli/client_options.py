"""The options by which a client is described, shared by ``add`` and ``edit``."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from broker.core.model import Client

Redirects = Annotated[
    list[str] | None,
    typer.Option(help="Where people may be sent back to, exactly; may be given several times."),
]
PostLogout = Annotated[
    list[str] | None, typer.Option(help="Where people may be sent after sign-out; several times.")
]
Kind = Annotated[
    bool | None,
    typer.Option(
        "--public/--confidential",
        help="Whether it cannot keep a secret (a browser or native app). Default: by --native.",
        show_default=False,
    ),
]
Native = Annotated[
    bool | None,
    typer.Option(
        "--native/--web",
        help="Runs on a phone or desktop: loopback ports may vary, own schemes are allowed.",
        show_default=False,
    ),
]
FirstParty = Annotated[
    bool | None,
    typer.Option(
        "--first-party/--third-party",
        help="Is yours: people are not asked for consent where the redirect is https.",
        show_default=False,
    ),
]
Scopes = Annotated[
    list[str] | None,
    typer.Option(help="A scope it may ask for; several times. Default: all of ours."),
]
Origins = Annotated[
    list[str] | None,
    typer.Option(
        help="A web origin that may call the token endpoint from a browser; several times. "
        "Default for public apps: those of its redirect URIs."
    ),
]
Audience = Annotated[
    str | None, typer.Option(help="Who its access tokens are for (aud). Default: its client_id.")
]
Resources = Annotated[
    list[str] | None,
    typer.Option(help="A resource indicator it may ask for (RFC 8707); several times."),
]
Refresh = Annotated[
    bool | None,
    typer.Option(
        "--refresh/--no-refresh", help="Whether it gets refresh tokens.", show_default=False
    ),
]
Pkce = Annotated[
    bool | None,
    typer.Option(
        "--pkce/--no-pkce",
        help="Whether it must use PKCE; only a confidential app may be let off.",
        show_default=False,
    ),
]
IdTokenAtRefresh = Annotated[
    bool | None,
    typer.Option(
        "--id-token-at-refresh/--no-id-token-at-refresh",
        help="Whether a refresh answers with a new ID token.",
        show_default=False,
    ),
]
Lifetime = Annotated[
    str | None,
    typer.Option(help="Lifetime of its access tokens, such as 10m. Default: the broker's."),
]
ClientUri = Annotated[str | None, typer.Option(help="Its home page, shown to people.")]
LogoUri = Annotated[str | None, typer.Option(help="Its logo.")]
PolicyUri = Annotated[str | None, typer.Option(help="Its privacy policy.")]
TosUri = Annotated[str | None, typer.Option(help="Its terms of service.")]
Disabled = Annotated[
    bool | None,
    typer.Option("--disable/--enable", help="Switch it off or on again.", show_default=False),
]

# option → attribute of a client, where the value is taken as it is
_PLAIN = {
    "name": "name",
    "first_party": "first_party",
    "pkce": "require_pkce",
    "id_token_at_refresh": "id_token_at_refresh",
    "disabled": "disabled",
}
_LISTS = {
    "redirect_uri": "redirect_uris",
    "post_logout_redirect_uri": "post_logout_redirect_uris",
    "scope": "scopes",
    "origin": "origins",
    "resource": "resources",
}
_TEXTS = ("audience", "client_uri", "logo_uri", "policy_uri", "tos_uri")
_OTHERS = ("native", "refresh", "kind", "access_token_lifetime")


def changes(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a command that were named."""
    known = {*_PLAIN, *_LISTS, *_TEXTS, *_OTHERS}
    found = {name: given[name] for name in known if given.get(name) is not None}
    if "kind" in found:
        found["public"] = found.pop("kind")
    return found


def applied(client: "Client", given: Mapping[str, Any]) -> "Client":
    """Return the client with the options put in.

    Raises:
        Failure: a lifetime is not a length of time.
    """
    from broker.core import vocabulary as v

    new: dict[str, Any] = {_PLAIN[name]: given[name] for name in _PLAIN if name in given}
    for name, attribute in _LISTS.items():
        if name in given:
            words = [word for value in given[name] for word in value.split()]
            new[attribute] = tuple(dict.fromkeys(words))
    new |= {name: given[name] or None for name in _TEXTS if name in given}
    if "native" in given:
        new["application_type"] = v.APPLICATION_NATIVE if given["native"] else v.APPLICATION_WEB
    if "refresh" in given:
        new["grant_types"] = v.GRANT_TYPES if given["refresh"] else (v.GRANT_CODE,)
    if "public" in given:
        new["auth_method"] = v.AUTH_NONE if given["public"] else v.AUTH_BASIC
    if "access_token_lifetime" in given:
        new["access_token_lifetime"] = _lifetime(given["access_token_lifetime"])
    return replace(client, **new)


def _lifetime(text: str) -> int | None:
    from broker.app import durations
    from broker.cli.running import Exit, Failure

    if not text:
        return None
    try:
        return int(durations.parse(text))
    except ValueError as error:
        raise Failure(Exit.USAGE, f"--access-token-lifetime: {error}") from None

"""The options by which a client is described, shared by ``add`` and ``edit``."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

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
IdTokenAlg = Annotated[
    str | None,
    typer.Option(
        help="Signature algorithm of its ID tokens, one of BROKER_SIGNING_ALGORITHMS. "
        "Default: RS256."
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

# What `described` gives a command, in the order of its help.
_SHARED: Final[dict[str, Any]] = {
    "redirect_uri": Redirects,
    "native": Native,
    "first_party": FirstParty,
    "post_logout_redirect_uri": PostLogout,
    "scope": Scopes,
    "origin": Origins,
    "audience": Audience,
    "resource": Resources,
    "refresh": Refresh,
    "pkce": Pkce,
    "id_token_at_refresh": IdTokenAtRefresh,
    "id_token_alg": IdTokenAlg,
    "access_token_lifetime": Lifetime,
    "client_uri": ClientUri,
    "logo_uri": LogoUri,
    "policy_uri": PolicyUri,
    "tos_uri": TosUri,
}

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
_OTHERS = ("native", "refresh", "kind", "id_token_alg", "access_token_lifetime")


Command = TypeVar("Command", bound=Callable[..., None])


def described(command: Command) -> Command:
    """Put the options that describe a client in the place of a command's ``**described``.

    Args:
        command: what is left of it, the last parameter aside, is shown before them; ``--json``
            stays last.
    """
    own = list(inspect.signature(command).parameters.values())
    *first, json, _ = own
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=option)
        for name, option in _SHARED.items()
    ]
    signature = inspect.signature(command).replace(parameters=[*first, *options, json])
    command.__signature__ = signature  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in signature.parameters.values()}
    return command


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
    from keys.model import RS256

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
    if "id_token_alg" in given:
        new["id_token_signed_response_alg"] = given["id_token_alg"] or RS256
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

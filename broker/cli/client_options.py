"""The options by which a client is described, shared by ``add`` and ``edit``, in panels."""

import inspect
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal, TypeVar

import typer

PLACES: Final = "Where it is"
PROOF: Final = "How it proves who it is"
REQUESTS: Final = "How it asks"
RIGHTS: Final = "What it may do"
COMMUNITIES: Final = "What it knows of communities, and who may use it"
TOKENS: Final = "Its tokens"
PEOPLE: Final = "What people see of it"

METHODS: Final = Literal["none", "client_secret_basic", "client_secret_post", "private_key_jwt"]
SUBJECTS: Final = Literal["public", "pairwise"]


def _flag(panel: str, names: str, text: str) -> Any:
    option = typer.Option(names, help=text, rich_help_panel=panel, show_default=False, metavar="")
    return Annotated[bool | None, option]


def _text(panel: str, metavar: str, text: str) -> Any:
    return Annotated[str | None, typer.Option(help=text, rich_help_panel=panel, metavar=metavar)]


def _texts(panel: str, metavar: str, text: str) -> Any:
    return Annotated[
        list[str] | None, typer.Option(help=text, rich_help_panel=panel, metavar=metavar)
    ]


def _choice(panel: str, words: Any, metavar: str, text: str) -> Any:
    return Annotated[words, typer.Option(help=text, rich_help_panel=panel, metavar=metavar)]


Kind = Annotated[
    bool | None,
    typer.Option(
        "--public/--confidential",
        help="Whether it cannot keep a secret (a browser or native app). Default: by --native.",
        rich_help_panel=PROOF,
        show_default=False,
        metavar="",
    ),
]
Disabled = Annotated[
    bool | None,
    typer.Option("--disable/--enable", help="Switch it off or on again.", show_default=False),
]

# What `described` gives a command, in the order of its help.
_SHARED: Final[dict[str, Any]] = {
    "redirect_uri": _texts(
        PLACES, "URI", "Where people may be sent back to, exactly; may be given several times."
    ),
    "post_logout_redirect_uri": _texts(
        PLACES, "URI", "Where people may be sent after sign-out; several times."
    ),
    "native": _flag(
        PLACES,
        "--native/--web",
        "Runs on a phone or desktop: loopback ports may vary, own schemes are allowed.",
    ),
    "origin": _texts(
        PLACES,
        "ORIGIN",
        "A web origin that may call the token endpoint from a browser; several times. "
        "Default for public apps: those of its redirect URIs.",
    ),
    "initiate_login_uri": _text(
        PLACES, "URI", "Where others may send people to begin a sign-in (OpenID Connect Core §4)."
    ),
    "backchannel_logout_uri": _text(
        PLACES, "URI", "Where it is told that somebody signed out (Back-Channel Logout)."
    ),
    "backchannel_session": _flag(
        PLACES,
        "--backchannel-session/--no-backchannel-session",
        "Whether it has to be told which session ended.",
    ),
    "auth_method": _choice(
        PROOF,
        METHODS | None,
        "METHOD",
        "How it authenticates: client_secret_basic (the default), client_secret_post, "
        "private_key_jwt, or none (public apps).",
    ),
    "jwks": _text(PROOF, "FILE", "Its public keys, a JWK Set in a file (- for standard input)."),
    "jwks_uri": _text(PROOF, "URI", "Where it publishes its JWK Set; instead of --jwks."),
    "auth_alg": _text(
        PROOF, "ALG", "The one signature algorithm of its private_key_jwt. Default: any of ours."
    ),
    "pkce": _flag(
        REQUESTS,
        "--pkce/--no-pkce",
        "Whether it must use PKCE; a confidential app may be let off.",
    ),
    "require_par": _flag(
        REQUESTS,
        "--require-par/--no-require-par",
        "Whether it must push its authorization requests (RFC 9126).",
    ),
    "require_signed_request": _flag(
        REQUESTS,
        "--require-signed-request/--no-require-signed-request",
        "Whether it must sign its authorization requests (RFC 9101).",
    ),
    "request_alg": _text(
        REQUESTS, "ALG", "The one signature algorithm of its requests. Default: any of ours."
    ),
    "default_max_age": _text(
        REQUESTS, "TIME", "How long ago people may have signed in, such as 1h. Default: any time."
    ),
    "grant": _texts(
        RIGHTS,
        "GRANT",
        "What it may get tokens with: code, refresh, client-credentials, device, token-exchange; "
        "several times. Default: code refresh.",
    ),
    "refresh": _flag(RIGHTS, "--refresh/--no-refresh", "Whether it gets refresh tokens."),
    "exchange": _texts(
        RIGHTS,
        "WAY",
        "How it may exchange tokens: impersonation, delegation, upstream (Discord's for ours; "
        "for public apps, too); several times.",
    ),
    "scope": _texts(
        RIGHTS,
        "SCOPE",
        "A scope it may ask for; several times. Default: openid profile email offline_access. "
        "guilds, roles and groups tell of communities.",
    ),
    "resource": _texts(
        RIGHTS, "API", "A resource indicator it may ask for (RFC 8707); several times."
    ),
    "first_party": _flag(
        RIGHTS,
        "--first-party/--third-party",
        "Is yours: people are not asked for consent where the redirect is https.",
    ),
    "guild": _texts(
        COMMUNITIES,
        "GUILD",
        "A Discord server (guild) that it may know of, by its id or its name in: broker guilds; "
        "several times.",
    ),
    "map_role": _texts(
        COMMUNITIES,
        "GUILD/ROLE=NAME",
        "A role of its own, for people with a role of a guild; * in place of ROLE is every member. "
        "Its people have them as claims roles and groups; several times.",
    ),
    "policy": _text(
        COMMUNITIES,
        "FILE",
        "Who may use it: an access policy, JSON (- for standard input). See: broker policy --help. "
        "Default: everybody.",
    ),
    "upstream": _texts(
        COMMUNITIES,
        "NAME",
        "Where its people may sign in: discord, or one of BROKER_UPSTREAMS; several times. "
        "Default: all.",
    ),
    "upstream_token": _flag(
        COMMUNITIES,
        "--upstream-token/--no-upstream-token",
        "Whether it may ask for its people's access tokens at Discord; each time is audited.",
    ),
    "audience": _text(
        TOKENS, "API", "Who its access tokens are for (aud). Default: its client_id."
    ),
    "dpop": _flag(
        TOKENS, "--dpop/--no-dpop", "Whether its tokens are bound to a key of its own (RFC 9449)."
    ),
    "subject_type": _choice(
        TOKENS,
        SUBJECTS | None,
        "TYPE",
        "Whether people have one sub for all (public, the default) or its own (pairwise).",
    ),
    "sector_identifier_uri": _text(
        TOKENS, "URI", "A list of redirect URIs that share their pairwise subs."
    ),
    "id_token_alg": _text(
        TOKENS,
        "ALG",
        "Signature algorithm of its ID tokens, one of BROKER_SIGNING_ALGORITHMS. Default: RS256.",
    ),
    "userinfo_alg": _text(
        TOKENS, "ALG", "Signature algorithm of its userinfo answers. Default: plain JSON."
    ),
    "id_token_at_refresh": _flag(
        TOKENS,
        "--id-token-at-refresh/--no-id-token-at-refresh",
        "Whether a refresh answers with a new ID token.",
    ),
    "rotation": _flag(
        TOKENS, "--rotation/--no-rotation", "Whether a refresh token is spent by its use."
    ),
    "access_token_lifetime": _text(
        TOKENS, "TIME", "Lifetime of its access tokens, such as 10m. Default: the broker's."
    ),
    "id_token_lifetime": _text(TOKENS, "TIME", "Lifetime of its ID tokens, such as 10m."),
    "grant_lifetime": _text(TOKENS, "TIME", "When its refresh tokens end anyway, such as 90d."),
    "grant_idle": _text(TOKENS, "TIME", "When its refresh tokens end unused, such as 30d."),
    "client_uri": _text(PEOPLE, "URI", "Its home page, shown to people."),
    "logo_uri": _text(PEOPLE, "URI", "Its logo."),
    "policy_uri": _text(PEOPLE, "URI", "Its privacy policy."),
    "tos_uri": _text(PEOPLE, "URI", "Its terms of service."),
    "support_uri": _text(PEOPLE, "URI", "Where its people find help, https or mailto."),
    "brand_accent": _text(
        PEOPLE,
        "COLOUR",
        "Colour of buttons and links on pages that speak of it, such as #4752c4, dark enough to be "
        "read on white; what it is on dark pages is computed. Default: the broker's.",
    ),
    "translation": _texts(
        PEOPLE,
        "MEMBER#LANGUAGE=TEXT",
        "Its name or an address in another language, as client_name#ko=…, tos_uri#ko=…; pages "
        "show it to whoever reads that language; several times.",
    ),
    "contact": _texts(PEOPLE, "EMAIL", "Who runs it, for you; several times."),
    "software_id": _text(PEOPLE, "TEXT", "Which software it is, for you (RFC 7591 §2)."),
    "software_version": _text(PEOPLE, "TEXT", "Which version of it."),
}
DESCRIBING: Final = tuple(_SHARED)

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

"""How a client's registration is shown."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import typer

from broker.cli import show
from broker.cli.client_communities import Guilds, rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from broker.core.model import Client
    from broker.stores.sql.records import ClientRecord

Row = tuple[str, Any]
NONE: Final[dict[str, Any]] = {"keys": []}

ONCE = "Keep the secret now: it is stored as a digest and cannot be shown again."


def facts(record: "ClientRecord") -> dict[str, Any]:
    """Return a registration for scripts: everything but digests of secrets."""
    found = asdict(record.client)
    found["self_registered"] = found.pop("registration_digest") is not None
    found["secrets"] = [
        {"created_at": show.stamp(one.created_at), "expires_at": show.stamp(one.expires_at)}
        for one in record.client.secrets
    ]
    moments = {"created_at": show.stamp(record.created_at)}
    return found | moments | {"updated_at": show.stamp(record.updated_at)}


def tell(record: "ClientRecord", secret: str | None, guilds: Guilds, *, json: bool) -> None:
    """Show a registration, with its new secret where it has just got one.

    Args:
        record: the registration.
        secret: its new secret, or None.
        guilds: the registered ones, by their ids.
        json: whether for scripts.
    """
    if json:
        show.document(facts(record) | ({"client_secret": secret} if secret else {}))
    else:
        client = record.client
        show.details(
            [
                ("client_id", client.client_id),
                ("client_secret", secret),
                ("name", client.name),
                *_kind(client),
                *_places(client),
                *_proof(client),
                *_rights(client),
                *rows(client, guilds),
                *_tokens(client),
                *_pages(client),
                ("made", show.stamp(record.created_at)),
                ("changed", show.stamp(record.updated_at)),
            ]
        )
    from broker.app.client_secrets import has_secrets

    if secret and not json:
        typer.secho(ONCE, fg="yellow", err=True)
    elif has_secrets(record.client) and not record.client.secrets:
        command = f"broker clients rotate-secret {record.client.client_id}"
        typer.secho(f"It has no secret yet; run: {command}", fg="yellow", err=True)


def _kind(client: "Client") -> list[Row]:
    return [
        ("kind", "public" if client.public else "confidential"),
        ("runs as", client.application_type),
        ("state", "disabled" if client.disabled else "active"),
        ("registered", "by itself" if client.registration_digest else None),
    ]


def _places(client: "Client") -> list[Row]:
    session = " with the session" if client.backchannel_logout_session_required else ""
    hears = client.backchannel_logout_uri
    return [
        ("redirect URIs", client.redirect_uris),
        ("after sign-out", client.post_logout_redirect_uris),
        ("told of sign-out", f"{hears}{session}" if hears else None),
        ("origins", client.origins),
        ("sign-in begins at", client.initiate_login_uri),
    ]


def _proof(client: "Client") -> list[Row]:
    method = client.auth_method
    alg = client.token_endpoint_auth_signing_alg
    return [
        ("authenticates by", f"{method}, signed with {alg}" if alg else method),
        ("secrets", [_secret(one) for one in client.secrets]),
        ("keys", client.jwks_uri or _keys(client.jwks)),
        ("PKCE", "required" if client.require_pkce else "not required"),
        ("requests", _requests(client)),
        ("signed in lately", _lifetime(client.default_max_age)),
    ]


def _requests(client: "Client") -> list[str]:
    """Return what is demanded of its authorization requests."""
    alg = client.request_object_signing_alg
    return [
        *(["pushed"] if client.require_pushed_authorization_requests else []),
        *(["signed"] if client.require_signed_request_object else []),
        *([f"signed with {alg}, if at all"] if alg else []),
    ]


def _rights(client: "Client") -> list[Row]:
    return [
        ("grant types", " ".join(client.grant_types)),
        ("exchanges by", " ".join(client.exchange)),
        ("scopes", " ".join(client.scopes)),
        ("resources", client.resources),
        ("first party", client.first_party),
    ]


def _tokens(client: "Client") -> list[Row]:
    pairwise = client.subject_type == "pairwise"
    kept = None if client.rotate_refresh_tokens else "not spent by their use"
    return [
        ("audience", client.audience or client.client_id),
        ("bound by DPoP", client.dpop_bound_access_tokens or None),
        ("people's sub", "its own (pairwise)" if pairwise else None),
        ("sector", client.sector_identifier_uri),
        ("ID tokens", f"signed with {client.id_token_signed_response_alg}"),
        ("userinfo", _signed(client.userinfo_signed_response_alg)),
        ("ID token at refresh", client.id_token_at_refresh),
        ("access tokens", _lifetime(client.access_token_lifetime)),
        ("ID tokens live", _lifetime(client.id_token_lifetime)),
        ("refresh tokens", kept),
        ("they end after", _lifetime(client.grant_lifetime)),
        ("or unused after", _lifetime(client.grant_idle)),
    ]


def _pages(client: "Client") -> list[Row]:
    software = " ".join(filter(None, (client.software_id, client.software_version)))
    return [
        ("home page", client.client_uri),
        ("logo", client.logo_uri),
        ("privacy policy", client.policy_uri),
        ("terms", client.tos_uri),
        ("help", client.support_uri),
        ("colour", client.brand_accent),
        ("translated", [f"{name}: {text}" for name, text in (client.translations or {}).items()]),
        ("contacts", client.contacts),
        ("software", software),
    ]


def _signed(alg: str | None) -> str | None:
    return f"signed with {alg}" if alg else None


def _keys(jwks: "Mapping[str, Any] | None") -> list[str]:
    """Return the names and algorithms of the keys that signatures are checked with."""
    from broker.core.client_keys import read

    return [f"{one.kid or '(no kid)'}: {' '.join(one.algorithms)}" for one in read(jwks or NONE)]


def tell_secret(record: "ClientRecord", secret: str | None, *, json: bool) -> None:
    """Show a new secret and until when the old one works."""
    olds = [one.expires_at for one in record.client.secrets[1:]]
    if json:
        show.document(
            {
                "client_id": record.client.client_id,
                "client_secret": secret,
                "old_secrets_expire_at": [show.stamp(one) for one in olds],
            }
        )
        return
    show.details(
        [
            ("client_id", record.client.client_id),
            ("client_secret", secret),
            ("old secret until", [show.stamp(one) or "" for one in olds] or "ended now"),
        ]
    )
    typer.secho(ONCE, fg="yellow", err=True)


def _lifetime(seconds: int | None) -> str:
    from broker.core import durations

    return "" if seconds is None else durations.show(seconds)


def _secret(one: Any) -> str:
    until = f", accepted until {show.stamp(one.expires_at)}" if one.expires_at else ""
    return f"made {show.stamp(one.created_at)}{until}"

"""How a client's registration is shown."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from broker.cli import show

if TYPE_CHECKING:
    from broker.stores.sql.records import ClientRecord

ONCE = "Keep the secret now: it is stored as a digest and cannot be shown again."


def facts(record: "ClientRecord") -> dict[str, Any]:
    """Return a registration for scripts: everything but the digests of secrets."""
    found = asdict(record.client)
    found["secrets"] = [
        {"created_at": show.stamp(one.created_at), "expires_at": show.stamp(one.expires_at)}
        for one in record.client.secrets
    ]
    moments = {"created_at": show.stamp(record.created_at)}
    return found | moments | {"updated_at": show.stamp(record.updated_at)}


def tell(record: "ClientRecord", secret: str | None, *, json: bool) -> None:
    """Show a registration, with its new secret where it has just got one."""
    if json:
        show.document(facts(record) | ({"client_secret": secret} if secret else {}))
        return
    client = record.client
    show.details(
        [
            ("client_id", client.client_id),
            ("client_secret", secret),
            ("name", client.name),
            ("kind", "public" if client.public else "confidential"),
            ("runs as", client.application_type),
            ("state", "disabled" if client.disabled else "active"),
            ("redirect URIs", client.redirect_uris),
            ("after sign-out", client.post_logout_redirect_uris),
            ("grant types", " ".join(client.grant_types)),
            ("scopes", " ".join(client.scopes)),
            ("resources", client.resources),
            ("audience", client.audience or client.client_id),
            ("origins", client.origins),
            ("first party", client.first_party),
            ("PKCE", "required" if client.require_pkce else "not required"),
            ("ID tokens", f"signed with {client.id_token_signed_response_alg}"),
            ("ID token at refresh", client.id_token_at_refresh),
            ("access tokens", _lifetime(client.access_token_lifetime)),
            ("home page", client.client_uri),
            ("logo", client.logo_uri),
            ("privacy policy", client.policy_uri),
            ("terms", client.tos_uri),
            ("secrets", [_secret(one) for one in client.secrets]),
            ("made", show.stamp(record.created_at)),
            ("changed", show.stamp(record.updated_at)),
        ]
    )
    if secret:
        typer.secho(ONCE, fg="yellow", err=True)


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
    from broker.app import durations

    return "" if seconds is None else durations.show(seconds)


def _secret(one: Any) -> str:
    until = f", accepted until {show.stamp(one.expires_at)}" if one.expires_at else ""
    return f"made {show.stamp(one.created_at)}{until}"

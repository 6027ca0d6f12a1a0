"""Any OpenID provider, by discovery."""

from broker.upstream.oidc.provider import SCOPES, OpenIdProvider, ProviderSettings

__all__ = ["SCOPES", "OpenIdProvider", "ProviderSettings"]

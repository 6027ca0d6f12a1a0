"""Any OpenID provider, by discovery."""

from broker.upstream.oidc.provider import OpenIdProvider, ProviderSettings

__all__ = ["OpenIdProvider", "ProviderSettings"]

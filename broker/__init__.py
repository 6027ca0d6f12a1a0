"""Token Broker: a standalone OpenID Connect token broker that federates Discord login."""

__version__ = "0.1.0"

"""Every setting, documented once: its form, its default and what it means."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr, StringConstraints
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from broker.app.upstream_settings import Upstreams
from broker.core import durations


def _split(value: Any) -> Any:
    """Return the entries of a text that separates them by commas or newlines."""
    if not isinstance(value, str):
        return value
    return [part.strip() for part in value.replace("\n", ",").split(",") if part.strip()]


def _workers(value: Any) -> Any:
    """Return the number of cores this process may use for ``auto``."""
    if not isinstance(value, str) or value.strip().lower() != "auto":
        return value
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(usable or 1, 64)


Duration = Annotated[int, BeforeValidator(durations.parse), "seconds"]
Texts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Secrets = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split)]

Rate = Annotated[str, StringConstraints(pattern=r"^(off|[1-9][0-9]{0,8}/(second|minute|hour))$")]

DAY = 86400


class Fields(BaseSettings):
    """The settings of one installation, in the order in which the README lists them."""

    model_config = SettingsConfigDict(
        env_prefix="BROKER_", env_ignore_empty=True, extra="forbid", frozen=True
    )

    issuer: str = Field(
        "",
        description="Public base address of the broker, as it appears in every token, without a "
        "trailing slash. https, or http for this machine alone. Default: http://127.0.0.1:PORT.",
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=1, le=65535, description="TCP port to listen on.")
    workers: Annotated[int, BeforeValidator(_workers)] = Field(
        1,
        ge=1,
        le=64,
        description="Number of processes that serve; auto: one for each core. More of them is what "
        "makes signing faster.",
    )
    trusted_proxies: Texts = Field(
        (),
        description="Addresses or networks (comma-separated) of reverse proxies whose "
        "X-Forwarded-For and X-Forwarded-Proto count.",
    )
    data_dir: Path = Field(
        Path(".broker"),
        description="Directory of the embedded Redis, the SQLite file and the embedded secret.",
    )
    brand_name: str = Field(
        "Token Broker", min_length=1, max_length=60, description="What pages call this service."
    )
    brand_logo: Path | None = Field(
        None,
        description="File of the logo on pages for people: SVG or PNG, square, 64 kB at the most. "
        "It is served from here.",
    )
    brand_accent: str = Field(
        "",
        pattern=r"^(#[0-9A-Fa-f]{6})?$",
        description="Colour of buttons and links on pages for people, such as #4752c4, dark enough "
        "to be read on white; what it is on dark pages is computed.",
    )
    brand_support: str = Field(
        "",
        pattern=r"^(https://[!-~]+|mailto:[!-~]+@[!-~]+)?$",
        description="Address (https or mailto) where people find help; every page leads to it.",
    )
    brand_privacy: str = Field(
        "",
        pattern=r"^(https://[!-~]+)?$",
        description="Address of your privacy policy; every page leads to it.",
    )
    brand_terms: str = Field(
        "",
        pattern=r"^(https://[!-~]+)?$",
        description="Address of your terms of use; every page leads to them.",
    )
    notice: str = Field(
        "",
        description="What people read at the top of every page, such as: Maintenance today, 22:00 "
        "to 22:10 UTC. Plain text, 300 characters at the most; a line that begins with #ko says it "
        "in Korean. Servers read it anew at kill -HUP.",
    )

    secrets: Secrets = Field(
        (),
        description="The operator's secrets, 32 bytes or more each, separated by commas or "
        "newlines. The first is used, all are accepted. Default: one made in the data directory.",
    )
    discord_client_id: str = Field("", description="Client id of your Discord application.")
    discord_client_secret: SecretStr = Field(
        SecretStr(""), description="Client secret of your Discord application."
    )
    discord_public_key: str = Field(
        "",
        description="Public key of your Discord application (64 hexadecimal digits): proves the "
        "webhook events that /webhooks/discord takes. Default: no events are taken.",
    )
    discord_authorize_url: str = Field(
        "https://discord.com/oauth2/authorize", description="Where browsers are sent to sign in."
    )
    discord_api_url: str = Field(
        "https://discord.com/api/v10", description="Base address of Discord's API."
    )
    discord_cdn_url: str = Field(
        "https://cdn.discordapp.com", description="Base address of avatar pictures."
    )
    discord_timeout: Duration = Field(
        8, ge=1, le=60, description="Time for Discord's part of one sign-in."
    )
    upstreams: Upstreams = Field(
        (),
        description="Where else people may sign in, as JSON: a list of objects with name, kind "
        "(oidc or github), title, issuer, client_id, client_secret (or client_secret_file) and, if "
        "need be, scopes. In the settings file: [[upstreams]] tables.",
    )

    database_url: SecretStr | None = Field(
        None,
        description="PostgreSQL address, postgresql://user:password@host/name. Default: SQLite in "
        "the data directory.",
    )
    database_pool: int = Field(10, ge=1, le=500, description="Most SQL connections of one process.")
    redis_url: SecretStr | None = Field(
        None,
        description="Redis address: redis://, rediss:// or unix://. Default: an embedded "
        "redis-server in the data directory.",
    )
    redis_pool: int = Field(
        50, ge=10, le=2000, description="Most Redis connections of one process."
    )
    redis_prefix: str = Field(
        "tb",
        pattern=r"^[A-Za-z0-9._-]{1,32}$",
        description="Beginning of every Redis key, to share one Redis with others.",
    )
    redis_replicas: int = Field(
        0, ge=0, le=5, description="Replicas that must confirm a sign-out before it is answered."
    )

    request_lifetime: Duration = Field(
        600, ge=60, le=3600, description="How long a sign-in may take."
    )
    code_lifetime: Duration = Field(
        60, ge=10, le=600, description="Lifetime of an authorization code."
    )
    access_token_lifetime: Duration = Field(
        300, ge=5, le=DAY, description="Lifetime of an access token, where its client has none."
    )
    id_token_lifetime: Duration = Field(300, ge=5, le=DAY, description="Lifetime of an ID token.")
    longest_token_lifetime: Duration = Field(
        3600,
        ge=5,
        le=DAY,
        description="The longest token lifetime that a client may be given; retired keys stay "
        "published at least as long.",
    )
    session_idle: Duration = Field(
        7 * DAY, ge=300, le=366 * DAY, description="A browser session ends when unused this long."
    )
    session_lifetime: Duration = Field(
        30 * DAY, ge=300, le=366 * DAY, description="A browser session ends after this in any case."
    )
    grant_idle: Duration = Field(
        30 * DAY, ge=300, le=366 * DAY, description="A refresh token dies when unused this long."
    )
    grant_lifetime: Duration = Field(
        90 * DAY, ge=300, le=1098 * DAY, description="A line of refresh tokens ends after this."
    )
    refresh_grace: Duration = Field(
        10,
        ge=0,
        le=300,
        description="How long a spent refresh token still answers with the current one (lost "
        "answers, several tabs); 0 switches that off.",
    )
    membership_fresh: Duration = Field(
        600,
        ge=30,
        le=DAY,
        description="What is known of a person's guilds and roles is read again before a refresh "
        "when it is older than this.",
    )
    membership_stale: Duration = Field(
        DAY,
        ge=60,
        le=30 * DAY,
        description="How old it may be while Discord does not answer.",
    )
    clock_skew: Duration = Field(
        60, ge=1, le=300, description="How far clocks of processes and verifiers may differ."
    )
    audit_lifetime: Duration = Field(
        366 * DAY, ge=DAY, le=3660 * DAY, description="How long audit events are kept."
    )
    deletion_grace: Duration = Field(
        14 * DAY,
        ge=0,
        le=366 * DAY,
        description="How long an account whose person wants it deleted waits, signed out, for that "
        "person to come back and keep it; 0 deletes it at once.",
    )
    key_period: Duration = Field(
        30 * DAY, ge=5, le=366 * DAY, description="How long a key signs before its successor does."
    )
    jwks_cache: Duration = Field(
        600, ge=1, le=DAY, description="How long verifiers may cache the JWKS."
    )
    keys_poll: Duration = Field(
        5, ge=1, le=300, description="How often each process looks for changed signing keys."
    )
    signing_algorithms: Texts = Field(
        ("RS256",),
        description="Signature algorithms that clients and APIs may choose from, separated by "
        "commas: RS256 (always on), PS256, ES256, EdDSA, Ed25519.",
    )
    keys_dir: Path | None = Field(
        None, description="Directory that keeps the signing keys, sealed. Default: they are in SQL."
    )
    pkcs11_module: Path | None = Field(
        None,
        description="Library of an HSM (PKCS#11) that makes and uses the private keys; they never "
        "leave it. Default: private keys are sealed and kept with the public ones.",
    )
    pkcs11_token: str = Field("", description="Label of the HSM's token to use.")
    pkcs11_pin: SecretStr = Field(SecretStr(""), description="PIN of that token's user.")

    registration: Literal["off", "token", "open"] = Field(
        "off",
        description="Who may register clients at /register: nobody, holders of an initial access "
        "token, or everybody.",
    )
    docs: Literal["auto", "off", "pages", "try"] = Field(
        "auto",
        description="The pages for developers at /docs: off, pages, or try (with one that walks a "
        "sign-in in the browser, by a client that is built in). auto: pages, and try where the "
        "issuer is this machine alone.",
    )
    admin: Literal["off", "on"] = Field(
        "off",
        description="Whether operators have a console at /admin; see broker accounts "
        "grant-operator. Its passkeys belong to the issuer's host name.",
    )
    dpop_nonces: bool = Field(
        default=False, description="Whether DPoP proofs must carry a nonce of ours (RFC 9449 §8)."
    )
    policy: Path | None = Field(
        None,
        description="JSON file with the access policy that holds for every client, beside its own. "
        "See: broker policy --help.",
    )
    outbound_allow: Texts = Field(
        (),
        description="Hosts (host or host:port, separated by commas) that clients may name "
        "addresses of although they are private or plain http. Others must be public and https.",
    )

    limit_address: Rate = Field(
        "1200/minute",
        description="Most requests of one address, such as 1200/minute, or off. This machine's own "
        "addresses, public documents and probes do not count.",
    )
    limit_client: Rate = Field(
        "off", description="Most requests of one client that authenticates, or off."
    )
    limit_account: Rate = Field(
        "600/minute", description="Most token requests for one account, or off."
    )

    metrics_address: str = Field(
        "",
        description="Address to serve Prometheus metrics on, such as 127.0.0.1:9464; not for the "
        "public. Default: none are served.",
    )
    traces: Literal["off", "on"] = Field(
        "off",
        description="Whether each request is traced, to the OpenTelemetry collector that "
        "OTEL_EXPORTER_OTLP_ENDPOINT names (OTLP over HTTP). Needs the extra otel.",
    )

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least important messages that are logged."
    )
    log_format: Literal["auto", "console", "json"] = Field(
        "auto", description="Form of the log; auto is console on a terminal, else json."
    )

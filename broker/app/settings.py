"""The settings: where they come from, and what follows from them.

A setting comes from the first of: the environment (``BROKER_NAME``), for secrets a file that the
environment names (``BROKER_NAME_FILE``), the TOML file that ``BROKER_SETTINGS`` names, its default.
What may not be combined is told in ``broker.app.checks``.
"""

from typing import Literal

from pydantic import field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from broker.app.setting_fields import DAY, Fields
from broker.app.sources import SecretFiles, SettingsFile
from broker.app.upstream_settings import is_loopback
from broker.core.console import REFUSALS
from broker.core.limits import Kind
from broker.core.model import Lifetimes
from keys.policy import Policy

__all__ = ["DAY", "Settings"]


class Settings(Fields):
    """The settings of one installation; every process of it must have the same."""

    @field_validator(
        "issuer",
        "discord_public_key",
        "discord_api_url",
        "discord_cdn_url",
        "discord_authorize_url",
    )
    @classmethod
    def _stripped(cls, value: str) -> str:
        return value.strip()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Name where settings come from, the first source winning."""
        del dotenv_settings, file_secret_settings
        files = SecretFiles(settings_cls), SettingsFile(settings_cls)
        return init_settings, env_settings, *files

    @property
    def public_issuer(self) -> str:
        """The issuer: the one given, else this machine's loopback address."""
        return self.issuer or f"http://127.0.0.1:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether the issuer is this machine alone."""
        return is_loopback(self.public_issuer)

    @property
    def docs_shown(self) -> Literal["off", "pages", "try"]:
        """Which of the pages for developers there are."""
        if self.docs == "auto":
            return "try" if self.loopback else "pages"
        return self.docs

    @property
    def lifetimes(self) -> Lifetimes:
        """Lifetimes as the core takes them, in seconds."""
        return Lifetimes(
            request=self.request_lifetime,
            code=self.code_lifetime,
            access_token=self.access_token_lifetime,
            id_token=self.id_token_lifetime,
            longest_token=self.longest_token_lifetime,
            session_idle=self.session_idle,
            session=self.session_lifetime,
            grant_idle=self.grant_idle,
            grant=self.grant_lifetime,
            refresh_grace=self.refresh_grace,
            membership_fresh=self.membership_fresh,
            membership_stale=self.membership_stale,
            skew=self.clock_skew,
            deletion_grace=self.deletion_grace,
        )

    @property
    def limits(self) -> dict[Kind, str]:
        """How much may be asked for, by whom is counted; what is off is left out."""
        rates = {
            Kind.ADDRESS: self.limit_address,
            Kind.CLIENT: self.limit_client,
            Kind.ACCOUNT: self.limit_account,
            Kind.REFUSED: REFUSALS,
        }
        return {kind: rate for kind, rate in rates.items() if rate != "off"}

    @property
    def algorithms(self) -> tuple[str, ...]:
        """Signature algorithms that are on; RS256 always is, and comes first."""
        return tuple(dict.fromkeys(("RS256", *self.signing_algorithms)))

    @property
    def key_policy(self) -> Policy:
        """Times of signing keys as the keyring takes them, in seconds."""
        return Policy(
            period=self.key_period,
            cache_lifetime=self.jwks_cache,
            poll_interval=self.keys_poll,
            skew=self.clock_skew,
            longest_token=max(
                self.access_token_lifetime, self.id_token_lifetime, self.longest_token_lifetime
            ),
            hint_retention=self.session_lifetime,
        )

"""Apps and people as pages show them: names, pictures and links of which nothing can do harm."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from broker.core.model import Client
from broker.core.texts import Text
from broker.core.translations import spoken


@dataclass(frozen=True, slots=True)
class App:
    """A client as a page shows it; a sign-in ``begins`` at an address (Core §4)."""

    name: str
    initial: str
    logo: str | None
    home: str | None
    policy: str | None
    terms: str | None
    support: str | None = None
    begins: str | None = None
    accent: str | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """An account as a page shows it."""

    name: str
    username: str | None
    initial: str
    picture: str | None


class Faces:
    """Makes them.

    Args:
        secure: whether the issuer is https: then links and pictures are too.
        language: tag of the language in which pages speak of them.
    """

    def __init__(self, *, secure: bool, language: str) -> None:
        self._schemes = {"https"} if secure else {"https", "http"}
        self._language = language

    def app(self, client: Client) -> App:
        """Return a client as a page shows it."""
        said = partial(spoken, client, language=self._language)
        name = said("name") or client.name
        return App(
            name=name,
            initial=_initial(name),
            logo=self.harmless(said("logo_uri")),
            home=self.harmless(said("client_uri")),
            policy=self.harmless(said("policy_uri")),
            terms=self.harmless(said("tos_uri")),
            support=self._help(said("support_uri")),
            begins=self.harmless(client.initiate_login_uri),
            accent=client.brand_accent,
        )

    def _help(self, address: str | None) -> str | None:
        return address if address and scheme(address) == "mailto" else self.harmless(address)

    def person(self, claims: Mapping[str, Any]) -> Person:
        """Return an account, told by standard claims, as a page shows it."""
        called = claims.get("name") or claims.get("preferred_username")
        name = str(called) if called else Text("your account")
        username = claims.get("preferred_username")
        picture = claims.get("picture")
        return Person(
            name=name,
            username=str(username) if username else None,
            initial=_initial(name),
            picture=self.harmless(picture) if isinstance(picture, str) else None,
        )

    def harmless(self, address: str | None) -> str | None:
        """Return an address that may be linked or loaded, else None."""
        return address if address and scheme(address) in self._schemes else None


def scheme(address: str) -> str:
    """Return the scheme of an address, in lower case; empty where there is none."""
    try:
        return urlsplit(address).scheme.lower()
    except ValueError:
        return ""


def _initial(name: str) -> str:
    return next((c for c in name if c.isalnum()), "•").upper()

"""What Grafana's generic OAuth makes of an answer, as its documentation tells.

"Configure Generic OAuth authentication": where login, name, e-mail address, groups and role come
from and in which order; ``signout_redirect_url`` gets an ``id_token_hint`` where it has a way back
(RP-Initiated Logout). The expressions are JMESPath.
"""

import configparser
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

import jmespath
from jmespath.exceptions import JMESPathError

ROLES: Final = {"None", "Viewer", "Editor", "Admin"}
SECTION: Final = "auth.generic_oauth"

Claims = Mapping[str, Any]


class Denied(Exception):
    """Grafana lets nobody in without a role where that is strict."""


@dataclass(frozen=True, slots=True)
class Someone:
    """Who Grafana takes a person for."""

    login: str
    name: str
    email: str
    groups: list[str]
    role: str


class Grafana:
    """Its configuration, read as it reads it.

    Args:
        texts: files or parts of one; later ones go before earlier ones.
    """

    def __init__(self, *texts: str) -> None:
        self.options: dict[str, str] = {}
        for text in texts:
            found = configparser.ConfigParser(interpolation=None)
            found.read_string(text if text.startswith("[") else f"[{SECTION}]\n{text}")
            assert found.sections() == [SECTION]
            self.options |= dict(found[SECTION])

    def sees(self, id_token: Claims, userinfo: Claims, access_token: Claims) -> Someone:
        """Return who that is; each thing comes from the first place that has it.

        Raises:
            Denied: there is no role, and ``role_attribute_strict`` is set.
        """
        places = (id_token, userinfo, access_token)
        groups = next(filter(None, map(self._groups, places)), [])
        role = _first(self._role(place, groups) for place in places)
        if not role and self.options.get("role_attribute_strict") == "true":
            raise Denied
        return Someone(
            login=_first(map(self._login, places)),
            name=_first(map(self._name, places)),
            email=_first(map(self._email, places)),
            groups=groups,
            role=role or "Viewer",  # auto_assign_org_role
        )

    def signs_out_to(self, id_token: str | None) -> str:
        """Return where it sends a browser; it has an ID token while the access token is valid."""
        where = urlsplit(self.options["signout_redirect_url"])
        query = parse_qs(where.query)
        if "post_logout_redirect_uri" not in query or id_token is None:
            return where.geturl()
        query["id_token_hint"] = [id_token]
        return where._replace(query=urlencode(query, doseq=True)).geturl()

    def _found(self, option: str, data: Claims) -> Any:
        """An expression that does not fit the claims finds nothing."""
        try:
            return jmespath.search(self.options[option], data) if option in self.options else None
        except JMESPathError:
            return None

    def _text(self, option: str, data: Claims) -> str:
        found = self._found(option, data)
        return found if isinstance(found, str) else ""

    def _login(self, data: Claims) -> str:
        return (
            data.get("login")
            or self._text("login_attribute_path", data)
            or data.get("username", "")
        )

    def _name(self, data: Claims) -> str:
        return self._text("name_attribute_path", data) or data.get("name", "")

    def _email(self, data: Claims) -> str:
        return data.get("email") or self._text("email_attribute_path", data) or data.get("upn", "")

    def _groups(self, data: Claims) -> list[str]:
        found = self._found("groups_attribute_path", data)
        return [one for one in found or () if isinstance(one, str)]

    def _role(self, data: Claims, groups: list[str]) -> str:
        option = "role_attribute_path"
        role = self._text(option, data) or self._text(option, {"groups": groups or None})
        role = "Admin" if role.lower() == "grafanaadmin" else role.title()
        return role if role in ROLES else ""


def _first(found: Iterable[str]) -> str:
    return next(filter(None, found), "")

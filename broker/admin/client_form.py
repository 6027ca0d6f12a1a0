"""The form by which a client is described: its fields, what they mean, and reading them.

What it does not show (keys in a file, guilds, role mappings, policies) stays as it is; the command
line has options for it. Values are judged by ``broker.app.registration``, as everywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from starlette.datastructures import FormData

from broker.app.client_rules import Fault
from broker.app.client_secrets import has_secrets
from broker.core import durations
from broker.core import vocabulary as v
from broker.core.model import Client

Look = Literal["text", "lines", "time", "flag", "choice", "several"]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the form.

    Attributes:
        name: of the client's attribute.
        label: what people read.
        help: what it means.
        look: how it is asked for.
        choices: value → words, for choices.
    """

    name: str
    label: str
    help: str
    look: Look = "text"
    choices: Mapping[str, str] | None = None


METHODS: Final = {
    v.AUTH_BASIC: "a secret, in the header",
    v.AUTH_POST: "a secret, in the form",
    v.AUTH_KEY: "a key of its own (private_key_jwt)",
    v.AUTH_NONE: "nothing: a browser or native app",
}
KINDS: Final = {v.APPLICATION_WEB: "on the web", v.APPLICATION_NATIVE: "on a phone or desktop"}
GRANTS: Final = {
    v.GRANT_CODE: "sign-ins",
    v.GRANT_REFRESH: "refresh tokens",
    v.GRANT_DEVICE: "sign-ins on devices without a keyboard",
    v.GRANT_CLIENT: "acting for itself",
    v.GRANT_EXCHANGE: "exchanging tokens",
}
SUBJECTS: Final = {v.SUBJECT_PUBLIC: "the same for all apps", v.SUBJECT_PAIRWISE: "its own"}

FIELDS: Final[Mapping[str, tuple[Field, ...]]] = {
    "What it is": (
        Field("name", "Name", "What people read on our pages."),
        Field("application_type", "Runs", "Native apps may use loopback ports and schemes of "
              "their own.", "choice", KINDS),
        Field("auth_method", "Proves itself by", "Apps that cannot keep a secret have none, and "
              "are protected by PKCE.", "choice", METHODS),
        Field("jwks_uri", "Keys at", "Where it publishes the keys it signs with; https."),
        Field("first_party", "Is ours", "People are not asked for consent where it returns to "
              "https.", "flag"),
    ),
    "Where it is": (
        Field("redirect_uris", "Redirect URIs", "Where people may be sent back to, one a line; "
              "compared character by character.", "lines"),
        Field("post_logout_redirect_uris", "After sign-out", "Where people may be sent after a "
              "sign-out, one a line.", "lines"),
        Field("origins", "Web origins", "Who may call the token endpoint from a browser, one a "
              "line: https://app.example.org", "lines"),
        Field("backchannel_logout_uri", "Told of sign-outs at", "Where it is told that somebody "
              "signed out; https."),
    ),
    "What it may do": (
        Field("grant_types", "Gets tokens by", "At least one.", "several", GRANTS),
        Field("scopes", "Scopes", "What it may ask for: ours, and those of registered APIs; "
              "separated by blanks or lines.", "lines"),
        Field("resources", "APIs", "Resource indicators it may ask for, one a line.", "lines"),
        Field("audience", "Tokens are for", "aud of its access tokens where it asks for no API. "
              "Empty: its own identifier."),
    ),
    "How strictly": (
        Field("require_pkce", "Must use PKCE", "Only an app with a secret may be let off.", "flag"),
        Field("require_pushed_authorization_requests", "Must push its requests",
              "Nothing of a request passes through the browser (RFC 9126).", "flag"),
        Field("dpop_bound_access_tokens", "Tokens are bound to a key", "A stolen token is of no "
              "use without it (DPoP, RFC 9449).", "flag"),
        Field("rotate_refresh_tokens", "Refresh tokens are spent", "Each refresh answers with a "
              "new one.", "flag"),
        Field("subject_type", "Knows people by a sub that is", "Its own: apps cannot compare.",
              "choice", SUBJECTS),
    ),
    "How long": (
        Field("access_token_lifetime", "Access tokens", "Such as 10m. Empty: the broker's.",
              "time"),
        Field("id_token_lifetime", "ID tokens", "Such as 10m. Empty: the broker's.", "time"),
        Field("grant_lifetime", "Refresh tokens end", "In any case after, such as 90d.", "time"),
        Field("grant_idle", "Unused they end", "After, such as 30d.", "time"),
    ),
    "What people see": (
        Field("client_uri", "Home page", "https."),
        Field("logo_uri", "Logo", "https."),
        Field("policy_uri", "Privacy policy", "https."),
        Field("tos_uri", "Terms of service", "https."),
    ),
}  # fmt: skip
_ALL: Final = {one.name: one for group in FIELDS.values() for one in group}


def shown(client: Client) -> dict[str, Any]:
    """Return what stands in each field."""
    return {name: _shown(getattr(client, name), field) for name, field in _ALL.items()}


def _shown(value: Any, field: Field) -> Any:
    if field.look == "lines":
        return "\n".join(value)
    if field.look == "time":
        return "" if value is None else durations.show(value)
    return "" if value is None else value


def taken(client: Client, form: FormData) -> tuple[Client, list[Fault]]:
    """Return the client as the form has it, and what of it could not even be read."""
    faults: list[Fault] = []
    new: dict[str, Any] = {}
    for name, field in _ALL.items():
        try:
            new[name] = _taken(form, field)
        except ValueError as error:
            faults.append(Fault(name, str(error)))
    changed = replace(client, **new)
    return (changed if has_secrets(changed) else replace(changed, secrets=())), faults


def _taken(form: FormData, field: Field) -> Any:
    text = str(form.get(field.name) or "").strip()
    match field.look:
        case "lines":
            return tuple(dict.fromkeys(text.split()))
        case "several":
            return tuple(str(one) for one in form.getlist(field.name) if one in GRANTS)
        case "flag":
            return text == "yes"
        case "time":
            return int(durations.parse(text)) if text else None
        case "choice":
            if text not in (field.choices or {}):
                raise ValueError("choose one")
            return text
        case _:
            return text if field.name == "name" else text or None

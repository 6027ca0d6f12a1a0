"""The form by which a client is described: its fields, and what they mean.

Values are judged by ``broker.app.registration``, as everywhere.
"""

from dataclasses import replace
from typing import Final

from starlette.datastructures import FormData

from broker.admin import fields
from broker.admin.fields import Field, Groups
from broker.app.client_rules import Fault
from broker.app.client_secrets import has_secrets
from broker.app.community_names import Guilds
from broker.app.community_rules import upstream_names
from broker.app.settings import Settings
from broker.app.upstreams import providers
from broker.core import vocabulary as v
from broker.core.model import Client
from keys.algorithms import ALGORITHMS

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
EXCHANGES: Final = {
    "impersonation": "ours for one that says the same person comes",
    "delegation": "ours for one that says who acts for the person",
    "upstream": "Discord's for ours; for public apps, too",
}
SUBJECTS: Final = {v.SUBJECT_PUBLIC: "the same for all apps", v.SUBJECT_PAIRWISE: "its own"}
ANY: Final = {"": "any of ours"} | {alg: alg for alg in ALGORITHMS}
FIRST: Final = 4
"""So many groups are about what every app has to say; of the others most leave all as it is."""


def client_fields(settings: Settings) -> Groups:
    """Return the fields, by what they are about.

    Args:
        settings: say which algorithms are on, and where people can sign in.
    """
    on = {alg: alg for alg in settings.algorithms}
    titles = {one.name: one.title for one in providers(settings)}
    upstreams = {name: titles.get(name, name) for name in upstream_names(settings)}
    return {
        "What it is": _WHAT,
        "How it proves who it is": _PROOF,
        "Where it is": _PLACES,
        "What it may do": _RIGHTS,
        "How it asks": _REQUESTS,
        "What it knows of communities, and who may use it": _communities(upstreams),
        "Its tokens": _tokens(on),
        "How long": _LENGTHS,
        "What people see": _PEOPLE,
    }


def taken(
    client: Client, form: FormData, groups: Groups, guilds: Guilds
) -> tuple[Client, list[Fault]]:
    """Return the client as the form has it, and what of it could not even be read."""
    new, faults = fields.taken(client, form, groups, guilds)
    changed = replace(client, **new)
    return (changed if has_secrets(changed) else replace(changed, secrets=())), faults


_WHAT: Final = (
    Field("name", "Name", "What people read on our pages.", optional=False),
    Field("application_type", "Runs", "Native apps may use loopback ports and schemes of their "
          "own.", "choice", KINDS),
    Field("first_party", "Is ours", "People are not asked for consent where it returns to https.",
          "flag"),
)  # fmt: skip
_PROOF: Final = (
    Field("auth_method", "Proves itself by", "Apps that cannot keep a secret have none, and are "
          "protected by PKCE.", "choice", METHODS),
    Field("jwks", "Its public keys", "The keys it signs with: a JWK Set, or one JWK, pasted or in "
          "a file. Public halves alone.", "keys"),
    Field("jwks_uri", "Keys at", "Where it publishes its JWK Set instead; https."),
    Field("token_endpoint_auth_signing_alg", "Signs its proofs with", "The one algorithm of its "
          "private_key_jwt.", "choice", ANY),
)  # fmt: skip
_PLACES: Final = (
    Field("redirect_uris", "Redirect URIs", "Where people may be sent back to, one a line; "
          "compared character by character.", "lines"),
    Field("post_logout_redirect_uris", "After sign-out", "Where people may be sent after a "
          "sign-out, one a line.", "lines"),
    Field("origins", "Web origins", "Who may call the token endpoint from a browser, one a line: "
          "https://app.example.org. Empty for a new public app: those it returns to.", "lines"),
    Field("initiate_login_uri", "Sign-in begins at", "Where others may send people to begin a "
          "sign-in; https."),
    Field("backchannel_logout_uri", "Told of sign-outs at", "Where it is told that somebody "
          "signed out; https."),
    Field("backchannel_logout_session_required", "Is told which session", "Whether it has to know "
          "which of a person's sessions ended.", "flag"),
)  # fmt: skip
_RIGHTS: Final = (
    Field("grant_types", "Gets tokens by", "At least one.", "several", GRANTS),
    Field("exchange", "Exchanges", "Which tokens it may exchange for which; with “exchanging "
          "tokens” above.", "several", EXCHANGES),
    Field("scopes", "Scopes", "What it may ask for: ours, and those of registered APIs; separated "
          "by blanks or lines. guilds, roles and groups tell of communities.", "lines"),
    Field("resources", "APIs", "Resource indicators it may ask for, one a line.", "lines"),
    Field("audience", "Tokens are for", "aud of its access tokens where it asks for no API. "
          "Empty: its own identifier."),
)  # fmt: skip
_REQUESTS: Final = (
    Field("require_pkce", "Must use PKCE", "Only an app with a secret may be let off.", "flag"),
    Field("require_pushed_authorization_requests", "Must push its requests",
          "Nothing of a request passes through the browser (RFC 9126).", "flag"),
    Field("require_signed_request_object", "Must sign its requests",
          "With one of its keys (RFC 9101).", "flag"),
    Field("request_object_signing_alg", "Signs its requests with", "The one algorithm of its "
          "requests, where they are signed.", "choice", ANY),
    Field("default_max_age", "Signed in lately", "How long ago people may have signed in, such as "
          "1h. Empty: any time.", "time"),
)  # fmt: skip


def _communities(upstreams: dict[str, str]) -> tuple[Field, ...]:
    return (
        Field("guilds", "Guilds", "Discord servers that it may know of, one a line: ids, or names "
              "of registered ones.", "guilds"),
        Field("role_mapping", "Roles of its own", "For people with a role of a guild, as JSON: "
              '{"guild id": {"role id": ["admin"], "*": ["member"]}}; * is every member. Its '
              "people have them as claims roles and groups.", "document"),
        Field("policy", "Who may use it", "An access policy, as JSON: "
              '{"guilds": [{"id": "…", "any_role": ["…"]}], "account_age": "30d"}. Members: '
              "guilds (id, any_role, all_roles, no_role, not_pending, not_timed_out), match, "
              "account_age, email_verified, allow, deny, only_allowed. Empty: everybody.",
              "document"),
        Field("upstreams", "People sign in at", "None chosen: at any of them.", "several",
              upstreams),
        Field("upstream_token", "May have Discord's tokens", "Those of its people, by token "
              "exchange; each time is audited.", "flag"),
    )  # fmt: skip


def _tokens(on: dict[str, str]) -> tuple[Field, ...]:
    return (
        Field("id_token_signed_response_alg", "ID tokens are signed with", "One of "
              "BROKER_SIGNING_ALGORITHMS.", "choice", on),
        Field("userinfo_signed_response_alg", "Userinfo is signed with", "Answers of /userinfo.",
              "choice", {"": "nothing: plain JSON"} | on),
        Field("id_token_at_refresh", "An ID token at each refresh", "Whether a refresh answers "
              "with a new one.", "flag"),
        Field("dpop_bound_access_tokens", "Tokens are bound to a key", "A stolen token is of no "
              "use without it (DPoP, RFC 9449).", "flag"),
        Field("rotate_refresh_tokens", "Refresh tokens are spent", "Each refresh answers with a "
              "new one.", "flag"),
        Field("subject_type", "Knows people by a sub that is", "Its own: apps cannot compare.",
              "choice", SUBJECTS),
        Field("sector_identifier_uri", "Shares its subs with", "Where a list of redirect addresses "
              "is that have one sub together; https. For subs of its own."),
    )  # fmt: skip


_LENGTHS: Final = (
    Field("access_token_lifetime", "Access tokens", "Such as 10m. Empty: the broker's.", "time"),
    Field("id_token_lifetime", "ID tokens", "Such as 10m. Empty: the broker's.", "time"),
    Field("grant_lifetime", "Refresh tokens end", "In any case after, such as 90d.", "time"),
    Field("grant_idle", "Unused they end", "After, such as 30d.", "time"),
)  # fmt: skip
_PEOPLE: Final = (
    Field("client_uri", "Home page", "https."),
    Field("logo_uri", "Logo", "https."),
    Field("policy_uri", "Privacy policy", "https."),
    Field("tos_uri", "Terms of service", "https."),
    Field("support_uri", "Help", "Where its people find it; https or mailto."),
    Field("brand_accent", "Colour", "Of buttons and links on pages that speak of it, such as "
          "#4752c4, dark enough to be read on white. Empty: the broker's."),
    Field("translations", "In other languages", "Name and addresses for whoever reads that "
          "language, one a line: client_name#ko = …, client_uri#ko = https://…; logo_uri, "
          "policy_uri, tos_uri, support_uri too.", "translations"),
    Field("contacts", "Contacts", "E-mail addresses of who runs it, for you; one a line.", "lines"),
    Field("software_id", "Software", "Which software it is, for you."),
    Field("software_version", "Its version", "For you."),
)  # fmt: skip

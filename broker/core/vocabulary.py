"""The words of the specifications, each written once.

Sources: RFC 6749 (OAuth 2.0), OpenID Connect Core 1.0, RFC 7636 (PKCE), RFC 8628 (device grant),
RFC 8693 (token exchange), RFC 9068 (JWT access tokens), RFC 9207 (issuer identification).
"""

from typing import Final

from keys.algorithms import ALGORITHMS

# Scopes: OpenID Connect Core §5.4 and §11.
SCOPE_OPENID: Final = "openid"
SCOPE_PROFILE: Final = "profile"
SCOPE_EMAIL: Final = "email"
SCOPE_OFFLINE: Final = "offline_access"
SCOPES: Final = (SCOPE_OPENID, SCOPE_PROFILE, SCOPE_EMAIL, SCOPE_OFFLINE)

# Scopes of our own, for clients that are registered for them and for guilds.
SCOPE_GUILDS: Final = "guilds"  # the claim guilds: what the person is in each of them
SCOPE_ROLES: Final = "roles"  # the claim roles: the app's own roles, by its mapping
SCOPE_GROUPS: Final = "groups"  # the same under the name that other apps look for
COMMUNITY_SCOPES: Final = (SCOPE_GUILDS, SCOPE_ROLES, SCOPE_GROUPS)
PERSONAL_SCOPES: Final = (*SCOPES, *COMMUNITY_SCOPES)  # all that release something of a person

# What each scope releases: OpenID Connect Core §5.4.
CLAIMS_OF_SCOPE: Final[dict[str, tuple[str, ...]]] = {
    SCOPE_PROFILE: ("name", "preferred_username", "picture", "locale", "updated_at"),
    SCOPE_EMAIL: ("email", "email_verified"),
    SCOPE_GUILDS: (SCOPE_GUILDS,),
    SCOPE_ROLES: (SCOPE_ROLES,),
    SCOPE_GROUPS: (SCOPE_GROUPS,),
}

# How old what is said of communities is: UTC seconds of when the oldest of it was read.
CLAIM_AS_OF: Final = "membership_as_of"

# Grant types: RFC 6749 §4.1.3 and §6.
GRANT_CODE: Final = "authorization_code"
GRANT_REFRESH: Final = "refresh_token"
GRANT_TYPES: Final = (GRANT_CODE, GRANT_REFRESH)  # what a client gets unless told otherwise
GRANT_CLIENT: Final = "client_credentials"  # RFC 6749 §4.4
GRANT_DEVICE: Final = "urn:ietf:params:oauth:grant-type:device_code"  # RFC 8628 §3.4
GRANT_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"  # RFC 8693 §2.1

# Prompts: OpenID Connect Core §3.1.2.1.
PROMPT_NONE: Final = "none"
PROMPT_LOGIN: Final = "login"
PROMPT_CONSENT: Final = "consent"
PROMPT_SELECT: Final = "select_account"
PROMPTS: Final = (PROMPT_NONE, PROMPT_LOGIN, PROMPT_CONSENT, PROMPT_SELECT)

# Authentication context: Core §2 has 0 for one that meets no level of ISO/IEC 29115. Discord does
# not say how it has authenticated somebody, so nothing better can be claimed.
ACR: Final = "0"

# Client authentication: OpenID Connect Core §9.
AUTH_NONE: Final = "none"
AUTH_BASIC: Final = "client_secret_basic"
AUTH_POST: Final = "client_secret_post"
AUTH_KEY: Final = "private_key_jwt"
AUTH_METHODS: Final = (AUTH_NONE, AUTH_BASIC, AUTH_POST, AUTH_KEY)

# What DPoP proofs are signed with. FAPI 2.0 §5.4.1 wants them without RS256, and whoever has an RSA
# key can do PS256.
DPOP_ALGORITHMS: Final = tuple(name for name in ALGORITHMS if name != "RS256")

# Subject identifier types: OpenID Connect Core §8.
SUBJECT_PUBLIC: Final = "public"
SUBJECT_PAIRWISE: Final = "pairwise"

# Response modes: OAuth 2.0 Multiple Response Type Encoding Practices §2.1, Form Post Response Mode.
MODE_QUERY: Final = "query"
MODE_FRAGMENT: Final = "fragment"
MODE_FORM_POST: Final = "form_post"

# Application types: OpenID Connect Registration §2.
APPLICATION_WEB: Final = "web"
APPLICATION_NATIVE: Final = "native"

# JWT types: RFC 9068 §2.1, OpenID Connect Core §2.
TYP_ACCESS: Final = "at+jwt"
TYP_ID: Final = "JWT"

# The longest value of any one parameter that a request may carry, in characters.
MAX_PARAMETER: Final = 4096

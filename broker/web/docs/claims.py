"""What stands in tokens, one line each: for the overview and for the page that decodes them."""

from typing import Final

# Claim or header parameter → (where it stands, what it says).
ID, ACCESS, BOTH, HEADER = "ID token", "access token", "both tokens", "header"

HEADERS: Final[dict[str, str]] = {
    "alg": "How it is signed. Compare it with a fixed list of yours; never take it from here.",
    "kid": "Which of the public keys verifies it.",
    "typ": "at+jwt is an access token, JWT an ID token: never take one for the other.",
}

CLAIMS: Final[dict[str, tuple[str, str]]] = {
    "iss": (BOTH, "Who made it: this broker. Compare it exactly."),
    "sub": (BOTH, "The person, for ever, whatever they are called. Store this one."),
    "aud": (BOTH, "Whom it is for: the app in an ID token, your API in an access token."),
    "exp": (BOTH, "Until when it counts, in UTC seconds."),
    "iat": (BOTH, "When it was made."),
    "auth_time": (
        BOTH,
        "When the person was last seen to sign in, if known; max_age asks for it.",
    ),
    "nonce": (ID, "What the app sent along: it proves that this token answers that request."),
    "at_hash": (ID, "A digest of the access token that came with it."),
    "sid": (ID, "The browser's session; back-channel logout names it."),
    "acr": (ID, "How strong the sign-in was, where asked for; always 0."),
    "client_id": (ACCESS, "The app that got it."),
    "scope": (ACCESS, "What it may do, separated by spaces."),
    "jti": (ACCESS, "Its own identifier; opaque."),
    "cnf": (ACCESS, "The key that it is bound to (DPoP): worthless without a proof."),
    "act": (ACCESS, "Who acts for the person, after a token exchange."),
    "name": (ID, "What the person wants to be called. May change."),
    "preferred_username": (ID, "Their username. May change, and be another person's later."),
    "picture": (ID, "Address of their avatar."),
    "locale": (ID, "Their language."),
    "updated_at": (ID, "When these last changed."),
    "email": (ID, "Their address; may be missing. Not an identifier."),
    "email_verified": (ID, "Whether the address was proven to be theirs."),
    "guilds": (ID, "Which of the app's Discord servers they are in, with nickname and roles."),
    "roles": (BOTH, "The app's own roles, mapped from those on Discord."),
    "groups": (BOTH, "The same under the name that other apps look for."),
    "membership_as_of": (BOTH, "When the oldest of what is said of servers was read."),
}

# Fields of answers, for the page that shows them.
FIELDS: Final[dict[str, str]] = {
    "access_token": "For your API: a JWT, verified without asking anybody.",
    "id_token": "For the app alone: says who signed in.",
    "refresh_token": "Gets the next tokens, once. Opaque.",
    "token_type": "How it is to be sent: Authorization: Bearer …",
    "expires_in": "Seconds that the access token lives.",
    "code": "Good for one exchange, for a minute, with the verifier alone.",
    "state": "Has to be the one that was sent: so nobody slips in an answer of their own.",
    "response_type": "The code flow; there is no other.",
    "redirect_uri": "Where the answer goes. Has to be registered, to the letter.",
    "code_challenge": "SHA-256 of the verifier, which stays in this page until the code is here.",
    "code_challenge_method": "S256 for everybody; plain never.",
    "prompt": "consent: ask again, although it was allowed before.",
    "grant_type": "What is exchanged.",
    "code_verifier": "Proves that whoever redeems the code began the sign-in.",
}

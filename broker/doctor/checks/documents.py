"""The discovery document, and what it shares with the JWKS: media type, CORS, cookies."""

from collections.abc import Mapping
from typing import Any, Final

from broker.doctor import caching
from broker.doctor.model import Answer, Finding, Look, Silence, fail, ok, quoted, warn
from broker.doctor.places import is_safe, origin
from broker.doctor.wording import span

JSON: Final = "application/json"
JWK_SET: Final = "application/jwk-set+json"
LONGEST_DISCOVERY: Final = 86400.0


def status(name: str, look: Look) -> Finding:
    """Judge whether a document was there."""
    if isinstance(look, Silence):
        cure = "make sure that every verifier can reach it: firewall, DNS, the proxy's routes"
        return fail(name, f"{look.url}: {look.reason}", cure)
    if look.status == 200:
        return ok(name, look.url)
    return fail(name, f"{look.url} answered {look.status}", _status_cure(look.status))


def _status_cure(found: int) -> str:
    if found in {401, 403}:
        return "let everybody read it: it is public (a firewall rule or bot check refuses us)"
    if found == 404:
        return "route /.well-known/ to the broker, and check that the address is its BROKER_ISSUER"
    if found == 429:
        return "take it out of the proxy's rate limit, or raise that"
    if found >= 500:
        return "look at the broker's /readyz and its log; no verifier can learn a new key meanwhile"
    return "let the proxy hand on the broker's own answer"


def media_type(answer: Answer, *accepted: str) -> Finding:
    """Judge the content type; the first of the accepted ones is named in the cure."""
    found = answer.media_type
    if found in accepted:
        return ok("media type", found)
    cure = f"send Content-Type: {accepted[0]}; a proxy's error or log-in page is often the cause"
    return fail("media type", f"it is {quoted(found or 'missing')}", cure)


def issuer(metadata: Mapping[str, Any], asked: str) -> Finding:
    """Judge `issuer`: exactly the URL asked (OpenID Connect Discovery §4.3)."""
    found = metadata.get("issuer")
    if found == asked:
        return ok("issuer", "names itself exactly as it was asked")
    seen = f"names itself {quoted(found)}, asked was {quoted(asked)}"
    if isinstance(found, str) and found.rstrip("/").lower() == asked.lower():
        return fail("issuer", seen, f"compared to the letter: use {found} in every verifier")
    cure = "set BROKER_ISSUER to the public address; a verifier refuses the document as it is"
    return fail("issuer", seen, cure)


def jwks_uri(metadata: Mapping[str, Any], asked: str) -> Finding:
    """Judge where the document says the keys are."""
    found = metadata.get("jwks_uri")
    if not isinstance(found, str) or not found:
        cure = "no verifier finds the keys: hand on the broker's own document"
        return fail("jwks_uri", "missing", cure)
    try:
        theirs = origin(found)
    except ValueError:
        theirs = ("", "", 0)
    if theirs[0] not in {"http", "https"} or not theirs[1]:
        return fail("jwks_uri", f"{quoted(found)} is no http URL", "set BROKER_ISSUER")
    if not is_safe(found):
        cure = "set BROKER_ISSUER to the https address: keys over plain http prove nothing"
        return fail("jwks_uri", f"{found} is plain http", cure)
    if theirs != origin(asked):
        cure = "let it be of the issuer's own origin: who holds the other host makes keys for you"
        return warn("jwks_uri", f"{found} is of another origin than the issuer", cure)
    return ok("jwks_uri", found)


def algorithms(metadata: Mapping[str, Any]) -> Finding:
    """Judge the advertised algorithms: RS256 must be there (OpenID Connect Discovery §3)."""
    found = advertised(metadata)
    if not found:
        cure = (
            "hand on the broker's own document: id_token_signing_alg_values_supported is required"
        )
        return fail("algorithms", "none advertised", cure)
    shown = ", ".join(found)
    if weak := [alg for alg in found if alg == "none" or alg.startswith("HS")]:
        cure = f"take {', '.join(weak)} out: with it anybody, or any client, can make tokens"
        return fail("algorithms", shown, cure)
    if "RS256" not in found:
        cure = "offer RS256 as well: it is the one every verifier knows, and required"
        return fail("algorithms", f"{shown}, without RS256", cure)
    return ok("algorithms", shown)


def advertised(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the algorithms a discovery document names."""
    found = metadata.get("id_token_signing_alg_values_supported")
    if not isinstance(found, list):
        return ()
    return tuple(dict.fromkeys(alg for alg in found if isinstance(alg, str)))


def cors(look: Look | None) -> Finding | None:
    """Judge whether a page of any origin may read it, and without credentials."""
    if not isinstance(look, Answer):
        return None
    allowed = look.header("access-control-allow-origin")
    credentials = (look.header("access-control-allow-credentials") or "").strip().lower()
    if credentials == "true":
        cure = "drop Access-Control-Allow-Credentials: nothing in here is for one person"
        return fail("CORS", f"allows {quoted(allowed)} with credentials", cure)
    if allowed == "*":
        return ok("CORS", "any page may read it, without credentials")
    cure = "send Access-Control-Allow-Origin: * once, as the broker does: apps in browsers read it"
    if allowed is None:
        return warn("CORS", "no Access-Control-Allow-Origin came", cure)
    return warn("CORS", f"Access-Control-Allow-Origin is {quoted(allowed)}", cure)


def cookies(answer: Answer, *, shared: bool) -> Finding:
    """Judge that no cookie comes along; of a JWKS (``shared``) one is wrong, else a risk."""
    names = [text.split("=")[0] for key, text in answer.headers if key == "set-cookie"]
    if not names:
        return ok("cookies", "none")
    seen = f"sets {', '.join(quoted(name) for name in names)}"
    cure = "switch it off for /.well-known/: caches keep nothing that sets one, or hand it to all"
    return (fail if shared else warn)("cookies", seen, cure)


def kept(answer: Answer) -> Finding:
    """Judge for how long discovery may be kept."""
    seconds = caching.lifetime(answer)
    if seconds is None:
        cure = "hand on the broker's Cache-Control; without it each client guesses"
        return warn("caching", "does not say for how long it may be kept", cure)
    if seconds == 0:
        cure = "hand on the broker's Cache-Control: every sign-in may ask for it anew"
        return warn("caching", "may not be kept", cure)
    if seconds > LONGEST_DISCOVERY:
        cure = "a day is enough: a moved endpoint is found only when it ends"
        return warn("caching", f"may be kept for {span(seconds)}", cure)
    return ok("caching", f"may be kept for {span(seconds)}")

"""What the doctor looks at: other people's deployments, keys and tokens."""

from typing import Any, Final

from hypothesis import strategies as st

from broker.doctor import caching, key_sets, places
from broker.doctor.checks import documents as documents_checks
from broker.doctor.checks import id_token, provider, token
from broker.doctor.model import Answer
from tests.core.helpers import NOW
from tests.fuzz.far_side import CACHING, CLAIMS, DOCUMENT, Given, answers
from tests.fuzz.given import addresses, nested, objects, sound_but, tokens
from tests.fuzz.parser import Parser, each, whatever
from tests.fuzz.protocol import ISSUER, OURS, SIGNS, jwk_sets

HEADER: Final = {"alg": "ES256", "typ": "at+jwt", "kid": "one"}


def looked_at(given: Given) -> Any:
    status, headers, body = given
    found = Answer(ISSUER, status, tuple(headers), body, at=NOW)
    control = caching.control_of(found)
    told = (control, control and control.contradicts, caching.lifetime(found), caching.age(found))
    return [told, key_sets.keys_in(found)]


def token_judged(given: tuple[dict[str, Any], dict[str, Any], dict[str, Any]]) -> Any:
    header, claims, key = given
    seen = token.Token(header, claims, b"a.b", b"c")
    found = [token.algorithm(seen), token.kind(seen), token.fits(seen, key)]
    found += [token.signature(seen, key), token.issued_by(seen, ISSUER), *token.times(seen, NOW)]
    judges = (
        id_token.kind(seen),
        id_token.algorithm(seen, DOCUMENT),
        id_token.issued_by(claims, ISSUER),
        id_token.subject(claims),
        id_token.audience(claims, "us"),
        id_token.expiry(claims, NOW),
        id_token.age(claims, NOW),
        id_token.name(claims),
    )
    return [*found, *judges]


def as_discord_takes_it(text: str) -> Any:
    found = places.configured(text)
    return [judge(found) for judge in (provider.form, provider.host, provider.scheme)]


PARSERS: Final[dict[str, Parser]] = {
    "what the doctor sees": Parser(looked_at, answers(jwk_sets, *CACHING), judge=whatever),
    "keys that the doctor sees": Parser(
        each(key_sets.usable, key_sets.kid_of, key_sets.bits),
        sound_but(SIGNS.jwk) | sound_but(OURS.jwk) | objects("kty", "crv", "kid"),
        judge=whatever,
    ),
    "documents that the doctor sees": Parser(
        each(
            lambda seen: documents_checks.issuer(seen, ISSUER),
            lambda seen: documents_checks.jwks_uri(seen, ISSUER),
            documents_checks.algorithms,
            lambda seen: provider.issuer(seen, ISSUER),
            provider.jwks_uri,
            provider.algorithms,
        ),
        sound_but(DOCUMENT) | objects("issuer", "jwks_uri"),
        seeds=({"issuer": nested(1500, "list"), "jwks_uri": nested(1500, "object")},),
    ),
    "tokens that the doctor sees": Parser(
        token_judged,
        st.tuples(sound_but(HEADER), sound_but(CLAIMS), sound_but(SIGNS.jwk | {"alg": "ES256"})),
        seeds=tuple(
            (HEADER | {"alg": one, "typ": one}, CLAIMS | {"iss": one}, SIGNS.jwk | {"alg": two})
            for one in (nested(1500, "list"), {}, [])
            for two in ("ES256", nested(1500, "object"), [1])
        ),
    ),
    "tokens to judge": Parser(
        token.parse,
        tokens("iss"),
        (token.NotATokenError,),
        whatever,
        (SIGNS.sign({"iss": ISSUER}), f"Bearer {SIGNS.sign({})}", SIGNS.sign("[" * 5000)),
    ),
    "issuers to look at": Parser(places.issuer_of, addresses, (places.NotAnAddressError,)),
    "issuers as Discord takes them": Parser(
        as_discord_takes_it, addresses, (places.NotAnAddressError,), whatever
    ),
}

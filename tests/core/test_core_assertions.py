"""Client assertions (private_key_jwt): who is believed, once, and nobody else."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.core.assertions import JWT_BEARER, Assertions
from broker.core.client_keys import ClientKeys
from broker.core.clients import authenticate
from broker.core.errors import InvalidClient, InvalidRequest, StoreUnavailable
from broker.core.model import Client
from broker.core.ports import Fetched
from broker.core.published_keys import PublishedKeys
from tests.core.helpers import NOW, Hands, Known, kept, params
from tests.core.signers import Signs, jwks, signs
from tests.protocol.tokens import b64

ISSUER = "https://id.example"
URI = "https://client.example/jwks"
MAKERS = {alg: signs(alg, alg) for alg in ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")}
EC, RSA = MAKERS["ES256"], MAKERS["RS256"]
KEYS = jwks(*MAKERS.values())
SIGNS = Client("signs", "Signs", auth_method="private_key_jwt", jwks=KEYS)
CLIENTS = (
    SIGNS,
    replace(SIGNS, client_id="off", disabled=True),
    replace(SIGNS, client_id="one-alg", token_endpoint_auth_signing_alg="PS256"),
    replace(SIGNS, client_id="secret", auth_method="client_secret_basic", secrets=(kept("x"),)),
    replace(SIGNS, client_id="public", auth_method="none"),
    replace(SIGNS, client_id="keyless", jwks=None),
    replace(SIGNS, client_id="published", jwks=None, jwks_uri=URI),
    replace(SIGNS, client_id="leftover", secrets=(kept("x"),)),
    replace(
        SIGNS, client_id="fapi", require_pushed_authorization_requests=True,
        dpop_bound_access_tokens=True,
    ),
)  # fmt: skip


@dataclass
class Remembers:
    """The ``Once`` port over a dictionary."""

    used: dict[str, int] = field(default_factory=dict)
    away: bool = False

    async def spend_once(self, digest: str, ttl: int) -> bool:
        if self.away:
            raise StoreUnavailable(private="away")
        fresh = digest not in self.used
        self.used.setdefault(digest, ttl)
        return fresh


@dataclass
class Site:
    """The address of a client's keys."""

    value: Any = None
    asked: int = 0

    def check(self, url: str) -> None:
        """Not used here."""

    async def post_form(self, url: str, fields: Any) -> int:
        return 200

    async def get_json(self, url: str, *, limit: int) -> Fetched:
        self.asked += 1
        return Fetched(self.value, None)


@dataclass
class Door:
    """Where clients authenticate."""

    once: Remembers = field(default_factory=Remembers)
    site: Site = field(default_factory=Site)
    clock: Hands = field(default_factory=Hands)

    def __post_init__(self) -> None:
        self.clients = Known(*CLIENTS)
        keys = ClientKeys(PublishedKeys(self.site, self.clock))
        self.assertions = Assertions(
            ISSUER, self.clients, keys, self.once, clock=self.clock, skew=60
        )

    async def knock(
        self, assertion: str | None, authorization: str | None = None, **fields: str | None
    ) -> Client:
        named = {"client_assertion_type": JWT_BEARER, "client_assertion": assertion} | fields
        given = {name: value for name, value in named.items() if value is not None}
        return await authenticate(
            self.clients, params(**given), authorization, now=NOW, assertions=self.assertions
        )


@pytest.fixture
def door() -> Door:
    return Door()


def claims(client_id: str = "signs", **changes: Any) -> dict[str, Any]:
    """The claims of a good assertion; None leaves one out."""
    found = {
        "iss": client_id, "sub": client_id, "aud": ISSUER, "jti": "j1", "iat": NOW, "exp": NOW + 60,
    } | changes  # fmt: skip
    return {name: value for name, value in found.items() if value is not None}


@pytest.mark.parametrize("alg", MAKERS)
async def test_every_algorithm_that_the_metadata_names(door: Door, alg: str) -> None:
    """OpenID Connect Core §9; with and without a client_id beside it."""
    assert (await door.knock(MAKERS[alg].sign(claims()))).client_id == "signs"
    second = MAKERS[alg].sign(claims(jti="j2"))
    assert (await door.knock(second, client_id="signs")).client_id == "signs"


GOOD: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    **{
        f"aud: where to {path}": ({"aud": f"{ISSUER}/{path}"}, {})
        for path in ("token", "par", "introspect", "revoke", "device_authorization")
    },
    "aud: a list of one": ({"aud": [ISSUER]}, {}),
    "aud: several of ours": ({"aud": [ISSUER, f"{ISSUER}/token"]}, {}),
    "an hour long, as libraries make them": ({"exp": NOW + 3600}, {}),
    "made eight seconds ahead": ({"iat": NOW + 8, "nbf": NOW + 8}, {}),
    "no iat": ({"iat": None}, {}),
    "exp with a fraction": ({"exp": NOW + 1.5}, {}),
    "a type": ({}, {"typ": "JWT"}),
    "its own type": ({}, {"typ": "client-authentication+jwt"}),
    "no kid": ({}, {"kid": None}),
    "certificate's digest": ({}, {"x5t": "abc"}),
    "claims of its own": ({"custom": [1]}, {}),
}


@pytest.mark.parametrize("case", GOOD)
async def test_what_libraries_send(door: Door, case: str) -> None:
    """Different, and well."""
    changes, header = GOOD[case]
    assert (await door.knock(EC.sign(claims(**changes), **header))).client_id == "signs"


def other(client_id: str, **changes: Any) -> str:
    return EC.sign(claims(client_id, **changes))


def resigned() -> str:
    head, _, signature = EC.sign(claims(jti="other")).split(".")
    return f"{head}.{b64(claims())}.{signature}"


BAD: dict[str, str] = {
    "expired": EC.sign(claims(exp=NOW)),
    "no exp": EC.sign(claims(exp=None)),
    "exp is text": EC.sign(claims(exp="soon")),
    "exp is a truth": EC.sign(claims(exp=True)),
    "exp is endless": EC.sign(claims(exp=10**400)),
    "exp is infinite": EC.sign(claims(exp=float("inf"))),
    "exp is no number": EC.sign(claims(exp=float("nan"))),
    "too long-lived": EC.sign(claims(exp=NOW + 3661)),
    "iat too far ahead": EC.sign(claims(iat=NOW + 61)),
    "nbf too far ahead": EC.sign(claims(nbf=NOW + 61)),
    "iat is a truth": EC.sign(claims(iat=True)),
    "no iss": EC.sign(claims(iss=None)),
    "iss differs": EC.sign(claims(iss="other")),
    "no sub": EC.sign(claims(sub=None)),
    "sub differs": EC.sign(claims(sub="other")),
    "sub is a list": EC.sign(claims(sub=["signs"], iss=["signs"])),
    "sub cannot be written": EC.sign(claims(iss="\ud800", sub="\ud800")),
    "no aud": EC.sign(claims(aud=None)),
    "aud of another": EC.sign(claims(aud="https://other.example")),
    "aud with a slash": EC.sign(claims(aud=f"{ISSUER}/")),
    "aud of another, too": EC.sign(claims(aud=[ISSUER, "https://other.example"])),
    "aud of no endpoint that asks who": EC.sign(claims(aud=f"{ISSUER}/authorize")),
    "aud is empty": EC.sign(claims(aud=[])),
    "aud holds a number": EC.sign(claims(aud=[ISSUER, 5])),
    "no jti": EC.sign(claims(jti=None)),
    "jti is a number": EC.sign(claims(jti=7)),
    "jti is empty": EC.sign(claims(jti="")),
    "jti is endless": EC.sign(claims(jti="j" * 600)),
    "jti cannot be written": EC.sign(claims(jti="\ud800")),
    "unknown client": other("nobody"),
    "switched off": other("off"),
    "registered for a secret": other("secret"),
    "public": other("public"),
    "without keys": other("keyless"),
    "another algorithm than registered": RSA.sign(claims("one-alg")),
    "tampered with": resigned(),
    "key of another": signs("ES256", "stranger").sign(claims(), kid="ES256"),
    "unknown kid": EC.sign(claims(), kid="unknown"),
    "kid of another kind": EC.sign(claims(), kid="RS256"),
    "kid is a number": EC.sign(claims(), kid=5),
    "alg none": EC.sign(claims(), alg="none"),
    "unsigned": f"{b64({'alg': 'none'})}.{b64(claims())}.",
    "HS256": EC.sign(claims(), alg="HS256"),
    "alg is a list": EC.sign(claims(), alg=["ES256"]),
    "no alg": EC.sign(claims(), alg=None),
    "RS512": EC.sign(claims(), alg="RS512"),
    "crit": EC.sign(claims(), crit=["exp"]),
    "empty crit": EC.sign(claims(), crit=[]),
    "b64": EC.sign(claims(), b64=True),
    "key in the header": EC.sign(claims(), jwk=EC.jwk),
    "jku": EC.sign(claims(), jku=URI),
    "x5u": EC.sign(claims(), x5u=URI),
    "zip": EC.sign(claims(), zip="DEF"),
    "enc": EC.sign(claims(), enc="A256GCM"),
    "a DPoP proof": EC.sign(claims(), typ="dpop+jwt"),
    "a request object": EC.sign(claims(), typ="oauth-authz-req+jwt"),
    "an access token": EC.sign(claims(), typ="at+jwt"),
    "typ is a number": EC.sign(claims(), typ=5),
    "a claim twice": EC.sign('{"sub":"other","sub":"signs"}'),
    "a list": EC.sign("[]"),
    "no JSON": EC.sign("{"),
    "deep JSON": EC.sign("[" * 1500),
    "garbage": "garbage",
    "two parts": "a.b",
    "five parts": "a.b.c.d.e",
    "no base64": "a.b.c",
    "spaces": f" {EC.sign(claims())}",
    "what base64 passes by": f"{EC.sign(claims())}!!!!",
}


@pytest.mark.parametrize("case", BAD)
async def test_what_is_not_proven_is_refused_alike(door: Door, case: str) -> None:
    """401 invalid_client, always in the same words; nothing is spent."""
    with pytest.raises(InvalidClient) as caught:
        await door.knock(BAD[case])
    assert caught.value.public == InvalidClient.title
    assert not door.once.used


async def test_an_assertion_counts_once(door: Door) -> None:
    """RFC 7523 §3 jti; remembered longer than any clock would take it."""
    assertion = EC.sign(claims())
    await door.knock(assertion)
    with pytest.raises(InvalidClient):
        await door.knock(assertion)
    with pytest.raises(InvalidClient):
        await door.knock(RSA.sign(claims(exp=NOW + 90)))
    await door.knock(EC.sign(claims(jti="j2")))
    await door.knock(other("leftover"))
    assert len(door.once.used) == 3
    assert all(isinstance(ttl, int) and 60 + 60 <= ttl <= 122 for ttl in door.once.used.values())


async def test_the_longest_lived_is_remembered_longest(door: Door) -> None:
    """Until the last process has given it up whose clock is a minute behind."""
    await door.knock(EC.sign(claims(exp=NOW + 3660)))
    (ttl,) = door.once.used.values()
    assert 3660 + 60 < ttl <= 3660 + 62


async def test_replays_are_not_let_in_while_redis_is_away(door: Door) -> None:
    """Nothing fails open."""
    door.once.away = True
    with pytest.raises(StoreUnavailable):
        await door.knock(EC.sign(claims()))


async def test_the_registered_algorithm(door: Door) -> None:
    """OpenID Connect Registration §2 token_endpoint_auth_signing_alg."""
    assertion = MAKERS["PS256"].sign(claims("one-alg"))
    assert (await door.knock(assertion)).client_id == "one-alg"


async def test_fapi_takes_no_rs256(door: Door) -> None:
    """FAPI 2.0 Security Profile §5.4.1; others may."""
    with pytest.raises(InvalidClient):
        await door.knock(RSA.sign(claims("fapi")))
    for alg in ("PS256", "ES256", "Ed25519"):
        assert await door.knock(MAKERS[alg].sign(claims("fapi", jti=alg)))


@pytest.mark.parametrize(
    "aud", [f"{ISSUER}/token", f"{ISSUER}/par", [ISSUER], [f"{ISSUER}/par"], None]
)
async def test_fapi_takes_the_issuer_alone(door: Door, aud: Any) -> None:
    """FAPI 2.0 Security Profile §5.3.2.1: from clients that push and are bound, a text."""
    with pytest.raises(InvalidClient):
        await door.knock(other("fapi", aud=aud))
    assert (await door.knock(other("fapi"))).client_id == "fapi"


BASIC = "Basic c2VjcmV0Ong="  # secret:x


@pytest.mark.parametrize(
    ("assertion", "authorization", "fields"),
    [
        (EC.sign(claims()), BASIC, {}),
        (EC.sign(claims()), "Bearer x", {}),
        (EC.sign(claims()), None, {"client_secret": "x"}),
        (EC.sign(claims()), None, {"client_assertion_type": None}),
        (None, None, {}),
        (None, BASIC, {}),
    ],
)
async def test_one_way_and_all_of_it(
    door: Door, assertion: str | None, authorization: str | None, fields: dict[str, str | None]
) -> None:
    """RFC 6749 §2.3 and RFC 7521 §4.2: one method, both of its parameters."""
    with pytest.raises(InvalidRequest):
        await door.knock(assertion, authorization, **fields)


@pytest.mark.parametrize(
    "fields", [{"client_id": "other"}, {"client_assertion_type": f"{JWT_BEARER}x"}]
)
async def test_what_is_beside_it_has_to_fit(door: Door, fields: dict[str, str]) -> None:
    """Another client's name, or another kind of assertion."""
    with pytest.raises(InvalidClient):
        await door.knock(EC.sign(claims()), **fields)


async def test_a_client_that_signs_has_no_other_way(door: Door) -> None:
    """Its old secret is no proof any more, nor is its name."""
    for more in ({"client_secret": "x"}, {}):
        with pytest.raises(InvalidClient):
            await authenticate(door.clients, params(client_id="leftover", **more), None, now=NOW)


async def test_assertions_where_none_are_taken(door: Door) -> None:
    """Never taken for something else."""
    with pytest.raises(InvalidClient):
        given = {"client_assertion": "a.b.c", "client_assertion_type": JWT_BEARER}
        await authenticate(door.clients, params(client_id="public", **given), None, now=NOW)


async def test_keys_behind_an_address(door: Door) -> None:
    """Read once; a new key is found when it is first used, a withdrawn one ends with the cache."""
    new: Signs = signs("ES256", "new")
    door.site.value = jwks(EC)
    await door.knock(other("published"))
    await door.knock(other("published", jti="j2"))
    assert door.site.asked == 1
    door.site.value = jwks(EC, new)
    door.clock.at += 59
    with pytest.raises(InvalidClient):
        await door.knock(new.sign(claims("published", jti="j3", exp=NOW + 120)))
    assert door.site.asked == 1
    door.clock.at += 1
    await door.knock(new.sign(claims("published", jti="j3", exp=NOW + 120)))
    assert door.site.asked == 2
    door.site.value = jwks(new)
    door.clock.at += 600
    with pytest.raises(InvalidClient):
        await door.knock(other("published", jti="j4", exp=NOW + 1000))


async def test_a_new_key_without_a_name(door: Door) -> None:
    """Where no kid says so, a signature that fails has the set read again, too."""
    new: Signs = signs("ES256", "new")
    door.site.value = jwks(EC)
    await door.knock(other("published"))
    door.site.value = jwks(new)
    door.clock.at += 60
    await door.knock(new.sign(claims("published", jti="j2", exp=NOW + 120), kid=None))


@pytest.mark.parametrize("kid", [None, "new"])
async def test_a_set_that_is_read_again_proves_no_more(door: Door, kid: str | None) -> None:
    """Whose key is not in the newer set either has signed nothing, whatever its name."""
    door.site.value = jwks(EC)
    await door.knock(other("published"))
    door.clock.at += 60
    named = claims("published", jti="j2", exp=NOW + 120)
    stranger = signs("ES256", "stranger").sign(named, kid=kid)
    with pytest.raises(InvalidClient):
        await door.knock(stranger)
    assert door.site.asked == 2


@pytest.mark.parametrize("case", ["expired", "aud of another", "no jti", "crit", "alg none"])
async def test_nothing_is_fetched_for_nonsense(door: Door, case: str) -> None:
    """All that costs nothing is judged before a client's address is called."""
    changes = {"expired": {"exp": NOW}, "aud of another": {"aud": "x"}, "no jti": {"jti": None}}
    header: dict[str, Any] = {"crit": {"crit": []}, "alg none": {"alg": "none"}}
    assertion = EC.sign(claims("published", **changes.get(case, {})), **header.get(case, {}))
    with pytest.raises(InvalidClient):
        await door.knock(assertion)
    assert door.site.asked == 0


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
NAMES = st.sampled_from(("iss", "sub", "aud", "exp", "nbf", "iat", "jti"))
MEMBERS = st.sampled_from(("alg", "kid", "typ", "crit", "jwk"))


@settings(max_examples=80, deadline=None)
@given(st.dictionaries(NAMES, JSON, min_size=1), st.dictionaries(MEMBERS, JSON))
async def test_whatever_is_signed_has_an_answer(
    changes: dict[str, Any], header: dict[str, Any]
) -> None:
    """Any claims and any header: known, or refused by name; never anything else."""
    door = Door()
    try:
        assert await door.knock(EC.sign(claims() | changes, **header))
    except InvalidClient:
        assert not door.once.used


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=60) | st.from_regex(r"[\w-]{1,20}\.[\w-]{1,20}\.[\w-]{1,20}"))
async def test_whatever_is_sent_has_an_answer(sent: str) -> None:
    """Not even JWTs."""
    with pytest.raises((InvalidClient, InvalidRequest)):
        await Door().knock(sent)

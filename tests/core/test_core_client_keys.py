"""Keys of clients: which are taken, which are passed by, and when a set is read again."""

import asyncio
import warnings
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from broker.core import published_keys
from broker.core.client_keys import ClientKeys, UnusableKey, choose, faults, read
from broker.core.errors import OutboundFailed
from broker.core.model import Client
from broker.core.ports import Fetched
from broker.core.published_keys import PublishedKeys
from tests.core.helpers import Hands
from tests.core.signers import jwks, signs

RSA, EC, ED = signs("RS256"), signs("ES256", "two"), signs("Ed25519", "three")
URI = "https://client.example/jwks"


def test_what_keys_are_good_for() -> None:
    """RSA signs RS256 and PS256, P-256 signs ES256, Ed25519 signs under both of its names."""
    found = read(jwks(RSA, EC, ED))
    assert [(one.kid, one.algorithms) for one in found] == [
        ("one", ("RS256", "PS256")), ("two", ("ES256",)), ("three", ("EdDSA", "Ed25519")),
    ]  # fmt: skip


def weak(bits: int) -> dict[str, Any]:
    """An RSA key that is too short."""
    public = rsa.generate_private_key(65537, bits).public_key()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)
        return dict(RSAKey.import_key(public).as_dict(private=False))


UNUSABLE: dict[str, Any] = {
    "private": RSA.private_jwk,
    "private on a curve": EC.private_jwk,
    "symmetric": OctKey.generate_key(256).as_dict(private=True),
    "RSA of 1024 bits": weak(1024),
    "RSA of 2040 bits": weak(2040),
    "RSA of 9000 bits": RSA.jwk | {"n": "q" * 1500},
    "another curve": ECKey.generate_key("P-384").as_dict(private=False),
    "Ed448": OKPKey.generate_key("Ed448").as_dict(private=False),
    "X25519": OKPKey.generate_key("X25519").as_dict(private=False),
    "for encryption": RSA.jwk | {"use": "enc"},
    "only to sign with": RSA.jwk | {"key_ops": ["sign"]},
    "key_ops is a number": RSA.jwk | {"key_ops": 5},
    "key_ops is text": RSA.jwk | {"key_ops": "verify"},
    "key_ops is an object": RSA.jwk | {"key_ops": {"verify": True}},
    "alg of encryption": RSA.jwk | {"alg": "RSA-OAEP"},
    "alg not taken": RSA.jwk | {"alg": "RS512"},
    "alg of another type": EC.jwk | {"alg": "RS256"},
    "unknown type": {"kty": "AKP", "pub": "x"},
    "no type": {"n": "x", "e": "AQAB"},
    "a member is missing": {"kty": "RSA", "e": "AQAB"},
    "a member is no text": RSA.jwk | {"n": 5},
    "not base64url": RSA.jwk | {"n": "é"},
    "a point off the curve": EC.jwk | {"y": EC.jwk["x"]},
    "kid is no text": RSA.jwk | {"kid": 7},
    "no object": "key",
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_keys_that_are_passed_by(case: str) -> None:
    """RFC 7517 §5: what cannot be used is passed by, the rest of the set counts."""
    assert [one.kid for one in read({"keys": [UNUSABLE[case], ED.jwk]})] == ["three"]
    assert list(faults({"keys": [UNUSABLE[case]]}))


@pytest.mark.parametrize("value", [None, [], "x", {}, {"keys": {}}, {"keys": [ED.jwk] * 33}])
def test_what_is_no_set(value: Any) -> None:
    """A set is an object with a list of at most 32 keys."""
    with pytest.raises(UnusableKey):
        read(value)
    assert list(faults(value))


def test_a_private_key_among_good_ones_is_told_of() -> None:
    """Who registers a private key has shown it; a set with foreign but public keys is fine."""
    assert "key 2 is private" in next(faults({"keys": [RSA.jwk, EC.private_jwk]}))
    assert not list(faults({"keys": [RSA.jwk, UNUSABLE["for encryption"]]}))
    assert list(faults({"keys": []})) == ["it holds no key"]


def test_choosing_by_name_and_algorithm() -> None:
    """A name finds its key, else the nameless; without a name any that fits may be meant."""
    nameless = {name: value for name, value in signs("RS256", "x").jwk.items() if name != "kid"}
    known = read({"keys": [RSA.jwk, EC.jwk, nameless]})
    assert [one.kid for one in choose(known, "RS256", "one")] == ["one"]
    assert [one.kid for one in choose(known, "RS256", "other")] == [None]
    assert [one.kid for one in choose(known, "PS256", None)] == ["one", None]
    assert choose(known, "ES256", "one") == ()


@dataclass
class Site:
    """An address that answers as it is told; counts how often it was asked."""

    value: object = None
    max_age: int | None = 300
    down: bool = False
    asked: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    def check(self, url: str) -> None:
        """Not used here."""

    async def post_form(self, url: str, fields: Any) -> int:
        return 200

    async def get_json(self, url: str, *, limit: int) -> Fetched:
        self.asked += 1
        await self.gate.wait()
        if self.down:
            raise OutboundFailed(private="down")
        return Fetched(self.value, self.max_age)


@pytest.fixture
def site() -> Site:
    return Site(jwks(RSA))


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
def published(site: Site, clock: Hands) -> PublishedKeys:
    return PublishedKeys(site, clock, size=3)


async def names(published: PublishedKeys, uri: str = URI) -> list[str | None]:
    return [one.kid for one in await published.keys(uri)]


async def test_a_set_is_read_once_while_fresh(
    published: PublishedKeys, site: Site, clock: Hands
) -> None:
    """A hot client's requests make no call, however many come at once."""
    site.gate.clear()
    waiting = [asyncio.create_task(names(published)) for _ in range(20)]
    await asyncio.sleep(0)
    site.gate.set()
    assert await asyncio.gather(*waiting) == [["one"]] * 20
    clock.at += 299
    assert await names(published) == ["one"]
    assert site.asked == 1
    clock.at += 1
    site.value = jwks(EC)
    assert await names(published) == ["two"]
    assert site.asked == 2


@pytest.mark.parametrize(
    ("max_age", "kept"), [(0, 60), (5, 60), (None, 600), (900, 900), (10**6, 3600)]
)
async def test_how_long_a_set_is_kept(
    published: PublishedKeys, site: Site, clock: Hands, max_age: int | None, kept: int
) -> None:
    """As its headers say, between a minute and an hour."""
    site.max_age = max_age
    await published.keys(URI)
    clock.at += kept - 1
    await published.keys(URI)
    assert site.asked == 1
    clock.at += 1
    await published.keys(URI)
    assert site.asked == 2


async def test_an_unknown_key_has_the_set_read_once_a_minute(
    published: PublishedKeys, site: Site, clock: Hands
) -> None:
    """Whoever sends unknown names, the address is asked once a minute at the most."""
    await published.keys(URI)
    assert await published.newer(URI) is None
    clock.at += 60
    site.value = jwks(RSA, EC)
    assert [one.kid for one in await published.newer(URI) or ()] == ["one", "two"]
    assert await published.newer(URI) is None
    assert await names(published) == ["one", "two"]
    assert site.asked == 2


async def test_the_last_set_counts_while_the_address_is_down(
    published: PublishedKeys, site: Site, clock: Hands
) -> None:
    """Another hour, with a call every ten seconds at the most; then nothing is believed."""
    await published.keys(URI)
    site.down = True
    clock.at += 300
    for _ in range(5):
        assert await names(published) == ["one"]
    assert site.asked == 2
    clock.at += 3599
    assert await names(published) == ["one"]
    assert site.asked == 3
    clock.at += 1
    assert await names(published) == []
    clock.at += 10
    site.down = False
    assert await names(published) == ["one"]


@pytest.mark.parametrize("value", ["x", {}, {"keys": "x"}])
async def test_nonsense_is_a_failure(
    published: PublishedKeys, site: Site, clock: Hands, value: object
) -> None:
    """An address that answers with something else has not withdrawn its keys; an empty set has."""
    await published.keys(URI)
    clock.at += 300
    site.value = value
    assert await names(published) == ["one"]
    clock.at += 60
    site.value = {"keys": []}
    assert await names(published) == []


async def test_an_address_that_never_answered_is_left_alone_for_a_while(
    published: PublishedKeys, site: Site, clock: Hands
) -> None:
    """A flood of assertions makes no flood of calls."""
    site.down = True
    for _ in range(5):
        assert await names(published) == []
    assert site.asked == 1
    clock.at += published_keys.RETRY
    site.down = False
    assert await names(published) == ["one"]


async def test_what_is_kept_is_bounded(published: PublishedKeys, site: Site) -> None:
    """The set used longest ago goes first."""
    for number in (1, 2, 3, 1, 4):
        await published.keys(f"{URI}/{number}")
    assert site.asked == 4
    await published.keys(f"{URI}/1")
    assert site.asked == 4
    await published.keys(f"{URI}/2")
    assert site.asked == 5


async def test_inline_keys_are_parsed_once(published: PublishedKeys) -> None:
    """Until the client is edited, which makes another record of it."""
    keys = ClientKeys(published, size=2)
    client = Client("c", "C", jwks=jwks(RSA))
    first = await keys.of(client)
    assert await keys.of(client) is first
    edited = Client("c", "C", jwks=jwks(EC))
    assert [one.kid for one in await keys.of(edited)] == ["two"]
    assert await keys.of(Client("n", "N")) == ()
    assert await keys.of(Client("b", "B", jwks={"keys": 1})) == ()
    assert await keys.newer(client) is None

"""Which algorithm signs what, and what has to be able to sign before anything is spent."""

import hashlib

import pytest

from broker.core.apis import Api
from broker.core.errors import AlgorithmOff, InvalidTarget
from broker.core.model import Client
from broker.core.pkce import encode
from broker.core.signing import audiences
from broker.core.tokens import token_hash
from keys.algorithms import ALGORITHMS
from tests.core.helpers import signing

ONE, TWO, OTHER = "https://one.example", "https://two.example", "https://other.example"
APP = Client("app", "App", resources=(ONE, TWO, OTHER), id_token_signed_response_alg="PS256")
ALL = signing(
    Api(ONE, "One", "ES256"), Api(TWO, "Two", "ES256"), Api("app", "Own", "EdDSA"),
    on=tuple(ALGORITHMS),
)  # fmt: skip


def test_whom_a_token_is_for() -> None:
    """The resources asked for, else the client's audience, else the client (RFC 9068 §3)."""
    assert audiences(APP, (ONE,)) == (ONE,)
    assert audiences(Client("app", "App", audience="a"), ()) == ("a",)
    assert audiences(APP, ()) == ("app",)


async def test_each_token_has_its_own() -> None:
    """The client's for ID tokens, the API's for access tokens, RS256 for what is not registered."""
    assert ALL.of_id_token(APP) == "PS256"
    assert await ALL.of_access_token(APP, ()) == "EdDSA"
    assert await ALL.of_access_token(APP, (ONE, TWO)) == "ES256"
    assert await ALL.of_access_token(APP, (OTHER,)) == "RS256"


async def test_one_token_has_one_signature() -> None:
    """Resources of different algorithms go not into one token."""
    with pytest.raises(InvalidTarget):
        await ALL.of_access_token(APP, (ONE, OTHER))
    with pytest.raises(InvalidTarget):
        await ALL.needed(APP, (ONE, OTHER), id_token=True)


async def test_what_an_answer_needs() -> None:
    """What is named counts alone; where nothing is, whatever the grant may turn out to hold."""
    assert await ALL.needed(APP, (ONE,), id_token=False) == {"ES256"}
    assert await ALL.needed(APP, (ONE,), id_token=True) == {"ES256", "PS256"}
    assert await ALL.needed(APP, (), id_token=False) == {"EdDSA", "ES256", "RS256"}
    plain = Client("plain", "Plain")
    assert await ALL.needed(plain, (), id_token=True) == {"RS256"}


async def test_foreign_resources_need_nothing() -> None:
    """They are refused elsewhere, and say nothing of how they would be signed."""
    foreign = signing(Api("https://evil.example", "Evil", "ES256"))
    client = Client("app", "App", resources=(ONE,))
    named = ("https://evil.example", ONE)
    assert await foreign.needed(client, named, id_token=True) == {"RS256"}
    with pytest.raises(InvalidTarget):
        await foreign.needed(client, named[:1], id_token=True)


async def test_nothing_falls_back() -> None:
    """An algorithm that is off is an error that names whom to look at, in the log alone."""
    off = signing(Api(ONE, "One", "ES256"))
    client = Client("app", "App", resources=(ONE,), id_token_signed_response_alg="PS256")
    with pytest.raises(AlgorithmOff) as caught:
        off.of_id_token(client)
    assert "app" in caught.value.private
    assert "app:" not in caught.value.public
    for call in (
        off.of_access_token(client, (ONE,)),
        off.needed(client, (), id_token=False),
        off.needed(Client("app", "App", id_token_signed_response_alg="PS256"), (), id_token=True),
    ):
        with pytest.raises(AlgorithmOff):
            await call


@pytest.mark.parametrize(
    ("alg", "name", "half"),
    [("RS256", "sha256", 16), ("PS256", "sha256", 16), ("ES256", "sha256", 16),
     ("EdDSA", "sha512", 32), ("Ed25519", "sha512", 32)],
)  # fmt: skip
def test_token_hash(alg: str, name: str, half: int) -> None:
    """OpenID Connect Core §3.1.3.6: the left half of the algorithm's own hash."""
    assert token_hash("token", alg) == encode(hashlib.new(name, b"token").digest()[:half])

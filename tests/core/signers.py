"""Clients that sign: their keys, and JWTs made with them by joserfc or by hand."""

import warnings
from dataclasses import dataclass
from functools import cache
from typing import Any

from joserfc import jws
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, OKPKey, RSAKey

from tests.protocol.tokens import b64


@dataclass(frozen=True)
class Signs:
    """A private key of a client, its name and its algorithm."""

    key: Any
    alg: str
    kid: str

    @property
    def jwk(self) -> dict[str, Any]:
        """The public half."""
        return {**self.key.as_dict(private=False), "kid": self.kid}

    @property
    def private_jwk(self) -> dict[str, Any]:
        return {**self.key.as_dict(private=True), "kid": self.kid}

    def sign(self, claims: dict[str, Any] | str, **header: Any) -> str:
        """A JWT; header members that are None are left out."""
        named = {"alg": self.alg, "kid": self.kid, **header}
        head = b64({name: value for name, value in named.items() if value is not None})
        signing_input = f"{head}.{b64(claims)}".encode()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)
            maker = jws.JWSRegistry(algorithms=[self.alg]).get_alg(self.alg)
        return f"{signing_input.decode()}.{b64(maker.sign(signing_input, self.key))}"


@cache
def signs(alg: str, kid: str = "one") -> Signs:
    """A key for an algorithm, made once; another ``kid`` is another key."""
    if alg in {"RS256", "PS256"}:
        return Signs(RSAKey.generate_key(2048), alg, kid)
    if alg == "ES256":
        return Signs(ECKey.generate_key("P-256"), alg, kid)
    return Signs(OKPKey.generate_key("Ed25519"), alg, kid)


def jwks(*signers: Signs) -> dict[str, Any]:
    """The JWK Set that their client publishes."""
    return {"keys": [one.jwk for one in signers]}

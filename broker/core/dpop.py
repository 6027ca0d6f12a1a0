"""Proof of possession (RFC 9449): a token that is of no use without the key it was made for.

A proof is a JWT that a client signs for one request. ``Proofs.judge`` makes a ``Proof`` of it;
that it is used once is seen to by the store, inside the step that the request takes anyway
(``Grants``), or by ``Proofs.spend`` where there is no such step.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from broker.core import client_keys
from broker.core.client_jwts import COMPACT, BadJwt, check_times, members, octets, seconds, text
from broker.core.errors import InvalidDpopProof, InvalidGrant, ProtocolError, UseDpopNonce
from broker.core.handles import derive
from broker.core.htu import same_address
from broker.core.model import Client
from broker.core.pkce import encode
from broker.core.ports import Clock, Once, Proof, Refusal
from broker.core.vocabulary import DPOP_ALGORITHMS
from keys.algorithms import PublicKey
from keys.jws import verifies

TYP: Final = "dpop+jwt"
AGE: Final = 60  # seconds that a proof may be old, beyond the skew
NONCE_WINDOW: Final = 120  # seconds; a nonce is good in its own window and in the next
MAX_LENGTH: Final = 8192
MAX_HEADER: Final = 4096  # characters of the header segment; the key is in it
MAX_JTI: Final = 512

# What would have us read the proof in another way, or look for a key elsewhere.
_REFUSED: Final = frozenset(("crit", "b64", "jku", "x5u", "zip", "enc"))


@dataclass(frozen=True, slots=True)
class Presented:
    """An access token as it came to a resource.

    Attributes:
        token: the access token.
        method: of the request.
        dpop: whether it came by the scheme ``DPoP``; else it is a bearer's.
        proof: the request's ``DPoP`` header, or None.
    """

    token: str
    method: str = "GET"
    dpop: bool = False
    proof: str | None = None


class Nonces:
    """The nonces that proofs have to hold (RFC 9449 §8): computed, so no process keeps any.

    All clients have the same one at a time. What they prevent is proofs made long in advance.

    Args:
        secrets: the operator's; the first makes, all are accepted.
        clock: time.
    """

    def __init__(self, secrets: Sequence[bytes], clock: Clock) -> None:
        self._keys = tuple(derive(secret, "dpop-nonce", 32) for secret in secrets)
        self._clock = clock

    def current(self) -> str:
        """Return the nonce that clients are to use from now on."""
        return _nonce(self._keys[0], self._window())

    def good(self, nonce: str) -> bool:
        """Whether it is the current nonce, the one before it, or, as clocks differ, the next."""
        now = self._window()
        return any(
            hmac.compare_digest(_nonce(key, window).encode(), nonce.encode())
            for key in self._keys
            for window in (now, now - 1, now + 1)
        )

    def _window(self) -> int:
        return int(self._clock.now() // NONCE_WINDOW)


class Proofs:
    """Judges proofs.

    Args:
        issuer: ours; the address of a request is made of it, never of the request.
        once: remembers proofs where no grant's step does.
        clock: time.
        skew: seconds that a client's clock may be off.
        nonces: what proofs have to hold, or None where they need no nonce.
    """

    def __init__(
        self, issuer: str, once: Once, clock: Clock, skew: int, nonces: Nonces | None = None
    ) -> None:
        self._issuer = issuer
        self._once = once
        self._clock = clock
        self._skew = skew
        self._nonces = nonces

    def judge(
        self, proof: str, path: str, *, method: str = "POST", access_token: str | None = None
    ) -> Proof:
        """Return what a proof proves (RFC 9449 §4.3), but for its being used once.

        Args:
            proof: the value of the one ``DPoP`` header.
            path: of the request, as our table of routes has it.
            method: of the request.
            access_token: the one that came with it; its hash has to be in the proof.

        Raises:
            UseDpopNonce: it lacks the nonce, or holds one that is over.
            InvalidDpopProof: anything else is wrong.
        """
        try:
            return self._judged(proof, path, method, access_token)
        except BadJwt as error:
            raise InvalidDpopProof(f"The DPoP proof is not valid: {error}") from None

    def of_client(self, client: Client, proof: str | None, path: str) -> Proof | None:
        """Return the proof of a request that a client has authenticated, or None without one.

        Raises:
            UseDpopNonce, InvalidDpopProof: as ``judge``; or the client has to send one, and did
                not (RFC 9449 §5.2).
        """
        if proof is not None:
            return self.judge(proof, path)
        if client.dpop_bound_access_tokens:
            raise InvalidDpopProof("This app has to prove that it holds its key: DPoP is missing")
        return None

    async def spend(self, proof: Proof | None) -> None:
        """Take a proof once, where no grant's step does; one Redis round trip.

        Raises:
            InvalidDpopProof: it was used before.
            StoreUnavailable: Redis is out of reach.
        """
        if proof is not None and not await self._once.spend_once(proof.digest, proof.ttl):
            raise used_before()

    def next_nonce(self) -> str | None:
        """Return the nonce for the client's next proof; None where there are none."""
        return None if self._nonces is None else self._nonces.current()

    def _judged(self, proof: str, path: str, method: str, access_token: str | None) -> Proof:
        if len(proof) > MAX_LENGTH or not COMPACT.fullmatch(proof):
            raise BadJwt("it is no compact JWS")
        message, _, signature = proof.rpartition(".")
        header, _, payload = message.partition(".")
        alg, key, jkt = _read_header(header)
        claims, now = members(payload, "payload"), self._clock.now()
        issued = self._check_claims(claims, now)
        _check_request(claims, method, self._issuer + path)
        if access_token is not None and claims.get("ath") != token_digest(access_token):
            raise BadJwt("ath is not the hash of the access token")
        self._check_nonce(claims)
        if not verifies(alg, key, message.encode(), octets(signature)):
            raise BadJwt("the signature is wrong")
        # Remembered longer than any process, its clock off by the skew, takes it for good.
        keep = issued + AGE + 2 * self._skew - now
        return Proof(jkt, _digest(jkt, text(claims, "jti")), int(keep) + 1)

    def _check_claims(self, claims: Mapping[str, Any], now: float) -> float:
        """Judge what does not depend on the request; returns when it was issued."""
        if len(text(claims, "jti")) > MAX_JTI:
            raise BadJwt("jti is too long")
        issued = seconds(claims, "iat")
        if issued is None:
            raise BadJwt("iat is missing")
        check_times(claims, now, self._skew, exp=False)
        if issued < now - AGE - self._skew:
            raise BadJwt("iat is too long ago")
        return issued

    def _check_nonce(self, claims: Mapping[str, Any]) -> None:
        if self._nonces is None:
            return
        nonce = claims.get("nonce")
        if not isinstance(nonce, str) or not nonce.isascii() or not self._nonces.good(nonce):
            raise UseDpopNonce(self._nonces.current())


def pushed_key(asked: str | None, proof: Proof | None) -> str | None:
    """Return the thumbprint that a pushed request binds its code to (RFC 9449 §10.1).

    Args:
        asked: the request's ``dpop_jkt``.
        proof: what came in the ``DPoP`` header of the request that pushes it.

    Raises:
        InvalidDpopProof: they are of two keys.
    """
    if proof is None:
        return asked
    if asked not in {None, proof.jkt}:
        raise InvalidDpopProof("dpop_jkt names another key than that of the DPoP proof")
    return proof.jkt


def refusal(reason: Refusal, proof: Proof | None) -> ProtocolError | None:
    """Return what a client is told where a step was refused for its proof; None for other reasons.

    Args:
        reason: why the step was refused.
        proof: what it was given.
    """
    if reason is Refusal.PROOF:
        return used_before()
    if reason is not Refusal.KEY:
        return None
    if proof is None:
        return InvalidDpopProof("The code or token is bound to a key: DPoP is missing")
    return InvalidGrant(private="bound to another DPoP key")


def used_before() -> InvalidDpopProof:
    """Return the error for a proof that came a second time."""
    return InvalidDpopProof("The DPoP proof was used before: each request needs a new one")


def token_digest(access_token: str) -> str:
    """Return ``ath`` of an access token (RFC 9449 §4.2)."""
    return encode(hashlib.sha256(access_token.encode()).digest())


def _check_request(claims: Mapping[str, Any], method: str, address: str) -> None:
    if claims.get("htm") != method:
        raise BadJwt("htm is not the method of the request")
    htu = claims.get("htu")
    if not isinstance(htu, str) or not same_address(htu, address):
        raise BadJwt("htu is not the address of the request")


# A client's header is the same in each of its proofs, and reading its key costs as much as using
# it. What is refused is not kept.
@lru_cache(maxsize=1024)
def _read_header(segment: str) -> tuple[str, PublicKey, str]:
    """Return algorithm, key and thumbprint (RFC 7638)."""
    if len(segment) > MAX_HEADER:
        raise BadJwt("the header is too long")
    header = members(segment, "header")
    if refused := _REFUSED & header.keys():
        raise BadJwt(f"the header holds {min(refused)}")
    typ, alg = header.get("typ"), header.get("alg")
    if not isinstance(typ, str) or typ.lower().removeprefix("application/") != TYP:
        raise BadJwt(f"typ is not {TYP}")
    for found in client_keys.read({"keys": [header.get("jwk")]}):
        if alg in found.algorithms and alg in DPOP_ALGORITHMS:
            return alg, found.key, found.key.thumbprint()
    raise BadJwt("jwk is no public key for an algorithm that is taken here")


def _digest(jkt: str, jti: str) -> str:
    return encode(hashlib.sha256(f"dpop {jkt} {jti}".encode()).digest())


def _nonce(key: bytes, window: int) -> str:
    return encode(hmac.digest(key, window.to_bytes(8, "big"), "sha256")[:18])

"""The public keys that clients sign with (RFC 7591 §2 ``jwks``, RFC 7517).

A set that a client publishes may hold keys that are not for us: those for encryption, of types or
curves that are not known here. They are passed by (RFC 7517 §5). ``faults`` is stricter, for sets
that are registered with us.
"""

import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from broker.core.model import Client
from keys.algorithms import RSA_BITS, PublicKey

MAX_KEYS: Final = 32  # of one set
MAX_RSA_BITS: Final = 8192  # a larger one costs more to use than any client is worth
MAX_KID: Final = 256

# kty, crv → the algorithms of such keys and the class of their public halves.
_KINDS: Final[dict[tuple[str, str | None], tuple[tuple[str, ...], type[PublicKey]]]] = {
    ("RSA", None): (("RS256", "PS256"), RSAKey),
    ("EC", "P-256"): (("ES256",), ECKey),
    ("OKP", "Ed25519"): (("EdDSA", "Ed25519"), OKPKey),
}
_MEMBERS: Final = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
_SIZES: Final = f"RSA keys have {RSA_BITS} to {MAX_RSA_BITS} bits"
_PRIVATE: Final = frozenset(("d", "p", "q", "dp", "dq", "qi", "oth", "k"))


class UnusableKey(ValueError):
    """A JWK that no signature is checked with; its text says why."""


@dataclass(frozen=True, slots=True)
class ClientKey:
    """A public key of a client.

    Attributes:
        kid: its name in its set, or None.
        algorithms: the JWS algorithms it may be used with.
        key: the key.
    """

    kid: str | None
    algorithms: tuple[str, ...]
    key: PublicKey


KeySet = tuple[ClientKey, ...]


def set_in(text: str) -> Any:
    """Return the JWK Set in a text, not judged; a single key is taken for a set of one.

    Raises:
        ValueError: it is no JSON.
    """
    try:
        found = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return {"keys": [found]} if isinstance(found, dict) and "kty" in found else found


def read(jwks: object) -> KeySet:
    """Return the keys of a JWK Set that signatures can be checked with; others are passed by.

    Raises:
        UnusableKey: it is no JWK Set, or holds more than 32 keys.
    """
    found = []
    for jwk in _listed(jwks):
        try:
            found.append(_read(jwk))
        except UnusableKey:
            continue
    return tuple(found)


def faults(jwks: object) -> Iterator[str]:
    """Yield what keeps a JWK Set from being registered, in words for its owner."""
    try:
        listed = _listed(jwks)
    except UnusableKey as error:
        yield str(error)
        return
    shared = [n for n, jwk in enumerate(listed, 1) if isinstance(jwk, dict) and _PRIVATE & set(jwk)]
    for number in shared:
        yield f"key {number} is private or symmetric: it is known to others now, make a new one"
    if shared or read(jwks):
        return
    reasons = (f"key {number}: {_reason(jwk)}" for number, jwk in enumerate(listed, 1))
    yield "; ".join(reasons) or "it holds no key"


def _reason(jwk: object) -> str:
    try:
        _read(jwk)
    except UnusableKey as error:
        return str(error)
    return ""


def choose(known: KeySet, alg: str, kid: str | None) -> KeySet:
    """Return the keys that may have made a signature: those of that name, else those without one.

    A signature that names no key may be of any.
    """
    fitting = tuple(one for one in known if alg in one.algorithms)
    if kid is None:
        return fitting
    named = tuple(one for one in fitting if one.kid == kid)
    return named or tuple(one for one in fitting if one.kid is None)


class Published(Protocol):
    """Key sets behind addresses."""

    async def keys(self, uri: str) -> KeySet:
        """Return the keys behind an address; none where they cannot be had."""
        ...

    async def newer(self, uri: str) -> KeySet | None:
        """Return them read anew, or None where that was done a moment ago or failed."""
        ...


class ClientKeys:
    """Every client's keys, each set parsed once.

    Args:
        published: the sets behind ``jwks_uri``.
        size: for how many clients sets of their own are kept parsed.
    """

    def __init__(self, published: Published, *, size: int = 2048) -> None:
        self._published = published
        self._size = size
        self._parsed: OrderedDict[str, tuple[Mapping[str, Any], KeySet]] = OrderedDict()

    async def of(self, client: Client) -> KeySet:
        """Return the client's keys; none where it has none, or they cannot be had."""
        if client.jwks is not None:
            return self._inline(client.client_id, client.jwks)
        if client.jwks_uri is not None:
            return await self._published.keys(client.jwks_uri)
        return ()

    async def newer(self, client: Client) -> KeySet | None:
        """Return the keys behind the client's ``jwks_uri`` read anew, or None."""
        return await self._published.newer(client.jwks_uri) if client.jwks_uri else None

    def _inline(self, client_id: str, jwks: Mapping[str, Any]) -> KeySet:
        kept = self._parsed.get(client_id)
        if kept is not None and kept[0] is jwks:  # a client that was edited has a new one
            return kept[1]
        try:
            parsed = read(jwks)
        except UnusableKey:
            parsed = ()
        self._parsed[client_id] = (jwks, parsed)
        self._parsed.move_to_end(client_id)
        if len(self._parsed) > self._size:
            self._parsed.popitem(last=False)
        return parsed


def _listed(jwks: object) -> list[Any]:
    listed = jwks.get("keys") if isinstance(jwks, Mapping) else None
    if not isinstance(listed, list | tuple):
        raise UnusableKey('it is no JWK Set: {"keys": […]} (RFC 7517 §5)')
    if len(listed) > MAX_KEYS:
        raise UnusableKey(f"it holds more than {MAX_KEYS} keys")
    return list(listed)


def _read(jwk: object) -> ClientKey:
    if not isinstance(jwk, dict):
        raise UnusableKey("it is no JSON object")
    if _PRIVATE & jwk.keys():
        raise UnusableKey("it is private or symmetric")
    kind = (_text(jwk, "kty"), None if jwk.get("kty") == "RSA" else _text(jwk, "crv"))
    if kind not in _KINDS:
        raise UnusableKey("only RSA, P-256 and Ed25519 keys are taken")
    algorithms, family = _KINDS[kind]
    return ClientKey(_kid(jwk), _narrowed(jwk, algorithms), _public(jwk, family))


def _text(jwk: Mapping[str, Any], name: str) -> str:
    value = jwk.get(name)
    if not isinstance(value, str):
        raise UnusableKey(f"{name} is missing or not text")
    return value


def _kid(jwk: Mapping[str, Any]) -> str | None:
    kid = jwk.get("kid")
    if kid is not None and not (isinstance(kid, str) and len(kid) <= MAX_KID):
        raise UnusableKey(f"kid is not text of up to {MAX_KID} characters")
    return kid


def _narrowed(jwk: Mapping[str, Any], algorithms: tuple[str, ...]) -> tuple[str, ...]:
    """Respect what the key says it is for (RFC 7517 §4.2 to §4.4)."""
    operations = jwk.get("key_ops")
    if operations is None:
        operations = ("verify",)
    elif not isinstance(operations, list | tuple):
        raise UnusableKey("key_ops is not a list")
    if jwk.get("use", "sig") != "sig" or "verify" not in operations:
        raise UnusableKey("it is not for signatures")
    alg = jwk.get("alg")
    if alg is None:
        return algorithms
    if alg not in algorithms:
        raise UnusableKey(f"its alg is none of {', '.join(algorithms)}")
    return (alg,)


def _public(jwk: Mapping[str, Any], family: type[PublicKey]) -> PublicKey:
    members: dict[str, str | list[str]] = {
        name: _text(jwk, name) for name in ("kty", *_MEMBERS[jwk["kty"]])
    }
    if family is RSAKey and not RSA_BITS <= 6 * len(members["n"]) <= MAX_RSA_BITS + 6:
        raise UnusableKey(_SIZES)  # by its length, before it costs time
    try:
        key = family.import_key(members)
        size = getattr(key.raw_value, "key_size", 0)
    except (JoseError, ValueError, TypeError, UnsupportedAlgorithm):
        raise UnusableKey("it is malformed") from None
    if family is RSAKey and not RSA_BITS <= size <= MAX_RSA_BITS:
        raise UnusableKey(_SIZES)
    return key

"""What is done with a token while it is open. Everything here runs on the device's one thread."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final, cast

from pkcs11 import Attribute, ObjectClass
from pkcs11.exceptions import KeyHandleInvalid, NoSuchKey, ObjectHandleInvalid, PKCS11Error
from pkcs11.types import Object, Session, SignMixin

from keys.algorithms import ALGORITHMS
from keys.errors import VaultMisconfigured
from keys.pkcs11.mechanisms import DEVICE_ALGORITHMS, names

_LOST_HANDLE: Final = (KeyHandleInvalid, ObjectHandleInvalid)
_OURS: Final = (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY)


class TokenSession:
    """An open token, logged in.

    Args:
        session: The library's session.
        label: The token's label, for messages.

    Attributes:
        serial: The token's serial number.
    """

    def __init__(self, session: Session, label: str) -> None:
        self._session = session
        self._label = label
        self._known = frozenset(int(one) for one in session.token.slot.get_mechanisms())
        self._ways = {name: one.way(self._known) for name, one in DEVICE_ALGORITHMS.items()}
        self._keys: dict[bytes, SignMixin] = {}
        self.serial: Final = session.token.serial

    def support(self, algorithms: Collection[str]) -> None:
        """Check that the token can make and use keys of these algorithms.

        Raises:
            VaultMisconfigured: It cannot, for one or more.
        """
        lacking = [alg for alg in algorithms if self._ways[alg] is None]
        if lacking:
            raise self._unsupported(lacking)

    def generate(self, alg: str, object_id: bytes, label: str) -> tuple[str, dict[str, Any]]:
        """Make a key pair; return its `kid` and its public JWK.

        Raises:
            VaultMisconfigured: The token does not know the algorithm.
            PKCS11Error: The token did not make it.
            ValueError: The token made another kind of key than was asked for.
        """
        self.support((alg,))
        made = DEVICE_ALGORITHMS[alg].generate(self._session, names(object_id, label))
        algorithm, public = ALGORITHMS[alg], DEVICE_ALGORITHMS[alg].see(made)
        seen: Any = public
        key = algorithm.jwk.import_key(seen)
        return key.thumbprint(), algorithm.published(key.as_dict(private=False))

    def sign(self, alg: str, object_id: bytes, message: bytes) -> bytes:
        """Return the raw JWS signature of a key.

        Raises:
            NoSuchKey: It is not in the token.
            PKCS11Error: The token did not sign.
            VaultMisconfigured: The token does not know the algorithm.
        """
        way = self._ways[alg]
        if way is None:
            raise self._unsupported([alg])
        try:
            return way.sign(self._key(object_id), message)
        except _LOST_HANDLE:  # the key is gone, or known by another handle now
            self._keys.pop(object_id, None)
            return way.sign(self._key(object_id), message)

    def destroy(self, object_id: bytes) -> int:
        """Destroy the objects of a key; return how many there were."""
        self._keys.pop(object_id, None)
        found = [one for kind in _OURS for one in self._find(kind, object_id)]
        for one in found:
            one.destroy()
        return len(found)

    def labels(self) -> Iterator[tuple[bytes, str]]:
        """Return the `CKA_ID` and the label of every key object that has both."""
        for kind in _OURS:
            for one in self._objects({Attribute.CLASS: kind}):
                try:
                    found = one.get_attributes([Attribute.ID, Attribute.LABEL])
                    yield found[Attribute.ID], found[Attribute.LABEL]
                except (PKCS11Error, UnicodeDecodeError, KeyError):
                    continue  # none of ours

    def probe(self) -> None:
        """Make the device do something, to learn whether it still can.

        Raises:
            PKCS11Error: It cannot.
        """
        self._session.generate_random(64)

    def _unsupported(self, lacking: Sequence[str]) -> VaultMisconfigured:
        why = ", ".join(f"{a} needs {DEVICE_ALGORITHMS[a].missing(self._known)}" for a in lacking)
        return VaultMisconfigured(
            "algorithms",
            f"the HSM token {self._label!r} cannot sign with {' or '.join(lacking)}: {why}, "
            "which it does not know",
        )

    def _key(self, object_id: bytes) -> SignMixin:
        key = self._keys.get(object_id)
        if key is None:
            found = self._find(ObjectClass.PRIVATE_KEY, object_id)
            if len(found) != 1:
                raise NoSuchKey
            key = self._keys[object_id] = cast("SignMixin", found[0])
        return key

    def _find(self, kind: ObjectClass, object_id: bytes) -> list[Object]:
        return self._objects({Attribute.CLASS: kind, Attribute.ID: object_id})

    def _objects(self, template: dict[Attribute, Any]) -> list[Object]:
        # The library cannot end a search that a lost session refused to begin; so look first.
        self.probe()
        return list(self._session.get_objects(template))

"""What a record holds of a key in a device: a PKCS#11 URI (RFC 7512), sealed for its `kid`.

pkcs11:serial=ec909d8d35a0325f;id=%5B%0F…;type=private
"""

from dataclasses import dataclass
from urllib.parse import quote_from_bytes, unquote_to_bytes

from keys.errors import KeyRecordCorrupt
from keys.vault import REFERENCE


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a private half is.

    Attributes:
        serial: The serial number of the token.
        object_id: The `CKA_ID` of the key's objects in it.
    """

    serial: bytes
    object_id: bytes

    def encode(self) -> bytes:
        """Return it as a URI."""
        serial = quote_from_bytes(self.serial, safe="")
        object_id = "".join(f"%{byte:02X}" for byte in self.object_id)
        return REFERENCE + f"serial={serial};id={object_id};type=private".encode()

    @classmethod
    def decode(cls, kid: str, uri: bytes) -> "Reference | None":
        """Read a URI; None where this is none, but a private half itself.

        Raises:
            KeyRecordCorrupt: It is one, but not of this form.
        """
        if not uri.startswith(REFERENCE):
            return None
        parts = [part.partition(b"=") for part in uri.removeprefix(REFERENCE).split(b";")]
        found = {name: unquote_to_bytes(value) for name, _, value in parts}
        if not found.get(b"id") or b"serial" not in found or found.get(b"type") != b"private":
            raise KeyRecordCorrupt(kid, "its reference to an HSM is not understood")
        return cls(found[b"serial"], found[b"id"])

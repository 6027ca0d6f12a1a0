"""What the app's own roles allow: decided by the access token alone, and said in plain words."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from broker.demo.sample.verifier import VerifiedToken

CREW, KEEPER = "crew", "keeper"


@dataclass(frozen=True, slots=True)
class Right:
    """Something people may do.

    Attributes:
        name: what the API calls it.
        text: how people read it, after "You may".
        role: the app's own role that it takes; None for everybody who is signed in.
    """

    name: str
    text: str
    role: str | None = None

    def allows(self, roles: Collection[str]) -> bool:
        """Say whether somebody with these roles may."""
        return self.role is None or self.role in roles


NOTES: Final = Right("notes", "keep notes of your own")
READ: Final = Right("read_board", "read the notice board", CREW)
WRITE: Final = Right("write_board", "write on the notice board", KEEPER)
RIGHTS: Final = (NOTES, READ, WRITE)


def roles_of(token: VerifiedToken) -> tuple[str, ...]:
    """Return the app's own roles of whoever holds the token; none where it says nothing."""
    told = token.claims.get("roles")
    return tuple(str(role) for role in told) if isinstance(told, list) else ()


def described(token: VerifiedToken) -> dict[str, Any]:
    """Return roles and rights as a front end shows them, and how old the knowledge is."""
    roles = roles_of(token)
    return {
        "roles": list(roles),
        "as_of": token.claims.get("membership_as_of"),
        "rights": [
            {"name": r.name, "text": r.text, "role": r.role, "allowed": r.allows(roles)}
            for r in RIGHTS
        ],
    }

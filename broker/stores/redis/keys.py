"""Names of keys: all of one account carry one cluster hash tag, so one script can touch them."""

from dataclasses import dataclass

from broker.core.handles import NOBODY


@dataclass(frozen=True, slots=True)
class Names:
    """Key names under a prefix.

    Args:
        prefix: what every key begins with; without braces, which would move the hash tag.
    """

    prefix: str = "broker:"

    def __post_init__(self) -> None:
        if "{" in self.prefix or "}" in self.prefix:
            raise ValueError("a key prefix must not hold braces")

    def account(self, account_id: str) -> str:
        """Return what all keys of the account begin with."""
        return f"{self.prefix}{{{account_id}}}:"

    def request(self, request_id: str) -> str:
        """Return the key of a pending request, in a slot of its own."""
        return f"{self.prefix}{{req:{request_id}}}"

    def once(self, digest: str) -> str:
        """Return the key that stands for something used, in a slot of its own."""
        return f"{self.prefix}{{once:{digest}}}"

    def token(self, account_id: str, item_id: str, unique: int) -> str:
        """Return the key that stands for an access token that was ended by itself.

        It is beside the token's grant; where nobody's account has one, in a slot of its own.
        """
        if account_id == NOBODY:
            return f"{self.prefix}{{token:{item_id}}}:{unique:x}"
        return f"{self.account(account_id)}token:{item_id}:{unique:x}"

    def revoked_keys(self) -> str:
        """Return the key of the set of revoked signing keys."""
        return f"{self.prefix}{{keys}}:revoked"

    def upstream(self, upstream: str) -> str:
        """Return the key of an upstream's budget, from which the others of it are made."""
        return f"{self.prefix}{{upstream:{upstream}}}:all"

    def notices(self) -> tuple[str, str]:
        """Return the keys of the accounts whose clients are to be told something, and why."""
        base = f"{self.prefix}{{notices}}:"
        return base + "due", base + "intents"

"""Which claims a scope releases (OpenID Connect Core §5.4)."""

from collections.abc import Iterable, Mapping
from typing import Any

from broker.core.vocabulary import CLAIMS_OF_SCOPE


def released(claims: Mapping[str, Any], scope: Iterable[str]) -> dict[str, Any]:
    """Return those of the account's claims that the scope releases; absent ones stay absent."""
    names = (name for word in scope for name in CLAIMS_OF_SCOPE.get(word, ()))
    return {name: claims[name] for name in names if claims.get(name) is not None}

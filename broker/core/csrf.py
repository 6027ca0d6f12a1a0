"""Tokens in our forms: they bind a form to the page's handle and to the browser."""

import hashlib
import hmac
from collections.abc import Sequence

from broker.core.handles import derive
from broker.core.pkce import encode


class FormTokens:
    """Makes and checks form tokens.

    Args:
        secrets: the operator's secrets; the first makes, all are accepted.
    """

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._keys = tuple(derive(secret, "csrf", 32) for secret in secrets)

    def make(self, browser: str, subject: str) -> str:
        """Return the token for a form about ``subject`` in the browser with this binding key."""
        return _token(self._keys[0], browser, subject)

    def good(self, token: str | None, browser: str | None, subject: str) -> bool:
        """Whether the token was made for this browser and subject."""
        if not token or not browser:
            return False
        return any(
            hmac.compare_digest(_token(key, browser, subject).encode(), token.encode())
            for key in self._keys
        )


def browser_digest(browser: str) -> str:
    """Return what a request under way keeps of a browser's binding cookie."""
    return encode(hashlib.sha256(browser.encode()).digest())


def _token(key: bytes, browser: str, subject: str) -> str:
    return encode(hmac.digest(key, f"{browser}\0{subject}".encode(), "sha256"))

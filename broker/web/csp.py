"""What pages may load, and where their forms and links may lead (Content-Security-Policy)."""

import re
from typing import Final

from broker.core import redirects
from broker.web.edge_config import EdgeConfig
from broker.web.faces import scheme

# A source that may stand in a Content-Security-Policy: nothing in it can end the directive.
_ORIGIN: Final = re.compile(r"https?://[A-Za-z0-9.\-]+(:\d{1,5})?")
_IPV6_ORIGIN: Final = re.compile(r"(https?:)//\[[0-9A-Fa-f:.]+\](:\d{1,5})?")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")
_LOOPBACK_IMAGES: Final = " http://127.0.0.1:* http://localhost:*"


class Policies:
    """The policies of pages.

    Args:
        config: whether the issuer is https, and what a sign-in may pass through.

    Attributes:
        plain: of a page whose form, if it has one, ends here.
    """

    def __init__(self, config: EdgeConfig) -> None:
        images = "'self' data: https:" + ("" if config.secure else _LOOPBACK_IMAGES)
        self.plain = (
            f"default-src 'none'; style-src 'self'; img-src {images}; frame-ancestors 'none';"
            " base-uri 'none'; form-action 'self'"
        )
        self._upstreams = config.upstream_origins

    def form(self, origin: str | None) -> str:
        """Return the policy of a page whose form may end at ``origin`` or at an upstream.

        Chromium holds the redirects after a form to ``form-action`` as well.
        """
        sources = [form_source(item) for item in (origin, *self._upstreams()) if item]
        return " ".join((self.plain, *dict.fromkeys(s for s in sources if s)))

    def posting(self, address: str) -> str:
        """Return the policy of a page whose form leads to a redirect URI and nowhere else."""
        origin = form_source(redirects.origin(address)) or "'none'"
        return self.plain.replace("form-action 'self'", f"form-action {origin}")


def form_source(origin: str) -> str | None:
    """Return an origin or scheme as a CSP source, or None when it cannot be one.

    CSP knows no IPv6 addresses (CSP3 §2.3.1, host-source); there only the scheme can be named.
    """
    if _ORIGIN.fullmatch(origin) or _SCHEME.fullmatch(origin):
        return origin
    address = _IPV6_ORIGIN.fullmatch(origin)
    return address[1] if address else None


def leads_on(address: str) -> bool:
    """Whether a link may be followed: a page of ours, the web, an app's scheme (RFC 8252 §7.1)."""
    if address.startswith("/"):
        return not address.startswith(("//", "/\\"))
    found = scheme(address)
    return found in {"https", "http"} or "." in found

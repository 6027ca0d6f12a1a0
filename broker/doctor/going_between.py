"""Who stands between a verifier and the broker, as far as headers give it away."""

import re
from typing import Final

from broker.doctor.model import LONGEST_QUOTE, Answer, printable

# A header whose presence names its writer.
_MARKS: Final = {
    "cf-cache-status": "Cloudflare",
    "cf-ray": "Cloudflare",
    "x-amz-cf-id": "CloudFront",
    "x-varnish": "Varnish",
    "x-fastly-request-id": "Fastly",
    "x-akamai-transformed": "Akamai",
    "x-azure-ref": "Azure Front Door",
    "x-vercel-cache": "Vercel",
    "x-nginx-cache": "nginx",
}
# Words in Server, Via and X-Cache that name one.
_WORDS: Final = {
    "cloudflare": "Cloudflare",
    "cloudfront": "CloudFront",
    "varnish": "Varnish",
    "akamai": "Akamai",
    "openresty": "OpenResty (nginx)",
    "nginx": "nginx",
    "apache": "Apache",
    "caddy": "Caddy",
    "envoy": "Envoy",
    "haproxy": "HAProxy",
    "traefik": "Traefik",
    "squid": "Squid",
    "google frontend": "Google front end",
    "awselb": "AWS load balancer",
    "microsoft-iis": "IIS",
}
# Headers in which caches say what they did.
_TOLD: Final = (
    "x-cache",
    "x-cache-status",
    "x-proxy-cache",
    "x-nginx-cache",
    "cf-cache-status",
    "x-vercel-cache",
    "cache-status",
)
_SERVED: Final = re.compile(r"\b(hit|stale|updating|revalidated)\b", re.IGNORECASE)


def proxies(answer: Answer) -> tuple[str, ...]:
    """Return the names of those that give themselves away, nearest knowledge first."""
    names = [name for header, name in _MARKS.items() if answer.header(header) is not None]
    for header in ("server", "via", "x-cache", "x-served-by"):
        text = (answer.header(header) or "").lower()
        found = [name for word, name in _WORDS.items() if word in text]
        names += found[:1] if header == "server" else found
    if not names and (answer.header("via") or answer.header("age") is not None):
        names.append("a proxy that does not name itself")
    return tuple(dict.fromkeys(names))


def hints(answer: Answer) -> tuple[str, ...]:
    """Return what proxies say of themselves, as `Name: value`."""
    told = [(name, answer.header(name)) for name in ("via", "age", *_TOLD)]
    return tuple(
        f"{name.title()}: {printable(text)[:LONGEST_QUOTE]}" for name, text in told if text
    )


def from_cache(answer: Answer) -> bool:
    """Whether a cache says that it answered from what it keeps."""
    return any(_SERVED.search(answer.header(name) or "") for name in _TOLD)


def suspect(answer: Answer) -> str:
    """Return whom to look at first when headers are not as the broker writes them."""
    names = proxies(answer)
    return names[0] if names else "whatever stands in front of the broker"

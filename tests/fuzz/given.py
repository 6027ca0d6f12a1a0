"""What is given: texts, JSON of every shape and depth, tokens, headers, addresses."""

import base64
import json
from typing import Any, Final

from hypothesis import strategies as st

ODD: Final = (
    "", " ", "\0", "\r\nx: 1", "\u0663", "\u00b2", "\u2028", "\u202e", "\ufeff", "\u0130", "-0",
    "-1", "0", "1e999", "NaN", "Infinity", "9" * 30, "9" * 400, "9" * 5000, "1" + "0" * 309,
    "true", "null", "[]", "{}", "%", "%zz", "%00", "%ff", "%2e%2e", "..", "/", "//", "\\", "@", ":",
    "://", "https://", "https://[", "https://[::1", "https://[v1.x]/", "https://a:99999/",
    "https://a:x/", "https://\u2100.example/", "https://\u0130.example/", "https://a@b@c/",
    "https://login.example", "https://app.example/cb", "http://127.0.0.1:1/", "http://[::1]:80/",
    "[fe80::1%eth0]:1", "::ffff:1.2.3.4", "0x7f.1", "2130706433", "1.2.3.4", "fe80::1%\0",
    "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2024-02-30", "2024-W01-1",
    "a" * 3000, "a." * 500, "-" * 400, "{{7*7}}", "=?utf-8?q?=00?=", "__proto__",
)  # fmt: skip
LONE: Final = ("\ud800", "a\udfff@b.example", "x\ud83d")
"""Halves of surrogate pairs: JSON can say them, UTF-8 cannot."""

texts = st.text(max_size=40) | st.sampled_from(ODD)
json_texts = texts | st.sampled_from(LONE)
ascii_texts = st.text(st.characters(max_codepoint=0x7F), max_size=60) | st.sampled_from(
    [one for one in ODD if one.isascii()]
)
numbers = (
    st.integers(-5, 2**70)
    | st.floats()
    | st.sampled_from([0, -1, 2**31, 2**53, 2**63, 2**64, 10**400, 1e308, True, False])
)


def nested(depth: int, kind: str) -> Any:
    """Return a list or an object in an object, so many levels deep."""
    value: Any = "x"
    for _ in range(depth):
        value = [value] if kind == "list" else {"a": value}
    return value


depths = st.integers(0, 40).map(lambda step: 400 + 25 * step)
deep = st.builds(nested, st.integers(1, 12) | depths, st.sampled_from(["list", "object"]))
leaves = st.none() | numbers | json_texts
anything = (
    st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(json_texts, inner, max_size=3),
        max_leaves=6,
    )
    | deep
)
"""A JSON value as its reader hands it on."""

_DEEP_TEXTS: Final = tuple(
    opening * count + "1" + closing * count
    for opening, closing in (("[", "]"), ('{"a":', "}"))
    for count in (200, 900, 960, 980, 1000, 1100, 5000, 100_000)
)


def written(value: Any) -> str:
    """Return a value as JSON; one too deep to be written, as nothing."""
    try:
        return json.dumps(value)
    except (RecursionError, ValueError):
        return "null"


def objects(*names: str, values: st.SearchStrategy[Any] = anything) -> st.SearchStrategy[Any]:
    """Return objects that have some of these members, and others."""
    known = st.dictionaries(st.sampled_from(names), values, max_size=len(names))
    return st.builds(
        lambda one, more: more | one, known, st.dictionaries(json_texts, values, max_size=1)
    )


def sound_but(good: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return a sound object of which a few members are anything, or missing."""
    wrong = st.dictionaries(st.sampled_from(sorted(good)), anything, max_size=2)
    gone = st.sets(st.sampled_from(sorted(good)), max_size=1)
    return st.builds(
        lambda bad, left: {k: v for k, v in (good | bad).items() if k not in left}, wrong, gone
    )


def documents(shape: st.SearchStrategy[Any] = anything) -> st.SearchStrategy[str]:
    """Return texts that are JSON of a shape, nearly JSON, or nothing of the kind."""
    sound = shape.map(written)
    cut = st.builds(lambda text, at: text[: at % (len(text) + 1)], sound, st.integers(0, 200))
    return sound | cut | texts | st.sampled_from(_DEEP_TEXTS)


def bodies(shape: st.SearchStrategy[Any] = anything) -> st.SearchStrategy[bytes]:
    """Return the same in bytes, of UTF-8 and not."""
    return documents(shape).map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(
        max_size=60
    )


def segment(data: bytes) -> str:
    """Return base64url without its padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def tokens(*members: str) -> st.SearchStrategy[str]:
    """Return what may be a JWT."""
    header = objects("alg", "kid", "typ", "crit", "jwk", "jku", "b64", values=leaves)
    part = st.one_of(bodies(header), bodies(objects(*members)), st.binary(max_size=70)).map(segment)
    joined = st.lists(part | ascii_texts, min_size=1, max_size=6).map(".".join)
    return joined | texts


header_values = st.text(st.characters(max_codepoint=0xFF), max_size=60) | st.sampled_from(
    [one for one in ODD if one.isascii()]
)
addresses = texts | st.builds(
    lambda scheme, user, host, port, path: f"{scheme}://{user}{host}{port}{path}",
    st.sampled_from(["https", "http", "redis", "rediss", "redis+sentinel", "redis+cluster",
                     "unix", "postgresql", "sqlite", "sqlite+aiosqlite", "javascript", "com.app"]),
    st.sampled_from(["", "u:p@", "@", "u@v@", "%00:%zz@"]),
    st.sampled_from(["", "a.example", "127.0.0.1", "[::1]", "[::1", "[v1.x]", "a,b", "a:1,b:x",
                     "localhost", "xn--", "\u2100.example", ".", "a..b"]),
    st.sampled_from(["", ":", ":0", ":80", ":65536", ":-1", ":x", ":\u0663"]),
    st.sampled_from(["", "/", "/0", "/service/1", "/service/x", "/x?ssl_cert_reqs=none",
                     "/?db=x", "/d?mode=memory", "?sslmode=verify-full&sslmode=x", "/%zz#f",
                     "/../..", "//:memory:", "/0?timeout=x", "/0?socket_timeout=x",
                     "/0?max_connections=-1", "/0?nothing=known", "/0?protocol=9"]),
)  # fmt: skip

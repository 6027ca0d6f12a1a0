"""What was seen of a deployment, and what is said of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Protocol

LONGEST_QUOTE: Final = 80


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> float:
        """Return UTC seconds since the epoch."""
        ...


class Verdict(StrEnum):
    """How a check ended."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check says.

    Attributes:
        name: the check, in a word or two.
        verdict: how it ended.
        seen: what was seen, in one line.
        cure: what to do; empty where nothing is.
    """

    name: str
    verdict: Verdict
    seen: str
    cure: str = ""


def ok(name: str, seen: str) -> Finding:
    """Return a check that is right."""
    return Finding(name, Verdict.PASS, printable(seen))


def warn(name: str, seen: str, cure: str) -> Finding:
    """Return a check that shows a risk."""
    return Finding(name, Verdict.WARN, printable(seen), printable(cure))


def fail(name: str, seen: str, cure: str) -> Finding:
    """Return a check that is wrong."""
    return Finding(name, Verdict.FAIL, printable(seen), printable(cure))


@dataclass(frozen=True, slots=True)
class Section:
    """Findings about one thing."""

    title: str
    findings: tuple[Finding, ...]


class Trouble(StrEnum):
    """Why no answer came."""

    NAME = "name"
    REFUSED = "refused"
    NO_ROUTE = "no route"
    TLS = "tls"
    SLOW = "slow"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Silence:
    """A request without an answer.

    Attributes:
        url: what was asked for.
        trouble: why.
        reason: the same in words.
        address: the IP address that was tried, where one was chosen.
    """

    url: str
    trouble: Trouble
    reason: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What matters of a server's certificate: until when (epoch seconds) and by whom."""

    ends_at: float
    issuer: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, as it came.

    Attributes:
        url: what was asked for.
        method: how.
        status: the HTTP status.
        headers: names in lower case and values, in their order.
        body: the content, decoded.
        took: seconds from the first packet to the last byte.
        at: when its last byte came, in epoch seconds of this machine.
        address: the IP address that answered.
        certificate: the server's, where it was https.
        cut: whether the body was longer than what is read.
    """

    url: str
    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    method: str = "GET"
    took: float = 0.0
    at: float = 0.0
    address: str = ""
    certificate: Certificate | None = None
    cut: bool = False

    def header(self, name: str) -> str | None:
        """Return a header's value, several of one name joined (RFC 9110 §5.3), or None."""
        found = [value for key, value in self.headers if key == name]
        return ", ".join(found) if found else None

    @property
    def media_type(self) -> str:
        """The content type without its parameters, in lower case; empty where there is none."""
        return (self.header("content-type") or "").split(";")[0].strip().lower()


Look = Answer | Silence


@dataclass(frozen=True, slots=True)
class Trip:
    """The way to a document: the redirects passed, and where it ended."""

    hops: tuple[Answer, ...]
    end: Look


@dataclass(frozen=True, slots=True)
class Sample:
    """One fresh connection: the JWKS as anybody gets it, and asked past the caches."""

    plain: Look
    direct: Look


@dataclass(frozen=True, slots=True)
class Looks:
    """The ways in which the JWKS was asked for once its address was known.

    Attributes:
        conditional: with If-None-Match; None where there is no ETag to ask with.
        head: with HEAD.
        identity: without compression.
        browser: as a page of another origin does.
        direct: past every cache: no-cache, and a query nobody asked with before.
    """

    conditional: Look | None
    head: Look
    identity: Look
    browser: Look
    direct: Look


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that was seen.

    Attributes:
        asked: the address the operator gave, as an issuer.
        at: when the looking began, in epoch seconds.
        discovery: the way to the discovery document.
        browser: the discovery document as a page of another origin asks for it.
        metadata: the discovery document, where it could be read.
        jwks: the way to the JWKS; None where no address of it was found.
        looks: further looks at it; None where it did not answer.
        samples: fresh connections, each address of the host in turn.
    """

    asked: str
    at: float
    discovery: Trip
    browser: Look | None = None
    metadata: Mapping[str, Any] | None = None
    jwks: Trip | None = None
    looks: Looks | None = None
    samples: tuple[Sample, ...] = field(default=())

    @property
    def jwks_answer(self) -> Answer | None:
        """The JWKS' answer, where one came with status 200."""
        if self.jwks is None or not isinstance(self.jwks.end, Answer):
            return None
        return self.jwks.end if self.jwks.end.status == 200 else None


def printable(text: str) -> str:
    """Return text without control characters: what a stranger's server said goes to a terminal."""
    return "".join(one if one.isprintable() else "·" for one in text)


def quoted(text: object) -> str:
    """Return a stranger's text, shortened, in quotes."""
    try:
        plain = printable(str(text))
    except RecursionError:  # what JSON can just be read may be nested too deeply to be written
        plain = "nested too deeply to be shown"
    return f'"{plain[:LONGEST_QUOTE]}…"' if len(plain) > LONGEST_QUOTE else f'"{plain}"'


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 key``, ``2 keys``."""
    plural = noun[:-1] + "ies" if noun.endswith("y") and noun[-2] not in "aeo" else noun + "s"
    if noun.endswith(("s", "x")):
        plural = noun + "es"
    return f"{number} {noun if number == 1 else plural}"

"""What clients saw: one record a request, in a file that can be judged again later."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path


class What(StrEnum):
    """What was done."""

    BORN = "born"  # a code was redeemed; ``got`` is the first generation; no line where it failed
    REFRESH = "refresh"  # ``given`` was presented; ``got`` came back
    USERINFO = "userinfo"
    REVOKE = "revoke"
    SIGN_OUT = "sign-out"  # of this line, with all others of the account
    JWKS = "jwks"  # a copy was fetched
    VERIFY = "verify"  # by a verifier with a copy of the JWKS; refused: its kid was unknown
    ADOPTED = "adopted"  # of the audit log: a generation above the stored one was presented
    KEY_REVOKED = "key-revoked"
    FAIL_OVER = "fail-over"  # from when writes may be lost until all is whole again
    UNNOTICED = "unnoticed"  # all that was done meanwhile, ``said``, no request may notice
    MENDED = "mended"  # ``said`` is what mended itself; wrong: it has not, in time


class Outcome(StrEnum):
    """What came of it."""

    OK = "ok"
    REFUSED = "refused"  # invalid_grant, or 401 at userinfo
    UNKNOWN = "unknown"  # no answer, or 503 with Retry-After: it may have happened or not
    WRONG = "wrong"  # an answer that no client may get


@dataclass(frozen=True, slots=True)
class Record:
    """One thing that was done.

    Attributes:
        what: it was.
        outcome: as its client saw it.
        began: seconds since the epoch.
        ended: seconds since the epoch.
        line: the grant that it was about; empty for what concerns all.
        given: the generation that was presented.
        got: the generation that was answered.
        kid: the key of the access token that was answered, or that was revoked.
        said: the answer, or why there was none; or what was done.
    """

    what: What
    outcome: Outcome
    began: float
    ended: float
    line: str = ""
    given: int | None = None
    got: int | None = None
    kid: str = ""
    said: str = ""


@dataclass(slots=True)
class History:
    """All that was done.

    Attributes:
        grace: seconds in which a spent refresh token is answered with the current one.
        bound: seconds after a key's revocation in which processes may still sign with it.
        records: in the order in which they ended.
    """

    grace: float
    bound: float
    records: list[Record] = field(default_factory=list)

    def add(self, record: Record) -> None:
        """Keep a record."""
        self.records.append(record)

    def write(self, path: Path) -> None:
        """Write it, one line a record after one about the settings."""
        head = {"grace": self.grace, "bound": self.bound}
        path.write_text("".join(_lines([head, *map(asdict, self.records)])), "utf-8")

    @classmethod
    def read(cls, path: Path) -> "History":
        """Read what ``write`` wrote."""
        head, *rest = (json.loads(line) for line in path.read_text("utf-8").splitlines())
        kinds = ((What(one.pop("what")), Outcome(one.pop("outcome")), one) for one in rest)
        return cls(**head, records=[Record(what, outcome, **one) for what, outcome, one in kinds])


def _lines(objects: Iterable[object]) -> Iterable[str]:
    return (json.dumps(one) + "\n" for one in objects)

"""What the doctor's commands share: whom to trust, tokens by file, the summary, the exit code."""

import ssl
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from broker.cli import findings as shown
from broker.cli import show
from broker.cli.running import Exit, Failure

if TYPE_CHECKING:
    from broker.doctor.model import Evidence, Section

# Characters; enough to say that it is longer than any token.
LONGEST_TOKEN: Final = 1 << 16

CaFile = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, help="PEM file of a private authority to trust."),
]
Timeout = Annotated[float, typer.Option(min=0.1, max=120, help="Seconds to wait for an answer.")]
Strict = Annotated[bool, typer.Option("--strict", help="Exit with 1 for warnings as well.")]


def leave(evidence: "Evidence", sections: "Sequence[Section]", *, strict: bool, json: bool) -> None:
    """Sum up and end with the exit code that says the same."""
    from broker.doctor.examine import unreachable, worst
    from broker.doctor.model import Verdict

    reason = unreachable(evidence)
    if reason:
        raise Failure(
            Exit.OUT_OF_REACH,
            f"{evidence.asked} cannot be reached: {reason}\n"
            "check the address and the way there (DNS, firewall, proxy), and that the broker runs",
        )
    if not json:
        shown.summary(sections)
    verdict = worst(sections)
    if verdict is Verdict.FAIL or (strict and verdict is Verdict.WARN):
        raise typer.Exit(Exit.FAILED)


def document(evidence: "Evidence", sections: "Sequence[Section]") -> dict[str, Any]:
    """Return everything as JSON."""
    from broker.doctor.examine import unreachable, worst

    reason = unreachable(evidence)
    return {
        "issuer": evidence.asked,
        "looked_at": show.stamp(evidence.at),
        "reachable": reason is None,
        "reason": reason,
        "verdict": "fail" if reason else worst(sections),
        "counts": shown.counts(sections),
        "checks": [
            {"section": section.title, **asdict(one)}
            for section in sections
            for one in section.findings
        ],
    }


def received(option: str, source: Path | None) -> str | None:
    """Return the token to judge; it comes by file or standard input, never by the command line.

    Args:
        option: names the file.
        source: the file; ``-`` is standard input, None for no token.
    """
    if source is None:
        return None
    if str(source) == "-":
        return sys.stdin.read(LONGEST_TOKEN)
    try:
        with source.open(encoding="utf-8", errors="replace") as file:
            return file.read(LONGEST_TOKEN)
    except OSError as error:
        raise Failure(Exit.USAGE, f"{option} {source}: {error.strerror}") from None


def trust(ca_file: Path | None) -> ssl.SSLContext | None:
    """Return the authorities to trust: those of a PEM file alone, or None for the machine's."""
    if ca_file is None:
        return None
    try:
        return ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError as error:
        raise Failure(
            Exit.USAGE, f"{ca_file}: no PEM certificates in it ({error.reason})"
        ) from None

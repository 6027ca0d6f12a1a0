"""How policies and decisions are shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import typer

from broker.cli import show

if TYPE_CHECKING:
    from broker.app.explaining import Explanation
    from broker.core.community.registry import Guild
    from broker.core.policy.explaining import Finding

HOLDS: Final = {True: "yes", False: "no", None: "not known"}


@dataclass(frozen=True, slots=True)
class Held:
    """A policy that holds, or the lack of one.

    Attributes:
        whose: ``for all apps`` or ``of the app``.
        document: as it was written, or None.
        words: the same in words.
    """

    whose: str
    document: Mapping[str, Any] | None
    words: tuple[str, ...]


def held(whose: str, document: Mapping[str, Any] | None, guilds: "Mapping[str, Guild]") -> Held:
    """Return a policy with its words.

    Raises:
        broker.core.documents.BadDocument: the document is none.
    """
    from broker.core.policy.reading import read
    from broker.core.policy.words import said

    if document is None:
        return Held(whose, None, ("Everybody: there is none.",))
    return Held(whose, document, said(read(document), guilds))


def tell_policies(policies: Sequence[Held], read: Sequence[str], *, json: bool) -> None:
    """Show policies in words and as documents, and what is read of people."""
    from broker.app.explaining import FOR_ALL, OWN

    if json:
        names = {FOR_ALL: "deployment", OWN: "client"}
        told = {
            names[one.whose]: {"policy": one.document, "words": list(one.words)} for one in policies
        }
        show.document(told | ({"read": list(read)} if len(policies) > 1 else {}))
        return
    for one in policies:
        typer.secho(f"The policy {one.whose}", bold=True)
        typer.echo("\n".join(one.words))
        if one.document is not None:
            show.document(one.document)
        typer.echo()
    if len(policies) > 1:
        typer.secho("What is read of people", bold=True)
        typer.echo("\n".join(f"- {one}" for one in ("who they are", *read)))


def tell_explanation(found: "Explanation", *, json: bool) -> None:
    """Show a decision rule by rule, and what it comes to."""
    if json:
        show.document(
            {
                "allowed": found.allowed,
                "account_disabled": found.disabled,
                "missing": list(found.missing),
                "rules": [_facts(whose, one) for whose, one in found.findings],
            }
        )
        return
    show.table(
        ("policy", "rule", "holds", "known", "read"),
        [_row(whose, one, found.now) for whose, one in found.findings],
        empty="No policy asks anything of anybody.",
    )
    if found.disabled:
        typer.secho("The account is disabled: it cannot sign in at all.", fg="red")
    verdict = "may" if found.allowed else "may not"
    colour = "green" if found.allowed else "red"
    typer.secho(f"{found.person} {verdict} use {found.client.name}.", fg=colour)
    if found.missing:
        choice = any(one.way for _, one in found.findings)
        typer.echo("What is told to the person" + (" (one way is enough):" if choice else ":"))
        typer.echo("\n".join(f"- {text}" for text in found.missing))


def _row(whose: str, one: "Finding", now: float) -> tuple[str, ...]:
    rule = f"(way {one.way}) {one.rule}" if one.way else one.rule
    return whose, rule, HOLDS[one.holds], one.known, show.when(one.read_at, now)


def _facts(whose: str, one: "Finding") -> dict[str, Any]:
    from broker.app.explaining import FOR_ALL

    return {
        "policy": "deployment" if whose == FOR_ALL else "client",
        "rule": one.rule,
        "way": one.way or None,
        "holds": one.holds,
        "known": one.known,
        "read_at": show.stamp(one.read_at),
    }

"""Why settings and registrations are refused: every reason at once, with what to change."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from broker.app.settings import Settings


@dataclass(frozen=True, slots=True)
class Problem:
    """Why the settings are refused; ``setting`` is the environment variable to change."""

    setting: str
    reason: str

    def __str__(self) -> str:
        return f"{self.setting}: {self.reason}"


class Refused(Exception):
    """The settings are refused.

    Args:
        problems: every reason, at least one.
    """

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


Rule = Callable[[Settings], Iterator[Problem]]
"""A function of the settings that yields what is wrong with them."""

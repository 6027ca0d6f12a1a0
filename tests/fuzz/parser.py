"""What a parser is to the fuzzer, and how its answers are judged."""

import asyncio
import warnings
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, fields, is_dataclass
from time import thread_time
from typing import Any, Final

from hypothesis import strategies as st
from pydantic import BaseModel

SOON: Final = 1.0  # seconds of this thread's own time
_runner: Final = asyncio.Runner()


def ran(work: Coroutine[Any, Any, Any]) -> Any:
    """Run something asynchronous in a loop of this module's own."""
    return _runner.run(work)


def writable(_given: Any, answer: Any) -> None:
    """What is kept or said of outside input can be written in UTF-8."""
    if isinstance(answer, str):
        answer.encode()
    elif isinstance(answer, BaseModel):
        answer.model_dump_json()
    elif is_dataclass(answer) and not isinstance(answer, type):
        for one in fields(answer):
            writable(None, getattr(answer, one.name))
    elif isinstance(answer, dict):
        writable(None, [*answer, *answer.values()])
    elif isinstance(answer, list | tuple | frozenset):
        for inner in answer:
            writable(None, inner)


def truth(_given: Any, answer: Any) -> None:
    """It is yes or no."""
    assert isinstance(answer, bool)


def nothing(_given: Any, answer: Any) -> None:
    """Nothing that is given is good."""
    assert answer is None


def whatever(_given: Any, _answer: Any) -> None:
    """It is judged where it is read further, or goes nowhere."""


@dataclass(frozen=True)
class Parser:
    """A reader of what comes from outside.

    Attributes:
        call: takes what is given.
        given: what that is.
        refuses: how it may say no; what it says can be written down.
        judge: looks at what was given and at the answer.
        seeds: what is given every time: sound, and as wrong as it once mattered.
    """

    call: Callable[[Any], Any]
    given: st.SearchStrategy[Any]
    refuses: tuple[type[Exception], ...] = ()
    judge: Callable[[Any, Any], None] = writable
    seeds: tuple[Any, ...] = ()

    def take(self, data: Any) -> None:
        """Give it once: it answers or refuses, as it says, and soon."""
        began = thread_time()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                answer = self.call(data)
        except self.refuses as error:
            str(error).encode()
        else:
            self.judge(data, answer)
        assert thread_time() - began < SOON


def each(*calls: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Give the same to several, which refuse alike."""
    return lambda given: [call(given) for call in calls]

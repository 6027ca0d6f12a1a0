"""The parameters of a request, still unverified."""

from collections.abc import Callable, Iterable

from broker.core.errors import InvalidRequest
from broker.core.vocabulary import MAX_PARAMETER


class Parameters:
    """Names and values as they came, in their order.

    A parameter without a value counts as omitted, and none may come twice (RFC 6749 §3.1).

    Args:
        pairs: decoded names and values.
        asker: returns whose request it is; few want to know, so it is not worked out for all.
    """

    __slots__ = ("_again", "_asker", "_values")

    def __init__(
        self, pairs: Iterable[tuple[str, str]], asker: Callable[[], str] | None = None
    ) -> None:
        self._asker = asker
        self._values: dict[str, list[str]] = {}
        self._again: set[str] = set()  # names that came more than once
        for name, value in pairs:
            if not value:
                continue
            if name in self._values:
                self._values[name].append(value)
                self._again.add(name)
            else:
                self._values[name] = [value]

    def one(self, name: str, *, longest: int = MAX_PARAMETER) -> str | None:
        """Return the value, or None when it is omitted.

        Args:
            name: of the parameter.
            longest: the most characters it may have.

        Raises:
            InvalidRequest: it was given twice, or is too long, or holds a control character.
        """
        values = self._values.get(name)
        if values is None:
            return None
        if name in self._again:
            raise InvalidRequest(f"The parameter {name} was given twice")
        return _checked(name, values[0], longest)

    def many(self, name: str) -> tuple[str, ...]:
        """Return all values of a parameter that may repeat (RFC 8707 §2), without repetitions.

        Raises:
            InvalidRequest: one is too long or holds a control character.
        """
        values = self._values.get(name)
        return () if values is None else tuple(dict.fromkeys([_checked(name, v) for v in values]))

    def words(self, name: str) -> tuple[str, ...]:
        """Return a space-separated list without repetitions (RFC 6749 §3.3).

        Raises:
            InvalidRequest: as for ``one``.
        """
        text = self.one(name)
        return () if text is None else tuple(dict.fromkeys(text.split(" ")))

    def repeated(self, known: Iterable[str]) -> str | None:
        """Return the first of the ``known`` names that was given more than once."""
        if not self._again:
            return None
        return next((name for name in known if name in self._again), None)

    def asker(self) -> str:
        """Return whose request it is, for limits: an address or a network; empty where unknown."""
        return "" if self._asker is None else self._asker()

    def joined(self, name: str, value: str) -> "Parameters":
        """Return the same parameters with this one in place of what was given for it."""
        found = Parameters((), self._asker)
        found._values = self._values | {name: [value]}
        found._again = self._again - {name}
        return found

    def __contains__(self, name: str) -> bool:
        return name in self._values


def _checked(name: str, value: str, longest: int = MAX_PARAMETER) -> str:
    if len(value) > longest:
        raise InvalidRequest(f"The parameter {name} is too long")
    if not value.isprintable():
        raise InvalidRequest(f"The parameter {name} holds a control character")
    return value

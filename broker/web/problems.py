"""Failures that only HTTP knows; ``broker.web.errors`` gives them their status codes."""

from broker.core.errors import BrokerError, InvalidRequest
from broker.core.texts import Text


class BodyTooLarge(InvalidRequest):
    """The body is larger than the limit; it was not read to its end."""

    title = Text("The request is too large")


class BodyTooSlow(InvalidRequest):
    """The body did not arrive in time."""

    title = Text("The request did not arrive in time")


class QueryTooLong(InvalidRequest):
    """The query string is longer than the limit."""

    title = Text("The address is too long")


class NoSuchPath(BrokerError):
    """There is nothing at this address."""

    code = "not_found"
    title = Text("There is nothing at this address")


class WrongMethod(BrokerError):
    """The address does not take this method.

    Args:
        allowed: the methods it takes.
    """

    code = "method_not_allowed"
    title = Text("This address does not take this kind of request")

    def __init__(self, allowed: tuple[str, ...]) -> None:
        super().__init__()
        self.allowed = allowed


class ClientGone(Exception):
    """The client closed the connection before its request was complete: nobody to answer."""

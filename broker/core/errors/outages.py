"""What is out of reach or refuses us: stores, upstreams, addresses that clients name."""

from collections.abc import Sequence
from typing import ClassVar

from broker.core.errors.base import UPSTREAM, BrokerError, Link
from broker.core.texts import Text


class Unavailable(BrokerError):
    """Something we need is out of reach; nothing was changed.

    Args:
        retry_after: seconds after which to try again.
        links: (label, address) pairs that lead on, for a person; addresses already validated.
    """

    code = "temporarily_unavailable"
    title: ClassVar[str] = Text("The service is not available at the moment")

    def __init__(
        self,
        public: str = "",
        private: str = "",
        retry_after: int = 2,
        links: Sequence[Link] = (),
    ) -> None:
        super().__init__(public, private)
        self.retry_after = retry_after
        self.links = tuple(links)


class StoreUnavailable(Unavailable):
    """Redis or SQL did not answer in time."""


class UpstreamUnavailable(Unavailable):
    """An upstream did not answer as it should, or told us to wait."""

    title = Text("%(upstream)s is not answering at the moment", upstream=UPSTREAM)


class AuthorizationLost(BrokerError):
    """An upstream refuses the token of a person: only signing in there again mends that."""

    code = "authorization_lost"
    title = Text("%(upstream)s does not know this sign-in any more", upstream=UPSTREAM)


class UpstreamRejected(BrokerError):
    """An upstream refused what we sent, or answered with something that makes no sense."""

    code = "upstream_rejected"
    title = Text("%(upstream)s did not accept this sign-in", upstream=UPSTREAM)


class OutboundError(BrokerError):
    """A call to an address that a client named did not succeed; who asked says what follows."""

    title = "An address of this client cannot be used"


class OutboundRefused(OutboundError):
    """The address may not be called (not https, private, malformed); nothing was sent."""

    title = "An address of this client may not be called from here"


class OutboundFailed(OutboundError):
    """The address gave no usable answer in time."""

    title = "An address of this client does not answer as it should"

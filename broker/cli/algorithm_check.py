"""Whether an algorithm can be chosen now, and from when it can."""

from typing import TYPE_CHECKING

from broker.cli.running import Exit, Failure

if TYPE_CHECKING:
    from broker.app.settings import Settings
    from broker.app.stores import Stores


async def check_signs(
    alg: str, option: str, stores: "Stores", settings: "Settings", now: float
) -> None:
    """Check that every process can sign with an algorithm: one just switched on has to wait.

    Args:
        alg: the algorithm, which is on.
        option: by which it was chosen.
        stores: the signing keys are among them.
        settings: the times of keys.
        now: UTC seconds.

    Raises:
        Failure: nothing signs with it yet; it says from when.
        KeyStoreUnavailable: the keys are out of reach.
    """
    from broker.app.algorithms import unready
    from keys.model import RS256

    if alg == RS256:
        return
    reason = unready(await stores.keys.all(), alg, now, settings.key_policy)
    if reason:
        raise Failure(Exit.REFUSED, f"{option}: {reason}; run this again then")

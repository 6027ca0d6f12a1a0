"""Whether an algorithm can be chosen now, and from when it can."""

from typing import TYPE_CHECKING

from broker.cli import show
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
    from broker.app.algorithms import SETTING, signs_everywhere_from
    from broker.core import durations
    from keys.model import RS256

    if alg == RS256:
        return
    policy = settings.key_policy
    begins = signs_everywhere_from(await stores.keys.all(), alg, now, policy)
    if begins is None:
        wait = durations.show(policy.lead + policy.skew)
        raise Failure(
            Exit.REFUSED,
            f"{option}: there is no key of {alg} yet. The server makes one when it starts with "
            f"{alg} in {SETTING}, and signs with it {wait} later, when every verifier knows it; "
            "run this again then",
        )
    if begins > now:
        raise Failure(
            Exit.REFUSED,
            f"{option}: nothing signs with {alg} before {show.stamp(begins)} "
            f"({show.when(begins, now)}): until then a verifier may hold a JWKS without its key; "
            "run this again then",
        )

"""Which signature algorithms clients and APIs may be set to, and from when."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from broker.app.problems import Problem, Refused
from broker.app.settings import Settings
from broker.app.sources import variable
from broker.core import durations, moments
from broker.core.apis import Api
from broker.core.model import Client
from keys import policy as rules
from keys.model import RS256, KeyRecord
from keys.policy import Policy

if TYPE_CHECKING:  # it loads SQL, which judging needs not
    from broker.stores.sql.facade import SqlStores

SETTING: Final = variable("signing_algorithms")
NAMED: Final = 3  # clients or APIs that a message names; the rest it counts


def switched_on(alg: str, option: str, settings: Settings) -> Iterator[Problem]:
    """Yield why an algorithm cannot be chosen by this option: it is not one of those that are on.

    Args:
        alg: the algorithm.
        option: of the command line, to be named.
        settings: say what is on.
    """
    if alg not in settings.algorithms:
        on = ", ".join(settings.algorithms)
        yield Problem(option, f"{alg!r} is not switched on; on: {on} (see {SETTING})")


def signs_everywhere_from(
    records: Sequence[KeyRecord], alg: str, now: float, policy: Policy
) -> float | None:
    """Return the moment from which every process can sign with an algorithm.

    The first key of an algorithm that was just switched on signs only when every cache knows it,
    and by the clock of the slowest process.

    Args:
        records: every stored key; none at all is well: the first start makes all keys at once.
        alg: the algorithm.
        now: UTC seconds.
        policy: the times of keys.

    Returns:
        UTC seconds, not after ``now`` where it can already; None where no key is to sign at all.
    """
    if not records or alg == RS256:
        return now
    signs = rules.current(records, alg, now)
    if signs is None:
        waiting = rules.waiting(records, alg, now)
        return waiting[0].signs_from + policy.skew if waiting else None
    first = signs == rules.line(records, alg)[0]
    waited = signs.ready_at > signs.created_at  # else nobody had cached anything
    return signs.signs_from + policy.skew if first and waited else now


def unready(records: Sequence[KeyRecord], alg: str, now: float, policy: Policy) -> str | None:
    """Return why nothing may be set to an algorithm yet, or None where it may.

    Args:
        records: every stored key.
        alg: the algorithm, which is on.
        now: UTC seconds.
        policy: the times of keys.
    """
    begins = signs_everywhere_from(records, alg, now, policy)
    if begins is None:
        wait = durations.show(policy.lead + policy.skew)
        return (
            f"there is no key of {alg} yet. The server makes one when it starts with {alg} in "
            f"{SETTING}, and signs with it {wait} later, when every verifier knows it"
        )
    if begins <= now:
        return None
    return (
        f"nothing signs with {alg} before {moments.stamp(begins)} ({moments.when(begins, now)}): "
        "until then a verifier may hold a JWKS without its key"
    )


async def check_in_use(settings: Settings, sql: "SqlStores") -> None:
    """Check that no client and no API is set to an algorithm that is off.

    Args:
        settings: say what is on.
        sql: the clients and APIs.

    Raises:
        Refused: with one problem for each algorithm that is missed, naming whom it would fail.
        StoreUnavailable: SQL is out of reach.
    """
    clients = [record.client for record in await sql.clients.list()]
    apis = [record.api for record in await sql.apis.list()]
    problems = list(_missed(settings.algorithms, clients, apis))
    if problems:
        raise Refused(*problems)


def _missed(on: Sequence[str], clients: Iterable[Client], apis: Iterable[Api]) -> Iterator[Problem]:
    users: dict[str, tuple[list[str], list[str]]] = {}
    for client in clients:
        alg = client.id_token_signed_response_alg
        if alg not in on and not client.disabled:
            users.setdefault(alg, ([], []))[0].append(client.client_id)
    for api in apis:
        alg = api.access_token_signed_response_alg
        if alg not in on:
            users.setdefault(alg, ([], []))[1].append(api.identifier)
    for alg, (client_ids, identifiers) in sorted(users.items()):
        signed, cures = [], []
        if client_ids:
            signed.append(f"the ID tokens of {_named(client_ids)}")
            cures.append("broker clients edit CLIENT_ID --id-token-alg RS256")
        if identifiers:
            signed.append(f"the access tokens for {_named(identifiers)}")
            cures.append("broker apis edit IDENTIFIER --alg RS256")
        yield Problem(
            SETTING,
            f"{alg} is off, but {' and '.join(signed)} are signed with it; "
            f"add {alg}, or first run: {'; '.join(cures)}",
        )


def _named(names: Sequence[str]) -> str:
    left = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {left} more" if left > 0 else "")

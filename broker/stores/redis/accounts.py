"""Facts of accounts beside their grants, and ends of whole accounts."""

from typing import Final

from broker.core.community.model import Community
from broker.core.model import Facts, Grant, Session
from broker.core.ports import Ended
from broker.stores.redis import codec
from broker.stores.redis.keys import Names
from broker.stores.redis.notices import RedisNotices
from broker.stores.redis.scripts import Steps, script

MARK_KEPT: Final = 3600  # seconds; longer than any process holds on to what it has read


class RedisAccountStates:
    """``broker.core.ports.AccountStates`` in Redis."""

    def __init__(self, steps: Steps, names: Names, notices: RedisNotices) -> None:
        self._steps = steps
        self._names = names
        self._notices = notices
        self._put = script("account_put")
        self._put_community = script("community_put")
        self._end = script("account_end")
        self._end_access = script("access_end")
        self._erase = script("account_erase")
        self._look = script("account_look")

    async def put_facts(self, account_id: str, facts: Facts) -> None:
        """Put facts unless the same or newer ones are there.

        Each part of the community facts is put, whatever the version, unless one that was read as
        late is there.
        """
        key = self._names.account(account_id) + "facts"
        await self._steps.run(self._put, (key,), *codec.facts_arguments(facts))

    async def put_community(self, account_id: str, community: Community) -> None:
        """Put each part of what was read unless one that was read as late is there."""
        if arguments := codec.parts(community):
            key = self._names.account(account_id) + "facts"
            await self._steps.run(self._put_community, (key,), *arguments)

    async def end_all(self, account_id: str, facts: Facts, *, since_stays: bool = False) -> Ended:
        """Put the facts (they carry disabled or not_before), end all sessions, codes and grants.

        Safe to repeat, late too: facts that are not newer end only what was begun up to their
        not_before (or everything, while the account is disabled), and with ``since_stays`` newer
        ones do the same. The same step queues a notice for every client that loses a grant.
        """
        base = self._names.account(account_id)
        keys, arguments = (base + "facts", base + "index"), codec.facts_arguments(facts)
        stays = "1" if since_stays else ""
        async with self._notices.ending(account_id):
            answer = await self._steps.end(self._end, keys, self._steps.marks, stays, *arguments)
        return Ended(codec.pairs(answer))

    async def end_access(
        self, account_id: str, facts: Facts, client_id: str, *, until: float, consented: bool
    ) -> Ended:
        """Put the facts, end a client's codes and grants that began up to a moment; idempotent.

        All of them where it stood on a consent and these facts, or newer ones, hold none. The same
        step queues a notice for the client.
        """
        base = self._names.account(account_id)
        keys, words = (base + "facts", base + "index"), (client_id, codec.at(until))
        arguments = (*words, "1" if consented else "", self._steps.marks)
        async with self._notices.ending(account_id):
            answer = await self._steps.end(
                self._end_access, keys, *arguments, *codec.facts_arguments(facts)
            )
        return Ended(codec.pairs(answer))

    async def erase(self, account_id: str, *, now: float) -> Ended:
        """End all that lives of a deleted account, and forget it; idempotent.

        A mark without anything of the person's stays for an hour.
        """
        base = self._names.account(account_id)
        keys, words = (base + "facts", base + "index"), (codec.at(now), str(MARK_KEPT))
        async with self._notices.ending(account_id):
            answer = await self._steps.end(self._erase, keys, *words, self._steps.marks)
        return Ended(codec.pairs(answer))

    async def living(
        self, account_id: str, *, now: float
    ) -> tuple[tuple[Session, ...], tuple[Grant, ...]]:
        """Return the account's living sessions and grants, for people to look at."""
        base = self._names.account(account_id)
        keys = (base + "facts", base + "index")
        found = await self._steps.run(self._look, keys, codec.at(now))
        sessions = [codec.session(account_id, id_, rec) for kind, id_, rec in found if kind == "s"]
        grants = [codec.grant(account_id, id_, rec) for kind, id_, rec in found if kind == "g"]
        return tuple(sessions), tuple(grants)

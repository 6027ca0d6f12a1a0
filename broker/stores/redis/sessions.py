"""Sessions and what is made from them."""

from broker.core.model import Facts, Session
from broker.core.ports import CodeIssued, CodeRefused, CodeRequest, Ended, Refusal
from broker.stores.redis import codec
from broker.stores.redis.keys import Names
from broker.stores.redis.notices import RedisNotices
from broker.stores.redis.scripts import Steps, script

DEVICE_LENGTH = 200


class RedisSessions:
    """``broker.core.ports.Sessions`` in Redis.

    Args:
        steps: runs the scripts.
        names: names the keys.
        notices: the queue of clients to be told of an ending.
        index_cap: how many sessions, codes and grants one account may have alive.
    """

    def __init__(
        self, steps: Steps, names: Names, notices: RedisNotices, *, index_cap: int
    ) -> None:
        self._steps = steps
        self._names = names
        self._notices = notices
        self._cap = str(index_cap)
        self._open = script("session_open")
        self._look = script("session_look")
        self._issue = script("code_issue")
        self._end = script("session_end")
        self._end_vouched = script("sessions_end")

    async def open(self, session: Session, facts: Facts, *, now: float, idle: int) -> bool:
        """Put the facts, then write the session, replacing an older generation of the same sid.

        Returns False, and writes no session, when the facts that count (newer ones may be there
        already) say disabled or not_before >= now, or the session has a later generation by now.
        """
        base = self._names.account(session.account_id)
        answer = await self._steps.run(
            self._open,
            (base + "facts", base + "index", f"{base}session:{session.sid}"),
            session.sid,
            str(session.generation),
            codec.at(session.created_at),
            codec.at(session.auth_time),
            codec.at(session.expires_at),
            session.upstream,
            session.device[:DEVICE_LENGTH],
            codec.at(now),
            str(idle),
            self._cap,
            *codec.facts_arguments(facts),
        )
        return bool(answer == 1)

    async def look(
        self, account_id: str, sid: str, generation: int, *, now: float
    ) -> tuple[Session, Facts] | None:
        """Return the living session and its account's facts, else None."""
        base = self._names.account(account_id)
        keys = (base + "facts", f"{base}session:{sid}")
        wanted = (str(generation), codec.at(now), codec.IDENTITIES)
        answer = await self._steps.run(self._look, keys, *wanted)
        if answer is None:
            return None
        return codec.session(account_id, sid, answer[0]), codec.all_facts(answer[1])

    async def issue_code(self, wanted: CodeRequest) -> CodeIssued | CodeRefused:
        """Check and write a code, in one step; the facts it answers hold this client's consent.

        Checks: session → account → subject → age of the sign-in → consent.
        """
        base = self._names.account(wanted.account_id)
        reason, record, found = await self._steps.run(
            self._issue,
            (
                base + "facts",
                base + "index",
                f"{base}session:{wanted.sid}",
                f"{base}code:{wanted.code_id}",
            ),
            *_code_arguments(wanted, self._cap),
        )
        session = codec.session(wanted.account_id, wanted.sid, record) if record else None
        facts = codec.facts(found, wanted.request.client_id) if found else None
        if reason == "issued" and session and facts:
            return CodeIssued(session, facts)
        return CodeRefused(Refusal(reason), session, facts)

    async def end(self, account_id: str, sid: str, *, now: float) -> Ended:  # noqa: ARG002
        """End a session, its unspent codes and its grants that are not offline; idempotent.

        The same step queues a notice for every client with a grant of it, offline ones included.
        """
        base = self._names.account(account_id)
        keys = (base + "index", f"{base}session:{sid}")
        async with self._notices.ending(account_id):
            answer = await self._steps.end(self._end, keys, sid, self._steps.marks)
        return Ended(codec.pairs(answer))

    async def end_vouched(self, account_id: str, upstream: str, *, until: float) -> Ended:
        """End the sessions that an upstream vouched for, as ``end`` does; idempotent.

        Those of a sign-in after ``until`` (UTC seconds) stay.
        """
        keys = (self._names.account(account_id) + "index",)
        async with self._notices.ending(account_id):
            answer = await self._steps.end(
                self._end_vouched, keys, upstream, codec.at(until), self._steps.marks
            )
        return Ended(codec.pairs(answer))


def _code_arguments(wanted: CodeRequest, cap: str) -> list[str]:
    request = wanted.request
    arguments = [
        wanted.sid,
        str(wanted.generation),
        wanted.code_id,
        request.client_id,
        request.redirect_uri,
        request.code_challenge or "",
        request.nonce or "",
        codec.words(request.scope),
        codec.words(request.resources),
        codec.at(wanted.now),
        str(wanted.code_lifetime),
        str(wanted.session_idle),
        codec.at(wanted.min_auth_time),
        "0" if wanted.required_consent is None else "1",
        codec.words(wanted.required_consent or ()),
        request.hint_sub or "",
        cap,
        request.dpop_jkt or "",
        codec.claims_text(request.claims),
    ]
    if wanted.facts is not None:
        arguments += codec.facts_arguments(wanted.facts)
    return arguments

"""All checks in their order: what was seen goes in, what is to say of it comes out."""

from collections.abc import Iterable, Sequence

from broker.doctor.checks import (
    agreement,
    documents,
    freshness,
    front_door,
    key_set,
    revalidation,
    token,
)
from broker.doctor.key_sets import Key, UnreadableError, json_object, read
from broker.doctor.model import (
    Answer,
    Evidence,
    Finding,
    Look,
    Section,
    Silence,
    Trouble,
    Verdict,
    fail,
)

Findings = Iterable[Finding | None]


def unreachable(evidence: Evidence) -> str | None:
    """Return why nothing could be asked at all; None where something answered.

    A certificate that is refused is an answer: it is judged.
    """
    end = evidence.discovery.end
    if isinstance(end, Silence) and not evidence.discovery.hops and end.trouble is not Trouble.TLS:
        return end.reason
    return None


def examine(evidence: Evidence, received: str | None = None) -> tuple[Section, ...]:
    """Judge a deployment.

    Args:
        evidence: what was seen of it.
        received: a token that a downstream service received, to judge along.

    Returns:
        The findings, by what they are about.
    """
    sections = (
        ("Front door", _front_door(evidence)),
        ("Discovery", _discovery(evidence)),
        ("Keys", _keys(evidence)),
        ("Caching", _caching(evidence)),
        ("Every address and process", _everywhere(evidence)),
        ("The token", _token(evidence, received)),
    )
    return told(sections)


def told(sections: Iterable[tuple[str, Findings]]) -> tuple[Section, ...]:
    """Return what there is to say, by what it is about; what has nothing to say is left out."""
    found = ((title, tuple(one for one in some if one is not None)) for title, some in sections)
    return tuple(Section(title, findings) for title, findings in found if findings)


def worst(sections: Sequence[Section]) -> Verdict:
    """Return the verdict of the whole."""
    seen = {one.verdict for section in sections for one in section.findings}
    return next((one for one in (Verdict.FAIL, Verdict.WARN) if one in seen), Verdict.PASS)


def _front_door(evidence: Evidence) -> Findings:
    yield front_door.address(evidence.asked)
    end = evidence.discovery.end
    if isinstance(end, Silence):
        if end.trouble is Trouble.TLS:
            yield front_door.refused(end)
        return
    yield front_door.certificate(end, evidence.at)
    yield front_door.clock(_nearest(evidence, end))
    keys = evidence.jwks_answer
    yield front_door.in_between(end, *([keys] if keys else []))


def _nearest(evidence: Evidence, end: Answer) -> Answer:
    """Return the answer whose Date is the broker's or its proxy's own, not a stored one."""
    direct = evidence.looks.direct if evidence.looks else None
    return direct if isinstance(direct, Answer) else end


def _discovery(evidence: Evidence) -> Findings:
    end, metadata = evidence.discovery.end, evidence.metadata
    if isinstance(end, Silence) and end.trouble is Trouble.TLS:
        return
    yield documents.status("document", end)
    yield front_door.redirects("redirects", evidence.discovery)
    if not isinstance(end, Answer) or end.status != 200:
        return
    yield documents.media_type(end, documents.JSON)
    if metadata is None:
        yield unreadable("content", end)
        return
    yield documents.issuer(metadata, evidence.asked)
    yield documents.jwks_uri(metadata, evidence.asked)
    yield documents.algorithms(metadata)
    yield documents.cors(evidence.browser)
    yield documents.cookies(end, shared=False)
    yield documents.kept(end)
    yield front_door.speed("speed", [end, *_some(evidence.browser)])


def _keys(evidence: Evidence) -> Findings:
    if evidence.jwks is None:
        return
    yield documents.status("document", evidence.jwks.end)
    yield front_door.redirects("redirects", evidence.jwks)
    answer = evidence.jwks_answer
    if answer is None:
        return
    yield documents.media_type(answer, documents.JSON, documents.JWK_SET)
    yield key_set.size(answer)
    keys = _read(answer)
    if keys is None:
        yield unreadable("content", answer)
    else:
        yield from _each_key(keys, documents.advertised(evidence.metadata or {}))
    yield documents.cookies(answer, shared=True)
    yield documents.cors(evidence.looks.browser if evidence.looks else None)
    samples = [look for one in evidence.samples for look in (one.plain, one.direct)]
    yield front_door.speed("speed", [answer, *samples])


def _each_key(keys: Sequence[Key], algorithms: Sequence[str]) -> Findings:
    yield key_set.secrecy(keys)
    yield key_set.identifiers(keys)
    yield key_set.purpose(keys)
    yield key_set.strength(keys)
    yield from key_set.successors(keys, algorithms)


def _caching(evidence: Evidence) -> Findings:
    answer, looks = evidence.jwks_answer, evidence.looks
    if answer is None or looks is None:
        return
    yield freshness.cache_control(answer)
    yield freshness.duration(answer)
    yield freshness.overtime(answer)
    yield freshness.stored(_oldest(evidence, answer))
    yield freshness.expires(answer)
    yield revalidation.etag(answer)
    yield revalidation.conditional(answer, looks.conditional)
    yield revalidation.head(answer, looks.head)
    yield revalidation.vary(answer)
    yield revalidation.compression(answer, looks.identity)


def _oldest(evidence: Evidence, answer: Answer) -> Answer:
    """Return the answer that lay longest in a cache: of several edges, the worst one counts."""
    plain = [one.plain for one in evidence.samples]
    answers = [look for look in (answer, *plain) if isinstance(look, Answer) and look.status == 200]
    return max(answers, key=freshness.by_staleness)


def _everywhere(evidence: Evidence) -> Findings:
    if evidence.samples:
        yield agreement.addresses(evidence.samples)
        yield agreement.same_keys(evidence)


def _token(evidence: Evidence, received: str | None) -> Findings:
    if received is None:
        return
    try:
        parsed = token.parse(received)
    except token.NotATokenError as error:
        yield fail("form", str(error), "answer 401: what was received is no token of the broker")
        return
    yield from token.judge(parsed, evidence, evidence.asked, evidence.at)


def _some(look: Look | None) -> list[Look]:
    return [] if look is None else [look]


def _read(answer: Answer) -> tuple[Key, ...] | None:
    try:
        return read(answer.body)
    except UnreadableError:
        return None


def unreadable(name: str, answer: Answer) -> Finding:
    """Return what to say of a document that is not what it should be."""
    try:
        json_object(answer.body)
        reason = 'no JWK Set: it has no "keys" array of objects'
    except UnreadableError as error:
        reason = str(error)
    cure = "hand on the broker's own answer: a page of the proxy stands in its place"
    return fail(name, reason, cure)

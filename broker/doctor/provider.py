"""Whether a deployment can be Discord's OpenID provider: what is asked, and what is said of it."""

from broker.doctor.checks import documents, id_token, key_set, provider, token
from broker.doctor.examine import Findings, told, unreadable
from broker.doctor.fetching import Fetcher
from broker.doctor.gathering import gather_documents
from broker.doctor.key_sets import UnreadableError, read
from broker.doctor.model import Answer, Evidence, Section, fail, warn
from broker.doctor.places import bare, origin


async def gather_provider(
    configured: str, fetcher: Fetcher, now: float
) -> tuple[Evidence, tuple[str, ...]]:
    """Ask as Discord does: for two documents.

    Args:
        configured: the issuer as Discord was given it, as `places.configured` returns it.
        fetcher: asks.
        now: epoch seconds.

    Returns:
        What was seen, and the IP addresses of the host.
    """
    issuer = bare(configured)
    _, host, port = origin(issuer)
    return await gather_documents(issuer, fetcher, now), await fetcher.resolve(host, port)


def examine_provider(
    evidence: Evidence,
    addresses: tuple[str, ...],
    configured: str,
    *,
    client_id: str | None = None,
    received: str | None = None,
) -> tuple[Section, ...]:
    """Judge a deployment as Discord does.

    Args:
        evidence: what was seen of it.
        addresses: IP addresses of its host.
        configured: the issuer as Discord was given it.
        client_id: the client id as Discord was given it, or None.
        received: an ID token, to judge along.
    """
    sections = (
        ("Issuer", _issuer(addresses, configured)),
        ("Discovery", _discovery(evidence, configured)),
        ("Keys", _keys(evidence)),
        ("The ID token", _token(evidence, configured, client_id, received)),
    )
    return told(sections)


def _issuer(addresses: tuple[str, ...], configured: str) -> Findings:
    yield provider.scheme(configured)
    yield provider.form(configured)
    yield provider.host(configured)
    yield provider.public(addresses)


def _discovery(evidence: Evidence, configured: str) -> Findings:
    end, metadata = evidence.discovery.end, evidence.metadata
    yield documents.status("document", end)
    yield provider.redirects(evidence.discovery)
    if not isinstance(end, Answer) or end.status != 200:
        return
    if metadata is None:
        yield unreadable("content", end)
        return
    yield provider.issuer(metadata, configured)
    yield provider.jwks_uri(metadata)
    yield provider.algorithms(metadata)


def _keys(evidence: Evidence) -> Findings:
    if evidence.jwks is None:
        return
    yield documents.status("document", evidence.jwks.end)
    yield provider.redirects(evidence.jwks)
    answer = evidence.jwks_answer
    if answer is None:
        return
    try:
        keys = read(answer.body)
    except UnreadableError:
        yield unreadable("content", answer)
        return
    yield key_set.secrecy(keys)
    yield key_set.identifiers(keys)
    yield key_set.strength(keys)


def _token(
    evidence: Evidence, configured: str, client_id: str | None, received: str | None
) -> Findings:
    if received is None:
        if client_id is not None:
            cure = "sign in with that client, and pipe its ID token in: --id-token -"
            yield warn("form", "there is none to judge", cure)
        return
    try:
        parsed = token.parse(received)
    except token.NotATokenError as error:
        yield fail("form", str(error), "give the id_token of the app's answer, and nothing else")
        return
    yield from id_token.judge(parsed, evidence, configured, client_id)

"""Whether every address, process and edge gives the same keys."""

from collections.abc import Iterable, Sequence

from broker.doctor.caching import age, lifetime
from broker.doctor.key_sets import kids_in, named
from broker.doctor.model import (
    Answer,
    Evidence,
    Finding,
    Look,
    Sample,
    Silence,
    Trouble,
    counted,
    fail,
    ok,
    warn,
)
from broker.doctor.wording import at, span

Kids = frozenset[str]


def addresses(samples: Sequence[Sample]) -> Finding:
    """Judge that every address of the host answers, IPv4 and IPv6."""
    silent: dict[str, Silence] = {}
    answered: set[str] = set()
    for sample in samples:
        for look in (sample.plain, sample.direct):
            if isinstance(look, Silence):
                silent.setdefault(look.address, look)
            elif look.status != 200:
                reason = f"status {look.status}"
                silent.setdefault(look.address, Silence(look.url, Trouble.BROKEN, reason))
            else:
                answered.add(look.address)
    if not silent:
        return ok("addresses", ", ".join(sorted(answered)) or "none asked")
    seen = "; ".join(f"{name or 'the host'}: {one.reason}" for name, one in sorted(silent.items()))
    if answered and all(one.trouble is Trouble.NO_ROUTE for one in silent.values()):
        cure = "look from a machine that has a way there (IPv6?), or mend the host's DNS"
        return warn("addresses", seen, cure)
    half = " now and then" if set(silent) & answered else ""
    cure = "take the address out of DNS, or mend what listens there: verifiers choose any of them"
    return fail("addresses", f"does not answer{half}: {seen}", cure)


def same_keys(evidence: Evidence) -> Finding | None:
    """Judge that all connections saw one set of keys, caches passed by or not; else say why."""
    plain = tuple(_read(sample.plain for sample in evidence.samples))
    direct = tuple(_read(sample.direct for sample in evidence.samples))
    if evidence.looks is not None:
        direct += tuple(_read([evidence.looks.direct]))
    sets = {kids for kids, _ in plain + direct}
    if not sets:
        return None
    if len(sets) == 1:
        number = len(plain) + len(direct)
        return ok("same keys", f"{counted(number, 'fresh connection')}, one set: {named(*sets)}")
    if any(not one & other for one in sets for other in sets):
        return _strangers(sets)
    behind = {kids for kids, _ in direct}
    if len(behind) == 1:
        return _old_copies(plain, next(iter(behind)))
    return _rotating(sets)


def _read(looks: Iterable[Look]) -> list[tuple[Kids, Answer]]:
    return [
        (kids, look)
        for look in looks
        if isinstance(look, Answer) and (kids := kids_in(look)) is not None
    ]


def _strangers(sets: set[Kids]) -> Finding:
    shown = " / ".join(named(kids) for kids in sorted(sets, key=sorted))
    return fail(
        "same keys",
        f"sets with no key in common: {shown}",
        "processes behind this name do not share a key store, or a cache holds another "
        "deployment's copy: give all of them one BROKER_DATABASE_URL, and purge the caches",
    )


def _old_copies(plain: Sequence[tuple[Kids, Answer]], current: Kids) -> Finding:
    """Judge copies that differ from what the broker itself answers."""
    old = [(kids, answer) for kids, answer in plain if kids != current]
    missing = named(frozenset[str]().union(*(current - kids for kids, _ in old)))
    extra = named(frozenset[str]().union(*(kids - current for kids, _ in old)))
    seen = (
        f"{len(old)} of {counted(len(plain), 'answer')} from a cache that is behind the broker "
        f"(not known there: {missing}; still there: {extra})"
    )
    ends = [_ends(answer) for _, answer in old]
    told = [moment for moment in ends if moment is not None]
    if len(told) == len(ends) and all(
        moment >= answer.at for moment, (_, answer) in zip(told, old, strict=True)
    ):
        cure = f"a rotation is under way: look again after {at(max(told))}, when the copies end"
        return warn("same keys", seen, cure)
    cure = "the cache does not keep to max-age, or hides Age: purge it, and do not cache here"
    return fail("same keys", seen, cure)


def _ends(answer: Answer) -> float | None:
    """Return when a stored copy ends; None where it does not say how old it is."""
    spent, keep = age(answer), lifetime(answer)
    return None if spent is None or keep is None else answer.at + keep - spent


def _rotating(sets: set[Kids]) -> Finding:
    common = frozenset.intersection(*sets)
    seen = f"{len(sets)} sets; common to all: {named(common)}; "
    seen += f"not everywhere: {named(frozenset.union(*sets) - common)}"
    keeps = span(60)
    return warn(
        "same keys",
        seen,
        f"a rotation is under way (a process follows within BROKER_KEYS_POLL): look again in "
        f"{keeps}; if it stays, one cannot read its key store: see each one's /readyz",
    )

"""Asking again: ETag, If-None-Match, HEAD; what splits or breaks a copy on the way."""

from typing import Final

from broker.doctor import going_between
from broker.doctor.key_sets import kids_in
from broker.doctor.model import (
    LONGEST_QUOTE,
    Answer,
    Finding,
    Look,
    Silence,
    fail,
    ok,
    quoted,
    warn,
)

_SPLITTING: Final = frozenset({"*", "cookie", "user-agent", "authorization", "referer"})
_SUFFIXES: Final = ("-gzip", "-br", "-df", "--gzip", ";gzip", ":gzip")


def etag(answer: Answer) -> Finding:
    """Judge whether the answer has an entity tag, and whose."""
    found, who = answer.header("etag"), going_between.suspect(answer)
    if not found:
        cure = f"the broker sends one: let {who} hand it on (nginx: no sub_filter or SSI here)"
        return warn("ETag", "missing: every refresh carries the whole document", cure)
    found = found[:LONGEST_QUOTE]
    if found.rstrip('"').endswith(_SUFFIXES):
        return ok("ETag", f"{found}, changed by {who}'s compression")
    if found.startswith("W/"):
        return ok("ETag", f"{found}, weakened by {who}; it does as long as 304 comes")
    return ok("ETag", "strong, as the broker sends it")


def conditional(answer: Answer, look: Look | None) -> Finding | None:
    """Judge the answer to If-None-Match (RFC 9110 §13.1.2); None where nothing could be asked."""
    if look is None:
        return None
    name, who = "If-None-Match", going_between.suspect(answer)
    cure = f"let {who} hand the header and the 304 through"
    if isinstance(look, Silence):
        return fail(name, look.reason, cure)
    if look.status == 304:
        return _unchanged(name, look, who)
    if look.status != 200:
        return fail(name, f"answered {look.status}: verifiers that revalidate lose the keys", cure)
    if look.header("etag") != answer.header("etag"):
        return ok(name, "answered 200 with another ETag: the document changed meanwhile")
    return warn(name, "answered 200 for a document we have: every refresh carries it", cure)


def _unchanged(name: str, look: Answer, who: str) -> Finding:
    if look.header("cache-control") is None:
        cure = f"a 304 must repeat Cache-Control (RFC 9110 §15.4.5): look at {who}"
        return warn(name, "304 without Cache-Control: some verifiers do not know how long", cure)
    return ok(name, "304, with Cache-Control")


def head(answer: Answer, look: Look) -> Finding:
    """Judge HEAD: monitors and some caches use it (RFC 9110 §9.3.2)."""
    cure = f"let {going_between.suspect(answer)} hand HEAD on: the broker answers it"
    if isinstance(look, Silence):
        return warn("HEAD", look.reason, cure)
    if look.status != 200:
        return warn("HEAD", f"answered {look.status}", cure)
    return ok("HEAD", "answers as GET does")


def vary(answer: Answer) -> Finding:
    """Judge Vary: it must not make a copy for every asker."""
    fields = [one.strip().lower() for one in (answer.header("vary") or "").split(",")]
    splitting = sorted(set(fields) & _SPLITTING)
    if splitting:
        cure = f"take it out ({going_between.suspect(answer)}): the document is one for everybody"
        return warn("Vary", f"{', '.join(splitting)}: shared caches cannot keep one copy", cure)
    squeezed = (answer.header("content-encoding") or "identity").lower() != "identity"
    if squeezed and "accept-encoding" not in fields:
        cure = "add Vary: Accept-Encoding (nginx: gzip_vary on)"
        return warn("Vary", "compressed without Vary: a cache may hand it to anybody", cure)
    return ok("Vary", ", ".join(one for one in fields if one) or "none")


def compression(answer: Answer, plain: Look) -> Finding:
    """Judge that the same keys come with and without compression."""
    used = answer.header("content-encoding") or "none"
    cure = f"switch compression off for the JWKS at {going_between.suspect(answer)}"
    if isinstance(plain, Silence):
        return fail("compression", f"asked for none: {plain.reason}", cure)
    forced = (plain.header("content-encoding") or "identity").lower()
    if forced != "identity":
        seen = f"{quoted(forced)} came though none was asked for: simple verifiers cannot read it"
        return fail("compression", seen, cure)
    if kids_in(plain) is None:
        return fail(
            "compression", f"without it the answer is no JWKS (status {plain.status})", cure
        )
    if used == "none":
        return ok("compression", "not used")
    return ok("compression", f"{quoted(used)} where asked for, readable either way")

"""What is in the JWKS: only public keys, each named, strong enough, with a successor."""

from collections.abc import Sequence
from typing import Final

from broker.doctor.key_sets import PRIVATE, Key, bits, kid_of, short, thumbprint, usable
from broker.doctor.model import Answer, Finding, counted, fail, ok, quoted, warn

USUAL_SIZE: Final = 64 << 10
LARGEST: Final = 256 << 10
RSA_BITS: Final = 2048


def size(answer: Answer) -> Finding:
    """Judge the length of the document: verifiers read no endless ones."""
    length = len(answer.body)
    seen = f"{'more than ' if answer.cut else ''}{length} bytes"
    cure = "look at what is in it: two or three keys an algorithm take a kilobyte or two"
    if answer.cut or length > LARGEST:
        return fail("size", seen, cure)
    return warn("size", seen, cure) if length > USUAL_SIZE else ok("size", seen)


def secrecy(keys: Sequence[Key]) -> Finding:
    """Judge that no private or symmetric key is given away. Their values are never shown."""
    open_ones = [short(kid_of(key)) for key in keys if any(name in key for name in PRIVATE)]
    shared = [short(kid_of(key)) for key in keys if key.get("kty") == "oct" or "k" in key]
    if open_ones or shared:
        what = "PRIVATE KEY" if open_ones else "SYMMETRIC KEY"
        return fail(
            "only public keys",
            f"A {what} IS OPEN TO EVERYBODY: {', '.join(dict.fromkeys(open_ones + shared))}",
            "anybody can sign as you: broker keys revoke KID --reason … now, empty every cache, "
            "then find out what wrote this document, for the broker does not",
        )
    return ok("only public keys", "no private member, no symmetric key")


def identifiers(keys: Sequence[Key]) -> Finding:
    """Judge `kid`: there, unique, and the RFC 7638 thumbprint, as the broker makes them."""
    kids = [kid_of(key) for key in keys]
    cure = "let every key have a kid of its own: verifiers choose by it"
    if not all(kids):
        return fail("kid", f"{counted(kids.count(''), 'key')} without one", cure)
    twice = sorted({kid for kid in kids if kids.count(kid) > 1})
    if twice:
        return fail("kid", f"given twice: {', '.join(short(kid) for kid in twice)}", cure)
    other = [kid for kid, key in zip(kids, keys, strict=True) if thumbprint(key) != kid]
    if other:
        names = ", ".join(short(kid) for kid in other)
        cure = "the broker names its keys by thumbprint: did something else write this document?"
        return warn("kid", f"not the RFC 7638 thumbprint: {names}", cure)
    return ok("kid", f"{counted(len(kids), 'key')}, each named by its RFC 7638 thumbprint")


def purpose(keys: Sequence[Key]) -> Finding:
    """Judge `use` and `alg`: a key that says what it is for cannot be taken for another."""
    wrong = [key for key in keys if key.get("use") not in {"sig", None}]
    if wrong:
        uses = ", ".join(sorted({quoted(key.get("use")) for key in wrong}))
        cure = "publish signing keys alone in here"
        return warn("use and alg", f"use is {uses}", cure)
    silent = [short(kid_of(key)) for key in keys if "use" not in key or "alg" not in key]
    if silent:
        cure = 'give every key "use": "sig" and its "alg" (RFC 8725 §3.1)'
        return warn("use and alg", f"not both said by {', '.join(silent)}", cure)
    return ok("use and alg", "every key says both")


def strength(keys: Sequence[Key]) -> Finding:
    """Judge that each key can be read, and RSA keys have 2048 bits or more (RFC 7518 §3.3)."""
    readable = [key for key in keys if key.get("kty") != "oct"]
    broken = [short(kid_of(key)) for key in readable if usable(key) is None]
    if broken:
        cure = "verifiers that read the whole set refuse all of it: remove or repair the key"
        return fail("strength", f"no readable key: {', '.join(broken)}", cure)
    weak = [
        f"{short(kid_of(key))} ({bits(key)} bits)"
        for key in readable
        if key.get("kty") == "RSA" and (bits(key) or 0) < RSA_BITS
    ]
    if weak:
        cure = "change over to keys of 2048 bits or more: broker keys rotate"
        return fail("strength", f"too weak: {', '.join(weak)}", cure)
    kinds = dict.fromkeys(f"{key.get('kty')} {bits(key) or '?'}" for key in readable)
    return ok("strength", ", ".join(kinds) or "no key")


def successors(keys: Sequence[Key], algorithms: Sequence[str]) -> tuple[Finding, ...]:
    """Judge, for each advertised algorithm, that a signing key and its successor are there."""
    return tuple(_successor(keys, alg) for alg in algorithms)


def _successor(keys: Sequence[Key], alg: str) -> Finding:
    found = [short(kid_of(key)) for key in keys if _signs(key, alg)]
    name = f"keys for {alg}"
    if not found:
        cure = f"publish its keys, or do not advertise {alg}: its tokens cannot be verified"
        return fail(name, "advertised, and there is none", cure)
    if len(found) == 1:
        return warn(
            name,
            f"{found[0]} alone, without a published successor",
            "an emergency change-over would meet caches that do not know the new key: "
            "look at broker keys plan and at the broker's log",
        )
    return ok(name, f"{', '.join(found)}: one signs, a successor is known already")


def _signs(key: Key, alg: str) -> bool:
    told = key.get("alg")
    if told is not None:
        return told == alg or {told, alg} == {"EdDSA", "Ed25519"}
    kinds = {"R": "RSA", "P": "RSA", "E": "OKP" if alg.startswith("Ed") else "EC"}
    return key.get("kty") == kinds.get(alg[:1])

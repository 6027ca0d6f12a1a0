"""Damaged files of a key directory: named, and never taken for a first start."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from directory_child import FIRST, SECOND, THIRD, files, newest, store

from keys.errors import KeyRecordCorrupt
from keys.model import Insert
from keys.stores import document, generations
from keys.stores.generations import file_name


def _rewrite(path: Path, alter: Callable[[dict], object]) -> None:
    """Alter a document and make its digest fit again."""
    shown = json.loads(path.read_text())
    alter(shown)
    shown["digest"] = document._digest(shown["generation"], shown["keys"])
    path.write_text(json.dumps(shown))


def _put(path: Path, **members) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **members}))


def _without(path: Path, name: str) -> None:
    shown = json.loads(path.read_text())
    del shown[name]
    path.write_text(json.dumps(shown))


def _key(path: Path, **members) -> None:
    _rewrite(path, lambda shown: shown["keys"][0].update(members))


DAMAGE = {
    "emptied": (lambda p: p.write_bytes(b""), "is empty: it was cut short"),
    "cut short": (lambda p: p.write_bytes(p.read_bytes()[:200]), "cut short or garbled"),
    "one byte short": (lambda p: p.write_bytes(p.read_bytes()[:-3]), "cut short or garbled"),
    "garbled": (lambda p: p.write_bytes(os.urandom(600)), "cut short or garbled"),
    "zeros": (lambda p: p.write_bytes(bytes(600)), "cut short or garbled"),
    "nested": (lambda p: p.write_bytes(b"[" * 200_000), "cut short or garbled"),
    "huge": (lambda p: os.truncate(p, 5 << 20), "too large"),
    "foreign": (lambda p: p.write_text('{"keys": []}'), "not a file of signing keys"),
    "a list": (lambda p: p.write_text("[]"), "not a file of signing keys"),
    "altered": (
        lambda p: p.write_text(p.read_text().replace("1000600.5", "1000600.6", 1)),
        "was altered",
    ),
    "no keys at all": (lambda p: _put(p, keys=[]), "was altered"),
    "a member twice": (
        lambda p: p.write_text(p.read_text().replace("{", '{"version": 1,', 1)),
        "garbled",
    ),
    "another generation": (lambda p: _rewrite(p, lambda d: d.update(generation=7)), "the copy of"),
    "a newer version": (
        lambda p: _rewrite(p, lambda d: d.update(version=2)),
        "version 2; this release reads 1",
    ),
    "an odd version": (lambda p: _rewrite(p, lambda d: d.update(version=True)), "version True"),
    "an unknown member": (lambda p: _rewrite(p, lambda d: d.update(x=1)), "too few: x"),
    "a member less": (lambda p: _without(p, "digest"), "too few: digest"),
    "a key's unknown member": (lambda p: _key(p, x=1), "about it: x"),
    "a key's member less": (
        lambda p: _rewrite(p, lambda d: d["keys"][0].pop("sealed")),
        "about it: sealed",
    ),
    "no name": (lambda p: _key(p, kid=7), "a key without a name"),
    "a key that is none": (lambda p: _rewrite(p, lambda d: d["keys"].append(1)), "without a name"),
    "a time that is none": (lambda p: _key(p, signs_from="soon"), "cannot be its signs_from"),
    "a time that is a truth": (lambda p: _key(p, signs_from=True), "cannot be its signs_from"),
    "an endless time": (lambda p: _key(p, signs_from=float("inf")), "cannot be its signs_from"),
    "a time too long": (lambda p: _key(p, signs_from=10**400), "cannot be its signs_from"),
    "a half that is no base64": (lambda p: _key(p, sealed="%%"), "cannot be its sealed"),
    "a public half that is none": (lambda p: _key(p, public_jwk=[]), "cannot be its public_jwk"),
    "a nameless algorithm": (lambda p: _key(p, alg=None), "cannot be its alg"),
    "a name twice": (lambda p: _key(p, kid="b"), "two keys with the same kid"),
    "a predecessor twice": (lambda p: _key(p, predecessor="a"), "the same predecessor"),
    "deleted": (lambda p: p.unlink(), "the file after it was deleted"),
    "a directory": (lambda p: (p.unlink(), p.mkdir()), "is not a file"),
    "a pipe": (lambda p: (p.unlink(), os.mkfifo(p)), "is not a file"),
}


@pytest.mark.parametrize(("damage", "why"), DAMAGE.values(), ids=DAMAGE.keys())
async def test_damage_is_named_and_never_taken_for_an_empty_store(place, damage, why):
    """Every damaged file is refused with its reason, by readers and writers, and stays as it is."""
    await store(place).apply(Insert(FIRST), Insert(SECOND))
    damage(newest(place) if newest(place).stat().st_size else place / file_name(1))
    before = files(place)
    with pytest.raises(KeyRecordCorrupt, match=why):
        await store(place).all()
    with pytest.raises(KeyRecordCorrupt, match=why):
        await store(place).apply(Insert(THIRD))
    assert files(place) == before


async def test_a_first_start_cut_short_is_finished_by_the_next(place, monkeypatch):
    """The mark that tells a deleted first generation is made by whoever comes next."""
    monkeypatch.setattr(generations, "_sweep", lambda *_: None)
    await store(place).apply(Insert(FIRST))
    monkeypatch.undo()
    assert list(files(place)) == [file_name(1)]
    assert await store(place).all() == (FIRST,)
    (place / file_name(1)).unlink()
    with pytest.raises(KeyRecordCorrupt, match="deleted"):
        await store(place).all()


async def test_a_file_without_the_newer_attributes_is_read(place):
    """What a release before wrote, without an attribute that may be absent, reads as None."""
    await store(place).apply(Insert(FIRST))
    _rewrite(newest(place), lambda shown: shown["keys"][0].pop("revoked_reason"))
    assert await store(place).all() == (FIRST,)

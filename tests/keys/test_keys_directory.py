"""What is special about keys in a directory: crashes, other processes, who may look."""

import errno
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import directory_child as child
import pytest
from directory_child import CHANGES, FIRST, MOVED, SECOND, THIRD, files, newest, record, store

from keys.errors import KeyConflict, KeyStoreUnavailable
from keys.model import Delete, Insert, Replace
from keys.stores import generations
from keys.stores.generations import KEPT, file_name

ROOT = Path(__file__).parents[2]


def run(place: Path, *command: str, **more) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, child.__file__, place, *command],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        **more,
    )


def said(process: subprocess.Popen) -> str:
    out = process.communicate(timeout=60)[0]
    assert process.returncode == 0
    return out.strip()


def go(place: Path, running: list[subprocess.Popen]) -> None:
    """Let processes begin at the same time."""
    for process in running:
        assert process.stdout.readline() == "ready\n"
    (place.parent / "go").touch()


async def grow(place: Path, times: int) -> None:
    """Make so many more generations."""
    for n in range(times):
        (found,) = await store(place).all()
        await store(place).apply(Replace(found, replace(found, signs_from=float(n))))


# a process that dies


@pytest.mark.parametrize("half", ["whole", "half"])
@pytest.mark.parametrize(
    ("start", "before", "after"),
    [("used", (FIRST, SECOND), (MOVED, THIRD)), ("new", (), (FIRST, SECOND))],
    ids=["used", "new"],
)
async def test_a_process_killed_at_any_call_leaves_all_or_nothing(
    tmp_path, start, before, after, half
):
    """Killed at every file-system call in turn: the keys are as before or as after, none between.

    The next writer waits for nothing and succeeds, and leaves only what a quiet directory has.
    """
    calls = int(said(run(tmp_path, "crash", start, half)))
    assert calls > 12
    found = []
    for n in range(1, calls + 1):
        place = tmp_path / str(n)
        records = await store(place).all()
        assert records in (before, after)
        found.append(records == after)
        following = record("next", "z", created_at=THIRD.created_at + 1)
        await store(place).apply(Insert(following))
        assert await store(place).all() == (*records, following)
        assert not list(place.glob(".*"))
        assert [size > 0 for size in files(place).values()].count(True) == 1
    assert found == sorted(found), "once made, a change stays made"
    assert {True, False} == set(found)


async def test_what_lasts_is_on_disk_before_it_counts(place, monkeypatch):
    """Content is flushed before it has its name, the name before what it replaces is emptied."""
    await store(place).apply(Insert(FIRST))
    calls: list[str] = []
    for name in ("fsync", "link", "open"):
        monkeypatch.setattr(os, name, _noted(calls, getattr(os, name), name))
    await store(place).apply(Insert(SECOND))
    commit = calls.index("link")
    assert "fsync" in calls[calls.index("open new") : commit]
    assert "fsync" in calls[commit : calls.index("open emptied")]


def _noted(calls: list[str], call: Callable, name: str) -> Callable:
    def noted(*args, **more):
        flags = args[1] if name == "open" and isinstance(args[1], int) else 0
        kind = " new" if flags & os.O_CREAT else " emptied" if flags & os.O_TRUNC else ""
        calls.append(name + kind)
        return call(*args, **more)

    return noted


# several processes


async def test_processes_that_write_at_once_lose_nothing(place):
    """Five processes count up one key forty times each: it ends at exactly two hundred more."""
    await store(place).apply(Insert(FIRST))
    running = [run(place, "count", "40") for _ in range(5)]
    go(place, running)
    conflicts = sum(int(said(process)) for process in running)
    (after,) = await store(place).all()
    assert after.signs_from == FIRST.signs_from + 200
    assert conflicts > 0, "they never met: the test shows nothing"


async def test_of_processes_that_rotate_at_once_one_wins(place):
    """Six processes insert a follower of the same key at the same time: one does."""
    await store(place).apply(Insert(FIRST))
    running = [run(place, "follow", f"b{n}") for n in range(6)]
    go(place, running)
    outcomes = [said(process) for process in running]
    assert sorted(outcomes) == ["lost"] * 5 + ["won"]
    assert [r.kid for r in await store(place).all()] == ["a", f"b{outcomes.index('won')}"]


def _meanwhile(place: Path, monkeypatch, times: int, *, after: bool = False) -> None:
    """Let others make so many generations just before, or just after, the next one is made."""
    link = os.link

    def late(*args, **more):
        monkeypatch.setattr(os, "link", link)
        if after:
            link(*args, **more)
        for _ in range(times):
            keys = store(place)
            found = keys._read()[1][0]
            assert keys._try([Replace(found, replace(found, signs_from=found.signs_from + 1))])
        if not after:
            link(*args, **more)

    monkeypatch.setattr(os, "link", late)


@pytest.mark.parametrize("times", [1, KEPT - 1])
async def test_a_writer_that_slept_reads_again(place, monkeypatch, times):
    """Whoever was asleep for some generations makes its change on the newest one, or conflicts."""
    await store(place).apply(Insert(FIRST))
    _meanwhile(place, monkeypatch, times)
    await store(place).apply(Insert(SECOND))
    assert {r.kid: r.signs_from for r in await store(place).all()} == {
        "a": FIRST.signs_from + times,
        "b": SECOND.signs_from,
    }
    await store(place).apply(Delete(SECOND))
    _meanwhile(place, monkeypatch, times)
    with pytest.raises(KeyConflict):
        await store(place).apply(Delete((await store(place).all())[0]))


async def test_a_writer_that_slept_for_very_long_overwrites_nothing(place, monkeypatch):
    """The name it wanted may be free again: what others wrote stands, and it reads the truth."""
    await store(place).apply(Insert(FIRST))
    _keep_swept_files(monkeypatch)
    _meanwhile(place, monkeypatch, KEPT + 4)
    with pytest.raises(KeyStoreUnavailable, match="is unknown, for 19 others"):
        await store(place).apply(Insert(SECOND))
    assert await store(place).all() == (replace(FIRST, signs_from=FIRST.signs_from + KEPT + 4),)
    await store(place).apply(Insert(SECOND))
    assert {r.kid for r in await store(place).all()} == {"a", "b"}


def _keep_swept_files(monkeypatch) -> None:
    """Let the sleeper's own file survive, as it does when its sweepers die."""
    monkeypatch.setattr(generations, "_PENDING", generations.re.compile("(none)"))


async def test_a_writer_that_slept_after_its_change_knows_it_was_made(place, monkeypatch):
    """As many others as leave its name taken do not make it doubt; one more does."""
    await store(place).apply(Insert(FIRST))
    _meanwhile(place, monkeypatch, KEPT - 1, after=True)
    await store(place).apply(Insert(SECOND))
    assert {r.kid for r in await store(place).all()} == {"a", "b"}
    _meanwhile(place, monkeypatch, KEPT, after=True)
    with pytest.raises(KeyStoreUnavailable, match="is unknown, for 16 others"):
        await store(place).apply(Insert(THIRD))
    assert {r.kid for r in await store(place).all()} == {"a", "b", "c"}


async def test_a_reader_that_slept_reads_again(place, monkeypatch):
    """A generation that is emptied while it is read is not taken for damage."""
    await store(place).apply(Insert(FIRST))
    keys = store(place)
    read = type(keys._files)._read

    def late(self, *args):
        monkeypatch.setattr(type(keys._files), "_read", read)
        assert store(place)._try([Insert(SECOND)])
        return read(self, *args)

    monkeypatch.setattr(type(keys._files), "_read", late)
    assert {r.kid for r in await keys.all()} == {"a", "b"}


async def test_a_repeated_request_of_nfs_is_taken_for_what_it_is(place, monkeypatch):
    """Where the answer to the linking was lost and it is asked again, the writer still won."""
    link = os.link

    def twice(*args, **more):
        link(*args, **more)
        return link(*args, **more)

    monkeypatch.setattr(os, "link", twice)
    await store(place).apply(Insert(FIRST))
    assert await store(place).all() == (FIRST,)


# what lies in the directory


async def test_old_generations_are_emptied_and_in_time_forgotten(place):
    """An erased private half leaves the directory at once; the number of files is bounded."""
    await store(place).apply(Insert(FIRST))
    await grow(place, 3)
    assert [size > 0 for size in files(place).values()] == [False] * 4 + [True]
    await grow(place, 30)
    assert len(files(place)) == KEPT
    assert {path.stat().st_mode & 0o777 for path in place.iterdir()} == {0o600}


async def test_files_of_others_are_no_generations(place):
    """What an editor or a backup leaves beside a generation is neither read nor touched."""
    await store(place).apply(Insert(FIRST))
    for name in (file_name(9) + "~", file_name(9) + ".bak", "old-" + file_name(9)):
        (place / name).write_bytes(b"{}")
    await store(place).apply(Insert(SECOND))
    assert await store(place).all() == (FIRST, SECOND)
    assert [(place / n).read_bytes() for n in files(place) if "9" in n] == [b"{}"] * 3


async def test_a_file_can_be_read_by_people_and_holds_no_private_half(place):
    """Names, times and reasons stand there as they are; the sealed half in base64."""
    await store(place).apply(Insert(replace(FIRST, revoked_reason="laptop lost")))
    shown = json.loads(newest(place).read_text())
    assert {name: shown[name] for name in ("format", "version", "generation")} == {
        "format": "token-broker signing keys",
        "version": 1,
        "generation": 1,
    }
    (key,) = shown["keys"]
    assert key["kid"] == "a"
    assert key["sealed"] == "AHNlYWxlZP8="
    assert key["signs_from"] == FIRST.signs_from
    assert key["revoked_reason"] == "laptop lost"


async def test_a_backup_is_restored_by_its_newest_file(place, tmp_path):
    """The newest file alone, in an empty directory, is the whole store again."""
    await store(place).apply(Insert(FIRST))
    await grow(place, 2)
    before = await store(place).all()
    (tmp_path / "restored").mkdir(mode=0o700)
    copy = tmp_path / "restored" / newest(place).name
    copy.write_bytes(newest(place).read_bytes())
    assert await store(tmp_path / "restored").all() == before
    await store(tmp_path / "restored").apply(Insert(SECOND))
    assert newest(tmp_path / "restored").name == file_name(4)


async def test_what_a_file_cannot_hold_is_refused_before_it_is_written(place):
    """A value that would not come back as it was never becomes the newest generation."""
    for odd in ({"n": float("nan")}, {"n": ("x",)}, {1: "x"}):
        with pytest.raises(ValueError, match=r"exactly|JSON compliant"):
            await store(place).apply(Insert(replace(FIRST, public_jwk=odd)))
    assert files(place) == {}


# who may look, and what is missing


@pytest.mark.parametrize("mode", [0o701, 0o710, 0o720, 0o704, 0o702, 0o755, 0o777])
async def test_a_directory_open_to_others_is_refused(place, mode):
    """Nobody else may read or write there; the error names the command that mends it."""
    place.chmod(mode)
    for use in (store(place).all(), store(place).apply(Insert(FIRST))):
        with pytest.raises(KeyStoreUnavailable, match=rf"mode {mode:o}\); close it: chmod 700"):
            await use
    place.chmod(0o700)
    assert files(place) == {}


async def test_a_directory_of_another_user_is_refused(place, monkeypatch):
    """A command run as root must not leave files there that the broker cannot read."""
    monkeypatch.setattr(os, "geteuid", lambda: place.stat().st_uid + 1)
    with pytest.raises(KeyStoreUnavailable, match=r"belongs to user id .* runs as"):
        await store(place).apply(Insert(FIRST))


async def test_a_missing_directory_is_named(place):
    """It is not made on the way: a volume that was not mounted is no first start."""
    with pytest.raises(KeyStoreUnavailable, match=r"no key directory .* install -d -m 700"):
        await store(place / "none").all()
    (place / "file").touch()
    with pytest.raises(KeyStoreUnavailable, match="Not a directory"):
        await store(place / "file").apply(Insert(FIRST))


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.ESTALE, errno.ENOSPC])
@pytest.mark.parametrize("call", ["open", "write", "fsync", "link", "listdir", "read"])
async def test_no_error_of_the_file_system_leaves_the_store(place, monkeypatch, call, number):
    """Whatever call fails, the store is unavailable, says why, and is as it was or as asked."""
    await store(place).apply(Insert(FIRST))
    real = getattr(os, call)

    def fail(*args, **more):
        if sys._getframe(1).f_code.co_filename == generations.__file__:
            raise OSError(number, os.strerror(number))
        return real(*args, **more)

    with monkeypatch.context() as broken:
        broken.setattr(os, call, fail)
        with pytest.raises(KeyStoreUnavailable, match=os.strerror(number)):
            await store(place).apply(Insert(SECOND))
    assert await store(place).all() == (FIRST,)


async def test_a_file_system_without_hard_links_is_named(place, monkeypatch):
    """Where names cannot be made exclusively, nothing is written."""

    def refuse(*_args, **_more):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(KeyStoreUnavailable, match="has no hard links"):
        await store(place).apply(Insert(FIRST))
    assert files(place) == {}


async def test_a_full_disk_changes_nothing(place):
    """Where the new state finds no room the old one stands, and nothing half-written is left."""
    await store(place).apply(Insert(FIRST), Insert(SECOND))
    before = files(place)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600, limits[1]))
    try:
        with pytest.raises(KeyStoreUnavailable, match="File too large"):
            await store(place).apply(*CHANGES)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert files(place) == before
    await store(place).apply(*CHANGES)
    assert await store(place).all() == (MOVED, THIRD)

"""A process of its own that changes a key directory, for `test_keys_directory`.

    python directory_child.py DIRECTORY COMMAND [ARGUMENT …]

`crash`   for n = 1, 2, …: make a fresh directory, fork a child that is killed at its n-th
          file-system call, and let it make its changes; until one of them survives. Prints how
          many calls there were.
`count`   change one key so many times, reading again after each conflict. Prints the conflicts.
`follow`  insert a key that follows `a`. Prints whether it did.

The last two print `ready` and wait for the file `go` beside the directory.
"""

import asyncio
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

from keys.errors import KeyConflict
from keys.model import Delete, Insert, KeyRecord, Replace
from keys.stores import generations
from keys.stores.directory import DirectoryKeyStore

CALLS = ("open", "close", "read", "write", "fsync", "link", "unlink", "stat", "fstat", "listdir")


def record(kid: str, predecessor: str = "genesis:RS256", **changes) -> KeyRecord:
    base = KeyRecord(
        kid=kid,
        alg="RS256",
        public_jwk={"kty": "RSA", "n": kid, "e": "AQAB"},
        sealed=b"\x00sealed\xff",
        predecessor=predecessor,
        created_at=1_000_000.25,
        ready_at=1_000_600.5,
        signs_from=1_000_600.5,
    )
    return replace(base, **changes)


def store(directory: Path) -> DirectoryKeyStore:
    return DirectoryKeyStore(directory, os.urandom)


def files(place: Path) -> dict[str, int]:
    """Return the files of a directory and their sizes."""
    return {path.name: path.stat().st_size for path in sorted(place.iterdir())}


def newest(place: Path) -> Path:
    return max(place.glob("generation-*.json"))


FIRST = record("a")
SECOND = record("b", "a", created_at=FIRST.created_at + 1)
THIRD = record("c", "b", created_at=FIRST.created_at + 2)
MOVED = replace(SECOND, signs_from=1_000_001.0)
CHANGES = (Delete(FIRST), Replace(SECOND, MOVED), Insert(THIRD))


class Killer:
    """Stands in front of the file-system calls of the store; kills this process at the n-th.

    Args:
        at: The number of the call.
        half: Whether a `write` that is hit first writes half of what it was given.
    """

    def __init__(self, at: int, *, half: bool) -> None:
        self.at, self.half, self.calls = at, half, 0

    def stand(self) -> None:
        for name in CALLS:
            setattr(os, name, self.before(getattr(os, name)))

    def before(self, call):
        def hit(*args, **more):
            if sys._getframe(1).f_code.co_filename == generations.__file__:
                self.calls += 1
                if self.calls == self.at:
                    if self.half and call.__name__ == "write":
                        call(args[0], bytes(args[1])[: len(args[1]) // 2])
                    os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **more)

        return hit


def crash(root: Path, start: str, half: str) -> None:
    """Fork children that die later and later; each leaves the directory `root/n`."""
    for n in range(1, 500):
        directory = root / str(n)
        directory.mkdir(mode=0o700)
        if start == "used":
            asyncio.run(store(directory).apply(Insert(FIRST), Insert(SECOND)))
        child = os.fork()
        if child == 0:
            Killer(n, half=half == "half").stand()
            changes = CHANGES if start == "used" else (Insert(FIRST), Insert(SECOND))
            # the file-system part alone: a forked child starts no threads
            done = store(directory)._try(changes)
            os._exit(0 if done else 1)
        status = os.waitpid(child, 0)[1]
        if not os.WIFSIGNALED(status):
            assert os.WEXITSTATUS(status) == 0
            print(n - 1)
            return
    raise AssertionError("the change never ends")


def wait_for_go(directory: Path) -> None:
    """Say that this process is ready, and wait until all of them are."""
    print("ready", flush=True)
    while not (directory.parent / "go").exists():
        time.sleep(0.001)


async def count(directory: Path, times: str) -> None:
    keys, conflicts = store(directory), 0
    wait_for_go(directory)
    for _ in range(int(times)):
        while True:
            (found,) = await keys.all()
            try:
                await keys.apply(Replace(found, replace(found, signs_from=found.signs_from + 1)))
            except KeyConflict:
                conflicts += 1
            else:
                break
    print(conflicts)


async def follow(directory: Path, kid: str) -> None:
    wait_for_go(directory)
    try:
        await store(directory).apply(Insert(record(kid, "a")))
    except KeyConflict:
        print("lost")
    else:
        print("won")


if __name__ == "__main__":
    place, command, *arguments = sys.argv[1:]
    if command == "crash":
        crash(Path(place), *arguments)
    else:
        asyncio.run({"count": count, "follow": follow}[command](Path(place), *arguments))

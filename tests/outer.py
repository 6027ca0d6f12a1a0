"""Programs outside Python that some tests need: finding them, or saying plainly what is missing.

A test carries the marker of what it needs (``redis_server``, ``postgresql``, ``chromium``,
``node`` …). Where the machine lacks it the test is left out with a reason, or fails when
``BROKER_TEST_REQUIRE_ALL=1``.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

PREFIX: Final = "left out: "
REQUIRE_ALL: Final = "BROKER_TEST_REQUIRE_ALL"

# marker → the programs its tests need
PROGRAMS: Final[dict[str, tuple[str, ...]]] = {
    "redis_server": ("redis-server",),
    "valkey_server": ("valkey-server",),
    "postgresql": ("initdb", "postgres"),
    "chromium": ("chromium",),
    "node": ("node", "npm"),
    "promtool": ("promtool",),
    "softhsm": ("softhsm2-util", "libsofthsm2.so"),
    "helm": ("helm",),
    "systemd": ("systemd-analyze",),
    "nginx": ("nginx",),
    "caddy": ("caddy",),
    "hadolint": ("hadolint",),
    "oauth2_proxy": ("oauth2-proxy",),
    "apache": ("apache2", "mod_auth_openidc.so"),
}
LIBRARY_PLACES: Final = (
    "usr/lib/softhsm", "usr/lib/*/softhsm", "usr/lib*/pkcs11", "usr/lib/apache2/modules",
)  # fmt: skip
OTHER_NAMES: Final = {"chromium": ("chromium", "chromium-browser", "google-chrome")}
BESIDE: Final = str(Path(sys.executable).parent)
LEAST: Final = {"redis-server": 7, "node": 18}


def need(program: str, marker: str) -> Path:
    """Return where a program is; leave the test out, or fail it, when the machine lacks it.

    Args:
        program: its name; ``redis-server`` and ``node`` are looked for in a version new enough.
        marker: the marker of the test that needs it, for the summary.
    """
    found = find(program)
    if found is not None:
        return found
    least = f" {LEAST[program]} or newer" if program in LEAST else ""
    reason = f"{PREFIX}{marker}: there is no {program}{least} on this machine"
    if os.environ.get(REQUIRE_ALL) == "1":
        pytest.fail(f"{reason}, and {REQUIRE_ALL}=1 asks for it", pytrace=False)
    pytest.skip(reason)


@cache
def find(program: str) -> Path | None:
    """Return the first program of that name that is new enough, or None."""
    return next((path for path in _candidates(program) if _new_enough(program, path)), None)


def _candidates(program: str) -> Iterator[Path]:
    """PATH first, every entry of it; then where Debian keeps servers, PostgreSQL and libraries."""
    for name in OTHER_NAMES.get(program, (program,)):
        # Some come with a package, beside the interpreter; daemons are in sbin.
        for folder in (*os.environ.get("PATH", "").split(os.pathsep), BESIDE, "/usr/sbin"):
            found = shutil.which(name, path=folder)
            if found:
                yield Path(found)
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    for place in sorted(debian, key=lambda p: int(p.parent.name), reverse=True):
        if (place / program).exists():
            yield place / program
    if program.endswith(".so"):
        for pattern in LIBRARY_PLACES:
            yield from Path("/").glob(f"{pattern}/{program}")


def _new_enough(program: str, path: Path) -> bool:
    if program not in LEAST:
        return True
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"v=?(\d+)\.", said)
    return version is not None and int(version[1]) >= LEAST[program]

"""Check that a wheel holds every file of the packages: `wheel_holds.py WHEEL`."""

import sys
import zipfile
from pathlib import Path

PACKAGES = ("broker", "keys")
# What has been forgotten in wheels before; each kind has to be there at all.
KINDS = (".py", ".html", ".css", ".js", ".svg", ".lua", ".mako", ".po")
MIGRATIONS = "broker/stores/sql/migrations/versions/"


def files() -> set[str]:
    """Return every file of the packages in this checkout, by its path."""
    root = Path(__file__).parent.parent
    found = (path for name in PACKAGES for path in (root / name).rglob("*") if path.is_file())
    return {str(p.relative_to(root)) for p in found if "__pycache__" not in p.parts}


def main(wheel: str) -> int:
    """Return 0, or 1 and say what is missing."""
    held = set(zipfile.ZipFile(wheel).namelist())
    wanted = files()
    problems = [f"missing: {name}" for name in sorted(wanted - held)]
    kinds = {Path(name).suffix for name in held}
    problems += [f"no {kind} file at all" for kind in KINDS if kind not in kinds]
    if not any(name.startswith(MIGRATIONS) and name.endswith(".py") for name in held):
        problems.append("no migration")
    for problem in problems:
        print(problem)
    print(f"{Path(wheel).name}: {len(held)} files, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

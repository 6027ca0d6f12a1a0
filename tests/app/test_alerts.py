"""The alert rules: they speak of metrics that exist, and fire when they should."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry

from broker.app.metrics import Metrics
from tests.outer import need

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "deploy" / "prometheus" / "alerts.yml"
CASES = Path(__file__).with_name("alert_cases.yml")
DURATION = re.compile(r"[0-9]+[smhd]")


def rules():
    """Return every rule of every group."""
    document = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


def exported():
    """Return the names that a scrape may hold."""
    registry = CollectorRegistry()
    Metrics(registry)
    suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
    return {
        family.name + suffix
        for family in registry.collect()
        for suffix in suffixes.get(family.type, ("",))
    }


def test_rules_name_metrics_that_exist():
    """A rule about a metric that was renamed would never fire."""
    for rule in rules():
        named = set(re.findall(r"token_broker_\w+", rule["expr"]))
        assert named, rule["alert"]
        assert named <= exported(), rule["alert"]


def test_rules_say_what_to_do():
    """A name, how bad it is, how long to wait, what happened, and what to do about it."""
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names))
    for rule in rules():
        assert re.fullmatch(r"TokenBroker[A-Z]\w+", rule["alert"])
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert DURATION.fullmatch(rule["for"])
        assert set(rule["annotations"]) == {"summary", "description", "runbook"}
        assert all(len(text) > 30 for text in rule["annotations"].values())


def test_every_rule_has_a_case():
    """None was added without one that shows it firing."""
    cases = CASES.read_text(encoding="utf-8")
    for rule in rules():
        assert f'alertname="{rule["alert"]}"' in cases, rule["alert"]
        assert f"alertname: {rule['alert']}," in cases, rule["alert"]


@pytest.mark.promtool
def test_they_fire_when_they_should_and_not_otherwise(tmp_path):
    """Prometheus' own checker reads the rules and plays the cases."""
    promtool = need("promtool", "promtool")
    shutil.copy(RULES, tmp_path)
    shutil.copy(CASES, tmp_path)
    for words in (("check", "rules", RULES.name), ("test", "rules", CASES.name)):
        done = subprocess.run(
            [promtool, *words], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

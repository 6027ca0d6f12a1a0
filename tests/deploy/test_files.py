"""The files an operator starts from: each is judged by the program that will read it."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from broker.app.settings import Settings
from broker.app.sources import FROM_FILES, variable
from tests.app.test_alerts import exported
from tests.outer import need

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
CHART = DEPLOY / "helm" / "token-broker"
EXAMPLE = DEPLOY / "helm" / "example.yaml"
KUBERNETES = "1.31.0"


def run(*words: object, **more: str) -> str:
    """Run a program; its output, once it is content."""
    environment = os.environ | more
    done = subprocess.run(
        [str(w) for w in words], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def known_settings() -> set[str]:
    """Every environment variable that means something to the broker."""
    known = {variable(name) for name in Settings.model_fields}
    return known | {f"{variable(name)}_FILE" for name in FROM_FILES}


@pytest.mark.hadolint
def test_containerfile() -> None:
    """No finding, of whatever severity."""
    run(
        need("hadolint", "hadolint"),
        "--failure-threshold",
        "style",
        DEPLOY / "container" / "Containerfile",
    )


def test_container_is_given_all_that_the_wheel_is_made_of() -> None:
    """What pyproject.toml names to build is copied, and not ignored."""
    container = DEPLOY / "container"
    ignored = (container / "Containerfile.dockerignore").read_text().split("\n")
    copied = re.findall(
        r"^COPY (?!--from)(.+) \S+$", (container / "Containerfile").read_text(), re.MULTILINE
    )
    wanted = {word for line in copied for word in line.split()}
    assert wanted == {line[1:] for line in ignored if line.startswith("!")}
    assert {"broker", "keys", "pyproject.toml", "README.md", "LICENSE"} <= wanted


def test_compose() -> None:
    """The Compose Specification's own schema, and no setting that does not exist."""
    file = DEPLOY / "compose" / "compose.yaml"
    run(
        Path(sys.executable).with_name("check-jsonschema"),
        "--builtin-schema",
        "vendor.compose-spec",
        file,
    )
    document = yaml.safe_load(file.read_text())
    named = set(document["services"]["broker"]["environment"])
    named |= set(
        re.findall(
            r"^(BROKER_\w+)=", (file.parent / "broker.env.example").read_text(), re.MULTILINE
        )
    )
    assert named <= known_settings()
    for name, service in document["services"].items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
    redis = " ".join(document["services"]["redis"]["command"])
    assert "--maxmemory-policy noeviction" in redis
    assert "--appendfsync always" in redis


@pytest.mark.helm
def test_chart_lint() -> None:
    """Nothing for Helm to warn of."""
    run(
        need("helm", "helm"), "lint", "--strict", CHART, "-f", EXAMPLE, "--kube-version", KUBERNETES
    )


def rendered(*more: str) -> list[dict]:
    """The objects that the chart makes."""
    helm = need("helm", "helm")
    words = ("template", "id", CHART, "-f", EXAMPLE, "--kube-version", KUBERNETES, *more)
    return [one for one in yaml.safe_load_all(run(helm, *words)) if one]


@pytest.mark.helm
@pytest.mark.parametrize(
    "more",
    [
        (),
        ("--set", "autoscaling.enabled=false", "--set", "metrics.enabled=false"),
        ("--set", "networkPolicy.enabled=false", "--set", "ingress.enabled=false"),
        ("--set-string", "settings.BROKER_BRAND_NAME=Light: house", "--set", "workers=2"),
    ],
)
def test_chart_makes_what_kubernetes_takes(more: tuple[str, ...]) -> None:
    """Each object fits the schema of the Kubernetes API, and pods meet its restricted profile."""
    objects = rendered(*more)
    assert {"Deployment", "Service", "PodDisruptionBudget", "Job"} <= {o["kind"] for o in objects}
    for one in objects:
        kubernetes_validate.validate(one, "1.31", strict=True)
    for pod in (
        o["spec"]["template"]["spec"] for o in objects if o["kind"] in {"Deployment", "Job"}
    ):
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"]
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            named = {entry["name"] for entry in container["env"]}
            assert named <= known_settings()
            # A secret is a file of the pod, and never a value in its environment.
            assert not named & {variable(name) for name in FROM_FILES}


@pytest.mark.helm
def test_chart_sends_no_request_to_the_job_that_migrates() -> None:
    """The selector of the service fits the pods that serve, and no other."""
    objects = rendered()
    selector = next(o for o in objects if o["kind"] == "Service")["spec"]["selector"].items()
    labels = {
        o["kind"]: o["spec"]["template"]["metadata"]["labels"].items()
        for o in objects
        if o["kind"] in {"Deployment", "Job"}
    }
    assert selector <= labels["Deployment"]
    assert not selector <= labels["Job"]


@pytest.mark.helm
@pytest.mark.parametrize(
    "wrong",
    ["issuer=http://id.example.org", "issuer=https://id.example.org/x", "issuer=", "worker=2",
     "settings.broker_x=1"],
)  # fmt: skip
def test_chart_refuses_values_that_cannot_be(wrong: str) -> None:
    """The schema of the values says no before anything is installed."""
    helm = need("helm", "helm")
    words = [helm, "template", "id", CHART, "-f", EXAMPLE, "--set-string", wrong]
    done = subprocess.run(
        [*words, "--kube-version", KUBERNETES], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "values don't meet the specifications" in done.stderr


@pytest.mark.systemd
def test_unit(tmp_path: Path) -> None:
    """Every line is understood by systemd; what an attacker could do with the service is little."""
    unit = tmp_path / "token-broker.service"
    text = (DEPLOY / "systemd" / "token-broker.service").read_text()
    unit.write_text(text.replace("/opt/token-broker/bin/broker", sys.executable))
    analyze = need("systemd-analyze", "systemd")
    socket = tmp_path / "token-broker.socket"
    shutil.copy(DEPLOY / "systemd" / socket.name, socket)
    assert run(analyze, "verify", unit, socket).strip() == ""
    told = run(analyze, "security", "--offline=true", "--threshold=15", "--no-pager", unit)
    assert re.search(r"exposure level for token-broker.service: [01]\.\d OK", told)
    assert set(re.findall(r"(BROKER_\w+)=", text)) <= known_settings() | {"BROKER_ISSUER"}


def panels() -> list[dict]:
    """Every panel of the dashboard."""
    return json.loads((DEPLOY / "grafana" / "token-broker.json").read_text())["panels"]


def test_dashboard_asks_for_metrics_that_exist() -> None:
    """A panel about a metric that was renamed would stay empty."""
    for panel in panels():
        asked = {
            name
            for target in panel["targets"]
            for name in re.findall(r"token_broker_\w+", target["expr"])
        }
        assert asked, panel["title"]
        assert asked <= exported(), panel["title"]


def test_dashboard_has_no_holes() -> None:
    """Panels do not overlap, and every row is filled."""
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels())
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert len(cells) == 24 * (max(y for _, y in cells) + 1)


@pytest.mark.promtool
def test_dashboard_speaks_promql(tmp_path: Path) -> None:
    """Prometheus' own checker parses every expression, as if each were a rule."""
    exprs = [target["expr"] for panel in panels() for target in panel["targets"]]
    rules = [{"record": f"panel:{number}", "expr": expr} for number, expr in enumerate(exprs)]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    run(need("promtool", "promtool"), "check", "rules", file)

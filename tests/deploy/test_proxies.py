"""The proxies an operator puts in front: each is started with our file, and asked through."""

import asyncio
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
import yaml

from tests.outer import need
from tests.ports import free_port
from tests.running import RunningBroker

PROXIES = Path(__file__).resolve().parents[2] / "deploy" / "proxies"
HOST = "id.example.org"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """A broker to stand behind a proxy."""
    folder = tmp_path_factory.mktemp("broker")
    with RunningBroker(folder, {"BROKER_TRUSTED_PROXIES": "127.0.0.1"}) as found:
        yield found


def host(origin: str) -> dict[str, str]:
    """The header by which a proxy knows whom a request is for."""
    return {"host": f"{HOST}:{urlsplit(origin).port}"}


@contextmanager
def started(command: list[str], port: int) -> Iterator[str]:
    """Run a proxy until the block ends; yields its origin."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as proxy:
        try:
            origin = f"http://127.0.0.1:{port}"
            asyncio.run(_answering(origin, proxy))
            yield origin
        finally:
            proxy.terminate()
            proxy.wait(10)


async def _answering(origin: str, proxy: subprocess.Popen[bytes]) -> None:
    async with httpx2.AsyncClient(trust_env=False) as client:
        for _ in range(200):
            assert proxy.poll() is None, proxy.stdout.read() if proxy.stdout else ""
            try:
                answer = await client.get(f"{origin}/readyz", headers=host(origin))
                if answer.status_code == 200:
                    return
            except httpx2.HTTPError:
                pass
            await asyncio.sleep(0.05)
    raise AssertionError("the proxy does not lead to the broker")


async def through(origin: str, issuer: str, too_large: set[int]) -> None:
    """What has to hold in front of every proxy."""
    async with httpx2.AsyncClient(base_url=origin, trust_env=False, headers=host(origin)) as one:
        jwks = await one.get("/.well-known/jwks.json")
        assert jwks.status_code == 200
        assert "max-age" in jwks.headers["cache-control"]
        again = await one.get(
            "/.well-known/jwks.json", headers={"if-none-match": jwks.headers["etag"]}
        )
        assert again.status_code == 304
        found = (await one.get("/.well-known/openid-configuration")).json()
        assert found["issuer"] == issuer, "the issuer comes from configuration"
        refused = await one.post("/token", data={"grant_type": "refresh_token"})
        assert refused.status_code == 401
        large = await one.post("/token", content=b"x" * 100_000)
        assert large.status_code in too_large


@pytest.mark.nginx
def test_nginx(broker: RunningBroker, tmp_path: Path) -> None:
    """The file is taken as it is, but for ports, names and the certificate."""
    nginx, port = need("nginx", "nginx"), free_port()
    text = (PROXIES / "nginx.conf").read_text()
    text = text.replace("127.0.0.1:8000", f"127.0.0.1:{broker.port}")
    text = re.sub(
        r"listen 443 ssl http2;\n    listen \[::\]:443 ssl http2;", f"listen {port};", text
    )
    text = re.sub(r"listen 80;\n    listen \[::\]:80;", f"listen {free_port()};", text)
    text = re.sub(r"    ssl_certificate.*\n", "", text)
    text = text.replace("/var/log/nginx/token-broker.log", str(tmp_path / "access.log"))
    (tmp_path / "site.conf").write_text(text)
    places = "".join(
        f"{name}_temp_path {tmp_path / name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (tmp_path / "nginx.conf").write_text(
        f"pid {tmp_path / 'pid'};\nerror_log stderr;\ndaemon off;\nevents {{}}\n"
        f"http {{ {places} include {tmp_path / 'site.conf'}; }}\n"
    )
    command = [str(nginx), "-e", "stderr", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
    subprocess.run([*command, "-t"], check=True, capture_output=True)
    with started(command, port) as origin:
        asyncio.run(through(origin, broker.issuer, {413}))
        httpx2.get(f"{origin}/authorize?state=sesame", headers=host(origin), trust_env=False)
    logged = (tmp_path / "access.log").read_text()
    assert "/authorize" in logged
    assert "sesame" not in logged, "a state in a log"


@pytest.mark.caddy
def test_caddy(broker: RunningBroker, tmp_path: Path) -> None:
    """Caddy takes the file as it is, but for ports and the certificate."""
    caddy, port = need("caddy", "caddy"), free_port()
    text = (PROXIES / "Caddyfile").read_text()
    log = tmp_path / "access.log"
    text = text.replace("127.0.0.1:8000", f"127.0.0.1:{broker.port}")
    text = text.replace(f"{HOST} {{", f"http://{HOST}:{port} {{")
    text = text.replace("log {", f"log {{\n\t\toutput file {log}")
    (tmp_path / "Caddyfile").write_text(f"{{\n\tadmin off\n}}\n{text}")
    command = [str(caddy), "run", "--adapter", "caddyfile", "--config", str(tmp_path / "Caddyfile")]
    with started(command, port) as origin:
        # Caddy cuts the body off; what it answers then depends on how far the broker has read.
        asyncio.run(through(origin, broker.issuer, {400, 413, 502}))
        headers = host(origin) | {"authorization": "Bearer sesame"}
        httpx2.get(f"{origin}/authorize?state=sesame", headers=headers, trust_env=False)
    lines = [json.loads(line)["request"]["uri"] for line in log.read_text().splitlines()]
    assert any(uri.startswith("/authorize") for uri in lines)
    assert "sesame" not in log.read_text(), "a state or a token in a log"


@pytest.mark.caddy
def test_caddy_of_compose(tmp_path: Path) -> None:
    """The Caddyfile that compose.yaml mounts is valid with the variable it is given."""
    file = PROXIES.parent / "compose" / "Caddyfile"
    done = subprocess.run(
        [str(need("caddy", "caddy")), "validate", "--adapter", "caddyfile", "--config", str(file)],
        env={"PUBLIC_NAME": HOST, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_traefik_is_consistent() -> None:
    """Every name that a router uses is one that the file has (Traefik itself is not packaged)."""
    http = yaml.safe_load((PROXIES / "traefik.yml").read_text())["http"]
    for router in http["routers"].values():
        assert router["service"] in http["services"]
        assert set(router["middlewares"]) <= set(http["middlewares"])

"""Signatures a second: inline, on threads and in more processes, on one core and on two.

    python -m tests.bench.signing [--seconds 2] [--rounds 3] [--json FILE]

Each process makes JWTs of 12 claims with the product's own `sign_jwt`, 32 at a time, under uvloop;
the last rows serve them by uvicorn (two signatures a request, as a refresh has), with the load
generator on the same cores. Ratios are to `openssl speed rsa2048` on as many cores, right before
and after.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any, Final

import uvicorn
import uvloop

from keys.algorithms import ALGORITHMS
from keys.jws import sign_jwt
from keys.making import make, private_key
from keys.signer import LocalSigner, Signer
from tests.bench.machine import Unfit, check_programs, rsa_signatures
from tests.ports import free_port
from tests.running import ROOT

IN_FLIGHT: Final = 32
HSM: Final = "HSM (SoftHSM2)"
CLAIMS: Final = {
    "iss": "https://id.example.org", "sub": "u" * 22, "aud": "https://api.example.org",
    "client_id": "c" * 22, "scope": "openid profile email", "iat": 1, "exp": 2, "auth_time": 1,
    "jti": "j" * 60, "sid": "s" * 22, "name": "Ada Lindqvist", "locale": "en-GB",
}  # fmt: skip


class Threaded:
    """Hands each signature to a thread."""

    def __init__(self, signer: LocalSigner, threads: int) -> None:
        self.kid, self.alg = signer.kid, signer.alg
        self._sign = ALGORITHMS[signer.alg].sign
        self._private = signer._private
        self._pool = ThreadPoolExecutor(threads)

    async def sign(self, signing_input: bytes) -> bytes:
        """Return the signature of another thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._sign, self._private, signing_input)


async def signer_for(how: str, alg: str) -> Signer:
    """Return what signs: here, on threads, or in a device."""
    if how == "hsm":
        from tests.bench.device import device_signer

        return await device_signer(alg)
    fresh = make(alg)
    local = LocalSigner(fresh.kid, alg, private_key(fresh.kid, alg, fresh.private))
    return Threaded(local, len(os.sched_getaffinity(0))) if how == "threads" else local


async def rate(signer: Signer, seconds: float, in_flight: int = IN_FLIGHT) -> float:
    """Return how many tokens a second are signed, so many at a time."""
    until = time.perf_counter() + seconds
    made = 0

    async def one_after_another() -> None:
        nonlocal made
        while time.perf_counter() < until:
            await sign_jwt(signer, "at+jwt", CLAIMS)
            made += 1

    await sign_jwt(signer, "at+jwt", CLAIMS)
    began = time.perf_counter()
    await asyncio.gather(*(one_after_another() for _ in range(in_flight)))
    return made / (time.perf_counter() - began)


def application(signer: Signer) -> Callable[..., Awaitable[None]]:
    """Return an ASGI application that signs two tokens a request."""

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        access = await sign_jwt(signer, "at+jwt", CLAIMS)
        body = json.dumps(
            {"access_token": access, "id_token": await sign_jwt(signer, "JWT", CLAIMS)}
        )
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body.encode()})

    return app


async def work(how: str, alg: str, seconds: float, fd: int) -> None:
    """Be one process of a row: sign and say the rate, or serve on a listening socket."""
    signer = await signer_for(how, alg)
    if fd < 0:
        sys.stdin.readline()  # all processes begin together
        print(await rate(signer, seconds))
        return
    config = uvicorn.Config(
        application(signer), fd=fd, loop="none", http="httptools", log_level="error", lifespan="off"
    )
    await uvicorn.Server(config).serve()


@dataclass(frozen=True, slots=True)
class Setup:
    """One row: how it signs, with what, in how many processes, on how many cores."""

    how: str
    alg: str = "RS256"
    processes: int = 1
    cores: int = 1
    served: bool = False

    @property
    def name(self) -> str:
        """What people call it."""
        what = "requests of two signatures" if self.served else self.alg
        way = {"inline": "inline", "threads": "on threads", "hsm": HSM}[self.how]
        plural = "es" if self.processes > 1 else ""
        cores = "core" if self.cores == 1 else "cores"
        return f"{what}, {self.processes} process{plural} {way}, {self.cores} {cores}"


SETUPS: Final = (
    *(
        Setup(how, "RS256", processes, cores)
        for cores in (1, 2)
        for processes in (1, 2)
        for how in ("inline", "threads")
        if processes <= cores
    ),
    *(Setup("inline", alg) for alg in ALGORITHMS if alg != "RS256"),
    Setup("hsm"),
    Setup("hsm", cores=2),
    *(
        Setup(how, "RS256", processes, 2, served=True)
        for processes in (1, 2)
        for how in ("inline", "threads")
    ),
)


def measure(setup: Setup, seconds: float, usable: list[int]) -> float:
    """Return how many signatures a second all processes of a row make."""
    places = ",".join(str(core) for core in usable[-setup.cores :])
    words = ["taskset", "-c", places, sys.executable, "-m", "tests.bench.signing"]
    with ExitStack() as stack:
        if setup.served:
            return _served(setup, words, seconds, stack)
        command = [*words, "--work", setup.how, setup.alg, str(seconds), "-1"]
        crew = [
            subprocess.Popen(
                command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            for _ in range(setup.processes)
        ]
        time.sleep(1.5)
        for one in crew:
            assert one.stdin
            one.stdin.write("go\n")
            one.stdin.flush()
        found = [one.communicate()[0] for one in crew]
    try:
        return sum(float(text.strip().splitlines()[-1]) for text in found)
    except (IndexError, ValueError):
        raise Unfit(f"{setup.name}: a process failed") from None


def _served(setup: Setup, words: list[str], seconds: float, stack: ExitStack) -> float:
    import socket

    listening = stack.enter_context(socket.socket())
    listening.bind(("127.0.0.1", free_port()))
    listening.listen(256)
    fd, port = listening.fileno(), listening.getsockname()[1]
    crew = [
        subprocess.Popen(
            [*words, "--work", setup.how, setup.alg, "0", str(fd)], cwd=ROOT, pass_fds=(fd,)
        )
        for _ in range(setup.processes)
    ]
    try:
        time.sleep(2)
        command = ["wrk", "-t1", f"-c{IN_FLIGHT}", f"-d{max(1, round(seconds))}s"]
        said = subprocess.run(
            [*command, f"http://127.0.0.1:{port}/"], capture_output=True, text=True, check=True
        ).stdout
    finally:
        for one in crew:
            one.kill()
            one.wait()
    line = next(line for line in said.splitlines() if line.startswith("Requests/sec"))
    return float(line.split()[1]) * 2


def openssl(cores: list[int]) -> float:
    """Return how many RSA-2048 signatures these cores make at once."""
    with ThreadPoolExecutor(len(cores)) as pool:
        return sum(pool.map(rsa_signatures, cores))


def compare(seconds: float, rounds: int, only: str) -> list[dict[str, Any]]:
    """Measure every row in turn, round after round; ratios are taken within a round."""
    usable = sorted(os.sched_getaffinity(0))[:2]
    wanted = [s for s in SETUPS if s.cores <= len(usable) and only in s.name]
    seen: dict[Setup, list[tuple[float, float]]] = {setup: [] for setup in wanted}
    for number in range(rounds):
        for setup in wanted:
            before = openssl(usable[-setup.cores :])
            found = measure(setup, seconds, usable)
            after = openssl(usable[-setup.cores :])
            seen[setup].append((found, found / mean((before, after))))
            print(f"  {number + 1}/{rounds} {setup.name}: {found:,.0f}", flush=True)
    return [
        {
            "name": setup.name,
            "signatures_per_second": round(median(r for r, _ in found)),
            "openssl_ratio": round(median(q for _, q in found), 3),
        }
        for setup, found in seen.items()
    ]


def main() -> int:
    """Run as the command line says; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.signing", description=__doc__)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", metavar="TEXT", help="rows whose name holds this")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--work", nargs=4, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.work:
        how, alg, seconds, fd = asked.work
        uvloop.run(work(how, alg, float(seconds), int(fd)))
        return 0
    try:
        check_programs()
        found = compare(asked.seconds, asked.rounds, asked.only)
    except Unfit as error:
        print(error, file=sys.stderr)
        return 1
    print(f"\n{'':60} {'signatures/s':>12} {'÷ openssl':>10}")
    for row in found:
        print(f"{row['name']:60} {row['signatures_per_second']:12,} {row['openssl_ratio']:10.2f}")
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

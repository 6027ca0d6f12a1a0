"""Time tells nobody at the token endpoint what was wrong (``BROKER_TEST_LONG=1``, ``-s`` shows)."""

import random
from collections.abc import Sequence
from time import perf_counter_ns

import pytest

from tests.protocol.actors import Browser
from tests.protocol.harness import World
from tests.protocol.known import BACK, SECRET
from tests.protocol.test_token_requests import basic
from tests.timing.measuring import RUNS, Seen, compared, leaks

ROUNDS = 2500  # of each class, in each run
pytestmark = pytest.mark.long

LETTERS = "ABCDEFGHIJ"
Form = tuple[dict[str, str], dict[str, str]]


async def run(world: World, classes: tuple[Sequence[Form], Sequence[Form]]) -> Seen:
    """Ask so often, in random order."""
    chance = random.Random(ROUNDS)
    order = [0, 1] * ROUNDS
    chance.shuffle(order)
    found: tuple[list[float], list[float]] = ([], [])
    for kind in order:
        headers, data = chance.choice(classes[kind])
        began = perf_counter_ns()
        answer = await world.api.post("/token", data=data, headers=headers)
        found[kind].append(perf_counter_ns() - began)
        assert answer.status_code in {400, 401}
    return compared(*found)


async def told_apart(world: World, name: str, *classes: Sequence[Form]) -> bool:
    """Whether every run tells the two classes apart."""
    seen = [await run(world, (classes[0], classes[1])) for _ in range(RUNS)]
    print(f"\n{name}: {'; '.join(map(str, seen))}")
    return leaks(seen)


def as_client(client_id: str, secret: str) -> Form:
    return basic(client_id, secret), {"grant_type": "refresh_token", "refresh_token": "x"}


NEAR = [as_client("back", SECRET[:-1] + letter) for letter in "abcdfghijk"]
FAR = [as_client("back", letter + SECRET[1:]) for letter in "abcdefghij"]


async def test_client_secrets(world: World) -> None:
    """Nearly right is as wrong as wrong from the first character on."""
    assert not await told_apart(world, "nearly right against wrong secrets", NEAR, FAR)


async def test_unknown_clients(world: World) -> None:
    """A client that is not there takes as long as a wrong secret, once it was looked for."""
    unknown = [as_client(f"nobody-{letter}", SECRET) for letter in "abcdefghij"]
    for headers, data in (*unknown, *FAR):
        await world.api.post("/token", data=data, headers=headers)
    assert not await told_apart(world, "unknown clients against wrong secrets", unknown, FAR)


async def test_refresh_tokens(world: World, browser: Browser) -> None:
    """One that is right but for its end, and one that is wrong at its beginning."""
    app = world.app(BACK)
    token = (await browser.tokens(app))["refresh_token"]
    proof = app.proof()

    def form(given: str) -> Form:
        return proof, {"grant_type": "refresh_token", "refresh_token": given}

    # Behind version and key come the 16 bytes of the tag: characters 7 to 27.
    near = [form(token[:26] + letter + token[27:]) for letter in LETTERS if letter != token[26]]
    far = [form(token[:8] + letter + token[9:]) for letter in LETTERS if letter != token[8]]
    assert not await told_apart(world, "nearly right against wrong refresh tokens", near, far)


async def test_code_verifiers(world: World, browser: Browser) -> None:
    """A wrong verifier spends no code, so one code can be asked for again and again."""
    app = world.app(BACK)
    code = await browser.code(app)
    proof = app.proof()

    def form(verifier: str) -> Form:
        redirect = {"redirect_uri": app.redirect_uri, "code_verifier": verifier}
        return proof, {"grant_type": "authorization_code", "code": code, **redirect}

    right = app.verifier
    near = [form(right[:-1] + letter) for letter in LETTERS if letter != right[-1]]
    far = [form(letter + right[1:]) for letter in LETTERS if letter != right[0]]
    assert not await told_apart(world, "nearly right against wrong verifiers", near, far)

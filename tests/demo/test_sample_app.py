"""The sample app over HTTP: its pages, and its API's answers."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx2
import pytest

from broker.demo.sample import SampleSettings, Verifier, create_app
from broker.demo.serving import serving
from tests.demo.conftest import Clock
from tests.demo.issuer import Issuer, new_key

KEY = new_key()


@dataclass
class Sample:
    client: httpx2.AsyncClient
    issuer: Issuer

    def bearer(self, **changes: object) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.issuer.access_token(**changes)}"}


@pytest.fixture
async def sample(clock: Clock) -> AsyncIterator[Sample]:
    issuer = Issuer(clock, keys=[KEY])
    async with serving(issuer.app()) as issuer.issuer:
        verifier = Verifier(issuer.issuer, "api", now=clock)
        app = create_app(SampleSettings(issuer.issuer, "api"), verifier)
        async with (
            serving(app) as origin,
            httpx2.AsyncClient(base_url=origin, timeout=5) as client,
        ):
            yield Sample(client, issuer)
        await verifier.close()


@pytest.mark.parametrize("path", ["/", "/callback?code=x&state=y"])
async def test_pages_run_their_own_script_alone(sample: Sample, path: str):
    """Promise: no inline script, nothing from elsewhere, the broker the only other peer."""
    page = await sample.client.get(path)
    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'" in policy
    assert f"connect-src 'self' {sample.issuer.issuer};" in policy
    assert "unsafe" not in policy
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.text.count("<script") == page.text.count('<script type="module" src=')


async def test_the_front_end_is_told_its_issuer(sample: Sample):
    """Promise: the configuration is the settings."""
    told = (await sample.client.get("/config.json")).json()
    assert (told["issuer"], told["client_id"]) == (sample.issuer.issuer, "sample-app")


async def test_whoami_repeats_the_token(sample: Sample):
    """Promise: the API answers from the token alone."""
    answer = await sample.client.get("/api/whoami", headers=sample.bearer())
    assert answer.status_code == 200
    assert answer.json()["sub"] == "subject-1"
    assert answer.headers["cache-control"] == "no-store"


async def test_without_a_token_the_challenge_has_no_error(sample: Sample):
    """Promise: RFC 6750 §3.1."""
    for headers in ({}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer"}):
        answer = await sample.client.get("/api/whoami", headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == 'Bearer realm="sample"'


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"aud": "another"}, 401, "invalid_token"),
        ({"exp": 1}, 401, "invalid_token"),
        ({"typ": "JWT"}, 401, "invalid_token"),
        ({"scope": "profile"}, 403, "insufficient_scope"),
        ({"scope": None}, 403, "insufficient_scope"),
    ],
)
async def test_bad_tokens_are_challenged(sample: Sample, changes: dict, status: int, error: str):
    """Promise: 401 invalid_token or 403 insufficient_scope, at both resources."""
    for path in ("/api/whoami", "/api/notes"):
        answer = await sample.client.get(path, headers=sample.bearer(**changes))
        assert answer.status_code == status
        assert f'error="{error}"' in answer.headers["www-authenticate"]


async def test_without_keys_the_api_says_try_later(sample: Sample):
    """Promise: 503 with Retry-After, not a refusal of a token that may be good."""
    sample.issuer.jwks_status = 500
    answer = await sample.client.get("/api/whoami", headers=sample.bearer())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


async def test_notes_are_ones_own(sample: Sample):
    """Promise: notes belong to the `sub` of the token; newest first."""
    mine, other = sample.bearer(), sample.bearer(sub="subject-2")
    for text in ("first", " second "):
        answer = await sample.client.post("/api/notes", json={"text": text}, headers=mine)
        assert answer.status_code == 201
    assert (await sample.client.get("/api/notes", headers=mine)).json() == {
        "notes": ["second", "first"]
    }
    assert (await sample.client.get("/api/notes", headers=other)).json() == {"notes": []}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"text": 1}',
        b'{"text": " "}',
        b'{"text": "' + b"x" * 281 + b'"}',
        b'{"text": "' + b"x" * 20_000 + b'"}',
    ],
    ids=["empty", "cut", "list", "number", "blank", "long", "huge"],
)
async def test_a_note_is_a_short_text(sample: Sample, body: bytes):
    """Promise: anything else is 400 and kept nowhere."""
    answer = await sample.client.post("/api/notes", content=body, headers=sample.bearer())
    assert answer.status_code == 400
    kept = await sample.client.get("/api/notes", headers=sample.bearer())
    assert kept.json() == {"notes": []}


async def test_notes_are_bounded(sample: Sample):
    """Promise: the fifty newest are kept."""
    from broker.demo.sample.api import MAX_NOTES, MAX_PEOPLE, Notes

    notes = Notes()
    for number in range(MAX_NOTES + 5):
        notes.add("a", str(number))
    assert len(notes.of("a")) == MAX_NOTES
    assert notes.of("a")[0] == str(MAX_NOTES + 4)
    for number in range(MAX_PEOPLE):
        notes.add(f"p{number}", "x")
    assert notes.of("a") == []


@pytest.mark.parametrize(
    ("roles", "reads", "writes"),
    [
        (None, 403, 403),
        ([], 403, 403),
        (["crew"], 200, 403),
        (["crew", "keeper"], 200, 201),
        ("crew keeper", 403, 403),
        ({"crew": True, "keeper": True}, 403, 403),
    ],
    ids=["no claim", "none", "crew", "keeper", "text", "object"],
)
async def test_roles_in_the_token_decide(sample: Sample, roles: object, reads: int, writes: int):
    """Promise: the board is read by the crew and written on by keepers, notes are anybody's."""
    bearer = sample.bearer(roles=roles)
    written = await sample.client.post("/api/board", json={"text": "Fog"}, headers=bearer)
    assert written.status_code == writes
    read = await sample.client.get("/api/board", headers=bearer)
    assert read.status_code == reads
    if reads == 200:
        assert read.json() == {"notices": ["Fog"] if writes == 201 else []}
    else:
        assert read.json()["error"] == "forbidden"
        assert "takes the role crew" in read.json()["error_description"]
    assert (await sample.client.get("/api/notes", headers=bearer)).status_code == 200


async def test_rights_are_told_in_words(sample: Sample):
    """Promise: what may be done and what that takes, with the age of the knowledge."""
    bearer = sample.bearer(roles=["crew"], membership_as_of=1_799_999_990)
    told = (await sample.client.get("/api/rights", headers=bearer)).json()
    assert (told["roles"], told["as_of"]) == (["crew"], 1_799_999_990)
    assert {right["name"]: right["allowed"] for right in told["rights"]} == {
        "notes": True,
        "read_board": True,
        "write_board": False,
    }
    assert (await sample.client.get("/api/rights")).status_code == 401


async def test_the_board_is_bounded_and_takes_short_texts(sample: Sample):
    """Promise: the newest fifty, and nothing that is no note."""
    bearer = sample.bearer(roles=["crew", "keeper"])
    for number in range(52):
        await sample.client.post("/api/board", json={"text": str(number)}, headers=bearer)
    kept = (await sample.client.get("/api/board", headers=bearer)).json()["notices"]
    assert (len(kept), kept[0], kept[-1]) == (50, "51", "2")
    answer = await sample.client.post("/api/board", json={"text": ""}, headers=bearer)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_note")

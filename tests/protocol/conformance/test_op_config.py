"""Plan oidcc-config-certification (Config OP): oidcc-discovery-endpoint-verification."""

import re
from typing import Any

import pytest
import pytest_asyncio
from joserfc.jwk import KeySet

from tests.protocol.harness import World
from tests.protocol.known import ISSUER

# Core §5.1 and §2: what a claim of ours may be called; protocol claims among them.
PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


@pytest_asyncio.fixture(loop_scope="session")
async def metadata(world: World) -> dict[str, Any]:
    """The discovery document."""
    answer = await world.api.get("/.well-known/openid-configuration")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/json")
    found: dict[str, Any] = answer.json()
    return found


async def test_required_members(metadata: dict[str, Any]) -> None:
    """OpenID Connect Discovery §3: what every provider has to name."""
    assert metadata["issuer"] == ISSUER
    assert "code" in metadata["response_types_supported"]
    assert set(metadata["subject_types_supported"]) <= {"public", "pairwise"}
    assert "public" in metadata["subject_types_supported"]
    assert "RS256" in metadata["id_token_signing_alg_values_supported"]
    assert "none" not in metadata["id_token_signing_alg_values_supported"]
    assert "authorization_code" in metadata["grant_types_supported"]
    assert "openid" in metadata["scopes_supported"]
    assert "sub" in metadata["claims_supported"]
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    assert metadata["authorization_response_iss_parameter_supported"] is True


async def test_types_of_members(metadata: dict[str, Any]) -> None:
    """Lists are lists of text without repetition, flags are booleans, addresses are https."""
    for name, value in metadata.items():
        if name == "issuer" or name.endswith(("_endpoint", "_uri", "_iframe")):
            assert re.fullmatch(r"https://[^\s#]+", value), name
        elif isinstance(value, list):
            assert value, name
            assert all(isinstance(one, str) for one in value), name
            assert len(set(value)) == len(value), name
        else:
            assert isinstance(value, bool), name
    assert all(re.fullmatch(r"[\x21\x23-\x5b\x5d-\x7e]+", s) for s in metadata["scopes_supported"])


async def test_jwks(world: World, metadata: dict[str, Any]) -> None:
    """Keys are public, usable, and named apart."""
    keys = (await world.api.get(metadata["jwks_uri"])).json()["keys"]
    assert KeySet.import_key_set({"keys": keys}).keys
    assert len({key["kid"] for key in keys}) == len(keys)
    for key in keys:
        assert not PRIVATE & key.keys()
        assert key["use"] == "sig"
        assert key["kty"] in {"RSA", "EC", "OKP"}


@pytest.mark.parametrize(
    "name",
    ["authorization_endpoint", "token_endpoint", "userinfo_endpoint", "end_session_endpoint"],
)
async def test_endpoints_answer(world: World, metadata: dict[str, Any], name: str) -> None:
    """What is named is there."""
    answer = await world.api.get(metadata[name])
    assert answer.status_code not in {404, 500}, name

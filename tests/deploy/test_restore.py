"""Backups that are restored: as ``deploy/operating.md`` says, and with what it promises."""

import asyncio
import shutil
import subprocess
import tarfile
from pathlib import Path

import jwt
import pytest

from tests.faults.conftest import database, elsewhere, fill, prepared
from tests.faults.elsewhere import Redis
from tests.faults.people import ADA, BEN, CALLBACK, CLIENT, Person
from tests.outer import find
from tests.postgresql import Cluster
from tests.running import RunningBroker

__all__ = ["database", "elsewhere"]


def subject(tokens: dict[str, str]) -> str:
    """Whose tokens these are."""
    return str(jwt.decode(tokens["id_token"], options={"verify_signature": False})["sub"])


def verified(broker: RunningBroker, token: str) -> bool:
    """Whether a service that begins now takes the token."""
    keys = jwt.PyJWKClient(f"{broker.issuer}/.well-known/jwks.json")
    key = keys.get_signing_key_from_jwt(token)
    return bool(jwt.decode(token, key, ["RS256"], audience=CLIENT.client_id, issuer=broker.issuer))


def test_an_embedded_backup_has_everything(tmp_path: Path, database: Path) -> None:
    """Accounts, keys, sessions; an app that has refreshed since is not signed out."""
    broker = prepared(tmp_path / "first", database)
    # The secret is in the data directory, as where none is set.
    del broker._extra["BROKER_SECRETS"]
    (broker.data_dir / "broker.db").unlink()
    with broker:
        broker.cli("clients", "add", "Front", "--client-id", CLIENT.client_id, "--public",
                   "--first-party", "--redirect-uri", CALLBACK)  # fmt: skip
        ada = Person(broker.issuer, ADA)
        tokens = ada.tokens()
        broker._terminate()
        with tarfile.open(tmp_path / "broker.tar.gz", "w:gz") as archive:
            archive.add(broker.data_dir, ".")
        broker.restart()
        newer = ada.refresh(tokens["refresh_token"]).json()
        newest = ada.refresh(newer["refresh_token"]).json()
        broker._terminate()
        shutil.rmtree(broker.data_dir)
        broker.data_dir.mkdir(mode=0o700)
        with tarfile.open(tmp_path / "broker.tar.gz") as archive:
            archive.extractall(broker.data_dir, filter="tar")
        broker.restart()
        assert verified(broker, newest["id_token"]), "the key is as old as the backup"
        adopted = ada.refresh(newest["refresh_token"])
        assert adopted.status_code == 200
        assert subject(adopted.json()) == subject(tokens)
        assert subject(Person(broker.issuer, ADA).tokens()) == subject(tokens)


@pytest.mark.postgresql
@pytest.mark.redis_server
def test_postgresql_is_restored_and_redis_begins_anew(
    tmp_path: Path, database: Path, postgresql_cluster: Cluster, elsewhere: Redis
) -> None:
    """Subjects and keys stay; old refresh tokens are dead, and nobody is a stranger."""
    address = postgresql_cluster.fresh()
    plain = address.replace("+asyncpg", "")
    settings = {"database_url": plain, "redis_url": elsewhere.url}
    broker = prepared(tmp_path / "broker", database, **settings)
    asyncio.run(fill(plain, tmp_path))
    with broker:
        ada, ben = Person(broker.issuer, ADA), Person(broker.issuer, BEN)
        first = ada.tokens()
        dump = tmp_path / "broker.dump"
        run("pg_dump", "--format=custom", f"--file={dump}", plain)
        since = ben.tokens()
        broker._terminate()
        name = plain.rpartition("/")[2]
        run("psql", "--quiet", "--dbname", postgresql_cluster.url().replace("+asyncpg", ""),
            "--command", f'DROP DATABASE "{name}" WITH (FORCE)',
            "--command", f'CREATE DATABASE "{name}"')  # fmt: skip
        run("pg_restore", "--no-owner", f"--dbname={plain}", str(dump))
        elsewhere.say("FLUSHALL")
        broker.restart()
        assert verified(broker, first["id_token"])
        assert ada.refresh(first["refresh_token"]).json()["error"] == "invalid_grant"
        assert subject(Person(broker.issuer, ADA).tokens()) == subject(first)
        assert ben.refresh(since["refresh_token"]).json()["error"] == "invalid_grant"
        assert subject(Person(broker.issuer, BEN).tokens()) != subject(since), (
            "made since the backup"
        )


def run(program: str, *words: str) -> None:
    """Run one of PostgreSQL's programs."""
    done = subprocess.run(
        [str(find(program) or program), *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr

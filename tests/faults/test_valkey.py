"""A broker on Valkey: the whole way of a person, and a crash in between."""

from pathlib import Path

import pytest

from tests.faults.conftest import Make
from tests.faults.elsewhere import Redis
from tests.faults.people import ADA, Person
from tests.outer import need

pytestmark = [pytest.mark.valkey_server, pytest.mark.slow]


def test_all_of_it_works_on_valkey(make: Make, tmp_path: Path) -> None:
    """Sign-in, refresh within the grace, revocation, sign-out; what is kept survives a restart."""
    with Redis(need("valkey-server", "valkey_server"), tmp_path / "valkey") as valkey:
        broker = make(redis_url=valkey.url, workers="2")
        person = Person(broker.issuer, ADA)
        tokens = person.tokens()
        second = person.refresh(tokens["refresh_token"]).json()
        assert person.userinfo(second["access_token"]).status_code == 200
        assert person.refresh(tokens["refresh_token"]).json()["refresh_token"], "within the grace"
        valkey.stop()
        assert person.refresh(second["refresh_token"]).status_code == 503
        valkey.start()
        third = person.refresh(second["refresh_token"]).json()
        assert person.revoke(third["refresh_token"]).status_code == 200
        assert person.refresh(third["refresh_token"]).status_code == 400
        other = person.tokens()
        broker.cli("accounts", "sign-out", ADA)
        assert person.refresh(other["refresh_token"]).status_code == 400
        told = broker.cli("doctor", "--no-outside")
        assert "Valkey" in str(told)

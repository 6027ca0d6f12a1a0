"""``broker accounts import``: people of a Django site, by their Discord id."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ADA, BEN, CHIYO = "175928847299117063", "221837450912858112", "309118846233378817"


@pytest.fixture(scope="module")
def dumped() -> list[dict]:
    """What a real site of Django and django-allauth dumps."""
    done = subprocess.run(
        [sys.executable, HERE / "allauth_site.py"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def people(dumped: list[dict], tmp_path: Path) -> Path:
    """The same in a file."""
    file = tmp_path / "people.json"
    file.write_text(json.dumps(dumped))
    return file


def changed(dumped: list[dict], people: Path, who: str, fields: dict) -> None:
    """Write the file with other fields in one social account."""
    document = json.loads(json.dumps(dumped))
    for one in document:
        if one["fields"].get("uid") == who:
            one["fields"] |= fields
    people.write_text(json.dumps(document))


def test_people_are_found_by_their_discord_id(cli, people: Path) -> None:
    """Names, mail, whether it was verified, moments and who is switched off come along."""
    assert cli.json("accounts", "import", people) == {
        "found": 3, "made": 3, "known": 0, "faulty": [], "dry_run": False,
    }  # fmt: skip
    ada = cli.json("accounts", "show", ADA)
    assert (ada["name"], ada["username"], ada["email"]) == (
        "Ada Lindqvist", "ada", "ada@example.com",
    )  # fmt: skip
    assert ada["email_verified"] is True
    assert ada["last_sign_in_at"] is not None
    assert len(ada["sub"]) == 32
    ben = cli.json("accounts", "show", BEN)
    assert (ben["name"], ben["email_verified"]) == ("ben", False)
    assert cli.json("accounts", "show", CHIYO)["state"] == "disabled"
    assert len(cli.json("accounts", "list")) == 3, "who never signed in with Discord is nobody here"


def test_it_may_be_repeated(cli, people: Path) -> None:
    """Who has an account keeps it as it is."""
    cli("accounts", "import", people)
    before = cli.json("accounts", "show", ADA)
    cli("accounts", "disable", ADA)
    again = cli.json("accounts", "import", people)
    assert (again["made"], again["known"]) == (0, 3)
    after = cli.json("accounts", "show", ADA)
    assert (after["sub"], after["state"]) == (before["sub"], "disabled")


def test_apps_may_keep_their_ids(cli, people: Path, dumped: list[dict], tmp_path: Path) -> None:
    """The sub is the primary key of the Django user; the map says who became whom."""
    table = tmp_path / "map.csv"
    cli("accounts", "import", people, "--keep-ids", "--map", table)
    users = {
        one["fields"]["username"]: str(one["pk"]) for one in dumped if one["model"] == "auth.user"
    }
    assert cli.json("accounts", "show", ADA)["sub"] == users["ada"]
    rows = list(csv.DictReader(table.open()))
    assert {(row["user_id"], row["discord_id"], row["sub"]) for row in rows} == {
        (users["ada"], ADA, users["ada"]),
        (users["ben"], BEN, users["ben"]),
        (users["chiyo"], CHIYO, users["chiyo"]),
    }


def test_a_sub_is_never_given_twice(cli, people: Path, dumped: list[dict]) -> None:
    """An id that somebody has already is refused, and nobody is overwritten."""
    cli("accounts", "import", people, "--keep-ids")
    sub = cli.json("accounts", "show", ADA)["sub"]
    document = [one for one in dumped if one["model"] != "auth.user" or str(one["pk"]) == sub]
    document = [one for one in document if one["fields"].get("uid") in {None, ADA}]
    text = json.dumps(document).replace(ADA, "199999999999999999")
    people.write_text(text)
    answer = cli("accounts", "import", people, "--keep-ids", code=4)
    assert f"the sub {sub} belongs to another account" in answer.output
    assert len(cli.json("accounts", "list")) == 3


def test_a_dry_run_does_nothing(cli, people: Path, tmp_path: Path) -> None:
    """It says what would be done."""
    answer = cli("accounts", "import", people, "--dry-run", "--map", tmp_path / "map.csv")
    assert "3 accounts would be taken. Nothing was done." in answer.output
    assert cli.json("accounts", "list") == []
    assert not (tmp_path / "map.csv").exists()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"uid": "12x"}, "extra_data is not the Discord user of that uid"),
        ({"extra_data": {"id": ADA, "username": "x", "bot": True}}, "a bot or system account"),
        ({"extra_data": {"id": ADA}}, "without a username"),
        ({"extra_data": "[]"}, "extra_data is not the Discord user of that uid"),
        ({"user": 999}, "its user 999 is not in the file"),
    ],
)
def test_one_bad_entry_stops_all_unless_told_otherwise(
    cli, people: Path, dumped: list[dict], fields: dict, said: str
) -> None:
    """Its place and the reason are named; with --skip-faulty the others are taken."""
    changed(dumped, people, ADA, fields)
    answer = cli("accounts", "import", people, code=4)
    assert said in answer.output
    assert cli.json("accounts", "list") == []
    found = cli.json("accounts", "import", people, "--skip-faulty")
    assert (found["made"], len(found["faulty"])) == (2, 1)


def test_text_of_older_releases(cli, people: Path, dumped: list[dict]) -> None:
    """extra_data was JSON in a text before."""
    extra = next(one["fields"]["extra_data"] for one in dumped if one["fields"].get("uid") == ADA)
    changed(dumped, people, ADA, {"extra_data": json.dumps(extra)})
    assert cli.json("accounts", "import", people)["made"] == 3


def test_nobody_is_two_people(cli, people: Path, dumped: list[dict]) -> None:
    """One user with two Discord accounts: the first is taken, the second named."""
    document = json.loads(json.dumps(dumped))
    social = [one for one in document if one["model"] == "socialaccount.socialaccount"]
    social[1]["fields"]["user"] = social[0]["fields"]["user"]
    people.write_text(json.dumps(document))
    found = cli.json("accounts", "import", people, "--skip-faulty")
    assert found["made"] == 2
    assert "has two Discord ids" in found["faulty"][0]


@pytest.mark.parametrize(
    "text", ["{", "{}", "[1]", '[{"model": 1, "pk": 1, "fields": {}}]', "[" * 9999]
)
def test_what_is_no_dump_is_refused(cli, people: Path, text: str) -> None:
    """Never a traceback, whatever the file holds."""
    people.write_text(text)
    cli("accounts", "import", people, code=4)

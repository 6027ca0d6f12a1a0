"""Keys by command: what is due, what is coming, what comes in and what goes out."""

import json
import os
import pty
import re
import select
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from broker.core.apis import Api
from broker.core.model import Client
from keys.files import private_pem, public_pem, read
from keys.making import describe
from keys.model import KeyRecord, Replace
from tests.cli.test_cli_operations import ONE, TWO, audited, states, within

ROOT = Path(__file__).resolve().parents[2]
P256 = describe("ES256", ec.generate_private_key(ec.SECP256R1()))
RSA = describe("RS256", rsa.generate_private_key(public_exponent=65537, key_size=2048))


def public(pair, alg):
    return public_pem(KeyRecord(pair.kid, alg, pair.public_jwk, None, "", 0, 0, 0))


@pytest.fixture
def at(tmp_path):
    """Writes files into the directory the commands run in."""

    def write(name, data):
        (tmp_path / name).write_bytes(data)
        return name

    return write


def signing(cli):
    return next(kid for kid, state in states(cli).items() if state == "signing")


def change(**values):
    """Change the stored signing key behind everybody's back."""

    async def work(stores):
        record = min(await stores.keys.all(), key=lambda r: r.signs_from)
        await stores.keys.apply(Replace(record, replace(record, **values)))

    within(work)


# ── plan and cron ──


def test_a_plan_tells_steps_keys_and_risks(cli):
    """Before the first start, after it, and for as long as is asked."""
    assert [risk["kind"] for risk in cli.json("keys", "plan")["risks"]] == ["no-keys"]
    cli("keys", "rotate", "--if-due")
    told = cli.json("keys", "plan", "--for", "31d")
    assert [step["kind"] for step in told["steps"]] == [
        "begins",
        "published",
        "erased",
        "known",
        "leaves",
    ]
    assert told["keys"][0]["kid"] == signing(cli) == told["steps"][2]["kid"]
    assert (told["risks"], told["whole"]) == ([], True)
    assert "Nothing is at risk." in cli("keys", "plan").stdout
    assert list(states(cli)) == [one["kid"] for one in told["keys"][:2]]


def test_a_plan_says_what_is_wrong_and_the_cure(cli, monkeypatch):
    """A secret that is about to go; each risk with what to do."""
    monkeypatch.setenv("BROKER_SECRETS", ONE)
    cli("keys", "rotate", "--if-due")
    monkeypatch.setenv("BROKER_SECRETS", f"{TWO},{ONE}")
    risks = cli.json("keys", "plan")["risks"]
    assert [risk["kind"] for risk in risks] == ["stale-seal", "stale-seal"]
    assert {risk["cure"] for risk in risks} == {"Run: broker secrets rewrap."}
    monkeypatch.setenv("BROKER_SECRETS", TWO)
    assert {r["kind"] for r in cli.json("keys", "plan")["risks"]} == {"unopenable"}


@pytest.mark.parametrize("reach", ["soon", "0", "-1d"])
def test_a_plan_of_no_time_is_wrong_usage(cli, reach):
    """And says how to write one."""
    cli("keys", "plan", f"--for={reach}", code=2)


def test_cron_does_what_is_due_and_nothing_else(cli, monkeypatch):
    """The first keys; then nothing, and when something will be; then a successor."""
    first = cli.json("keys", "rotate", "--if-due")
    assert [step["kind"] for step in first["done"]] == ["published", "published", "begins"]
    again = cli.json("keys", "rotate", "--if-due")
    assert (again["done"], again["next"]["kind"]) == ([], "begins")
    said = cli("keys", "rotate", "--if-due").stdout
    assert re.match(r"Nothing is due. The next step comes in 30 d, at .*Z: key .{8} takes", said)
    assert audited() == ["keys.maintain"]
    monkeypatch.setenv("BROKER_SIGNING_ALGORITHMS", "ES256")
    assert len(cli.json("keys", "rotate", "--if-due")["done"]) == 2
    cli("keys", "rotate", "--if-due", "--now", code=2)


def test_each_algorithm_rotates(cli, monkeypatch):
    """All that are on by default, one where it is named; one that refuses keeps back no other."""
    cli("keys", "rotate", "--if-due")
    monkeypatch.setenv("BROKER_SIGNING_ALGORITHMS", "ES256")
    answer = cli("keys", "rotate", "--now", code=4)
    assert "Key" in answer.stdout
    assert len(answer.stderr.splitlines()) == 1
    assert cli.json("keys", "rotate", "--algorithm", "RS256")["action"] == "rotate"
    cli("keys", "rotate", "--algorithm", "PS256", code=4)
    cli("keys", "rotate", "--algorithm", "none", code=2)


# ── revoke ──


def test_a_revocation_tells_whom_it_touches(cli):
    """Apps by the algorithm of their ID tokens, APIs by that of their access tokens."""
    cli("keys", "rotate", "--if-due")

    async def register(stores):
        clients = stores.sql.clients
        await clients.add(Client("plain", "Plain"), now=1.0)
        await clients.add(Client("off", "Off", disabled=True), now=1.0)
        await clients.add(Client("curved", "C", id_token_signed_response_alg="ES256"), now=1.0)
        await stores.sql.apis.add(Api("https://rsa.example", "R"), now=1.0)
        await stores.sql.apis.add(Api("https://ec.example", "E", "ES256"), now=1.0)

    within(register)
    told = cli.json("keys", "revoke", signing(cli), "--reason", "leaked")
    assert told["affected"] == {
        "tokens": "ours",
        "clients": ["plain"],
        "apis": ["https://rsa.example"],
        "every_other_audience": True,
    }
    again = cli.json("keys", "revoke", told["subject"])
    assert again["affected"] == told["affected"]
    for name in ("leaves_at", "stops_signing_by", "trusted_until", "tokens_until"):
        assert again[name] == told[name]
    assert told["leaves_at"] < told["stops_signing_by"] < told["trusted_until"]
    said = cli("keys", "revoke", told["subject"]).stdout
    for words in ("1 app: plain", "1 API: https://rsa.example", "nobody signs in again", "hints"):
        assert words in said


def test_revoking_a_key_that_never_signed_touches_nobody(cli):
    """Nor does one whose tokens have all expired."""
    cli("keys", "rotate", "--if-due")
    waits = next(kid for kid, state in states(cli).items() if state == "next")
    told = cli.json("keys", "revoke", waits)
    assert told["affected"]["tokens"] == "unused"
    assert "never signed" in cli("keys", "revoke", waits).stdout
    old = cli.json("keys", "revoke", signing(cli))["subject"]
    assert cli.json("keys", "revoke", old)["affected"]["tokens"] == "ours"


# ── prune ──


def test_keys_of_an_algorithm_that_is_off_are_given_up(cli, monkeypatch):
    """A dry run says so and changes nothing; doing it twice is harmless."""
    monkeypatch.setenv("BROKER_SIGNING_ALGORITHMS", "ES256")
    cli("keys", "rotate", "--if-due")
    monkeypatch.delenv("BROKER_SIGNING_ALGORITHMS")
    before = cli.json("keys", "list")
    dry = cli.json("keys", "prune", "--dry-run")
    assert (dry["changed"], len(dry["given_up"]), cli.json("keys", "list")) == (False, 2, before)
    done = cli.json("keys", "prune")
    assert (done["changed"], done["given_up"]) == (True, dry["given_up"])
    assert cli.json("keys", "prune")["changed"] is False
    assert audited()[0] == "keys.prune"
    shown = cli.json("keys", "show", done["given_up"][0])
    assert (shown["state"], shown["leaves_at"]) == ("retired", done["verifies_until"])


def test_an_algorithm_in_use_is_not_given_up(cli, monkeypatch):
    """An app is set to it: the refusal names it."""
    monkeypatch.setenv("BROKER_SIGNING_ALGORITHMS", "ES256")
    cli("keys", "rotate", "--if-due")
    client = Client("curved", "C", id_token_signed_response_alg="ES256")
    within(lambda stores: stores.sql.clients.add(client, now=1.0))
    monkeypatch.delenv("BROKER_SIGNING_ALGORITHMS")
    assert "curved" in cli("keys", "prune", code=4).stderr


# ── import ──


def test_an_imported_private_key_signs_next(cli, at):
    """It is listed, audited, refused a second time, and what happens next is said."""
    cli("keys", "rotate", "--if-due")
    file = at("key.pem", private_pem(RSA.private))
    told = cli.json("keys", "import", file)
    assert (told["subject"], told["successor"]) == (RSA.kid, RSA.kid)
    assert states(cli)[RSA.kid] == "next"
    assert audited()[0] == "keys.import"
    assert "there already" in cli("keys", "import", file, code=4).stderr
    assert "signs next" not in cli("keys", "list").stdout


def test_an_encrypted_key_needs_its_passphrase(cli, at):
    """From a file in scripts; never on the command line."""
    file = at("key.pem", private_pem(RSA.private, b"open sesame"))
    assert "--passphrase-file" in cli("keys", "import", file, code=4).stderr
    wrong, right = at("wrong", b"sesame"), at("right", b"open sesame\n")
    cli("keys", "import", file, "--passphrase-file", wrong, code=4)
    assert cli.json("keys", "import", file, "--passphrase-file", right)["changed"] is True


def test_an_imported_public_key_only_verifies(cli, at):
    """For as long as is said, which has to be said; its other name is warned of."""
    file = at("key.pem", public(P256, "ES256"))
    assert "--for" in cli("keys", "import", file, code=2).stderr
    told = cli.json("keys", "import", file, "--for", "30d")
    assert (told["subject"], told["signing"], told["alg"]) == (P256.kid, None, "ES256")
    shown = cli.json("keys", "show", P256.kid)
    assert (shown["state"], shown["signs_from"]) == ("retired", None)
    assert "verifies" in cli("keys", "show", P256.kid).stdout
    again = json.dumps(P256.public_jwk | {"kid": "old-name"}).encode()
    answer = cli("keys", "import", at("key.jwk", again), "--for", "40d")
    assert "calls it old-name" in answer.stderr
    cli("keys", "import", file, "--for", "never", code=2)
    revoked = cli.json("keys", "revoke", P256.kid)
    assert revoked["affected"]["tokens"] == "elsewhere"


def test_what_cannot_be_imported_says_why(cli, at):
    """Off, weak, no key, private with --for: exit codes tell rules from usage."""
    private = at("ec.pem", private_pem(P256.private))
    assert "switched off" in cli("keys", "import", private, code=4).stderr
    assert "neither" in cli("keys", "import", at("none", b"x"), code=4).stderr
    cli("keys", "import", at("rsa.pem", private_pem(RSA.private)), "--for", "3d", code=2)
    cli("keys", "import", "missing.pem", code=2)
    assert cli.json("keys", "list") == []


# ── export ──


def test_public_keys_go_out_freely(cli, at):
    """One as PEM or JWK, all as the JWKS shows them; nothing private in any."""
    cli("keys", "rotate", "--if-due")
    kid = signing(cli)
    for form in ("pem", "jwk"):
        said = cli("keys", "export", kid, "--format", form).stdout
        found = read(said.encode())
        assert (found.kid, found.private) == (kid, None)
    assert set(states(cli)) == {k["kid"] for k in json.loads(cli("keys", "export").stdout)["keys"]}
    cli("keys", "export", "--format", "pem", code=2)
    cli("keys", "export", "nothing", code=3)
    at("there", b"mine")
    cli("keys", "export", "--output", "there", code=4)
    assert Path("there").read_bytes() == b"mine"
    assert "keys.export-private" not in audited()


def test_a_private_key_is_asked_for_twice(cli, at):
    """Then it goes into a new file for its owner alone, and the audit log has it."""
    cli("keys", "rotate", "--if-due")
    kid = signing(cli)
    wish = ("keys", "export", kid, "--private")
    cli(*wish, code=2)
    assert "twice" in cli(*wish, "--output", "k.pem", code=4).stderr
    assert not Path("k.pem").exists()
    before = os.umask(0)  # whatever the operator's shell allows others
    try:
        answer = cli(*wish, "--yes-private-really", "--output", "k.pem")
    finally:
        os.umask(before)
    assert "PRIVATE" not in answer.output
    assert stat.S_IMODE(Path("k.pem").stat().st_mode) == 0o600
    assert read(Path("k.pem").read_bytes()).kid == kid
    assert audited()[0] == "keys.export-private"
    sealing = ("--passphrase-file", at("pass", b"sesame"), "--output", "-")
    said = cli(*wish, "--yes-private-really", *sealing).stdout
    assert "ENCRYPTED" in said
    assert read(said.encode(), passphrase=b"sesame").kid == kid
    cli("keys", "export", "--private", "--yes-private-really", "--output", "all", code=2)


def test_an_erased_private_key_is_not_there_to_export(cli):
    """And nothing is written in its place, nor into the audit log."""
    cli("keys", "rotate", "--if-due")
    kid = signing(cli)
    change(sealed=None)
    wish = ("keys", "export", kid, "--private", "--yes-private-really", "--output", "k.pem")
    assert "erased" in cli(*wish, code=4).stderr
    assert not Path("k.pem").exists()
    assert "keys.export-private" not in audited()


# ── on a terminal ──


class Terminal:
    """A command on a pseudo-terminal of 80 columns."""

    def __init__(self, *words):
        self.near, far = pty.openpty()
        env = {n: v for n, v in os.environ.items() if not n.startswith(("BROKER_", "COLUMNS"))}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "broker", *words],
            stdin=far,
            stdout=far,
            stderr=far,
            start_new_session=True,  # else it could ask at the terminal the tests run in
            env=env | {"PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "COLUMNS": "80"},
        )
        os.close(far)
        self.said = ""

    def until(self, words):
        """Read until something is said, or the end."""
        end = time.monotonic() + 30
        while (words is None or words not in self.said) and time.monotonic() < end:
            if not select.select([self.near], [], [], 1)[0]:
                continue
            try:
                data = os.read(self.near, 65536)
            except OSError:  # it has ended
                break
            self.said += data.decode(errors="replace")
        assert words is None or words in self.said, self.said
        return self

    def type(self, words):
        os.write(self.near, words.encode() + b"\n")
        return self

    def end(self):
        self.until(None)
        code = self.process.wait(30)
        os.close(self.near)
        return code


def test_a_revocation_is_asked_about_on_a_terminal(cli):
    """It names the effect, asks for the reason, and a no changes nothing."""
    cli("keys", "rotate", "--if-due")
    kid = signing(cli)
    asked = Terminal("keys", "revoke", kid[:10]).until("Reason").type("laptop stolen")
    asked.until("[y/N]").type("n")
    assert asked.end() == 1
    assert "Nobody" in asked.said or "nobody" in asked.said
    assert states(cli)[kid] == "signing"
    sure = Terminal("keys", "revoke", kid[:10]).until("Reason").type("laptop stolen")
    assert sure.until("[y/N]").type("y").end() == 0
    assert cli.json("keys", "show", kid)["revoked_reason"] == "laptop stolen"


def test_a_private_key_is_asked_about_on_a_terminal(cli):
    """Its beginning has to be typed; anything else writes nothing."""
    cli("keys", "rotate", "--if-due")
    kid = signing(cli)
    wish = ("keys", "export", kid, "--private", "--output", "k.pem")
    assert Terminal(*wish).until("Type").type("yes").end() == 4
    assert not Path("k.pem").exists()
    assert Terminal(*wish).until("Type").type(kid[:8]).end() == 0
    assert Path("k.pem").exists()


def test_a_passphrase_is_asked_for_on_a_terminal(cli, at):
    """And is not shown."""
    file = at("key.pem", private_pem(RSA.private, b"open sesame"))
    asked = Terminal("keys", "import", file).until("Passphrase: ").type("open sesame")
    assert asked.end() == 0
    assert "sesame" not in asked.said
    assert RSA.kid in states(cli)


def test_a_plan_on_a_terminal_is_coloured_and_fits(cli):
    """Colour is there; without it nothing is lost."""
    cli("keys", "rotate", "--if-due")
    shown = Terminal("keys", "plan")
    assert shown.end() == 0
    assert "\x1b[" in shown.said
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown.said)
    assert max(len(line.rstrip()) for line in plain.splitlines()) <= 80
    assert "██" in plain

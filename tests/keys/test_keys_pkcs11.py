"""Private keys in an HSM: they stay there, and whatever becomes of the HSM is said clearly."""

import asyncio
import ctypes
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest
from keys_helpers import OTHER_SECRET, POLICY, START, HandClock, MemoryKeyStore, sealer, vault

pytest.importorskip("pkcs11", reason="left out: softhsm: there is no python-pkcs11")

from hsm_helpers import Hsm, opened, well
from pkcs11 import Attribute
from pkcs11.exceptions import AttributeSensitive

from broker.web.errors import judge
from keys.errors import KeyRecordCorrupt, SigningFailed, VaultMisconfigured, VaultUnavailable
from keys.jws import sign_jwt, verify_jwt
from keys.keyring import Keyring
from keys.model import KeyRecord, Replace
from keys.pkcs11 import TokenDevice, device
from keys.pkcs11.reference import Reference
from keys.pkcs11.single import SingleThread
from keys.rotation import Rotation
from keys.signer import LocalSigner
from keys.upkeep import ensure
from keys.vault import SealedVault
from tests.pace import until
from tests.running import ROOT

pytestmark = pytest.mark.softhsm

HOUR = 3600.0
ALG = "ES256"  # the quickest to make


@pytest.fixture
def token(softhsm):
    return softhsm.token()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def hsm(token, clock, monkeypatch):
    monkeypatch.setattr(device, "REOPEN_EVERY", 0.05)
    with opened(token, clock) as found:
        yield found


async def pair(hsm: Hsm, store: MemoryKeyStore, alg: str = ALG) -> tuple[KeyRecord, ...]:
    return await ensure(store, hsm.vault(), POLICY, START, algorithms=(alg,))


def referring(record: KeyRecord, serial: bytes, object_id: bytes) -> KeyRecord:
    """Return a record whose reference says something else, soundly sealed."""
    reference = Reference(serial, object_id).encode()
    return replace(record, sealed=sealer().seal(record.kid, reference))


def reference_of(record: KeyRecord) -> Reference:
    found = Reference.decode(record.kid, sealer().open(record.kid, record.sealed))
    assert found is not None
    return found


# ── the key stays inside ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("alg", ["RS256", "ES256", "Ed25519"])
async def test_the_private_half_cannot_be_asked_for(hsm, store, alg):
    """It was made in the token, never was outside, and only signs."""
    await hsm.vault().make(alg)
    secret = Attribute.PRIVATE_EXPONENT if alg == "RS256" else Attribute.VALUE
    assert isinstance(await hsm.private_attribute(secret), AttributeSensitive)
    for attribute, value in {
        Attribute.LOCAL: True,
        Attribute.SENSITIVE: True,
        Attribute.ALWAYS_SENSITIVE: True,
        Attribute.EXTRACTABLE: False,
        Attribute.NEVER_EXTRACTABLE: True,
        Attribute.SIGN: True,
        Attribute.DECRYPT: False,
        Attribute.UNWRAP: False,
        Attribute.DERIVE: False,
    }.items():
        assert await hsm.private_attribute(attribute) == value, attribute


async def test_records_hold_sealed_references(hsm, store):
    """What is stored is a PKCS#11 URI under the operator's secret, and nothing of a key."""
    first, _ = await pair(hsm, store)
    plain = sealer().open(first.kid, first.sealed)
    assert plain.startswith(b"pkcs11:serial=")
    assert plain.endswith(b";type=private")
    assert reference_of(first).object_id in await hsm.private_keys()
    assert b"pkcs11" not in first.sealed


async def test_an_operator_can_tell_our_keys(hsm, store, softhsm):
    """Labels say whose a key is, its algorithm and when it was made."""
    await hsm.vault().make("ES256")
    label = await hsm.private_attribute(Attribute.LABEL)
    assert label.startswith(f"token-broker ES256 {int(START)} ")


# ── what has no record ─────────────────────────────────────────────────────────────────────


async def test_a_revocation_destroys_both_objects(hsm, store):
    """After a revocation nothing of the key is in the token."""
    first, _ = await pair(hsm, store)
    tool = Rotation(store, hsm.vault(), POLICY, algorithms=(ALG,))
    await tool.revoke(first.kid, "lost", START + HOUR)
    assert reference_of(first).object_id not in await hsm.private_keys()
    assert await hsm.object_count() == 4  # two keys, each with a public object


async def test_what_a_crash_left_is_swept_after_an_hour(hsm, store, clock):
    """A key made and never stored, and one erased from its record alone, go; not too early."""
    first, second = await pair(hsm, store)
    await hsm.vault().make(ALG)
    await store.apply(Replace(first, replace(first, sealed=None)))
    records = await store.all()
    assert await hsm.vault().sweep(records, START + HOUR - 1) == 0
    assert len(await hsm.private_keys()) == 3
    assert await hsm.vault().sweep(records, START + HOUR) == 2
    assert await hsm.private_keys() == {reference_of(second).object_id}
    assert await hsm.object_count() == 2
    clock.now = START + HOUR
    await hsm.vault().make(ALG)
    assert await hsm.vault().sweep(records, START + HOUR + 1) == 0


async def test_sweeping_leaves_the_keys_of_others(hsm, store):
    """A token may be shared: with other programs, and with a broker of other secrets."""
    from pkcs11 import KeyType

    await hsm.vault(OTHER_SECRET).make(ALG)
    await hsm.look(lambda s: s.generate_keypair(KeyType.RSA, 1024, store=True, label="mail"))
    await hsm.look(lambda s: s.generate_keypair(KeyType.RSA, 1024, store=True, label="", id=b"7"))
    copy = f"{hsm.vault()._label(ALG)} copy"  # which an operator has put aside
    await hsm.look(lambda s: s.generate_keypair(KeyType.RSA, 1024, store=True, label=copy, id=b"8"))
    assert await hsm.vault().sweep((), START + 2 * HOUR) == 0
    assert await hsm.object_count() == 8


async def test_what_cannot_be_read_is_passed_over(hsm, store):
    """Nobody can say what a damaged record named; the others' objects are destroyed."""
    first, second = await pair(hsm, store)
    await hsm.vault().discard([replace(first, sealed=b"damaged"), second])
    assert await hsm.private_keys() == {reference_of(first).object_id}


async def test_nothing_is_swept_while_a_record_cannot_be_read(hsm, store):
    """Whoever cannot read every reference does not know what is left behind."""
    await pair(hsm, store)
    with pytest.raises(KeyRecordCorrupt):
        await hsm.vault(OTHER_SECRET).sweep(await store.all(), START + 2 * HOUR)
    assert len(await hsm.private_keys()) == 2


# ── clear refusals ─────────────────────────────────────────────────────────────────────────


async def test_a_key_of_another_token_is_refused(softhsm, store, clock):
    """The refusal names both tokens by their serial numbers."""
    with opened(softhsm.token("first"), clock) as one:
        record, _ = await pair(one, store)
    with opened(softhsm.token("second"), clock) as other:
        with pytest.raises(KeyRecordCorrupt, match=r"serial number .* and 'second' has"):
            await other.vault().open(record)
        other.vault().check(record)


async def test_a_key_that_is_gone_from_the_token_is_refused(hsm, store):
    """A key destroyed behind the broker's back is missed at once, by name."""
    first, _ = await pair(hsm, store)
    await hsm.vault().discard([first])
    with pytest.raises(KeyRecordCorrupt, match=f"{first.kid}: its private half is not in the HSM"):
        await hsm.vault().open(first)


async def test_another_key_in_its_place_is_refused(hsm, store):
    """A key is opened only once its signature was seen to fit the published half."""
    first, second = await pair(hsm, store)
    other = reference_of(second)
    with pytest.raises(KeyRecordCorrupt, match="another key's"):
        await hsm.vault().open(referring(first, other.serial, other.object_id))


@pytest.mark.parametrize(
    "uri", [b"pkcs11:", b"pkcs11:serial=1;type=private", b"pkcs11:id=%01;serial=1;type=cert"]
)
async def test_a_reference_of_another_form_is_refused(hsm, store, uri):
    """What is no reference of ours is not guessed at."""
    first, _ = await pair(hsm, store)
    foreign = replace(first, sealed=sealer().seal(first.kid, uri))
    with pytest.raises(KeyRecordCorrupt, match="not understood"):
        hsm.vault().check(foreign)


def test_references_read_as_they_were_written():
    """Any serial number and any object id survive."""
    for serial, object_id in ((b"ec90", b"\x00;=%\xff"), (b"A 1;B=%", b"pkcs11:")):
        held = Reference(serial, object_id)
        assert Reference.decode("kid", held.encode()) == held
    assert Reference.decode("kid", b"\x30\x82") is None


async def test_a_wrong_pin_is_tried_once(token, clock):
    """A few wrong PINs lock a token, so the process asks no second time."""
    with opened(replace(token, pin="wrong"), clock) as hsm:
        for _ in range(2):
            with pytest.raises(VaultMisconfigured, match="does not take the PIN") as refusal:
                await hsm.vault().make(ALG)
            assert refusal.value.field == "pin"
            hsm.device._pin = token.pin  # were it asked again, it would open


async def test_a_token_that_is_not_there(softhsm, token, clock, monkeypatch):
    """A label nobody has is named; the token may come yet."""
    monkeypatch.setattr(device, "REOPEN_EVERY", 0.05)
    said = "'elsewhere' cannot be opened: there is no token of that label"
    with opened(replace(token, label="elsewhere"), clock) as hsm:
        with pytest.raises(VaultUnavailable, match=said):
            await hsm.vault().make(ALG)
        softhsm.token("elsewhere")
        await asyncio.sleep(device.REOPEN_EVERY)
        await hsm.vault().make(ALG)


async def test_two_tokens_of_one_label(softhsm, clock):
    """Which one is meant is not guessed."""
    softhsm.token("twin")
    with opened(softhsm.token("twin"), clock) as hsm:
        with pytest.raises(VaultMisconfigured, match="several tokens") as refusal:
            await hsm.vault().make(ALG)
        assert refusal.value.field == "token"


async def test_a_file_that_is_no_library(token, clock, tmp_path):
    """A module that cannot be loaded is named."""
    (tmp_path / "module.so").write_text("no library")
    with opened(replace(token, module=tmp_path / "module.so"), clock) as hsm:
        with pytest.raises(VaultMisconfigured, match="is no PKCS#11 library") as refusal:
            await hsm.vault().make(ALG)
        assert refusal.value.field == "module"


async def test_an_algorithm_the_token_lacks_is_refused_by_name(softhsm, token, clock):
    """Before any key is made: which algorithm, and which mechanism it would need."""
    softhsm.configure("slots.mechanisms = -CKM_MD5,CKM_ECDSA,CKM_SHA256_RSA_PKCS_PSS")
    with opened(token, clock) as hsm:
        await hsm.vault().support(["RS256", "EdDSA"])
        with pytest.raises(VaultMisconfigured, match="ES256 needs CKM_ECDSA_SHA256 or CKM_ECDSA"):
            await hsm.vault().support(["RS256", "ES256"])
        with pytest.raises(VaultMisconfigured, match="PS256 needs CKM_SHA256_RSA") as refusal:
            await hsm.vault().make("PS256")
        assert refusal.value.field == "algorithms"
        await hsm.vault().make("EdDSA")


def test_one_library_is_used_once_in_a_process(token, clock):
    """Two would take each other's login away, or crash the process; so the second is refused."""
    with (
        opened(token, clock),
        pytest.raises(ValueError, match="already"),
    ):
        TokenDevice(token.module, token.label, token.pin)
    with opened(token, clock):
        pass


# ── moving to an HSM, and away ─────────────────────────────────────────────────────────────


async def test_moving_to_an_hsm_is_a_rotation(hsm, store):
    """Keys sealed in records sign on until they retire; every new one is made in the HSM."""
    old = await ensure(store, vault(), POLICY, START)
    assert isinstance(await hsm.vault().open(old[0]), LocalSigner)
    hsm.vault().check(old[0])
    assert hsm.vault().reveal(old[0]) == vault().reveal(old[0])
    tool = Rotation(store, hsm.vault(), POLICY)
    await tool.rotate_now(START + HOUR)
    (new,) = [r for r in await store.all() if r.kid not in {one.kid for one in old}]
    assert reference_of(new).object_id in await hsm.private_keys()
    await tool.rotate_now(START + 2 * HOUR)
    ring = Keyring(store, hsm.vault(), POLICY, HandClock(START + 2 * HOUR))
    await ring.load()
    assert ring.signer().kid == new.kid
    token = await sign_jwt(ring.signer(), "JWT", {"a": 1})
    assert verify_jwt(token, ring.key_for, typ="JWT") == {"a": 1}


async def test_an_hsm_that_is_switched_off_is_missed(hsm, store):
    """A process without the HSM says what to set, and makes no key of its own."""
    first, _ = await pair(hsm, store)
    without = SealedVault(sealer())
    for refuse in (without.check, without.reveal):
        with pytest.raises(KeyRecordCorrupt, match="in an HSM; set BROKER_PKCS11_MODULE"):
            refuse(first)
    with pytest.raises(KeyRecordCorrupt, match="in an HSM"):
        await ensure(store, without, POLICY, START, algorithms=(ALG, "RS256"))
    assert len(await store.all()) == 2


# ── the device fails ───────────────────────────────────────────────────────────────────────


async def test_a_lost_session_is_opened_again(hsm, store):
    """A restarted HSM forgets its sessions; whoever asks for a signature does not notice."""
    first, _ = await pair(hsm, store)
    signer = await hsm.vault().open(first)
    library = ctypes.CDLL(str(hsm.token.module))
    for _ in range(2):
        await asyncio.sleep(0.06)
        await hsm.look(lambda _: library.C_Finalize(None))
        await signer.sign(b"x")
        signer.check()


async def test_a_token_that_is_removed_and_put_back(hsm, softhsm, store):
    """Signing fails quickly and with a reason meanwhile; nothing has to be restarted after."""
    first, _ = await pair(hsm, store)
    signer = await hsm.vault().open(first)
    place = softhsm.folder_of(hsm.token)
    away = place.rename(softhsm.conf.parent / "away")
    await asyncio.sleep(0.06)
    began = time.monotonic()
    with pytest.raises(SigningFailed, match="cannot be opened"):
        await signer.sign(b"x")
    with pytest.raises(SigningFailed, match="cannot be opened"):
        signer.check()
    with pytest.raises(VaultUnavailable):
        await hsm.vault().make(ALG)
    assert time.monotonic() - began < 5  # there is no deadline to wait for
    away.rename(place)
    await asyncio.sleep(0.06)
    with pytest.raises(SigningFailed):
        signer.check()  # what was known; it is asked behind the scenes
    await until(lambda: well(signer))
    await signer.sign(b"x")


@pytest.mark.parametrize("reopen_every", [0.0, 60.0])
async def test_a_key_destroyed_by_another_process(hsm, store, monkeypatch, reopen_every):
    """It signs no more and says so; the others are not troubled, a new session or not."""
    monkeypatch.setattr(device, "REOPEN_EVERY", reopen_every)
    first, second = await pair(hsm, store)
    gone, other = [await hsm.vault().open(record) for record in (first, second)]
    object_id = {Attribute.ID: reference_of(first).object_id}
    await hsm.look(lambda s: [one.destroy() for one in list(s.get_objects(object_id))])
    for _ in range(2):
        with pytest.raises(SigningFailed, match=f"{first.kid} is not in the HSM any more"):
            await gone.sign(b"x")
        other.check()
        await other.sign(b"x")


async def test_a_ring_whose_hsm_is_away(hsm, softhsm, store):
    """The process is not ready and says why; its JWKS is served; it recovers by itself."""
    ring = Keyring(store, hsm.vault(), POLICY, hsm.clock, algorithms=(ALG,))
    await ring.load()
    assert ring.ready() is None
    place = softhsm.folder_of(hsm.token)
    away = place.rename(softhsm.conf.parent / "away")
    await asyncio.sleep(0.06)
    with pytest.raises(SigningFailed):
        await ring.signer(ALG).sign(b"x")
    await ring.refresh()
    assert "cannot be opened" in ring.ready()
    assert len(ring.verification_keys()) == 2
    assert ring.jwks()[0].body
    fresh = Keyring(store, hsm.vault(), POLICY, hsm.clock, algorithms=(ALG,))
    with pytest.raises(VaultUnavailable):
        await fresh.load()
    away.rename(place)
    await asyncio.sleep(0.06)
    await until(lambda: ring.ready() is None)
    await fresh.refresh()
    assert fresh.ready() is None


def test_a_device_that_does_not_sign_is_a_quick_503():
    """Whatever of the HSM fails, a program is told to come again, and nothing of the reason."""
    for error in (SigningFailed("pin 1234"), VaultUnavailable("x"), VaultMisconfigured("pin", "x")):
        failure = judge(error, "r")
        assert failure.status == 503
        assert failure.error.retry_after >= 1
        assert "1234" not in failure.error.public


async def test_a_stuck_device_holds_nobody(token, clock, store):
    """One call that never returns costs the deadline once; then all is refused at once."""
    release = threading.Event()
    with opened(token, clock) as hsm:
        first, _ = await pair(hsm, store)
        signer = await hsm.vault().open(first)
        patient, hsm.device.deadline = hsm.device.deadline, 0.3
        with pytest.raises(VaultUnavailable, match=r"within 0\.3 s"):
            await hsm.device.call(lambda _: release.wait())
        await asyncio.sleep(0.2)  # its own time runs from when it began, which may be later
        began = time.monotonic()
        for _ in range(1000):
            with pytest.raises(SigningFailed, match="has not answered"):
                await signer.sign(b"x")
            with pytest.raises(SigningFailed, match="has not answered"):
                signer.check()
        assert time.monotonic() - began < 30  # and not a thousand times the deadline
        release.set()
        hsm.device.deadline = patient
        await until(lambda: well(signer))
        await signer.sign(b"x")
        signer.check()


async def test_calls_wait_in_a_bounded_queue():
    """More than fit are refused at once; those nobody waits for any more are never made."""
    release, ran = threading.Event(), []
    thread = SingleThread("the device", waiting=2)
    busy = asyncio.ensure_future(thread.run(release.wait, 30))
    await asyncio.sleep(0)
    await until(thread._calls.empty)
    late = [asyncio.ensure_future(thread.run(lambda: ran.append(1), 0.2)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(VaultUnavailable, match="too many"):
        await thread.run(lambda: ran.append(2), 30)
    assert all(
        isinstance(one, VaultUnavailable)
        for one in await asyncio.gather(*late, return_exceptions=True)
    )
    release.set()
    await busy
    await until(thread._calls.empty)  # of what nobody waits for
    assert await thread.run(lambda: 5, 1) == 5
    assert ran == []
    assert thread.stop(1)


def test_a_process_ends_though_its_device_is_stuck():
    """A call that never returns does not keep the process from ending."""
    script = (
        "import time; from keys.pkcs11.single import SingleThread\n"
        "t = SingleThread('the HSM'); t.submit(lambda: time.sleep(60), 0.1); time.sleep(0.1)\n"
        "assert not t.stop(0.1)"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", script], env=environment, timeout=15, check=True)

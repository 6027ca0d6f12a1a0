"""Private keys at rest."""

import pytest
from keys_helpers import OTHER_SECRET, SECRET, entropy, sealer

from keys.errors import KeyRecordCorrupt
from keys.sealing import Sealer


def test_what_is_sealed_opens_and_does_not_show():
    """The private half comes back whole, and no byte of it stands in clear."""
    sealed = sealer().seal("kid", b"private half" * 20)
    assert sealer().open("kid", sealed) == b"private half" * 20
    assert b"private" not in sealed


def test_the_first_secret_seals_and_every_secret_opens():
    """Changing a secret: append, put first, rewrap; at no step does a key fail to open."""
    old = sealer(SECRET).seal("kid", b"x")
    both = sealer(OTHER_SECRET, SECRET)
    assert both.open("kid", old) == b"x"
    assert not both.is_current(old)
    new = both.rewrap("kid", old)
    assert sealer(OTHER_SECRET).open("kid", new) == b"x"
    assert both.rewrap("kid", new) == new


def test_what_an_earlier_release_has_sealed_opens():
    """The form, the derivation and the label are for good: else an update would lose every key."""
    sealed = "01a2535819" + "00" * 12 + "583f1dc6c8c31b38438d117387c30eb2039e4155141c269c14852764"
    assert Sealer([SECRET], bytes).seal("kid", b"private half").hex() == sealed
    assert sealer().open("kid", bytes.fromhex(sealed)) == b"private half"


def test_a_secret_that_is_not_configured_is_named_as_the_cause():
    """An operator who lost a secret reads so."""
    with pytest.raises(KeyRecordCorrupt, match="secret that is not configured") as e:
        sealer(OTHER_SECRET).open("kid", sealer(SECRET).seal("kid", b"x"))
    assert e.value.kid == "kid"


def test_what_is_sealed_under_one_label_does_not_open_under_another():
    """One secret serves several purposes, and none of them opens what another has sealed."""
    other = Sealer([SECRET], entropy, label=b"something else")
    with pytest.raises(KeyRecordCorrupt, match="secret that is not configured"):
        other.open("kid", sealer(SECRET).seal("kid", b"x"))
    assert set(other.ids).isdisjoint(sealer(SECRET).ids)


def test_a_key_in_another_row_does_not_open():
    """The `kid` is bound in: sealed halves cannot be exchanged in the database."""
    with pytest.raises(KeyRecordCorrupt, match="altered"):
        sealer().open("other", sealer().seal("kid", b"x"))


def test_every_altered_byte_is_noticed():
    """Version, key id, nonce, ciphertext and tag are all covered."""
    sealed = sealer().seal("kid", b"x")
    for place in range(len(sealed)):
        bent = bytearray(sealed)
        bent[place] ^= 1
        with pytest.raises(KeyRecordCorrupt):
            sealer().open("kid", bytes(bent))


def test_every_truncation_is_noticed():
    """A half-written column is a corrupt record, never an index error."""
    sealed = sealer().seal("kid", b"x")
    for length in range(len(sealed)):
        with pytest.raises(KeyRecordCorrupt):
            sealer().open("kid", sealed[:length])


@pytest.mark.parametrize(
    "secrets",
    [[], [b"short"], [SECRET, b"o" * 31], [SECRET, SECRET]],
    ids=["no", "short", "short beside a good one", "twice"],
)
def test_poor_secrets_are_refused(secrets):
    """No secret, a short one, the same one twice: refused at start."""
    with pytest.raises(ValueError, match="secret"):
        Sealer(secrets, entropy)


def test_a_nonce_is_fresh_each_time():
    """The same key sealed twice looks different."""
    one = sealer()
    assert one.seal("kid", b"x") != one.seal("kid", b"x")

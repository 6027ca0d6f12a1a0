"""What upstreams say of people, field by field."""

import pytest

from broker.upstream import fields


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("access_denied", "access_denied"),
        ("x" * 999, "x" * 200),
        ("one\nlevel=error event=forged", "(str)"),
        ("\x1b[2J", "(str)"),
        (7, "(int)"),
        (None, "(NoneType)"),
    ],
    ids=repr,
)
def test_a_word_for_the_log_is_one(value, shown):
    """Whatever an upstream sends in its place begins no line and moves no cursor there."""
    assert fields.word(value) == shown


@pytest.mark.parametrize(
    ("value", "plain", "taken"),
    [
        ("https://pictures.example/a.png", False, True),
        ("http://pictures.example/a.png", False, False),
        ("http://pictures.example/a.png", True, True),
        ("https://me:pw@pictures.example/a.png", False, False),
        ("https:///a.png", False, False),
        ("https://[::1/a.png", False, False),
        ("https://pictures.example/a b.png", False, False),
        ("data:image/png;base64,AAAA", True, False),
        (["https://pictures.example/a.png"], False, False),
    ],
)
def test_the_address_of_a_picture(value, plain, taken):
    """Https, of a host and of nobody's name; plain http where the upstream is on this machine."""
    assert fields.picture(value, plain=plain) == (value if taken else None)

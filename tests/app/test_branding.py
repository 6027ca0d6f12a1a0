"""What pages look like is refused at the start where nobody could read or see it."""

from pathlib import Path

import pytest

from broker.app.branding import LARGEST_LOGO, look
from broker.app.checks import check
from broker.app.problems import Refused
from broker.app.settings import Settings

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


def refused(**fields: object) -> list[str]:
    """The settings that are refused."""
    try:
        check(Settings(**fields))  # type: ignore[arg-type]
    except Refused as error:
        return [problem.setting for problem in error.problems]
    return []


@pytest.mark.parametrize(
    ("accent", "good"), [("#4752C4", True), ("#5865f2", False), ("#ffcc00", False)]
)
def test_an_accent_that_cannot_be_read_on_white(accent: str, good: bool) -> None:
    """WCAG 2.2 AA: 4.5 to 1."""
    assert refused(brand_accent=accent) == ([] if good else ["BROKER_BRAND_ACCENT"])


@pytest.mark.parametrize(
    ("body", "good"),
    [
        (PNG, True),
        (b'<?xml version="1.0"?><svg/>', True),
        (b"GIF89a", False),
        (PNG + b"\0" * LARGEST_LOGO, False),
        (None, False),
    ],
)
def test_logos(tmp_path: Path, body: bytes | None, good: bool) -> None:
    """SVG and PNG, small enough, there."""
    path = tmp_path / "logo"
    if body is not None:
        path.write_bytes(body)
    assert refused(brand_logo=path) == ([] if good else ["BROKER_BRAND_LOGO"])


def test_what_a_logo_is_called(tmp_path: Path) -> None:
    """By what it is, not by its file's name."""
    path = tmp_path / "anything.dat"
    path.write_bytes(PNG)
    found = look(Settings(brand_logo=path, brand_accent="#14604F"))
    assert found.logo == ("logo.png", PNG)
    assert found.accent == "#14604f"


@pytest.mark.parametrize(
    "fields",
    [
        {"brand_accent": "red"},
        {"brand_accent": "#fff;}*{"},
        {"brand_support": "javascript:alert(1)"},
        {"brand_privacy": "http://club.example/privacy"},
        {"brand_terms": 'https://club.example/" onclick="'},
    ],
)
def test_forms(fields: dict[str, str]) -> None:
    """Nothing that could be anything but a colour or an address."""
    with pytest.raises(ValueError, match=next(iter(fields))):
        Settings(**fields)  # type: ignore[arg-type]


SAID = "Maintenance today,\n  22:00 UTC.\n#ko 오늘 22:00 UTC\n점검"


def test_what_a_notice_says() -> None:
    """To everybody, and in a language; lines are joined, nothing set is nothing said."""
    assert look(Settings(notice=SAID)).notice == (
        ("", "Maintenance today, 22:00 UTC."),
        ("ko", "오늘 22:00 UTC 점검"),
    )
    assert look(Settings()).notice == look(Settings(notice="\n \n")).notice == ()


@pytest.mark.parametrize(
    ("notice", "good"),
    [
        (SAID, True),
        ("<b>&amp; 100 % #1", True),
        ("x" * 300, True),
        ("x" * 301, False),
        (f"x\n#ko {'y' * 301}", False),
        ("#ko 점검", False),
        ("x\n#ko", False),
        ("x\n#fr entretien", False),
        ("bell\x07", False),
        ("right\u202eto left", False),
    ],
)
def test_notices(notice: str, good: bool) -> None:
    """Short, printable, for everybody, and in languages that pages speak; else refused whole."""
    assert refused(notice=notice) == ([] if good else ["BROKER_NOTICE"])

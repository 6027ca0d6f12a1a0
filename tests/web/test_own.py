"""How the account's page speaks of browsers and of time."""

import pytest

from broker.web import ages
from broker.web.devices import Device, device

DAY = 86400


@pytest.mark.parametrize(
    ("system", "browser", "told"),
    [
        ("Windows NT 10.0; Win64; x64; rv:140.0", "Gecko/20100101 Firefox/140.0",
         ("Firefox", "Windows")),
        ("X11; CrOS x86_64 14541.0.0", "Chrome/140.0.0.0 Safari/537.36", ("Chrome", "ChromeOS")),
        ("Windows NT 10.0; Win64; x64", "Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
         ("Edge", "Windows")),
        ("Linux; Android 10; K", "Chrome/140.0.0.0 Mobile Safari/537.36 EdgA/140.0.0.0",
         ("Edge", "Android")),
        ("Linux; Android 10; K", "Chrome/140.0.0.0 Mobile Safari/537.36", ("Chrome", "Android")),
        ("Linux; Android 10; K", "SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36",
         ("Samsung Internet", "Android")),
        ("Macintosh; Intel Mac OS X 10_15_7", "Chrome/140.0.0.0 Safari/537.36 OPR/120.0.0.0",
         ("Opera", "Mac")),
        ("Macintosh; Intel Mac OS X 10_15_7", "Version/18.5 Safari/605.1.15", ("Safari", "Mac")),
        ("iPad; CPU OS 18_5 like Mac OS X", "CriOS/140.0.0.0 Mobile/15E148 Safari/604.1",
         ("Chrome", "iPad")),
        ("X11; Linux x86_64", "Something/1.0", ("", "Linux")), ("", "", ("", "")),
    ],
)  # fmt: skip
def test_browsers_by_their_names(system: str, browser: str, told: tuple[str, str]) -> None:
    """Those that pretend to be another are told from it; what is not known is left open."""
    found = device(f"Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) {browser}")
    assert found == Device(*told)
    assert found.mobile is (told[1] in {"Android", "iPad"})


def test_programs_by_what_they_say() -> None:
    """As far as that is short."""
    assert device("curl/8.14.1") == Device("curl/8.14.1")
    assert device("x" * 200) == Device("x" * 60)
    assert device("") == Device("")


@pytest.mark.parametrize(
    ("age", "told"),
    [
        (-5, "just now"), (59, "just now"), (60, "1 minute ago"), (3599, "59 minutes ago"),
        (3600, "1 hour ago"), (DAY, "1 day ago"), (30 * DAY - 1, "29 days ago"),
        (30 * DAY, "15 October 2023"),
    ],
)  # fmt: skip
def test_how_long_ago(age: float, told: str) -> None:
    """As people say it; after a month, the day."""
    now = 1_700_000_000.0
    assert ages.ago(now - age, now) == told

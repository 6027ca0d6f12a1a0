"""What the console's audit log tells of an event, in words."""

from collections.abc import Mapping
from typing import Any

import pytest

from broker.admin.views.details import Names, told
from broker.core.access import reasons
from broker.core.community.registry import Guild
from broker.core.model import AuditEvent
from broker.core.policy.model import Missing, Reason

KID, OTHER = "kid-of-one-key", "kid-of-another-key"
NAMES = Names(
    {"a" * 32: "Ada"},
    {"front": "Front"},
    {"613425648685547541": Guild("613425648685547541", "The Lighthouse")},
    lambda upstream: {"discord": "Discord"}.get(upstream, upstream),
)


def said(detail: Mapping[str, Any]) -> list[str]:
    """What the page says of such a detail."""
    event = AuditEvent("some.kind", 0.0, "operator", detail=detail)
    return [f"{name}: {text}" for name, text in told(event, NAMES)]


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        ({"banned": True}, ["the ban: outlives the account"]),
        ({"operator": "a" * 32}, ["operator: Ada"]),
        ({"operator": "b" * 32}, ["operator: bbbbbbbb…"]),
        ({"scope": ["openid", "profile"]}, ["scopes: openid, profile"]),
        ({"scope": "openid profile"}, ["scopes: openid, profile"]),
        ({"fields": ["redirect_uris", "name"]}, ["changed: redirect uris, name"]),
        ({"at": 1_700_000_000.5}, ["at: 2023-11-14 22:13 UTC"]),
        ({"expires_at": "2026-01-31T12:00:00Z"}, ["good until: 2026-01-31 12:00 UTC"]),
        ({"before": "at some time"}, ["older than: at some time"]),
        ({"verifies_until": None, "swept": 0, "deleted": []}, []),
        ({"deleted": [KID, OTHER]}, ["deleted: kid-of-o…, kid-of-a…"]),
        ({"steps": [f"begins {KID}"], "swept": 2}, ["steps: begins kid-of-o…",
                                                    "leftovers removed: 2"]),
        ({"grant": "0123456789abcdef", "generation": 0}, ["grant: 01234567…", "generation: 0"]),
        ({"way": "delegation", "from": "front", "for": "https://a https://b"},
         ["way: delegation", "from: Front", "for: https://a, https://b"]),
        ({"guild": "613425648685547541"}, ["guild: The Lighthouse"]),
        ({"upstream": "discord"}, ["through: Discord"]),
        ({"guild": "7"}, ["guild: the guild 7"]),
        ({"uses": 0}, ["registers: any number of apps"]),
        ({"new": [True, 1, {"some_thing": False}]}, ["new: yes, 1, some thing: no"]),
    ],
)  # fmt: skip
def test_details_in_words(detail: Mapping[str, Any], expected: list[str]) -> None:
    """No value as Python writes it: people, apps, guilds and keys by name, moments as moments."""
    assert said(detail) == expected


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_has_words(reason: Reason) -> None:
    """None is told by its code, nor a guild by its number."""
    (text,) = said({"reasons": reasons([Missing(reason, "613425648685547541")])})
    assert " " in text.removeprefix("because: ")
    assert not {"_", ":", "%"} & set(text.removeprefix("because: "))

"""Accounts of django-allauth, read from what ``manage.py dumpdata`` writes.

Three kinds of objects count: ``socialaccount.socialaccount`` (provider, uid, extra_data), the user
model of the project, whatever it is called, and ``account.emailaddress``. A person is found by the
Discord id alone: nobody is joined to anybody by e-mail.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from broker.core.errors import UpstreamRejected
from broker.core.model import Profile
from broker.upstream.discord_profile import profile_of

SOCIAL: Final = "socialaccount.socialaccount"
PROVIDER: Final = "discord"
LONGEST_SUB: Final = 64  # characters; as the column has it


@dataclass(frozen=True, slots=True)
class Imported:
    """An account to make.

    Attributes:
        profile: who it is at Discord, as last seen there.
        user_id: primary key of the Django user.
        sub: the subject to give it, or None for a random one.
        created_at, last_sign_in_at: UTC seconds, or None where that was not said.
        active: whether the user could sign in.
    """

    profile: Profile
    user_id: str
    sub: str | None = None
    created_at: float | None = None
    last_sign_in_at: float | None = None
    active: bool = True


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found: accounts, and in words what could not be taken, with its place."""

    accounts: tuple[Imported, ...]
    faults: tuple[str, ...]


def read(document: Any, cdn_url: str, *, keep_ids: bool = False) -> Reading:
    """Read a fixture.

    Args:
        document: the JSON array of ``dumpdata``.
        cdn_url: base of avatar addresses.
        keep_ids: whether ``sub`` is to be the Django user's primary key.

    Raises:
        ValueError: it is no array of objects that ``dumpdata`` writes.
    """
    if not isinstance(document, list) or not all(_is_object(one) for one in document):
        raise ValueError("is no JSON array of objects with model, pk and fields")
    users = _users(document)
    accounts: list[Imported] = []
    faults: list[str] = []
    for one in document:
        if one["model"] != SOCIAL or one["fields"].get("provider") != PROVIDER:
            continue
        try:
            accounts.append(_account(one, users, cdn_url, keep_ids=keep_ids))
        except (ValueError, UpstreamRejected) as error:
            reason = getattr(error, "private", "") or str(error)
            faults.append(f"{SOCIAL} {_id(one['pk'])}: {reason}")
    kept, twice = _once(accounts)
    return Reading(kept, (*faults, *twice))


def _is_object(one: Any) -> bool:
    return isinstance(one, dict) and {"model", "pk", "fields"} <= one.keys() and _fields(one)


def _fields(one: Mapping[str, Any]) -> bool:
    return isinstance(one["model"], str) and isinstance(one["fields"], dict)


def _users(document: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return the fields of users by primary key: the model that has date_joined and is_active."""
    return {
        _id(one["pk"]): one["fields"]
        for one in document
        if {"is_active", "last_login"} <= one["fields"].keys()
    }


def _account(
    one: Mapping[str, Any],
    users: Mapping[str, Mapping[str, Any]],
    cdn_url: str,
    *,
    keep_ids: bool,
) -> Imported:
    fields, user_id = one["fields"], _id(one["fields"].get("user"))
    extra = fields.get("extra_data")
    if isinstance(extra, str):  # before django-allauth 65
        extra = _object(extra)
    if not isinstance(extra, dict) or not (_id(extra.get("id")) == _id(fields.get("uid")) != ""):
        raise ValueError("extra_data is not the Discord user of that uid")
    user = users.get(user_id)
    if user is None:
        raise ValueError(f"its user {user_id} is not in the file; dump the user model as well")
    if keep_ids and not (0 < len(user_id) <= LONGEST_SUB and user_id.isascii()):
        raise ValueError(f"user id {user_id!r} cannot be a sub")
    # The same judge as at a sign-in: whatever is stale is put right at the next one.
    profile = profile_of(extra | {"id": _id(extra["id"])}, cdn_url)
    return Imported(
        profile,
        user_id,
        user_id if keep_ids else None,
        _moment(user.get("date_joined")),
        _moment(user.get("last_login")),
        active=user.get("is_active") is not False,
    )


def _moment(value: Any) -> float | None:
    """Return a moment as Django writes it (ISO 8601; naive ones are UTC)."""
    if not isinstance(value, str):
        return None
    found = datetime.fromisoformat(value)
    try:
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except OverflowError:
        raise ValueError(f"{value} is out of any calendar") from None


def _id(value: Any) -> str:
    """Return a key as text: a number, or text (a UUID); of anything else nothing."""
    sound = isinstance(value, int | str) and not isinstance(value, bool)
    return str(value) if sound and str(value).isprintable() else ""


def _object(text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("extra_data is nested too deeply") from None


def _once(accounts: Iterable[Imported]) -> tuple[tuple[Imported, ...], list[str]]:
    """Two users of one Discord account cannot both be it, nor one user two accounts here."""
    kept: list[Imported] = []
    faults: list[str] = []
    users: dict[str, str] = {}
    subjects: dict[str, str] = {}
    for one in accounts:
        subject, user_id = one.profile.subject, one.user_id
        if subject in users:
            faults.append(f"Discord id {subject} belongs to the users {users[subject]}, {user_id}")
        elif user_id in subjects:
            faults.append(f"user {user_id} has two Discord ids: {subjects[user_id]}, {subject}")
        else:
            kept.append(one)
            users[subject], subjects[user_id] = user_id, subject
    return tuple(kept), faults

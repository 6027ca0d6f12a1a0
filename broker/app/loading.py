"""Reading the settings, and telling where each came from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError

from broker.app.data_dir import embedded_secret
from broker.app.problems import Problem, Refused
from broker.app.settings import Settings
from broker.app.sources import UnusableSource, origin, variable
from broker.app.upstream_settings import UpstreamSettings
from broker.core import durations
from broker.core.ports import Entropy

MASK = "••••••"


@dataclass(frozen=True, slots=True)
class Shown:
    """One setting, for people: its variable, effective value (masked), source and meaning."""

    name: str
    value: Any
    source: str
    default: str
    description: str


def load(**given: Any) -> Settings:
    """Return the settings of this process; ``given`` ones (of the command line) come first.

    Raises:
        Refused: a value is malformed or unknown, or a source cannot be read.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        raise Refused(*(_problem(dict(one)) for one in error.errors())) from None
    except UnusableSource as error:
        raise Refused(Problem(error.setting, error.reason)) from None


def _problem(error: dict[str, Any]) -> Problem:
    field = str(error["loc"][0]) if error["loc"] else ""
    if error["type"] == "extra_forbidden" and len(error["loc"]) == 1:
        return Problem("BROKER_SETTINGS", f"the file names an unknown setting: {field}")
    said = error["msg"].removeprefix("Value error, ")
    within = [str(one + 1) if isinstance(one, int) else one for one in error["loc"][1:]]
    return Problem(variable(field), ": ".join((*within, said)))


def effective_secrets(settings: Settings, entropy: Entropy) -> tuple[bytes, ...]:
    """Return the operator's secrets, the data directory's own where none is set.

    Raises:
        Refused: the data directory's cannot be read or made.
    """
    if settings.secrets:
        return tuple(secret.get_secret_value().encode() for secret in settings.secrets)
    return (embedded_secret(settings.data_dir, entropy),)


def shown(settings: Settings) -> list[Shown]:
    """Return every setting as people may see it, in the order of their definition."""
    return [
        Shown(
            variable(name),
            _derived(name, settings) or _visible(name, getattr(settings, name)),
            origin(name),
            _default(name),
            field.description or "",
        )
        for name, field in type(settings).model_fields.items()
    ]


def _visible(name: str, value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return MASK if value.get_secret_value() else ""
    if isinstance(value, tuple):
        return [_visible_one(one) for one in value]
    if isinstance(value, Path):
        return str(value)
    return durations.show(value) if is_duration(name) else value


def _visible_one(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return MASK
    return value.shown if isinstance(value, UpstreamSettings) else value


def _derived(name: str, settings: Settings) -> Any:
    """Return what stands in for a setting that is not set."""
    if getattr(settings, name):
        return None
    stand_ins = {
        "issuer": settings.public_issuer,
        "secrets": f"(made in {settings.data_dir})",
        "database_url": f"(SQLite in {settings.data_dir})",
        "redis_url": f"(embedded in {settings.data_dir})",
    }
    return stand_ins.get(name)


def _default(name: str) -> str:
    default = Settings.model_fields[name].default
    if default is None or default == () or isinstance(default, SecretStr):
        return ""
    return durations.show(default) if is_duration(name) else str(default)


def is_duration(name: str) -> bool:
    """Whether a setting is a length of time."""
    return "seconds" in Settings.model_fields[name].metadata

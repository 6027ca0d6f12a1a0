"""Where settings come from, and which source each one came from."""

import os
import tomllib
from pathlib import Path
from typing import Any, Final

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

PREFIX: Final = "BROKER_"
FILE_NAMED_BY: Final = "BROKER_SETTINGS"
EMBEDDED_REDIS: Final = "BROKER_EMBEDDED_REDIS"  # from the server to its workers, no setting
METRICS_DIRECTORY: Final = "PROMETHEUS_MULTIPROC_DIR"  # the same, where the library looks for it
FROM_FILES: Final = (
    "secrets",
    "discord_client_secret",
    "database_url",
    "redis_url",
    "pkcs11_pin",
)


class UnusableSource(ValueError):
    """A source of settings that cannot be read, or two that contradict each other.

    Args:
        setting: the setting or environment variable to look at.
        reason: what is wrong with it.
    """

    def __init__(self, setting: str, reason: str) -> None:
        super().__init__(f"{setting}: {reason}")
        self.setting = setting
        self.reason = reason


def variable(field: str) -> str:
    """Return the environment variable of a setting."""
    return PREFIX + field.upper()


class SecretFiles(PydanticBaseSettingsSource):
    """Secrets out of files that ``BROKER_NAME_FILE`` names, as container platforms mount them."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return the value of one setting, its name, and that it is no JSON.

        Raises:
            UnusableSource: the file cannot be read, or the setting is given directly as well.
        """
        del field
        named = f"{variable(field_name)}_FILE"
        path = os.environ.get(named) if field_name in FROM_FILES else None
        if not path:
            return None, field_name, False
        if os.environ.get(variable(field_name)):
            raise UnusableSource(named, f"{variable(field_name)} is set as well; keep one")
        return _read(named, path).strip(), field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return the settings that files hold."""
        found = {
            name: self.get_field_value(field, name)[0]
            for name, field in self.settings_cls.model_fields.items()
        }
        return {name: value for name, value in found.items() if value is not None}


class SettingsFile(PydanticBaseSettingsSource):
    """The TOML file that ``BROKER_SETTINGS`` names: one ``name = value`` a line, lower case."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return the value of one setting, its name, and that it is no JSON."""
        del field
        return self().get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return the settings of the file.

        Raises:
            UnusableSource: it cannot be read, is no TOML or names an unknown setting.
        """
        return settings_file()


def settings_file() -> dict[str, Any]:
    """Return what the TOML file sets; nothing where none is named.

    Raises:
        UnusableSource: it cannot be read or is no TOML.
    """
    path = os.environ.get(FILE_NAMED_BY)
    if not path:
        return {}
    try:
        return tomllib.loads(_read(FILE_NAMED_BY, path))
    except ValueError as error:  # TOMLDecodeError, or a number of thousands of digits
        raise UnusableSource(FILE_NAMED_BY, f"{path} is no TOML: {error}") from None
    except RecursionError:
        raise UnusableSource(FILE_NAMED_BY, f"{path} is nested too deeply") from None


def origin(field: str) -> str:
    """Return where a setting's value comes from, for people."""
    name = variable(field)
    if os.environ.get(name):
        return f"environment {name}"
    if field in FROM_FILES and os.environ.get(f"{name}_FILE"):
        return f"file {os.environ[f'{name}_FILE']}"
    if field in settings_file():
        return f"file {os.environ[FILE_NAMED_BY]}"
    return "default"


def unknown_variables(settings_cls: type[BaseSettings]) -> tuple[str, ...]:
    """Return BROKER_ variables that set nothing: mistyped ones above all."""
    known = {variable(name) for name in settings_cls.model_fields}
    known |= {f"{variable(name)}_FILE" for name in FROM_FILES} | {
        FILE_NAMED_BY,
        EMBEDDED_REDIS,
    }
    return tuple(
        sorted(
            name
            for name in os.environ
            if name.startswith(PREFIX) and name not in known and not name.startswith("BROKER_TEST_")
        )
    )


def _read(setting: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise UnusableSource(setting, f"cannot read {path}: {reason}") from None

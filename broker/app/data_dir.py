"""The data directory: what is made in it, and whose it is."""

import base64
import os
from pathlib import Path
from typing import Final

from broker.app.problems import Problem, Refused
from broker.app.sources import variable
from broker.core.ports import Entropy

DEMO_MARK: Final = "DEMO"
DEMO_SETTINGS: Final = "settings.toml"
SECRET_FILE: Final = "secret"
SECRET_SIZE: Final = 48


def prepare(path: Path) -> None:
    """Make the directory, and all that comes into it from now on, for its owner alone.

    Raises:
        Refused: it cannot be made or written to.
    """
    os.umask(0o077)
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Refused(
            Problem(variable("data_dir"), f"cannot make {path}: {error.strerror}")
        ) from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise Refused(Problem(variable("data_dir"), f"{path} is not writable"))


def refuse_demo(path: Path) -> None:
    """Check that no demonstration lives there.

    Raises:
        Refused: one does; its accounts were made by anybody who liked.
    """
    if (path / DEMO_MARK).exists():
        raise Refused(
            Problem(variable("data_dir"), f"{path} belongs to a demonstration; choose another")
        )


def mark_demo(path: Path) -> None:
    """Make the directory a demonstration's, in which its settings will be too.

    Raises:
        Refused: there is something in it already that is no demonstration's.
    """
    prepare(path)
    mark = path / DEMO_MARK
    if not mark.exists() and any(path.iterdir()):
        raise Refused(Problem("--data-dir", f"{path} is not empty and belongs to no demonstration"))
    mark.write_text("A demonstration's data: anybody could sign in as anybody.\n", encoding="utf-8")


def embedded_secret(path: Path, entropy: Entropy) -> bytes:
    """Return the secret of the data directory; the first caller of all makes it.

    The file appears whole or not at all (written aside, then linked), mode 600.

    Raises:
        Refused: it can be neither read nor made, or others may read it.
    """
    prepare(path)
    file = path / SECRET_FILE
    try:
        if not file.exists():
            _make(file, entropy)
        if file.stat().st_mode & 0o077:
            raise Refused(Problem(variable("data_dir"), f"{file} is open to others: chmod 600"))
        secret = file.read_bytes().strip()
    except OSError as error:
        raise Refused(
            Problem(variable("data_dir"), f"cannot use {file}: {error.strerror}")
        ) from None
    if len(secret) < 32:
        raise Refused(Problem(variable("data_dir"), f"{file} is damaged: it is too short"))
    return secret


def _make(file: Path, entropy: Entropy) -> None:
    aside = file.with_name(f"{file.name}.{entropy.token(8).hex()}")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(base64.b64encode(entropy.token(SECRET_SIZE)) + b"\n")
            out.flush()
            os.fsync(out.fileno())
        # Linking fails where another process was faster: its secret is then everybody's.
        try:
            os.link(aside, file)
        except FileExistsError:
            return
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        aside.unlink(missing_ok=True)

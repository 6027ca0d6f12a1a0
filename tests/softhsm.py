"""SoftHSM: an HSM in a directory, for tests.

Its library reads its configuration (``SOFTHSM2_CONF``) whenever it is initialised, and a vault that
is closed lets go of it; so every test has a directory of its own.
"""

import itertools
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.outer import need

PIN: Final = "hsm-user-2718"
OFFICER: Final = "hsm-officer-3141"
CONF: Final = "SOFTHSM2_CONF"


@dataclass(frozen=True)
class Token:
    """A token with a user.

    Attributes:
        module: the library.
        label: what the token is called.
        pin: the user's.
    """

    module: Path
    label: str
    pin: str = PIN


class SoftHsm:
    """The HSM of one directory.

    Args:
        folder: an empty directory of its own.
    """

    def __init__(self, folder: Path) -> None:
        self.module = need("libsofthsm2.so", "softhsm")
        self._util = need("softhsm2-util", "softhsm")
        self.tokens = folder / "tokens"
        self.tokens.mkdir(parents=True)
        self.conf = folder / "softhsm2.conf"
        self.configure()
        self._numbers = itertools.count(1)

    def configure(self, more: str = "") -> None:
        """Write its configuration, with a further line."""
        text = f"directories.tokendir = {self.tokens}\nlog.level = ERROR\n{more}\n"
        self.conf.write_text(text, "utf-8")

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to see this HSM."""
        return {CONF: str(self.conf)}

    def token(self, label: str = "") -> Token:
        """Make a token, of this label or of one of its own."""
        made = Token(self.module, label or f"token-{next(self._numbers)}")
        self.util("--init-token", "--free", "--label", made.label, "--pin", PIN)
        return made

    def util(self, *words: str) -> str:
        """Run ``softhsm2-util`` on it and return what it said."""
        done = subprocess.run(
            [self._util, *words, "--so-pin", OFFICER],
            env=os.environ | self.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def folder_of(self, token: Token) -> Path:
        """Return the directory that holds a token; moved away, the token is gone."""
        return next(
            one
            for one in self.tokens.iterdir()
            if token.label.encode() in (one / "token.object").read_bytes()
        )

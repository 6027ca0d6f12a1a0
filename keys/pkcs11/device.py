"""A token of an HSM: opened when it is first needed, and again when it was lost.

One session on one thread is all there is in a process: the library is not safe with more, and a
login counts for the whole process. It must be loaded in the process that uses it, so it is loaded
with the first call and never before a fork.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import pkcs11
from pkcs11 import exceptions as p

from keys.errors import SigningFailed, VaultMisconfigured, VaultUnavailable
from keys.pkcs11.session import TokenSession
from keys.pkcs11.single import SingleThread

T = TypeVar("T")

DEADLINE: Final = 2.0
"""How long any call but the making of a key may take, in seconds."""
MAKING: Final = 30.0
"""How long the making of a key may take, in seconds; devices are slow at RSA."""
REOPEN_EVERY: Final = 1.0
"""The shortest time between two openings, in seconds: a lost device is not asked by every call."""
LOOK_EVERY: Final = 5.0
"""After how many seconds without a call a look is worth while, to know whether it still answers."""

_PIN: Final = (p.PinIncorrect, p.PinInvalid, p.PinLenRange, p.PinLocked, p.PinExpired)
_taken: Final[set[Path]] = set()
_taking: Final = threading.Lock()


class TokenDevice:
    """A token, behind calls that end in time whatever the device does.

    Args:
        module: The PKCS#11 library of the HSM.
        token: The label of the token.
        pin: The PIN of its user.
        thread: Where its calls run, one of its own unless given.
        deadline: How long a call may take, in seconds.

    Raises:
        ValueError: The library is in use in this process already.
    """

    def __init__(
        self,
        module: Path,
        token: str,
        pin: str,
        *,
        thread: SingleThread | None = None,
        deadline: float = DEADLINE,
    ) -> None:
        with _taking:
            if module in _taken:
                raise ValueError(f"{module} is in use in this process already")
            _taken.add(module)
        self.token: Final = token
        self.deadline: Final = deadline
        self._module = module
        self._pin = pin
        self._thread = thread or SingleThread("the HSM")
        self._library: Any = None
        self._session: TokenSession | None = None
        self._opened_at = self._answered_at = -REOPEN_EVERY
        self._useless: VaultMisconfigured | None = None
        self._trouble: str | None = None
        self._looking = False

    async def call(self, work: Callable[[TokenSession], T], within: float | None = None) -> T:
        """Do something with the open token, on its thread.

        A token that was lost is opened again, and the work then done once more; so it must be
        such as may be repeated.

        Args:
            work: What to do.
            within: How long it may take, in seconds; the deadline unless given.

        Raises:
            VaultUnavailable: The device does not answer, or cannot be opened.
            VaultMisconfigured: It cannot be used as configured.
            pkcs11.exceptions.NoSuchKey: The work asked for a key that is not in the token.
        """
        limit = self.deadline if within is None else within
        return await self._thread.run(lambda: self._do(work), limit)

    def check(self) -> None:
        """Refuse where the device is known not to answer; returns at once.

        Where it failed before, or was not asked for some time, it is asked behind the scenes: the
        answer counts from the next check on.

        Raises:
            SigningFailed: It failed when it was last asked, or has not answered in time.
        """
        if self._thread.overdue:
            raise SigningFailed("the HSM has not answered an earlier call yet")
        if not self._looking and (self._trouble or self._idle() > LOOK_EVERY):
            self._looking = True
            with contextlib.suppress(VaultUnavailable):  # busy: then others find out
                self._thread.submit(self._look, self.deadline)
        if self._trouble:
            raise SigningFailed(self._trouble)

    def close(self) -> None:
        """Let go of the token. A device that does not answer is left as it is."""
        with contextlib.suppress(VaultUnavailable):
            self._thread.submit(self._shut, self.deadline)
        if self._thread.stop(self.deadline):
            _taken.discard(self._module)

    # ── on the thread ──────────────────────────────────────────────────────────────────────

    def _do(self, work: Callable[[TokenSession], T]) -> T:
        try:
            result = self._tried(work)
        except p.NoSuchKey:
            self._answered()
            raise
        except p.PKCS11Error as error:
            self._trouble = f"the HSM did not do it: {_said(error)}"
            raise VaultUnavailable(self._trouble) from None
        self._answered()
        return result

    def _tried(self, work: Callable[[TokenSession], T]) -> T:
        """Do it; where that fails, open the token again and do it once more.

        A key that is not found may be on a token that is away: some libraries tell no difference.
        """
        try:
            return work(self._open())
        except p.PKCS11Error:
            if time.monotonic() - self._opened_at < REOPEN_EVERY:
                raise
        self._shut()
        return work(self._open())

    def _open(self) -> TokenSession:
        """Return the open token.

        Raises:
            VaultUnavailable: It cannot be opened now.
            VaultMisconfigured: It cannot be opened as configured.
        """
        if self._session is not None:
            return self._session
        if self._useless is not None:
            raise self._useless
        if self._trouble and time.monotonic() - self._opened_at < REOPEN_EVERY:
            raise VaultUnavailable(self._trouble)
        self._opened_at = time.monotonic()
        try:
            self._session = TokenSession(self._log_in(), self.token)
        except VaultMisconfigured as error:
            # A wrong PIN is not tried twice: a few more would lock the token.
            self._useless, self._trouble = error, str(error)
            raise
        except (p.PKCS11Error, VaultUnavailable) as error:
            self._shut()
            self._trouble = f"the HSM token {self.token!r} cannot be opened: {_said(error)}"
            raise VaultUnavailable(self._trouble) from None
        return self._session

    def _log_in(self) -> pkcs11.types.Session:
        library = self._load()
        try:
            token: pkcs11.types.Token = library.get_token(token_label=self.token)
        except p.NoSuchToken:
            raise VaultUnavailable("there is no token of that label") from None
        except p.MultipleTokensReturned:
            raise VaultMisconfigured(
                "token", f"several tokens of the HSM are called {self.token!r}; give each its own"
            ) from None
        try:
            return token.open(rw=True, user_pin=self._pin)
        except _PIN as error:
            raise VaultMisconfigured(
                "pin",
                f"the HSM token {self.token!r} does not take the PIN ({type(error).__name__}); it "
                "is not tried again, for a few wrong ones lock a token",
            ) from None

    def _load(self) -> Any:
        try:
            self._library = pkcs11.lib(str(self._module))
        except p.PKCS11Error as error:
            if "while loading" not in str(error):
                raise
            raise VaultMisconfigured(
                "module", f"{self._module} is no PKCS#11 library: {error}"
            ) from None
        return self._library

    def _shut(self) -> None:
        """Forget the session, and the library's state with it: a restarted device needs both."""
        self._session = None
        if self._library is not None:
            with contextlib.suppress(p.PKCS11Error):
                self._library.finalize()

    def _look(self) -> None:
        try:
            self._do(TokenSession.probe)
        finally:
            self._looking = False

    def _answered(self) -> None:
        self._trouble, self._answered_at = None, time.monotonic()

    def _idle(self) -> float:
        return time.monotonic() - self._answered_at


def _said(error: Exception) -> str:
    """Return what an error says; those of the library often say nothing but their kind."""
    return str(error) or type(error).__name__

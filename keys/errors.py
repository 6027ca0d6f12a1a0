"""Everything that can go wrong with signing keys.

KeysError
├── KeyStoreUnavailable   the store cannot be reached, or does not answer in time
├── KeyRecordCorrupt      a stored key is damaged, or sealed with a secret we do not have
├── NoSigningKey          no key may sign at this moment
├── StaleKeyring          this process has not followed its store for too long
├── KeyNotFound           no such key
├── PolicyImpossible      the configured times contradict each other
├── RotationRefused       the change asked for would break verifiers
├── VaultUnavailable      the device that holds the private halves does not answer
│   ├── SigningFailed     it did not sign
│   └── VaultMisconfigured  it cannot be used as configured, however often it is asked
├── ImportRefused         a key made elsewhere is not taken in
│   └── PassphraseMissing it is encrypted, and nothing was given to open it with
├── ExportRefused         a private half is not given out
├── KeyConflict           another process changed the keys first (internal; the loser reads again)
└── InvalidToken          a token is not one of ours
"""


class KeysError(Exception):
    """The root of every error raised by this package."""


class KeyStoreUnavailable(KeysError):
    """The key store cannot be reached, or does not answer in time."""


class KeyRecordCorrupt(KeysError):
    """A stored key cannot be used as it is.

    Args:
        kid: The key's identifier.
        why: What is wrong with it; safe to show.
    """

    def __init__(self, kid: str, why: str) -> None:
        super().__init__(f"signing key {kid}: {why}")
        self.kid = kid
        self.why = why


class NoSigningKey(KeysError):
    """No key may sign at this moment.

    Args:
        retry_at: When the next key begins to sign, in epoch seconds; None where none waits.
    """

    def __init__(self, retry_at: float | None) -> None:
        super().__init__("no key may sign at this moment")
        self.retry_at = retry_at


class StaleKeyring(KeysError):
    """This process has not followed its key store for too long to sign or to judge."""


class KeyNotFound(KeysError):
    """There is no key with that identifier.

    Args:
        kid: The identifier that was asked for.
    """

    def __init__(self, kid: str) -> None:
        super().__init__(f"there is no signing key {kid}")
        self.kid = kid


class PolicyImpossible(KeysError):
    """The configured times contradict each other; the message shows the arithmetic.

    Args:
        field: The field of the policy that has to change.
        message: The arithmetic, in seconds.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class RotationRefused(KeysError):
    """A change-over now would meet verifiers that cannot know the new key yet.

    Args:
        message: Why; safe to show.
        possible_at: When the same request would be granted, in epoch seconds.
    """

    def __init__(self, message: str, possible_at: float) -> None:
        super().__init__(message)
        self.possible_at = possible_at


class VaultUnavailable(KeysError):
    """The device that holds the private halves does not answer, or has no such token."""


class SigningFailed(VaultUnavailable):
    """What holds the private half did not sign; it may be asked again."""


class VaultMisconfigured(VaultUnavailable):
    """The device cannot be used as configured; asking again would not help.

    Args:
        field: What has to change: `module`, `token`, `pin` or `algorithms`.
        message: What is wrong and what to do; safe to show.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class ImportRefused(KeysError):
    """A key made elsewhere is not taken in; the message says why."""


class PassphraseMissing(ImportRefused):
    """A private key is encrypted, and no passphrase was given."""


class ExportRefused(KeysError):
    """A private half is not given out; the message says why."""


class KeyConflict(KeysError):
    """The stored keys are no longer as they were read: another process was first."""


class InvalidToken(KeysError):
    """A token is malformed, foreign, or not of the kind asked for.

    Args:
        reason: What is wrong with it, for the log; the bearer is not told.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

"""What is wrong with the settings of where signing keys are."""

from collections.abc import Callable, Iterator

from broker.app.settings import Settings
from broker.app.sources import variable


def key_place_faults(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield each fault: the field to change and why.

    A directory of keys is never made here: where a disk is not mounted, one made in its place
    would be filled with new keys.
    """
    place = settings.keys_dir
    if place is not None and not _is(place.is_dir):
        what = "is not a directory" if _is(place.exists) else "does not exist"
        yield "keys_dir", f"{place} {what}; make it with: install -d -m 700 {place}"
    yield from _device_faults(settings)


def _device_faults(settings: Settings) -> Iterator[tuple[str, str]]:
    module = settings.pkcs11_module
    needed = {
        "pkcs11_token": (settings.pkcs11_token, "the label of the HSM's token to use"),
        "pkcs11_pin": (settings.pkcs11_pin.get_secret_value(), "the PIN of the token's user"),
    }
    if module is None:
        for field, (value, _) in needed.items():
            if value:
                yield field, f"has no effect without {variable('pkcs11_module')}, the HSM's library"
        return
    if not _is(module.is_file):
        yield "pkcs11_module", f"there is no file {module}; it is the HSM's PKCS#11 library (.so)"
    for field, (value, what) in needed.items():
        if not value:
            yield field, f"needed with {variable('pkcs11_module')}: {what}"


def _is(look: Callable[[], bool]) -> bool:
    """Return what a look at a path finds; one that no file could have is no file's."""
    try:
        return look()
    except OSError:
        return False

"""Private keys in a device that never gives them out: an HSM, spoken to by PKCS#11.

The device makes the keys and signs; a record of the key store holds only a reference. It is the
second implementation of `keys.vault.Vault`, in five parts:

- `vault`: what the rest of the package sees;
- `device`: the token, open as long as it can be, opened again when it was lost;
- `session`: what is done with the token while it is open;
- `mechanisms`: how each algorithm is called there;
- `single`: the one thread on which all of that happens.
"""

from keys.pkcs11.device import TokenDevice
from keys.pkcs11.vault import Pkcs11Vault

__all__ = ["Pkcs11Vault", "TokenDevice"]

"""DPoP proofs for a load: a client's key, and as many proofs as requests (RFC 9449)."""

import time
from itertools import count
from typing import Final

from joserfc import jws
from joserfc.jwk import ECKey

ALG: Final = "ES256"
_numbers = count()


def proofs(address: str, number: int) -> list[str]:
    """Return so many proofs for POST to an address, made now by one key."""
    key = ECKey.generate_key("P-256")
    header = {"typ": "dpop+jwt", "alg": ALG, "jwk": key.as_dict(private=False)}
    now = int(time.time())
    return [
        jws.serialize_compact(
            header,
            f'{{"jti":"bench-{next(_numbers):x}-{now:x}","htm":"POST","htu":"{address}","iat":{now}}}',
            key,
            algorithms=[ALG],
        )
        for _ in range(number)
    ]

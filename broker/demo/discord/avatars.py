"""Pictures for the people of the simulated Discord, at the paths of Discord's CDN.

Every picture is computed from the avatar's hash: soft hills under a sky, as a PNG.
"""

import hashlib
import math
import struct
import zlib
from functools import lru_cache

from starlette.requests import Request
from starlette.responses import Response

SIDE = 128
_PALETTES = (
    ((255, 214, 165), (238, 108, 77), (61, 64, 91)),
    ((202, 240, 248), (72, 149, 239), (29, 53, 87)),
    ((217, 237, 146), (82, 182, 154), (24, 78, 119)),
    ((255, 200, 221), (199, 125, 255), (60, 9, 108)),
    ((255, 240, 179), (244, 162, 97), (38, 70, 83)),
    ((224, 251, 252), (152, 193, 217), (41, 50, 65)),
)


async def avatar(request: Request) -> Response:
    """Serve a person's picture, or one of the default ones, for a day."""
    seed = request.path_params.get("hash") or request.path_params.get("index", "0")
    png = picture(str(seed).partition(".")[0])
    return Response(png, media_type="image/png", headers={"Cache-Control": "public, max-age=86400"})


@lru_cache(maxsize=64)
def picture(seed: str) -> bytes:
    """Return the PNG (128 by 128 pixels) of a seed; the same seed gives the same bytes."""
    digest = hashlib.sha256(seed.encode()).digest()
    sky, far, near = _PALETTES[digest[0] % len(_PALETTES)]
    sun_x, sun_y = 30 + digest[1] % 68, 22 + digest[2] % 26
    first = _ridge(digest[3], 62, 13)
    second = _ridge(digest[4], 88, 10)
    rows = bytearray()
    for y in range(SIDE):
        rows.append(0)  # the row's filter: none
        for x in range(SIDE):
            if y > second[x]:
                pixel = near
            elif y > first[x]:
                pixel = far
            elif (x - sun_x) ** 2 + (y - sun_y) ** 2 < 196:
                pixel = (255, 255, 255)
            else:
                pixel = sky
            rows.extend(pixel)
    return _png(bytes(rows))


def _ridge(seed: int, height: int, swing: int) -> list[float]:
    """Return the height of a hill line at every column."""
    phase = seed / 40
    return [
        height + swing * math.sin(x / 19 + phase) + swing / 2 * math.sin(x / 9 + 2 * phase)
        for x in range(SIDE)
    ]


def _png(rows: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )

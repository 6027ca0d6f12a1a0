"""How many files this process may have open, and how many of them may be connections."""

import resource
from typing import Final

WANTED: Final = 65536
LEAST: Final = 16
OURS: Final = 64  # of what a process opens itself: stores, upstreams, files of its own
OUR_PART: Final = 8  # where it may have many, an eighth


def raise_limit() -> None:
    """Have as many as the system allows, up to `WANTED`.

    The lower limit is for programs that cannot count beyond 1024 (select(2)); none of ours does.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def most_connections() -> int:
    """Return how many connections leave room for all else."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return WANTED
    return max(LEAST, soft - max(OURS, soft // OUR_PART))

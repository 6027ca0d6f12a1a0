"""Resting between two turns of work that goes on until it is told to stop."""

import asyncio


async def rest(stop: asyncio.Event, seconds: float) -> None:
    """Wait so long, or until the event is set."""
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return

"""Waits for what a blocking link has to read, without blocking."""

import asyncio

from gateway.drivers.zk4370.link import Link


async def readable(link: Link, within_s: float) -> None:
    """Return when the link has something to read, or after that time."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    number = link.fileno()
    loop.add_reader(number, ready.set)
    try:
        async with asyncio.timeout(within_s):
            await ready.wait()
    except TimeoutError:
        pass
    finally:
        loop.remove_reader(number)

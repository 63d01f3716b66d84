"""Several conversations that live and die together."""

import asyncio
from collections.abc import Coroutine


async def together(*parts: Coroutine[None, None, None]) -> None:
    """Run all until one fails or all end; the first error comes out as it is, after the others were cancelled."""
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

"""The program in docs/howto/payroll.md works as it is written."""

import asyncio
import re
from pathlib import Path
from typing import Any

import httpx

from server.services import clients
from tests.server.api.company import World
from tests.server.api.seed_month import seed_month

PAGE = Path(__file__).parents[3] / "docs/howto/payroll.md"


async def test_the_program_of_the_page_fetches_a_month(world: World) -> None:
    await seed_month(world.db)
    token = await clients.add_client(world.db, "hr", "p", ["payroll.read"], days=1, now_ms=world.time.now_ms)
    loop = asyncio.get_running_loop()

    async def get(path: str, params: dict[str, int]) -> httpx.Response:
        async with world.client(None, Authorization=f"Bearer {token}") as client:
            return await client.get(path, params={**params, "limit": 3})

    class Client:
        """As httpx.Client, but into the application."""

        def get(self, path: str, params: dict[str, int]) -> httpx.Response:
            return asyncio.run_coroutine_threadsafe(get(path, params), loop).result()

    [program, _call] = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(program, names)  # noqa: S102  (the page's own text)
    rows = await asyncio.to_thread(names["payroll_month"], Client(), "2026-03")
    assert [row["employee"] for row in rows] == ["e1", "e2", "e3", "e4"]

"""People from the company's list to a terminal's memory, typed by an operator, through real processes."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from emulators.zk4370 import ZkTerminal, ZkUser
from tests.endtoend.installation import SITE, Installation, wait_until

if TYPE_CHECKING:
    from tests.endtoend.conftest import Install

DOOR = "ZK0001"


def company(*people: tuple[str, str]) -> str:
    """Employees by number, in the form of ``company load``."""
    department = {"id": "ops", "name_zh": "运营", "name_en": "Operations"}
    employees = [
        {
            "id": f"e{n}",
            "name": name,
            "department": "ops",
            "site": SITE,
            "position": "courier",
            "joined_on": "2026-01-05",
        }
        for n, name in people
    ]
    numbers = [{"user_group": SITE, "user_code": n, "employee": f"e{n}"} for n, _ in people]
    return json.dumps({"departments": [department], "employees": employees, "terminal_users": numbers})


class Operator:
    """Types commands of the server."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation

    async def __call__(self, *words: str) -> list[dict[str, str]]:
        """What the command says as JSON."""
        said = await asyncio.to_thread(self.installation._command, *words, "--json")
        found: list[dict[str, str]] = json.loads(said)
        return found

    async def load(self, *people: tuple[str, str]) -> None:
        path = self.installation.folder / "company.json"
        path.write_text(company(*people), encoding="utf-8")
        await self("company", "load", str(path))

    async def results(self) -> list[str]:
        return [row["result"] for row in await self("directory", "status", "--terminal", DOOR)]


@pytest.fixture
async def door() -> AsyncIterator[ZkTerminal]:
    terminal = ZkTerminal(DOOR, users=[ZkUser(1, "7", "Li"), ZkUser(2, "99", "Visitor")])
    await terminal.start()
    yield terminal
    await terminal.stop()


async def test_people_reach_a_terminal_and_one_that_is_away_gets_them_later(
    install_small: "Install", door: ZkTerminal
) -> None:
    installation = await asyncio.to_thread(install_small)
    operator = Operator(installation)
    await asyncio.to_thread(installation._command, "terminals", "assign", DOOR, installation.gateway_id)
    settings = installation.folder / "gateway.toml"
    settings.write_text(
        f'{settings.read_text()}[[terminal]]\nname = "door"\nprofile = "zkteco/k40"\nhost = "127.0.0.1"\n'
        f"port = {door.port}\npoll_s = 1.0\n"
    )
    await operator.load(("7", "Li Na"), ("8", "Wu"))
    await asyncio.to_thread(installation.start)

    # The very first word to a new gateway may take until it has connected.
    found = await operator("directory", "diff", "--terminal", DOOR, "--wait", "60")
    assert [(row["what"], row["number"], row["was"]) for row in found] == [("rename", "7", "Li"), ("add", "8", None)]
    assert door.users["7"].name == "Li", "a difference writes nothing"
    (done,) = await operator("directory", "apply", "--terminal", DOOR, "--yes", "--wait", "60")
    assert done["result"] == "2 of 2 written"
    assert {user.user_id: user.name for user in door.users.values()} == {"7": "Li Na", "8": "Wu", "99": "Visitor"}
    assert await operator("directory", "diff", "--terminal", DOOR, "--wait", "60") == []

    port = door.port
    await door.stop()
    await operator.load(("7", "Li Na"), ("8", "Wu Di"))
    (waiting,) = await operator("directory", "apply", "--terminal", DOOR, "--yes", "--wait", "3")
    assert waiting["outcome"] in ("open", "waiting")
    door.port = port
    await door.start()
    async with asyncio.timeout(60):
        while door.users["8"].name != "Wu Di":  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.1)
    await asyncio.to_thread(wait_until, lambda: "1 of 1 written" in asyncio.run(operator.results()), 30, "the result")

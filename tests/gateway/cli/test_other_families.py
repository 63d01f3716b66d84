"""The same commands against terminals with accounts and with pushes: one wrong password is one try."""

from datetime import datetime
from pathlib import Path

import pytest

from emulators.anviz import AnvizTerminal
from emulators.hikvision import HikvisionTerminal
from tests.gateway.cli.depot import answered, muster, settings

AT = datetime(2026, 11, 23, 8, 59, 1)


def table(profile: str, port: int, more: str = "") -> str:
    return f'\n[[terminal]]\nname = "door"\nprofile = "{profile}"\nhost = "127.0.0.1"\nport = {port}\n{more}'


def hikvision(folder: Path, port: int, account: str = "admin:Muster-1234") -> Path:
    (folder / "account").write_text(f"{account}\n")
    (folder / "account").chmod(0o600)
    return settings(folder, table("hikvision/ds-k1t341am", port, 'key_file = "account"\n'))


async def test_a_wrong_password_is_tried_once_by_each_command(tmp_path: Path) -> None:
    emulator = HikvisionTerminal()
    await emulator.start()
    path = hikvision(tmp_path, emulator.port, "admin:guess-1234")
    told = await answered("probe", "door", "--config", path, code=2)
    assert (told["steps"][-1]["step"], told["steps"][-1]["result"]) == ("key", "fails")
    assert emulator.login.wrong == 1
    done = await muster("info", "door", "--config", path)
    assert (done.exit_code, emulator.login.wrong) == (2, 2)
    assert "guess-1234" not in done.output
    await emulator.stop()


@pytest.mark.parametrize("time_filter", [True, False])
async def test_the_log_is_read_whether_or_not_the_firmware_takes_a_time_filter(
    tmp_path: Path, time_filter: bool
) -> None:
    emulator = HikvisionTerminal(time_filter=time_filter)
    await emulator.start()
    emulator.punch("1007", AT)
    path = hikvision(tmp_path, emulator.port)
    told = await answered("pull", "door", "--dry-run", "--config", path)
    assert (told["punches"], told["first"]) == (1, "2026-11-23T08:59:01")
    assert (await answered("probe", "door", "--config", path))["works"]
    await emulator.stop()


async def test_a_busy_terminal_is_told_from_a_broken_one(tmp_path: Path) -> None:
    emulator = HikvisionTerminal(busy=1000)
    await emulator.start()
    done = await muster("pull", "door", "--dry-run", "--config", hikvision(tmp_path, emulator.port))
    await emulator.stop()
    assert done.exit_code == 1
    assert "busy" in done.output.lower()


async def test_every_step_works_on_an_anviz_terminal_too(tmp_path: Path) -> None:
    emulator = AnvizTerminal("1234567890123456")
    await emulator.start()
    path = settings(tmp_path, table("anviz/c2", emulator.port))
    told = await answered("probe", "door", "--config", path)
    await emulator.stop()
    assert {step["result"] for step in told["steps"]} == {"works"}

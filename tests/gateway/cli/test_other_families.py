"""The same commands against terminals with accounts and with pushes: one wrong password is one try."""

from datetime import datetime
from pathlib import Path

import pytest

from emulators.anviz import AnvizTerminal, AnvizUser
from emulators.hikvision import HikvisionTerminal
from gateway.app import load_driver
from gateway.cli.decode import from_hex
from gateway.device import Decoder
from gateway.profile import device_zone, load_profile
from shared.punch import Punch
from tests.gateway.cli.depot import answered, muster, recording, running, settings

AT = datetime(2026, 11, 23, 8, 59, 1)


def table(profile: str, port: int, more: str = "") -> str:
    return f'\n[[terminal]]\nname = "door"\nprofile = "{profile}"\nhost = "127.0.0.1"\nport = {port}\n{more}'


def hikvision(folder: Path, port: int, account: str = "admin:Muster-1234") -> Path:
    (folder / "account").write_text(f"{account}\n")
    (folder / "account").chmod(0o600)
    return settings(folder, table("hikvision/ds-k1t341am", port, 'key_file = "account"\n'))


async def test_a_wrong_password_is_tried_once_by_each_command(tmp_path: Path) -> None:
    async with running(HikvisionTerminal()) as emulator:
        path = hikvision(tmp_path, emulator.port, "admin:guess-1234")
        told = await answered("probe", "door", "--config", path, code=2)
        assert (told["steps"][-1]["step"], told["steps"][-1]["result"]) == ("key", "fails")
        assert emulator.login.wrong == 1
        done = await muster("info", "door", "--config", path)
        assert (done.exit_code, emulator.login.wrong) == (2, 2)
        assert "guess-1234" not in done.output


@pytest.mark.parametrize("time_filter", [True, False])
async def test_the_log_is_read_whether_or_not_the_firmware_takes_a_time_filter(
    tmp_path: Path, time_filter: bool
) -> None:
    async with running(HikvisionTerminal(time_filter=time_filter)) as emulator:
        emulator.punch("1007", AT)
        path = hikvision(tmp_path, emulator.port)
        told = await answered("pull", "door", "--dry-run", "--config", path)
        assert (told["punches"], told["first"]) == (1, "2026-11-23T08:59:01")
        assert (await answered("probe", "door", "--config", path))["works"]


async def test_a_busy_terminal_is_told_from_a_broken_one(tmp_path: Path) -> None:
    async with running(HikvisionTerminal(busy=1000)) as emulator:
        done = await muster("pull", "door", "--dry-run", "--config", hikvision(tmp_path, emulator.port))
    assert done.exit_code == 1
    assert "busy" in done.output.lower()


async def test_every_step_works_on_an_anviz_terminal_too(tmp_path: Path) -> None:
    async with running(AnvizTerminal("1234567890123456")) as emulator:
        path = settings(tmp_path, table("anviz/c2", emulator.port))
        told = await answered("probe", "door", "--config", path)
    assert [step for step in told["steps"] if step["result"] != "works"] == []


async def test_a_recorded_anviz_session_decodes_and_holds_no_secrets(tmp_path: Path) -> None:
    user = AnvizUser(1000, name="SECRET", password=4321)
    anviz = AnvizTerminal("1234567890123456", user_size=27, users=[user], login=("admin", "PASSWORD"))
    anviz.punch(1000, AT)
    async with running(anviz) as emulator:
        (tmp_path / "account").write_text("admin:PASSWORD\n")
        (tmp_path / "account").chmod(0o600)
        out = tmp_path / "c2.hex"
        async with recording("anviz", ("127.0.0.1", emulator.port), out) as port:
            path = settings(tmp_path, table("anviz/c2", port, 'key_file = "account"\n'))
            assert [one["name"] for one in await answered("users", "list", "door", "--config", path)] == ["SECRET"]
            assert (await answered("pull", "door", "--dry-run", "--config", path))["punches"] == 1
    text = out.read_text()
    for secret in ("SECRET", "PASSWORD"):
        assert secret.encode().hex() not in text
        assert secret.encode("utf-16-be").hex() not in text
    driver = load_driver("anviz")
    assert isinstance(driver, Decoder)
    profile = load_profile("anviz/c2")
    told = driver.decode(from_hex(text.encode(), "x"), profile, device_zone(profile, None, "Asia/Shanghai"), "door")
    assert [event.user for one in told for event in one.events if isinstance(event, Punch)] == ["1000"]
    assert [problem for one in told for problem in one.problems] == []

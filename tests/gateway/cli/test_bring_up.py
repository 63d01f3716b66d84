"""What facilities staff type when a terminal is new: discover, add, probe, look, set its clock."""

import asyncio
import fcntl
import json
import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from emulators.zk4370 import ZkTerminal, ZkUser
from gateway.cli.discover import addresses, look
from gateway.config import load_config
from gateway.drivers.zk4370.conversation import Address
from gateway.drivers.zk4370.driver import DRIVER
from shared.errors import ConfigError
from tests.gateway.cli.depot import HEAD, answered, door, muster, nowhere, running, settings
from tests.support.recording_sink import until

START = datetime(2026, 11, 23, 8, 59, 1)


def steps(told: dict[str, object]) -> dict[str, str]:
    found = told["steps"]
    assert isinstance(found, list)
    return {step["step"]: step["result"] for step in found}


# discover


async def test_discover_recognises_terminals_of_the_given_network_and_names_profiles(tmp_path: Path) -> None:
    async with running(ZkTerminal("SN1", host="127.77.1.2", port=4370)):
        (found,) = await answered("discover", "127.77.1.0/29", "--timeout", "20", "--config", tmp_path / "none.toml")
    assert (found["host"], found["port"], found["family"]) == ("127.77.1.2", 4370, "zk4370")
    assert (found["serial"], found["model"]) == ("SN1", "K40/ID")
    assert "zkteco/k40" in found["profiles"]
    assert found["configured"] is None


async def test_discover_leaves_alone_what_the_gateway_talks_to(tmp_path: Path) -> None:
    async with running(ZkTerminal("SN1", host="127.77.1.10", port=4370)) as emulator:
        path = settings(tmp_path, door(emulator))
        (found,) = await answered("discover", "127.77.1.10/32", "--timeout", "20", "--config", path)
        assert emulator.sessions == 0
    assert found["configured"] == "door"
    done = await muster("discover", "127.77.1.16/30", "--config", path)
    assert (done.exit_code, "0 terminals recognised on 2 addresses" in done.output) == (0, True)


@pytest.mark.parametrize("text", ["10.0.0.0/19", "8.8.8.0/24", "0.0.0.0/0", "depot", "fd00::/64"])
async def test_discover_asks_before_a_large_or_public_network(text: str) -> None:
    assert (await muster("discover", text)).exit_code == 2


def test_discover_takes_a_large_network_with_yes_but_not_the_world() -> None:
    assert len(addresses("10.0.0.0/20", yes=False)) == 4094
    assert len(addresses("10.0.0.0/19", yes=True)) == 8190
    with pytest.raises(ConfigError):
        addresses("10.0.0.0/8", yes=True)


async def test_something_that_listens_there_and_says_nothing_is_not_recognised() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.77.1.20", 4370)
    ticks: list[None] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gateway.drivers.zk4370.device.IDENTIFY_S", 0.2)
        found = await look(["127.77.1.20", "127.77.1.21"], {"zk4370": DRIVER}, {}, 1.0, lambda: ticks.append(None))
    server.close()
    assert [(one.host, one.family) for one in found] == [("127.77.1.20", None)]
    assert len(ticks) == 2


# add


async def test_add_keeps_comments_and_order_and_loads_what_it_writes(tmp_path: Path) -> None:
    path = settings(tmp_path)
    words = ["--profile", "zkteco/k40", "--host", "192.0.2.10", "--port", "4371"]
    done = await muster("add", 'Gate "1"', *words, "--key-stdin", "--config", path, typed="123456\n")
    assert done.exit_code == 0, done.output
    assert path.read_text().startswith(HEAD)
    (one,) = load_config(path).terminal
    assert (one.name, one.host, one.port) == ('Gate "1"', "192.0.2.10", 4371)
    assert one.key_file is not None
    assert (one.key_file.read_text(), one.key_file.stat().st_mode & 0o777) == ("123456\n", 0o600)
    assert [name for name in os.listdir(tmp_path) if name.startswith(".")] == []  # noqa: PTH208  # nothing waits here


async def test_add_changes_nothing_when_the_new_settings_do_not_load(tmp_path: Path) -> None:
    path = settings(tmp_path, nowhere())
    before = path.read_text()
    for words in (
        ["door", "--profile", "zkteco/k40", "--host", "192.0.2.10"],  # the name is taken
        ["gate", "--profile", "zkteco/no-such-model", "--host", "192.0.2.10"],
        ["gate", "--profile", "zkteco/k40", "--host", "192.0.2.10", "--zone", "China"],
    ):
        done = await muster("add", *words, "--config", path)
        assert (done.exit_code, path.read_text()) == (2, before), done.output


async def test_add_says_at_once_what_the_terminal_still_lacks(tmp_path: Path) -> None:
    path = settings(tmp_path)
    done = await muster("add", "gate", "--profile", "zkteco/k40", "--config", path)
    assert done.exit_code == 2
    assert "set `host`" in done.output


# probe


async def test_probe_of_a_good_terminal_says_that_every_step_works(tmp_path: Path) -> None:
    async with running(ZkTerminal("SN1", users=["1"])) as emulator:
        path = settings(tmp_path, door(emulator, 'serial = "SN1"\n'))
        told = await answered("probe", "door", "--config", path)
        by_address = ["--host", emulator.host, "--port", str(emulator.port), "--profile", "zkteco/k40"]
        assert (await answered("probe", *by_address))["works"]
    assert set(steps(told).values()) == {"works"}
    assert list(steps(told)) == ["settings", "network", "protocol", "key", "identity", "users", "log", "clock"]


async def test_probe_stops_at_a_refused_key_and_says_where_to_read_it(tmp_path: Path) -> None:
    async with running(ZkTerminal("SN1", key=123)) as emulator:
        path = settings(tmp_path, door(emulator))
        told = await answered("probe", "door", "--config", path, code=2)
        assert sum(command == 1102 for command, _ in emulator.requests) == 1
    assert steps(told)["key"] == "fails"
    assert list(steps(told))[-1] == "key"
    assert "communication key" in told["steps"][-1]["text"]


async def test_probe_tells_a_wrong_address_from_a_closed_port(tmp_path: Path) -> None:
    told = await answered("probe", "door", "--config", settings(tmp_path, nowhere()), code=1)
    assert steps(told) == {"settings": "works", "network": "fails"}
    assert "nothing listens" in told["steps"][-1]["text"]
    assert told["steps"][-1]["fix"]


async def test_probe_names_a_busy_terminal(tmp_path: Path) -> None:
    async with running(ZkTerminal("SN1")) as emulator:
        profile = tmp_path / "gateway.toml"
        settings(tmp_path, door(emulator))
        _, writer = await asyncio.open_connection(emulator.host, emulator.port)
        writer.write(bytes.fromhex("5050827d08000000e80317fc00000000"))
        await until(lambda: emulator.sessions == 1)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("gateway.drivers.zk4370.device.IDENTIFY_S", 0.2)
            quick = Address(emulator.host, emulator.port, udp=False, timeout_s=0.3)
            patch.setattr("gateway.drivers.zk4370.device.address_of", lambda *_: quick)
            told = await answered("probe", "door", "--config", profile, code=1)
        writer.close()
    assert steps(told)["protocol"] == "note"
    assert steps(told)["session"] == "fails"
    assert "another program" in told["steps"][-1]["fix"]


async def test_probe_notes_a_wrong_zone_an_almost_full_log_and_another_serial(tmp_path: Path) -> None:
    async with running(ZkTerminal("SN1", log_capacity=10)) as emulator:
        emulator.clock_offset = timedelta(hours=-1)
        for _ in range(9):
            emulator.punch("1", START)
        path = settings(tmp_path, door(emulator, 'serial = "SN2"\n'))
        told = await answered("probe", "door", "--config", path, code=2)
    found = steps(told)
    assert (found["serial"], found["log"], found["clock"]) == ("fails", "note", "note")
    assert "zone" in told["steps"][-1]["fix"]


async def test_probe_of_a_terminal_that_pushes_says_what_is_missing(tmp_path: Path) -> None:
    terminal = '\n[[terminal]]\nname = "gate"\nprofile = "solution/x903"\nserial = "CK1"\n'
    told = await answered("probe", "gate", "--config", settings(tmp_path, terminal), code=2)
    assert "[push.zk_adms]" in told["steps"][-1]["fix"]
    told = await answered("probe", "gate", "--config", settings(tmp_path, terminal + "[push.zk_adms]\n"), code=1)
    assert told["steps"][-1]["text"] == "the gateway does not run"


async def test_probe_without_a_terminal_is_misuse(tmp_path: Path) -> None:
    assert (await muster("probe")).exit_code == 2
    done = await muster("probe", "gate", "--config", settings(tmp_path, nowhere()))
    assert (done.exit_code, "there are door" in done.output) == (2, True)


# one terminal


async def test_a_terminal_in_use_by_the_running_gateway_is_left_alone_unless_told(tmp_path: Path) -> None:
    async with running(ZkTerminal("SN1")) as emulator:
        path = settings(tmp_path, door(emulator))
        (tmp_path / "data").mkdir()
        handle = os.open(tmp_path / "data" / "lock", os.O_RDWR | os.O_CREAT)
        fcntl.flock(handle, fcntl.LOCK_EX)
        done = await muster("info", "door", "--config", path)
        assert (done.exit_code, "in use by the gateway" in done.output) == (1, True)
        assert steps(await answered("probe", "door", "--config", path, code=1))["session"] == "fails"
        assert emulator.sessions == 0
        assert (await answered("info", "door", "--config", path, "--anyway"))["serial"] == "SN1"
        os.close(handle)


async def test_info_users_and_clock_are_shown(tmp_path: Path) -> None:
    boss = ZkUser(1, "1000", "WANG", card=77, password="PASS")
    async with running(ZkTerminal("SN1", users=[boss])) as emulator:
        path = settings(tmp_path, door(emulator))
        info = await answered("info", "door", "--config", path)
        assert (info["serial"], info["users"], info["facts"]["Platform"]) == ("SN1", 1, "JZ4725_TFT")
        user = {"number": "1000", "name": "WANG", "card": "77", "enabled": True}
        assert await answered("users", "list", "door", "--config", path) == [user]
        clock = await answered("clock", "show", "door", "--config", path)
        assert (clock["zone"], abs(clock["drift_s"]) < 2) == ("Asia/Shanghai", True)
        for words in (["info"], ["users", "list"], ["clock", "show"]):
            done = await muster(*words, "door", "--config", path)
            assert done.exit_code == 0, done.output
            assert "PASS" not in done.output


async def test_the_clock_is_set_only_after_a_yes_and_that_is_kept(tmp_path: Path) -> None:
    async with running(ZkTerminal("SN1")) as emulator:
        path = settings(tmp_path, door(emulator))
        emulator.clock_offset = timedelta(minutes=10)
        done = await muster("clock", "set", "door", "--config", path, typed="n\n")
        assert (done.exit_code, emulator.clock_offset) == (1, timedelta(minutes=10))
        assert "600 s fast" in done.output
        done = await muster("clock", "set", "door", "--config", path, typed="y\n")
        assert done.exit_code == 0, done.output
        assert abs(emulator.clock_offset) < timedelta(seconds=2)
    (line,) = (tmp_path / "data" / "operations.jsonl").read_text().splitlines()
    kept = json.loads(line)
    assert (kept["terminal"], kept["action"]) == ("door", "set_clock")
    assert kept["drift_s_before"] == pytest.approx(600, abs=2)


async def test_pull_says_what_the_log_holds_and_which_codes_have_no_name(tmp_path: Path) -> None:
    async with running(ZkTerminal("SN1", users=["1", "2"])) as emulator:
        path = settings(tmp_path, door(emulator))
        emulator.punch("1", START)
        emulator.punch("2", START + timedelta(days=1), verify=77, state=9)
        emulator.punch_at_impossible_time("1", 60 * 86400)  # 30 February
        told = await answered("pull", "door", "--dry-run", "--config", path)
        assert (await muster("pull", "door", "--config", path)).exit_code == 2
    assert told == {
        "name": "door",
        "serial": "SN1",
        "punches": 2,
        "first": "2026-11-23T08:59:01",
        "last": "2026-11-24T08:59:01",
        "users": 2,
        "unknown_codes": {"verify 77": 1, "state 9": 1},
        "damaged": {"bad_time": 1},
    }
    assert not (tmp_path / "data").exists()


async def test_watch_shows_punches_as_they_happen(tmp_path: Path) -> None:
    async with running(ZkTerminal("SN1", users=["1"])) as emulator:
        path = settings(tmp_path, door(emulator))
        for json_ in ([], ["--json"]):
            emulator.requests.clear()
            watching = asyncio.create_task(muster("watch", "door", "--count", "1", "--config", path, *json_))
            await until(lambda: any(command == 500 for command, _ in emulator.requests))
            emulator.punch("1", START)
            done = await watching
            assert done.exit_code == 0, done.output
            assert "finger" in done.output
    assert json.loads(done.stdout)["user"] == "1"


async def test_on_a_screen_watch_is_a_live_table_and_discover_has_a_bar(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "150")
    async with running(ZkTerminal("SN1", host="127.77.1.30", port=4370)) as emulator:
        path = settings(tmp_path, door(emulator))
        watching = asyncio.create_task(muster("watch", "door", "--count", "1", "--config", path))
        await until(lambda: any(command == 500 for command, _ in emulator.requests))
        emulator.punch("[bold]1", START)
        done = await watching
        assert "door: live" in done.output
        assert "[bold]1" in done.output
        done = await muster("discover", "127.77.1.30/32", "--config", tmp_path / "none.toml")
    assert "connecting" in done.stderr
    assert "zkteco/k40" in done.stdout


async def test_a_linked_settings_file_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    real = settings(tmp_path / "etc")
    link = tmp_path / "gateway.toml"
    link.symlink_to(real)
    done = await muster("add", "door", "--profile", "zkteco/k40", "--host", "192.0.2.1", "--config", link)
    assert done.exit_code == 0, done.output
    assert link.is_symlink()
    assert [one.name for one in load_config(real).terminal] == ["door"]


async def test_what_a_family_can_not_do_is_said(tmp_path: Path) -> None:
    path = settings(tmp_path, '\n[[terminal]]\nname = "gate"\nprofile = "solution/x903"\nserial = "CK1"\n')
    for words in (["info"], ["watch"], ["users", "list"], ["clock", "set"], ["pull", "--dry-run"]):
        done = await muster(*words, "gate", "--config", path)
        assert (done.exit_code, "muster gateway status" in done.output) == (2, True), done.output

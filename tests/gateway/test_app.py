"""The process as a whole: what runs although something else can not, and how it stops."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

from gateway import app
from gateway.app import build_fleet, load_driver
from gateway.buffer.outbox import Outbox
from gateway.config import BrokerConfig, BufferConfig, GatewayConfig, TerminalConfig
from gateway.device import Ability, Device
from gateway.driver import Cursor, DriverContext, DriverTask, Stored, Terminal
from gateway.supervisor import Supervisor
from shared.clock import Clocks, system_clocks
from shared.errors import ConfigError, RetryableError
from shared.keys import Event
from shared.punch import Punch
from tests.support.loopback import free_port

CLOCKS = system_clocks()
ID = "gw-0123456789"


class NoSink:
    """Takes nothing: only the wiring is looked at."""

    async def put(self, events: Sequence[Event], cursor: Cursor | None = None) -> Stored:
        raise NotImplementedError

    async def cursor(self, key: str) -> bytes | None:
        raise NotImplementedError


class Picky:
    """A family that refuses a terminal named ``bad``, and two with one host."""

    family = "zk4370"
    quirks: frozenset[str] = frozenset()

    def tasks(self, terminals: Sequence[Terminal], context: DriverContext) -> Sequence[DriverTask]:
        assert context.push is None, "no [push.zk4370] in the settings"
        hosts = [terminal.config.host for terminal in terminals]
        if any(terminal.config.name == "bad" for terminal in terminals) or len(set(hosts)) < len(hosts):
            raise ConfigError("can not work")
        return [DriverTask(terminal.config.name, [terminal], self.run) for terminal in terminals]

    async def run(self) -> None:
        await asyncio.Event().wait()


def settings(folder: Path, *terminals: TerminalConfig) -> GatewayConfig:
    (folder / "secret").write_text("secret")
    return GatewayConfig(
        id=ID,
        data=folder / "data",
        zone="Asia/Shanghai",
        broker=BrokerConfig(port=free_port(), password_file=folder / "secret"),
        terminal=list(terminals),
        buffer=BufferConfig(ballast_mib=0),
        health_s=0.05,
    )


def terminal(name: str, profile: str = "zkteco/k40", host: str = "192.0.2.1") -> TerminalConfig:
    return TerminalConfig(name=name, profile=profile, host=host)


@pytest.fixture
def drivers(monkeypatch: pytest.MonkeyPatch) -> Callable[[object], None]:
    """Put this driver in place of every installed one."""

    def put(driver: object) -> None:
        monkeypatch.setattr(app, "load_driver", lambda _family: driver)

    return put


def test_a_terminal_that_can_not_work_is_parked_and_the_others_run(
    tmp_path: Path, drivers: Callable[[object], None]
) -> None:
    drivers(Picky())
    config = settings(
        tmp_path, terminal("bad"), terminal("good", host="192.0.2.2"), terminal("worse", "zkteco/no-such-model")
    )
    fleet = build_fleet(config, NoSink(), CLOCKS, CLOCKS.mono_ms)
    assert [task.name for task in fleet.tasks] == ["good"]
    assert [(state.name, state.state, state.problem) for state in fleet.states] == [
        ("bad", "config_error", "config_error"),
        ("good", "starting", None),
        ("worse", "config_error", "bad_profile"),
    ]


def test_two_terminals_that_claim_the_same_are_both_parked(tmp_path: Path, drivers: Callable[[object], None]) -> None:
    drivers(Picky())
    fleet = build_fleet(settings(tmp_path, terminal("a"), terminal("b")), NoSink(), CLOCKS, CLOCKS.mono_ms)
    assert fleet.tasks == []
    assert {state.state for state in fleet.states} == {"config_error"}


def test_a_quirk_that_the_driver_does_not_know_is_a_configuration_error(
    tmp_path: Path, drivers: Callable[[object], None]
) -> None:
    drivers(Picky())
    profile = next(
        path
        for path in sorted((Path(__file__).parents[2] / "firmware-profiles").glob("*/*.toml"))
        if '\nquirks = ["' in path.read_text()
    )
    name = f"{profile.parent.name}/{profile.stem}"
    ((_, error),) = build_fleet(settings(tmp_path, terminal("a", name)), NoSink(), CLOCKS, CLOCKS.mono_ms).problems
    assert "quirks" in str(error)
    assert "zk4370" in str(error)


def test_a_family_without_a_driver_is_named_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"no driver for family 'acme'; installed are .*zk4370"):
        load_driver("acme")


def test_a_driver_whose_library_is_missing_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "needy_driver.py").write_text("import zk_is_not_here\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    entry = EntryPoint("needy", "needy_driver:DRIVER", "muster.drivers")
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_names: EntryPoints([entry]))
    with pytest.raises(ConfigError, match=r"needs zk_is_not_here.*pip install 'muster\["):
        load_driver("needy")


def test_only_families_in_use_are_loaded(tmp_path: Path) -> None:
    code = (
        "import sys, gateway.__main__\n"
        "print([name for name in sys.modules if name.startswith(('gateway.drivers', 'zk', 'serial', 'httpx', "
        "'cryptography', 'sqlite_utils', 'typer', 'rich', 'server', 'fastapi')) and sys.modules[name]])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.strip() == "[]"


async def test_it_takes_events_without_a_broker_and_stops_when_told(
    tmp_path: Path, drivers: Callable[[object], None]
) -> None:
    class Puts(Picky):
        def tasks(self, terminals: Sequence[Terminal], context: DriverContext) -> Sequence[DriverTask]:
            async def run() -> None:
                punch = Punch("T1", "1", 1_800_000_000, 0, 1_800_000_000_000)
                stored.append(await context.sink.put([punch], Cursor("zk4370:T1", b"1")))
                put.set()
                await asyncio.Event().wait()

            return [DriverTask("puts", terminals, run)]

    stored: list[Stored] = []
    put, stop = asyncio.Event(), asyncio.Event()
    drivers(Puts())
    config = settings(tmp_path, terminal("door"))
    running = asyncio.create_task(app.run(config, CLOCKS, stop))
    await asyncio.wait_for(put.wait(), 10)
    stop.set()
    await asyncio.wait_for(running, 10)
    assert stored == [Stored(1, 0)]
    again = Outbox.open(config.data, config.buffer, CLOCKS)
    assert again.stats().backlog == 1
    assert await again.cursor("zk4370:T1") == b"1"
    await again.close()


async def test_a_driver_that_will_not_end_does_not_hold_up_the_stop(
    tmp_path: Path, drivers: Callable[[object], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Deaf(Picky):
        async def run(self) -> None:
            began.set()
            try:
                await asyncio.Event().wait()
            finally:
                await release.wait()

    monkeypatch.setattr(app, "DRIVERS_STOP_S", 0.05)
    began, release, stop = asyncio.Event(), asyncio.Event(), asyncio.Event()
    drivers(Deaf())
    running = asyncio.create_task(app.run(settings(tmp_path, terminal("door")), CLOCKS, stop))
    await asyncio.wait_for(began.wait(), 10)
    stop.set()
    await asyncio.wait_for(running, 5)
    release.set()


def write(config: GatewayConfig, folder: Path, more: str = "") -> Path:
    path = folder / "gateway.toml"
    path.write_text(
        f'id = "{ID}"\ndata = "data"\nzone = "Asia/Shanghai"\nhealth_s = 0.2\n'
        f'[broker]\nport = {config.broker.port}\npassword_file = "secret"\n[buffer]\nballast_mib = 0\n{more}'
    )
    return path


def start(path: Path) -> "subprocess.Popen[str]":
    words = [sys.executable, "-m", "gateway", "--config", str(path)]
    return subprocess.Popen(words, stderr=subprocess.PIPE, text=True)


def until_ready(process: "subprocess.Popen[str]") -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if '"ready"' in line:
            return
    raise AssertionError("it never said ready")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_rel31_shutdown(tmp_path: Path, number: signal.Signals) -> None:
    """A broker that takes the connection and says nothing: the worst that can be cut short."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        config = settings(tmp_path)
        text = write(config, tmp_path).read_text().replace(str(config.broker.port), str(silent.getsockname()[1]))
        (tmp_path / "gateway.toml").write_text(text)
        process = start(tmp_path / "gateway.toml")
        until_ready(process)
        connection, _ = silent.accept()
        begin = time.monotonic()
        process.send_signal(number)
        _, rest = process.communicate(timeout=10)
        connection.close()
    assert process.returncode == 0, rest
    assert time.monotonic() - begin < 10
    assert json.loads(rest.splitlines()[-1])["event"] == "stopped"


def test_a_second_process_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    path = write(settings(tmp_path), tmp_path)
    first = start(path)
    until_ready(first)
    second = start(path)
    _, told = second.communicate(timeout=10)
    assert second.returncode == 2, told
    assert str(tmp_path / "data") in told
    first.terminate()
    first.communicate(timeout=10)
    assert first.returncode == 0


def test_no_port_is_open_without_a_push_table(tmp_path: Path) -> None:
    process = start(write(settings(tmp_path), tmp_path))
    until_ready(process)
    listening = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import psutil; print([c for c in psutil.Process({process.pid}).net_connections() "
            "if c.status == 'LISTEN'])",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    process.terminate()
    process.communicate(timeout=10)
    assert listening.stdout.strip() == "[]"


class Called:
    """A push family whose terminals can be talked to while they call."""

    family = "zk4370"
    quirks: frozenset[str] = frozenset()
    calls_us = True
    abilities = frozenset({Ability.USERS})

    def tasks(self, terminals: Sequence[Terminal], context: DriverContext) -> Sequence[DriverTask]:
        self.context = context
        return [DriverTask("push", terminals, self.run)]

    def open(self, terminal: Terminal, clocks: Clocks) -> AbstractAsyncContextManager[Device]:
        raise NotImplementedError("the running gateway holds the port itself")

    async def run(self) -> None:
        await asyncio.Event().wait()


async def test_a_terminal_that_calls_is_talked_to_over_its_call_or_waited_for(
    tmp_path: Path, drivers: Callable[[object], None]
) -> None:
    driver, device = Called(), Device()
    drivers(driver)
    fleet = build_fleet(settings(tmp_path, terminal("a")), NoSink(), CLOCKS, CLOCKS.mono_ms)
    reach = app._reach(fleet, Supervisor(fleet.tasks), CLOCKS)
    with pytest.raises(RetryableError, match="has not called"):
        async with reach(fleet.terminals[0]):
            pass
    driver.context.present("a", device)
    async with reach(fleet.terminals[0]) as found:
        assert found is device
    driver.context.present("a", None)
    driver.abilities = frozenset()
    with pytest.raises(ConfigError, match="can not be talked to"):
        async with reach(fleet.terminals[0]):
            pass

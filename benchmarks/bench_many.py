"""One gateway with 200 emulated terminals of mixed families: memory, idle processor, time from punch to outbox.

Memory and processor are those of the gateway's own process, linked to no broker, with the default of one look into each
log in 30 s. Time is from the instant a person is recognised until the punch is on disk, for the families that report as
it happens; it is measured with the same drivers, supervisor and outbox in one process, the emulators in another.
"""

import asyncio
import json
import logging
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog

from benchmarks.bench_gateway import _free_port, _processor_pct, _rss_mib
from benchmarks.figure import Figure, figure
from gateway.app import build_fleet
from gateway.buffer.outbox import Outbox
from gateway.config import load_config
from gateway.driver import Cursor, Stored
from gateway.supervisor import Supervisor
from shared.clock import Clocks, system_clocks
from shared.keys import Event
from shared.punch import Punch

NAME = "many terminals"
FAMILIES = {"zk4370": 50, "hikvision": 30, "dahua": 30, "anviz": 30, "hanvon": 20, "zk_adms": 40}
PROFILES = {
    "zk4370": "zkteco/k40",
    "hikvision": "hikvision/ds-k1t341am",
    "dahua": "dahua/asi",
    "anviz": "anviz/c2-pro",
    "hanvon": "hanvon/f710",
    "zk_adms": "zkteco/senseface-2a",
}
LIVE = ("zk4370", "hikvision", "dahua", "anviz", "zk_adms")
"""Families that report as it happens."""
SETTLE_S = 60.0
"""Two looks into every log."""
POLL_S = 30.0
"""A whole round of looks: terminals that were started together are also looked at together."""
SPACING_S = 0.03
ROUNDS = 3

EMULATORS = """
import asyncio, json, sys, time
from datetime import datetime, timedelta, UTC
from emulators.anviz import AnvizTerminal
from emulators.dahua import DahuaTerminal
from emulators.hanvon import HanvonTerminal
from emulators.hikvision import HikvisionTerminal
from emulators.zk4370 import ZkTerminal
from emulators.zk_adms import AdmsTerminal

MAKE = {
    "zk4370": lambda n: ZkTerminal(f"ZK{n:06}", users=["1", "2"]),
    "hikvision": lambda n: HikvisionTerminal(serial=f"DS-K1T341AM{n:06}", time_filter=False, keep_alive_s=10.0),
    "dahua": lambda n: DahuaTerminal(serial=f"6G0ABCD{n:06}", heartbeat_s=5.0),
    "anviz": lambda n: AnvizTerminal(f"{n:010}", users=[1, 2]),
    "hanvon": lambda n: HanvonTerminal(f"67100000{n:08}", users=["1", "2"]),
}

async def main():
    families, push_port = json.loads(sys.argv[1]), int(sys.argv[2])
    live, ports, tasks = [], [], []
    for family, count in families.items():
        for n in range(count):
            if family == "zk_adms":
                terminal = AdmsTerminal(f"ADMS{n:06}", port=push_port, poll_s=10.0)
                tasks.append(asyncio.create_task(terminal.run()))
                ports.append((family, terminal.serial, 0))
            else:
                terminal = MAKE[family](n)
                await terminal.start()
                ports.append((family, terminal.serial, terminal.port))
            if family != "hanvon":
                live.append((family, terminal))
    print(json.dumps(ports), flush=True)
    loop = asyncio.get_running_loop()
    number = 0
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        told = {}
        for family, terminal in live:
            number += 1
            at = (datetime.now(UTC) + timedelta(hours=8)).replace(tzinfo=None, microsecond=0)
            told[str(100_000 + number)] = (family, time.time_ns())
            terminal.punch(str(100_000 + number), at)
            await asyncio.sleep(float(line))
        print(json.dumps(told), flush=True)

asyncio.run(main())
"""


def run() -> list[Figure]:
    """All figures."""
    with tempfile.TemporaryDirectory(prefix="muster-bench-") as name:
        folder = Path(name)
        with _emulators(folder / "quiet") as (_, settings):
            words = [sys.executable, "-m", "gateway", "--config", str(settings)]
            with settings.with_name("log").open("w") as log, _quiet(words, log) as process:
                time.sleep(SETTLE_S)
                rss, processor = _rss_mib(process.pid), _processor_pct(process.pid, POLL_S)
                online = _online(settings.parent)
        with _emulators(folder / "live") as (emulators, settings):
            delays = asyncio.run(_delays(emulators, settings))
    total = sum(FAMILIES.values())
    figures = [
        figure(f"terminals online of {total}", online, "terminals", better="higher", target=total),
        figure(f"gateway RSS, {total} mixed terminals", rss, "MiB", better="lower", target=160),
        figure(f"gateway idle CPU, {total} mixed terminals", processor, "%", better="lower", target=10),
        figure("punches that arrived", len(delays), "punches", better="higher", target=ROUNDS * _live_count()),
    ]
    ordered = sorted(ms for _, ms in delays)
    figures.append(figure("punch to outbox p99", _p99(ordered), "ms", better="lower", target=250))
    for family in LIVE:
        own = sorted(ms for name, ms in delays if name == family)
        figures.append(figure(f"punch to outbox p99, {family}", _p99(own), "ms", better="lower"))
    return figures


def _p99(ordered: Sequence[float]) -> float:
    return ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)] if ordered else float("inf")


def _live_count() -> int:
    return sum(FAMILIES[family] for family in LIVE)


def _online(folder: Path) -> int:
    health = json.loads((folder / "data" / "health.json").read_text())
    return sum(one["state"] in ("online", "degraded") for one in health["terminals"])


@contextmanager
def _quiet(words: Sequence[str], log: object) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(words, stdout=log, stderr=log, text=True)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=20)


@contextmanager
def _emulators(folder: Path) -> Iterator[tuple["subprocess.Popen[str]", Path]]:
    """Terminals in a process of their own, and the settings of a gateway that knows them."""
    folder.mkdir()
    push_port = _free_port()
    words = [sys.executable, "-c", EMULATORS, json.dumps(FAMILIES), str(push_port)]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process, _settings(folder, json.loads(process.stdout.readline()), push_port)
    finally:
        process.terminate()
        process.communicate(timeout=20)


def _settings(folder: Path, terminals: Sequence[tuple[str, str, int]], push_port: int) -> Path:
    (folder / "password").write_text("secret")
    (folder / "login").write_text("admin:Muster-1234\n")
    tables = []
    for family, serial, port in terminals:
        lines = ["[[terminal]]", f'name = "{serial}"', f'profile = "{PROFILES[family]}"']
        lines += [f'serial = "{serial}"'] if family == "zk_adms" else ['host = "127.0.0.1"', f"port = {port}"]
        lines += ['key_file = "login"'] if family in ("hikvision", "dahua") else []
        tables.append("\n".join(lines))
    path = folder / "gateway.toml"
    path.write_text(
        f'id = "gw-0123456789"\ndata = "data"\nzone = "Asia/Shanghai"\nhealth_s = 5.0\n'
        f'[broker]\nport = {_free_port()}\npassword_file = "password"\n'
        f"[push.zk_adms]\nport = {push_port}\n" + "\n".join(tables) + "\n"
    )
    return path


class _TimedSink:
    """The outbox, and when each person's punch was on disk."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox, self.seen_ns = outbox, dict[str, int]()

    async def put(self, events: Sequence[Event], cursor: Cursor | None = None) -> Stored:
        stored = await self._outbox.put(events, cursor)
        now = time.time_ns()
        for event in events:
            if isinstance(event, Punch):
                self.seen_ns.setdefault(event.user, now)
        return stored

    async def cursor(self, key: str) -> bytes | None:
        return await self._outbox.cursor(key)


async def _delays(emulators: "subprocess.Popen[str]", settings: Path) -> list[tuple[str, float]]:
    """Family and milliseconds of every punch that arrived."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    clocks: Clocks = system_clocks()
    config = load_config(settings)
    outbox = Outbox.open(config.data, config.buffer, clocks)
    sink = _TimedSink(outbox)
    fleet = build_fleet(config, sink, clocks, outbox.seen_ms)
    assert not fleet.problems, fleet.problems[0]
    running = asyncio.create_task(Supervisor(fleet.tasks).run())
    told: dict[str, tuple[str, int]] = {}
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(90):
                while any(state.state != "online" for state in fleet.states):  # noqa: ASYNC110
                    await asyncio.sleep(0.5)
        away = {(state.profile, state.state, state.problem) for state in fleet.states if state.state != "online"}
        assert not away, f"not reached within 90 s: {away}"
        for _ in range(ROUNDS):
            told |= await asyncio.to_thread(_punch, emulators)
        with suppress(TimeoutError):
            async with asyncio.timeout(60):
                while not told.keys() <= sink.seen_ns.keys():  # noqa: ASYNC110
                    await asyncio.sleep(0.2)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await outbox.close()
    return [(family, (sink.seen_ns[user] - at) / 1e6) for user, (family, at) in told.items() if user in sink.seen_ns]


def _punch(emulators: "subprocess.Popen[str]") -> dict[str, tuple[str, int]]:
    """Everybody punches once, one after the other."""
    assert emulators.stdin is not None
    assert emulators.stdout is not None
    emulators.stdin.write(f"{SPACING_S}\n")
    emulators.stdin.flush()
    told: dict[str, tuple[str, int]] = json.loads(emulators.stdout.readline())
    return told

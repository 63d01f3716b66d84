"""What a gateway process takes: memory idle and loaded, processor while nothing happens, time until it keeps punches.

Loaded is 20 terminals and a backlog of 1,000,000 rows, linked to a broker (Mosquitto, where installed) behind which
no server answers. The start is measured from the command to the reply that a pushed punch is durable, without a broker.
"""

import asyncio
import http.client
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.figure import Figure, figure
from gateway.buffer.outbox import Outbox
from gateway.config import BufferConfig
from shared.clock import system_clocks
from shared.punch import Punch

NAME = "gateway"
BACKLOG = 1_000_000
TERMINALS = 20
SETTLE_S = 4.0
IDLE_S = 10.0
STARTS = 5
SERIAL = "CKJG0001"
PUSH_PROFILE = "zkteco/senseface-2a"
PULL_PROFILE = "zkteco/k40"

PEER = "import asyncio, ssl, sqlite3, aiomqtt, msgspec, zstandard, time; print(flush=True); time.sleep(60)"
TICK = os.sysconf("SC_CLK_TCK")

TERMINALS_CODE = f"""
import asyncio
from emulators.zk4370 import ZkTerminal
async def main():
    terminals = [ZkTerminal(f"SN{{number:03}}", users=["1", "2"]) for number in range({TERMINALS})]
    for terminal in terminals:
        await terminal.start()
    print(*(terminal.port for terminal in terminals), flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


def run() -> list[Figure]:
    """All figures of the process."""
    with tempfile.TemporaryDirectory(prefix="muster-bench-") as name, _broker(Path(name)) as broker:
        folder = Path(name)
        bare_s = statistics.median(_bare_start_s() for _ in range(STARTS))
        start_s = statistics.median(_start_s(folder / f"start-{number}") for number in range(STARTS))
        with _program([sys.executable, "-c", PEER]) as peer:
            _first_line(peer)
            libraries = _rss_mib(peer.pid)
        with _gateway(folder / "idle", broker, []) as process:
            time.sleep(SETTLE_S)
            idle, processor = _rss_mib(process.pid), _processor_pct(process.pid)
        loaded = _loaded_mib(folder / "loaded", broker)
    return [
        _memory("gateway RSS idle", idle, 40, libraries),
        _memory(f"gateway RSS, {TERMINALS} terminals, 1 M rows", loaded, 64, libraries),
        figure("gateway idle CPU", processor, "%", better="lower", target=0.5),
        figure(
            "gateway start to durable accept",
            start_s,
            "s",
            better="lower",
            target=0.8,
            limit_name="python -c pass",
            limit=bare_s,
        ),
    ]


def _memory(name: str, mib: float, target: float, libraries: float) -> Figure:
    return figure(name, mib, "MiB", better="lower", target=target, limit_name="its libraries alone", limit=libraries)


def _loaded_mib(folder: Path, broker: int) -> float:
    folder.mkdir()
    asyncio.run(_fill(folder / "data"))
    with _program([sys.executable, "-c", TERMINALS_CODE]) as terminals:
        ports = _first_line(terminals).split()
        with _gateway(folder, broker, [int(port) for port in ports]) as process:
            time.sleep(3 * SETTLE_S)
            return _rss_mib(process.pid)


async def _fill(data: Path) -> None:
    """A million punches that no server has confirmed."""
    outbox = Outbox.open(data, BufferConfig(), system_clocks())
    for start in range(0, BACKLOG, 1000):
        await outbox.put([_punch(number) for number in range(start, start + 1000)])
    await outbox.close()


def _punch(number: int) -> Punch:
    second = 1_700_000_000 + 7 * number
    user = str(number % 500)
    return Punch("CKUH201260021", user, second, 28_800, (second - 28_800) * 1000, raw_codes=(1, 0), drift_ms=120)


def _start_s(folder: Path) -> float:
    """From the command until a pushed punch is answered with OK, which says that it is on disk."""
    folder.mkdir()
    port = _free_port()
    push = (
        f'[push.zk_adms]\nport = {port}\n[[terminal]]\nname = "{SERIAL}"\nserial = "{SERIAL}"\n'
        f'profile = "{PUSH_PROFILE}"\n'
    )
    path = _settings(folder, _free_port(), push)
    begin = time.perf_counter()
    with _program([sys.executable, "-m", "gateway", "--config", str(path)]):
        while not _pushed(port):
            if time.perf_counter() - begin > 30:
                raise TimeoutError(f"the gateway takes nothing on port {port}")
            time.sleep(0.005)
        return time.perf_counter() - begin


def _pushed(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("POST", f"/iclock/cdata?SN={SERIAL}&table=ATTLOG&Stamp=1", "7\t2026-11-02 08:00:00\t0\t1\n")
        return connection.getresponse().read().startswith(b"OK")
    except OSError:
        return False
    finally:
        connection.close()


def _bare_start_s() -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return time.perf_counter() - begin


@contextmanager
def _gateway(folder: Path, broker: int, terminals: Sequence[int]) -> Iterator["subprocess.Popen[str]"]:
    folder.mkdir(exist_ok=True)
    tables = "".join(
        f'[[terminal]]\nname = "t{port}"\nprofile = "{PULL_PROFILE}"\nhost = "127.0.0.1"\nport = {port}\n'
        for port in terminals
    )
    words = [sys.executable, "-m", "gateway", "--config", str(_settings(folder, broker, tables))]
    with _program(words) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if '"ready"' in line:
                break
        yield process


def _settings(folder: Path, broker: int, tables: str) -> Path:
    (folder / "password").write_text("secret")
    path = folder / "gateway.toml"
    path.write_text(
        f'id = "gw-0123456789"\ndata = "data"\nzone = "Asia/Shanghai"\n'
        f'[broker]\nport = {broker}\npassword_file = "password"\n{tables}'
    )
    return path


@contextmanager
def _broker(folder: Path) -> Iterator[int]:
    """Port of a Mosquitto that lets everybody in; of nobody where it is not installed."""
    port = _free_port()
    program = shutil.which("mosquitto", path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"]))
    if program is None:
        yield port
        return
    settings = folder / "mosquitto.conf"
    settings.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nlog_type error\n")
    with _program([program, "-c", str(settings)]):
        yield port


@contextmanager
def _program(words: Sequence[str]) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=20)


def _first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def _rss_mib(pid: int) -> float:
    (line,) = (text for text in Path(f"/proc/{pid}/status").read_text().splitlines() if text.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def _processor_pct(pid: int, seconds: float = IDLE_S) -> float:
    before = _ticks(pid)
    time.sleep(seconds)
    return 100 * (_ticks(pid) - before) / TICK / seconds


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])

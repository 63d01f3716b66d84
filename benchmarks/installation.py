"""Real processes to measure: Mosquitto, PostgreSQL (durable, fsync on), a server and one gateway, in one folder."""

import asyncio
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from gateway.buffer.outbox import Outbox
from gateway.config import BufferConfig
from server.fleet.gateways import add_gateway
from server.fleet.sites import put_site
from server.fleet.terminals import TerminalFacts, assign_terminal
from server.store.database import Database
from server.store.migrate import upgrade
from shared.clock import system_clocks
from shared.errors import ConfigError
from shared.punch import Punch

HOST = "127.0.0.1"
SERIAL = "CKJG0001"
PROFILE = "zkteco/senseface-2a"
FIRST_S = 1_790_000_000
SETTINGS = ("listen_addresses=127.0.0.1", "unix_socket_directories=", "shared_buffers=128MB", "max_wal_size=1GB")


@dataclass(frozen=True, slots=True)
class Bench:
    """An installation whose server and gateway have not been started."""

    folder: Path
    database_url: str
    push_port: int

    @contextmanager
    def server(self, *words: str) -> Iterator[int]:
        """The server with these words on its command line; its process id."""
        with program(
            [sys.executable, "-m", "server.cli", "run", "--config", str(self.folder / "server.toml"), *words]
        ) as pid:
            yield pid

    @contextmanager
    def gateway(self) -> Iterator[int]:
        """The gateway, taking pushed punches; its process id."""
        with program([sys.executable, "-m", "gateway", "--config", str(self.folder / "gateway.toml")]) as pid:
            wait_until(lambda: listens(self.push_port), 30, "the gateway takes pushed punches")
            yield pid

    def fill(self, events: int) -> None:
        """Put punches into the outbox that no server has seen."""
        asyncio.run(self._fill(events))

    def backlog(self) -> int:
        """Rows in the outbox that are not acked; while the gateway is stopped."""
        return asyncio.run(self._backlog())

    async def _fill(self, events: int) -> None:
        outbox = Outbox.open(self.folder / "gateway", BufferConfig(), system_clocks())
        for start in range(0, events, 1000):
            await outbox.put([punch(number) for number in range(start, min(start + 1000, events))])
        await outbox.close()

    async def _backlog(self) -> int:
        outbox = Outbox.open(self.folder / "gateway", BufferConfig(), system_clocks())
        waiting = outbox.stats().backlog
        await outbox.close()
        return waiting


def punch(number: int) -> Punch:
    """The n-th punch: a second of its own, spread over some months as a backlog is."""
    second = FIRST_S + 7 * number
    return Punch(
        SERIAL,
        str(number % 500),
        second,
        28_800,
        (second - 28_800) * 1000,
        raw_codes=(1, 0),
        drift_ms=120,
        seen_ms=number,
    )


@contextmanager
def installation() -> Iterator[Bench]:
    """Broker and database run, accounts are made."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="muster-bench-")))
        folder.chmod(0o755)  # the database runs as another user
        url = stack.enter_context(postgres(folder / "postgres"))
        broker = stack.enter_context(_mosquitto(folder))
        push_port = free_port()
        gateway, password = asyncio.run(_accounts(url))
        (folder / "gateway-password").write_text(password)
        (folder / "broker-passwords").write_text("server-1:secret\nserver-2:secret\n")
        (folder / "server.toml").write_text(
            f'data = "data"\n[database]\nurl = "{url}"\n[broker]\nport = {broker}\n[http]\nport = {free_port()}\n'
        )
        (folder / "gateway.toml").write_text(
            f'id = "{gateway}"\ndata = "gateway"\nzone = "Asia/Shanghai"\n'
            f'[broker]\nport = {broker}\npassword_file = "gateway-password"\n'
            f"[push.zk_adms]\nport = {push_port}\n"
            f'[[terminal]]\nname = "{SERIAL}"\nserial = "{SERIAL}"\nprofile = "{PROFILE}"\n'
        )
        yield Bench(folder, url, push_port)


async def _accounts(url: str) -> tuple[str, str]:
    await asyncio.to_thread(upgrade, url)
    db = Database(url)
    await put_site(db, "bench", "d1", ("一号站", "Depot 1"), "Asia/Shanghai", now_ms=1)
    made = await add_gateway(db, "bench", "Depot 1", "d1", 1)
    await assign_terminal(db, "bench", TerminalFacts(SERIAL), made.gateway, 1)
    await db.close()
    return made.gateway, made.password


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Address of an empty database in a cluster of its own."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if not programs:
        raise ConfigError("no PostgreSQL below /usr/lib/postgresql; `make services` installs it as root")
    user = "postgres" if os.geteuid() == 0 and "postgres" in {p.pw_name for p in pwd.getpwall()} else None
    folder.mkdir()
    if user:
        shutil.chown(folder, user)
    data, port = folder / "data", free_port()
    initdb = [
        str(programs[-1] / "initdb"),
        "-D",
        str(data),
        "-U",
        "muster",
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C",
    ]
    subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, user=user, cwd="/")
    options = [word for setting in SETTINGS for word in ("-c", setting)]
    words = [str(programs[-1] / "postgres"), "-D", str(data), "-p", str(port), *options]
    with program(words, user=user):
        wait_until(lambda: asyncio.run(_answers(port)), 60, "PostgreSQL answers")
        yield f"postgresql://muster@{HOST}:{port}/postgres"


async def _answers(port: int) -> bool:
    try:
        connection = await asyncpg.connect(host=HOST, port=port, user="muster", database="postgres")
    except (OSError, asyncpg.PostgresError):
        return False
    await connection.close()
    return True


@contextmanager
def _mosquitto(folder: Path) -> Iterator[int]:
    found = shutil.which("mosquitto", path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"]))
    if found is None:
        raise ConfigError("mosquitto is not installed; `make services` installs it as root")
    port = free_port()
    lines = [f"listener {port} {HOST}", "allow_anonymous true", "persistence false", "max_packet_size 262144"]
    (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")
    with program([found, "-c", str(folder / "mosquitto.conf")]):
        wait_until(lambda: listens(port), 20, "mosquitto answers")
        yield port


@contextmanager
def program(words: Sequence[str], user: str | None = None) -> Iterator[int]:
    """A child process that is stopped in the end; its process id. What it says is shown when it fails."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(words, stdout=log, stderr=log, user=user, cwd="/" if user else None)
        try:
            yield process.pid
            if process.poll():
                log.seek(0)
                raise RuntimeError(f"{words[0]} ended with {process.returncode}: {log.read()[-2000:].decode()}")
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_until(true: Callable[[], bool], within_s: float, what: str, every_s: float = 0.05) -> None:
    """Poll until it holds; TimeoutError with ``what`` after the deadline."""
    deadline = time.monotonic() + within_s
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {within_s:g} s: {what}")
        time.sleep(every_s)


def listens(port: int) -> bool:
    """Whether somebody accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def free_port() -> int:
    """A port that nobody listened on just now."""
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def memory_mib(pid: int, what: str = "VmRSS") -> float:
    """Memory of a process now; ``VmHWM`` is the most it ever had."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith(what)]
    return int(line.split()[1]) / 1024

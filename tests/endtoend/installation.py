"""A whole installation of real processes in one folder: broker, server, gateway; each can be killed and started."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.support.loopback import HOST, free_port
from tests.support.mosquitto import Mosquitto

CHECKOUT = Path(__file__).parents[2]
SAMPLE = CHECKOUT / "deploy/mosquitto/muster.conf"
SITE = "d1"


class Program:
    """A child process that starts with the same words each time; what it prints goes to a file."""

    def __init__(self, name: str, folder: Path, *words: str) -> None:
        self.name = name
        self.words = (sys.executable, *words)
        self.log_file = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """All that it printed since the first start."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    @property
    def alive(self) -> bool:
        """Whether it runs now."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Process id while it runs."""
        assert self._process is not None, f"{self.name} does not run"
        return self._process.pid

    def start(self) -> None:
        """Start it; it may need a moment until it answers."""
        assert not self.alive, f"{self.name} runs"
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(self.words, stdout=log, stderr=log, cwd=CHECKOUT, start_new_session=True)

    def kill(self) -> None:
        """Kill -9."""
        self._end(signal.SIGKILL)

    def stop(self, within_s: float = 15) -> int:
        """Stop as a service manager would; its exit code."""
        return self._end(signal.SIGTERM, within_s)

    def _end(self, how: signal.Signals, within_s: float = 15) -> int:
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self._process.send_signal(how)
        try:
            return self._process.wait(within_s)
        except subprocess.TimeoutExpired as error:
            self._process.kill()
            self._process.wait()
            raise AssertionError(f"{self.name} did not end within {within_s} s:\n{self.log[-4000:]}") from error
        finally:
            self._process = None


class Installation:
    """Settings and accounts of one server, one broker and one gateway with an ADMS push terminal."""

    def __init__(self, folder: Path, database_url: str, *, embedded: bool, serials: Sequence[str]) -> None:
        self.folder = folder
        self.database_url = database_url
        self.embedded = embedded
        self.http_port, self.push_port = free_port(), free_port()
        self.broker_port = free_port()
        self.broker: Mosquitto | None = None
        self.settings = folder / "server.toml"
        (folder / "broker-passwords").write_text("server-1:first-secret\nserver-2:second-secret\n")
        self._write_server_settings()
        self._command("migrate")
        self._command("sites", "add", SITE, "--name-zh", "一号站", "--name-en", "Depot 1")
        made = json.loads(self._command("gateways", "add", "Depot 1", "--site", SITE, "--json"))
        self.gateway_id: str = made["id"]
        self._gateway_password: str = made["password"]
        for serial in serials:
            self._command("terminals", "assign", serial, self.gateway_id)
        if not embedded:
            self._command("broker", "acl", "--folder", str(folder / "broker"))
            lines = SAMPLE.read_text().replace("/etc/mosquitto/muster", str(folder / "broker")).splitlines()
            kept = [line for line in lines if not line.startswith(("listener", "persistence ", "autosave"))]
            self.broker = Mosquitto(folder / "mosquitto", "\n".join(kept))
            self.broker_port = self.broker.port
            self._write_server_settings()
        self.gateway_port = self.broker_port
        self._serials = tuple(serials)
        self.write_gateway_settings()
        self.server = self.server_process("server")
        self.gateway = Program("gateway", folder, "-m", "gateway", "--config", str(folder / "gateway.toml"))
        self._others: list[Program] = []

    def server_process(self, name: str, *words: str) -> Program:
        """A server process with further words on its command line, not yet started."""
        program = Program(name, self.folder, "-m", "server.cli", "run", "--config", str(self.settings), *words)
        if name != "server":
            self._others.append(program)
        return program

    def start(self) -> None:
        """Start broker, server and gateway."""
        if self.broker is not None:
            self.broker.start()
        self.server.start()
        self.gateway.start()

    def end(self) -> None:
        """Kill whatever still runs."""
        for program in (self.gateway, self.server, *self._others):
            program.kill()
        if self.broker is not None:
            self.broker.kill()

    def send_gateway_by(self, port: int) -> None:
        """Let the gateway reach the broker through another port, such as a proxy's."""
        self.gateway_port = port
        self.write_gateway_settings()

    def write_gateway_settings(self) -> None:
        """Write gateway.toml; read at the gateway's next start."""
        password = self.folder / "gateway-password"
        password.write_text(self._gateway_password + "\n")
        password.chmod(0o600)
        terminals = "".join(
            f'[[terminal]]\nname = "{serial}"\nserial = "{serial}"\nprofile = "{_push_profile()}"\n'
            for serial in self._serials
        )
        (self.folder / "gateway.toml").write_text(
            f'id = "{self.gateway_id}"\ndata = "gateway"\nzone = "Asia/Shanghai"\nhealth_s = 1.0\n'
            f'[broker]\nhost = "{HOST}"\nport = {self.gateway_port}\npassword_file = "gateway-password"\n'
            f'[push.zk_adms]\nhost = "{HOST}"\nport = {self.push_port}\n{terminals}'
        )

    def share_subscription(self) -> None:
        """Let several ingest processes share the gateways' messages."""
        self._write_server_settings(shared=True)

    def _write_server_settings(self, *, shared: bool = False) -> None:
        self.settings.write_text(
            f'data = "data"\n[database]\nurl = "{self.database_url}"\n'
            f'[broker]\nhost = "{HOST}"\nport = {self.broker_port}\n'
            f"embedded = {str(self.embedded).lower()}\nshared = {str(shared).lower()}\n"
            f'[http]\nhost = "{HOST}"\nport = {self.http_port}\n'
        )
        (self.folder / "broker-passwords").chmod(0o600)

    def _command(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "server.cli", *words, "--config", str(self.settings)],
            capture_output=True,
            text=True,
            check=False,
            cwd=CHECKOUT,
            env={**os.environ, "NO_COLOR": "1"},
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout


def wait_until(true: Callable[[], bool], within_s: float, what: str, every_s: float = 0.05) -> None:
    """Poll until it holds; AssertionError with ``what`` after the deadline."""
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}"
        time.sleep(every_s)


def _push_profile() -> str:
    folder = CHECKOUT / "firmware-profiles"
    for path in sorted(folder.glob("*/*.toml")):
        if 'family = "zk_adms"' in path.read_text():
            return str(path.relative_to(folder).with_suffix(""))
    raise AssertionError("no profile of the family zk_adms")

"""A real Mosquitto on a port of its own, to start, kill and start again."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

from tests.support.loopback import free_port, wait_for_listener

PROGRAM = shutil.which("mosquitto", path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"]))


class Mosquitto:
    """One broker; ``settings`` are lines of its configuration beside listener and persistence."""

    def __init__(self, folder: Path, settings: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port()
        self.settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """What the broker has printed so far."""
        return (self.folder / "log").read_text(errors="replace")

    @property
    def pid(self) -> int:
        """Process id while it runs."""
        assert self._process is not None, "start() first"
        return self._process.pid

    def start(self) -> None:
        """Start, on the same port each time, and return when it accepts connections."""
        assert PROGRAM is not None
        assert self._process is None, "it runs"
        lines = [f"listener {self.port} 127.0.0.1", "log_dest stderr", self.settings]
        if os.geteuid() == 0:
            lines.append("user root")  # else it drops to a user that can not read the folder
        (self.folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen([PROGRAM, "-c", self.folder / "mosquitto.conf"], stdout=log, stderr=log)
        try:
            wait_for_listener(self.port, lambda: self._process is not None and self._process.poll() is None)
        except TimeoutError as error:
            self.kill()
            raise AssertionError(f"mosquitto did not start:\n{self.log}") from error

    def stop(self) -> None:
        """Stop as a service manager would."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill -9."""
        self._end(signal.SIGKILL)

    def reload(self) -> None:
        """Read password and ACL files again."""
        os.kill(self.pid, signal.SIGHUP)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(10)
            self._process = None

"""A server process of its own on a free port, over a seeded SQLite database."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.endtoend.installation import Program
from tests.support.loopback import HOST, free_port, wait_for_listener


class Installation:
    """Settings and process; the port stays the same over a restart."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._port = free_port()
        (folder / "broker-passwords").write_text("server-1:not-used-here\n")
        settings = folder / "server.toml"
        settings.write_text(
            f'[database]\nurl = "sqlite:///{folder / "muster.db"}"\n'
            f'[broker]\nembedded = true\nhost = "{HOST}"\nport = {free_port()}\n'
            f'[http]\nhost = "{HOST}"\nport = {self._port}\n'
        )
        self.server = Program("server", folder, "-m", "server.cli", "run", "--config", str(settings))

    @property
    def url(self) -> str:
        """Where the pages are."""
        return f"http://{HOST}:{self._port}"

    def start(self) -> None:
        """Return when it answers."""
        self.server.start()
        wait_for_listener(self._port, lambda: self.server.alive, within_s=90)


@contextmanager
def running(folder: Path) -> Iterator[Installation]:
    """One over the database in the folder, for as long as it is wanted."""
    installation = Installation(folder)
    installation.start()
    try:
        yield installation
    finally:
        installation.server.stop()

"""Addresses and secrets of robots: one file beside the data that only the server's user can read.

They are never in the database, a log or an answer; a page is shown the last letters.
"""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from shared.errors import ConfigError

NAME = "notice-secrets.json"
SHOWN = 4
"""Letters of an address that are shown, to tell two robots apart."""


class Secret(msgspec.Struct, frozen=True):
    """A robot's webhook address, which lets anybody post, and the key it signs with."""

    url: str
    key: str | None = None

    def __repr__(self) -> str:
        return f"Secret({self.tail})"

    @property
    def tail(self) -> str:
        """What a page may show of the address."""
        return f"\N{HORIZONTAL ELLIPSIS}{self.url[-SHOWN:]}" if len(self.url) > 4 * SHOWN else ""


@dataclass(frozen=True, slots=True)
class SecretsFile:
    """The file in a data folder."""

    folder: Path

    def read(self) -> dict[int, Secret]:
        """Secrets by channel; none when there is no file."""
        path = self.folder / NAME
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return {}
        try:
            return msgspec.json.decode(data, type=dict[int, Secret])
        except msgspec.MsgspecError as error:
            raise ConfigError(f"{path}: can not be read; remove it and enter the robots' addresses again") from error

    def put(self, channel: int, secret: Secret) -> None:
        """Keep a channel's secret, whole or not at all."""
        with self._alone():
            secrets = {**self.read(), channel: secret}
            handle, name = tempfile.mkstemp(dir=self.folder, prefix=f".{NAME}.")  # mode 0600
            with os.fdopen(handle, "wb") as file:
                file.write(msgspec.json.encode({str(number): each for number, each in secrets.items()}))
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self.folder / NAME)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """No other process writes meanwhile."""
        lock = os.open(self.folder / f".{NAME}.lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

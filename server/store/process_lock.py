"""One process at a time for what can not be shared; the operating system lets go when the process dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import ConfigError


@contextmanager
def only_process(path: Path, what: str) -> Iterator[None]:
    """Hold ``path`` while the block runs; ConfigError with the holder's process id when another one does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise ConfigError(f"{what} (process {holder} holds {path}); stop that process first") from error
        file.seek(0)
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        yield

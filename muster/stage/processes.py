"""Child processes that end with their parent; what they print goes to a log file each."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from shared.errors import RetryableError

STOP_S = 12.0
"""A gateway and a server end within 10 s (reliability.md, REL-31)."""


class Child:
    """One ``python -m ...`` process."""

    def __init__(self, name: str, log: Path, *words: str) -> None:
        self.name = name
        self.log = log
        self._words = words
        self._process: asyncio.subprocess.Process | None = None

    @property
    def alive(self) -> bool:
        """Whether it runs now."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start it in a session of its own: Ctrl-C reaches only the parent, which stops its children in order."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", *self._words, stdout=log, stderr=log, stdin=asyncio.subprocess.DEVNULL,
                start_new_session=True, env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )  # fmt: skip

    async def stop(self) -> bool:
        """Ask it to end, kill it after STOP_S; whether it ended by itself with exit code 0."""
        if self._process is None:
            return True
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_S):
                return await self._process.wait() == 0
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
            return False

    def check(self) -> None:
        """RetryableError with the end of its log when it has died."""
        if self._process is not None and self._process.returncode is not None:
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-12:])
            raise RetryableError(
                f"{self.name} ended with exit code {self._process.returncode}; {self.log} says:\n{tail}"
            )

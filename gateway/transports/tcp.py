"""An open TCP way to a terminal; what goes wrong with it is a RetryableError that names its address."""

import asyncio
import contextlib
from types import TracebackType
from typing import Self

from shared.errors import RetryableError

PIECE = 64 * 1024
"""Bytes taken from the network at once."""
CLOSE_S = 2.0


class TcpLink:
    """One connection. Leaving its ``async with`` block closes it, whatever happened."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, where: str) -> None:
        self._reader, self._writer = reader, writer
        self.where = where
        """Address of the terminal, for messages."""

    @classmethod
    async def connect(cls, host: str, port: int, within_s: float) -> Self:
        """Connect; RetryableError when nobody answers within that time."""
        where = f"{host}:{port}"
        try:
            async with asyncio.timeout(within_s):
                reader, writer = await asyncio.open_connection(host, port, limit=PIECE)
        except TimeoutError as error:
            raise RetryableError(f"{where}: no connection within {within_s:g} s; is the address right?") from error
        except OSError as error:
            raise RetryableError(f"{where}: no connection ({error.strerror or error})") from error
        return cls(reader, writer, where)

    async def write(self, data: bytes, within_s: float) -> None:
        """Send all of it."""
        try:
            self._writer.write(data)
            async with asyncio.timeout(within_s):
                await self._writer.drain()
        except TimeoutError as error:
            raise RetryableError(f"{self.where}: takes no data") from error
        except OSError as error:
            raise RetryableError(f"{self.where}: the connection broke ({error.strerror or error})") from error

    async def read(self, within_s: float) -> bytes | None:
        """What has arrived, at least one byte; None when nothing came within that time."""
        try:
            async with asyncio.timeout(within_s):
                piece = await self._reader.read(PIECE)
        except TimeoutError:
            return None
        except OSError as error:
            raise RetryableError(f"{self.where}: the connection broke ({error.strerror or error})") from error
        if not piece:
            raise RetryableError(f"{self.where}: the terminal closed the connection; it may serve another client")
        return piece

    async def close(self) -> None:
        """End the connection; what is still to be sent is given a moment."""
        self._writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self._writer.wait_closed()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

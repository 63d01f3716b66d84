"""A fixed scanner on the network: a server that the gateway connects to, or a client that connects to it."""

import asyncio


class TcpScanner:
    """One scanner. Without ``gateway_port`` it listens on ``port``, known after ``start``."""

    def __init__(self, *, gateway_port: int | None = None, suffix: bytes = b"\r", aim: str = "") -> None:
        self.emitted = 0
        self.port = 0
        self._gateway_port = gateway_port
        self._suffix = suffix
        self._aim = aim
        self._server: asyncio.Server | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._connected = asyncio.Event()

    async def start(self) -> None:
        """Listen, on the same port each time, or connect to the gateway."""
        if self._gateway_port is None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]
        else:
            _, self._writer = await asyncio.open_connection("127.0.0.1", self._gateway_port)
            self._connected.set()

    async def stop(self) -> None:
        """Switch off."""
        await self.drop()
        if self._server is not None:
            self._server.close()
            self._server = None

    async def drop(self) -> None:
        """Lose the connection."""
        self._connected.clear()
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    async def scan(self, code: str) -> None:
        """One read."""
        await self.send((self._aim + code).encode() + self._suffix)
        self.emitted += 1

    async def send(self, data: bytes) -> None:
        """These bytes, once somebody is connected."""
        await self._connected.wait()
        if self._writer is not None:
            self._writer.write(data)
            await self._writer.drain()

    async def _accept(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.drop()
        self._writer = writer
        self._connected.set()

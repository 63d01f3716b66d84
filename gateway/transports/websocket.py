"""WebSocket for terminals that call the gateway, on a port that serves plain HTTP posts too.

The library's protocol without its connections: a frame of text is handed on as bytes (old firmware writes names in
other encodings, which a strict server would close for), and the same port takes the HTTP twin of a protocol.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import TYPE_CHECKING

from gateway.transports.http_front import (
    HEAD_TIMEOUT_S,
    REQUEST_TIMEOUT_S,
    Answer,
    Body,
    HttpFront,
    _read_head,
    parse_head,
)
from gateway.transports.http_front import Handler as HttpHandler
from shared.clock import WallMs
from shared.errors import ConfigError, DataError, RetryableError

if TYPE_CHECKING:
    from websockets.server import ServerProtocol

FIRST_LIMIT = 256 * 1024
"""Bytes of a message of somebody who has not said yet who he is."""
MESSAGE_LIMIT = 8 * 1024 * 1024
"""Bytes of one message: fifty rows with pictures."""
POST_LIMIT = 2 * 1024 * 1024
"""Bytes of a post to the HTTP twin."""
CONNECTIONS = 512
PINGS = 3
PIECE = 65_536


class Socket:
    """One open WebSocket."""

    def __init__(
        self, protocol: "ServerProtocol", reader: asyncio.StreamReader, writer: asyncio.StreamWriter, silence_s: float
    ) -> None:
        self._protocol, self._reader, self._writer, self._silence_s = protocol, reader, writer, silence_s
        self._parts = bytearray()
        self._ready: list[bytes] = []

    async def receive(self) -> bytes | None:
        """The next message, empty for a mere sign of life; None when the terminal has closed or fallen silent."""
        from websockets.frames import Opcode

        while not self._ready:
            for event in self._protocol.events_received():
                data, opcode = getattr(event, "data", b""), getattr(event, "opcode", None)
                if opcode is Opcode.PONG:
                    self._ready.append(b"")
                if opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                    continue
                self._parts += data
                if getattr(event, "fin", True):
                    self._ready.append(bytes(self._parts))
                    self._parts.clear()
            if not self._ready and not await self._feed():
                return None
        return self._ready.pop(0)

    async def send(self, text: str) -> None:
        """Send one message; RetryableError when the terminal is gone."""
        from websockets.exceptions import InvalidState

        try:
            self._protocol.send_text(text.encode())
            await self._flush()
        except (InvalidState, OSError) as error:
            raise RetryableError("the terminal has closed the connection") from error

    def trust(self) -> None:
        """Take long messages from now on."""
        self._protocol.max_size = MESSAGE_LIMIT

    def close(self) -> None:
        """Hang up."""
        self._writer.close()

    async def _feed(self) -> bool:
        """Read once, asking for a sign of life in silence; False at the end."""
        try:
            piece = await self._read()
            if not piece:
                return False
            self._protocol.receive_data(piece)
            await self._flush()
        except OSError:
            return False
        return True

    async def _read(self) -> bytes:
        """Bytes, none at the end or after ``PINGS`` questions without an answer."""
        from websockets.exceptions import InvalidState

        for _ in range(PINGS):
            try:
                async with asyncio.timeout(self._silence_s / PINGS):
                    return await self._reader.read(PIECE)
            except TimeoutError:
                try:
                    self._protocol.send_ping(b"")
                except InvalidState:
                    return b""
                await self._flush()
        return b""

    async def _flush(self) -> None:
        """Write what the protocol has to say: pongs, closes, messages."""
        for piece in self._protocol.data_to_send():
            if piece:
                self._writer.write(piece)
            else:
                self._writer.close()
        await self._writer.drain()


SocketHandler = Callable[[Socket], Awaitable[None]]


class SocketFront(HttpFront):
    """Serves WebSockets with one handler and everything else with the other."""

    def __init__(
        self,
        on_socket: SocketHandler,
        on_request: HttpHandler,
        wall_ms: Callable[[], WallMs],
        on_error: Callable[[Exception], None],
        silence_s: float,
    ) -> None:
        super().__init__(on_request, wall_ms, on_error)
        self._on_socket, self._silence_s = on_socket, silence_s

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: one request, or a WebSocket for as long as it lasts."""
        task = asyncio.current_task()
        if task is None or self._closed or len(self._serving) >= CONNECTIONS:
            writer.close()
            return
        self._serving.add(task)
        try:
            async with asyncio.timeout(HEAD_TIMEOUT_S):
                raw = await _read_head(reader)
            if raw[:4].upper() == b"GET ":
                await self._serve_socket(raw, reader, writer)
            else:
                await self._serve_request(raw, reader, writer)
        except (OSError, TimeoutError, DataError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the terminal is gone, or no terminal
        except asyncio.CancelledError:
            pass  # by close(), at the end of the program: asyncio 3.11 would report the task as failed
        except Exception as error:  # noqa: BLE001  # outer edge: one bad terminal must not end the others
            self._on_error(error)
        finally:
            self._serving.discard(task)
            writer.close()

    async def _serve_request(self, raw: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(REQUEST_TIMEOUT_S):
            try:
                head = parse_head(raw)
                answer = await self._handler(head, Body(head, reader, writer))
            except DataError as error:
                answer = Answer(413 if error.code == "too_large" else 400, error.code)
            writer.write(self._encode(answer))
            await writer.drain()

    async def _serve_socket(self, raw: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        protocol = _library().ServerProtocol(max_size=FIRST_LIMIT, logger=_quiet())
        protocol.receive_data(raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") + b"\r\n\r\n")
        for event in protocol.events_received():
            protocol.send_response(protocol.accept(event))
        for piece in protocol.data_to_send():
            writer.write(piece)
        await writer.drain()
        if protocol.handshake_exc is None:
            await self._on_socket(Socket(protocol, reader, writer, self._silence_s))


def _quiet() -> logging.Logger:
    """A logger that never writes what is in a frame, whatever the level of the others."""
    quiet = logging.getLogger("gateway.websocket")
    quiet.setLevel(logging.WARNING)
    return quiet


def _library() -> ModuleType:
    """websockets, loaded late: few gateways need it."""
    try:
        import websockets.server
    except ImportError as error:
        raise ConfigError(
            "terminals with WebSockets need websockets, which is not installed: pip install 'muster[gateway]'"
        ) from error
    return websockets.server

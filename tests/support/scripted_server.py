"""A server that answers each request with the next of its answers; what push terminals are tested against."""

import asyncio
from dataclasses import dataclass, field


@dataclass
class ScriptedServer:
    """Raw answers in order, the last one for ever; ``heads`` and ``bodies`` keep what came."""

    answers: list[bytes]
    heads: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    port: int = 0
    _server: asyncio.Server | None = None

    async def __aenter__(self) -> "ScriptedServer":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
            body = await reader.readexactly(int(fields.get("content-length", "0")))
            self.heads.append({"request": head[0]} | fields)
            self.bodies.append(body)
            writer.write(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])
            await writer.drain()
        except (OSError, EOFError):
            pass  # a fault of the terminal under test
        finally:
            writer.close()


def answer(body: bytes = b"", *headers: str, status: str = "200 OK") -> bytes:
    """One HTTP answer."""
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "Connection: close"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

"""The other side of notices: robots that check signatures as the vendors do, and an SMTP server that keeps mail."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from email.policy import default
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Robots:
    """A web server that is all three vendors; what it took, and what it was asked."""

    secret: str = "SECtest"
    now_ms: int = 0
    taken: list[dict[str, Any]] = field(default_factory=list)
    asked: int = 0
    answer: Callable[[], bytes] | None = None
    origin: str = ""

    def judge(self, target: str, body: dict[str, Any]) -> dict[str, Any]:
        """What the vendor would say."""
        path, query = urlsplit(target).path, parse_qs(urlsplit(target).query)
        if path.startswith("/robot/send"):
            return self._dingtalk(query, body)
        if path.startswith("/cgi-bin/webhook/send"):
            return {"errcode": 0, "errmsg": "ok"} if query.get("key") == ["k-1234567890abcdef"] else {"errcode": 93000}
        return self._feishu(body)

    def _dingtalk(self, query: dict[str, list[str]], body: dict[str, Any]) -> dict[str, Any]:
        stamp = query.get("timestamp", ["0"])[0]
        text = f"{stamp}\n{self.secret}"
        wanted = base64.b64encode(hmac.new(self.secret.encode(), text.encode(), hashlib.sha256).digest()).decode()
        fresh = abs(int(stamp) - self.now_ms) <= 3_600_000
        if query.get("sign") != [wanted] or not fresh or body["msgtype"] != "markdown":
            return {"errcode": 310000, "errmsg": "sign not match"}
        return {"errcode": 0, "errmsg": "ok"}

    def _feishu(self, body: dict[str, Any]) -> dict[str, Any]:
        stamp = str(body.get("timestamp", "0"))
        key = f"{stamp}\n{self.secret}".encode()
        wanted = base64.b64encode(hmac.new(key, b"", hashlib.sha256).digest()).decode()
        if body.get("sign") != wanted or abs(int(stamp) * 1000 - self.now_ms) > 3_600_000:
            return {"code": 19021, "msg": "sign match fail or timestamp is not within one hour from current time"}
        return {"code": 0, "msg": "success"}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(
            int(line.split(":")[1]) for line in head.split("\r\n") if line.lower().startswith("content-length")
        )
        body = json.loads(await reader.readexactly(length))
        self.asked += 1
        if self.answer is not None:
            writer.write(self.answer())
        else:
            said = self.judge(head.split(" ")[1], body)
            if 0 in (said.get("errcode"), said.get("code")):
                self.taken.append(body)
            data = json.dumps(said).encode()
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(data) + data
            )
        await writer.drain()
        writer.close()


@asynccontextmanager
async def robots(now_ms: int) -> AsyncIterator[Robots]:
    """The vendors on a port of this machine."""
    found = Robots(now_ms=now_ms)
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield found


@dataclass
class Post:
    """An SMTP server: who may log in, what it took."""

    taken: list[tuple[list[str], Message]] = field(default_factory=list)
    strangers: set[str] = field(default_factory=set)
    """Addresses it takes nothing for."""
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One session (RFC 5321, as much as a client without extensions needs)."""
        recipients: list[str] = []
        writer.write(b"220 post.test\r\n")
        while line := (await reader.readline()).decode().strip():
            verb = line.split(" ")[0].upper()
            if verb == "RCPT":
                recipient = line.partition("<")[2].partition(">")[0]
                known = bool(recipient) and recipient not in self.strangers
                recipients += [recipient] if known else []
                writer.write(b"250 ok\r\n" if known else b"550 no such user\r\n")
            elif verb == "DATA":
                writer.write(b"354 go on\r\n")
                data = (await reader.readuntil(b"\r\n.\r\n"))[:-3].replace(b"\r\n..", b"\r\n.")
                self.taken.append((recipients, message_from_bytes(data, policy=default)))
                writer.write(b"250 ok\r\n")
            elif verb == "QUIT":
                writer.write(b"221 bye\r\n")
                break
            else:
                writer.write(b"250 ok\r\n")
        await writer.drain()
        writer.close()


@asynccontextmanager
async def post_office() -> AsyncIterator[Post]:
    """An SMTP server on a port of this machine."""
    found = Post()
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0, limit=2**22)
    found.port = server.sockets[0].getsockname()[1]
    async with server:
        yield found

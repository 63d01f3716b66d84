"""The HTTP server inside a terminal: digest login with expiring nonces and a lock-out, and faults on demand."""

import asyncio
import contextlib
import hashlib
import random
import re
import secrets
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qsl

Fault = Literal["garbage", "drip", "truncated", "reset", "deaf", "error", "no_json"]
"""What becomes of one answer: noise instead of HTTP, a byte at a time, half of it, none and closed, none and open,
status 500, a web page with status 200."""
REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 500: "Error"}


@dataclass(frozen=True, slots=True)
class Request:
    """One request that has logged in, or has tried to."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Response:
    """One answer; ``stream`` takes the place of a body that does not end."""

    status: int = 200
    body: bytes = b""
    kind: str = "text/plain"
    headers: tuple[tuple[str, str], ...] = ()
    stream: AsyncGenerator[bytes, None] | None = None


@dataclass
class DigestLogin:
    """RFC 7616 with MD5 from the server's side.

    A nonce serves ``nonce_uses`` requests, then the terminal wants a new one and says ``stale=true``. After
    ``lock_after`` wrong passwords nothing is taken any more until ``unlock``.
    """

    user: str = "admin"
    password: str = "Muster-1234"  # noqa: S105  # of an emulated terminal
    realm: str = "DS-K1T341AM"
    nonce_uses: int = 1000
    lock_after: int = 5
    qop: bool = True
    wrong: int = 0
    """Wrong passwords so far."""
    locked: bool = False
    stale_sent: int = 0
    _nonces: dict[str, int] = field(default_factory=dict)
    """Highest nc of each nonce."""

    def unlock(self) -> None:
        """What half an hour of waiting does."""
        self.wrong, self.locked = 0, False

    def check(self, method: str, target: str, header: str | None) -> str | None:
        """None when the login holds, else the challenge to answer with."""
        if self.locked or header is None or not header.lower().startswith("digest "):
            return self.challenge(stale=False)
        said = {name.lower(): a or b for name, a, b in re.findall(r'(\w+)=(?:"([^"]*)"|([^,\s]+))', header)}
        nonce, count = said.get("nonce", ""), said.get("nc", "")
        if said.get("response") != self._expected(method, target, said):
            self.wrong += 1
            self.locked = self.wrong >= self.lock_after
            return self.challenge(stale=False)
        number = int(count, 16) if re.fullmatch(r"[0-9a-fA-F]{8}", count) else self._nonces.get(nonce, 0) + 1
        if nonce not in self._nonces or number <= self._nonces[nonce] or number > self.nonce_uses:
            self.stale_sent += 1
            return self.challenge(stale=True)
        self._nonces[nonce] = number
        self.wrong = 0
        return None

    def challenge(self, *, stale: bool) -> str:
        """A new nonce."""
        nonce = secrets.token_hex(16)
        self._nonces[nonce] = 0
        qop = 'qop="auth", ' if self.qop else ""
        return f'Digest {qop}realm="{self.realm}", nonce="{nonce}", stale="{str(stale).lower()}", opaque="{nonce[:8]}"'

    def _expected(self, method: str, target: str, said: Mapping[str, str]) -> str:
        if said.get("username") != self.user or said.get("uri") != target or said.get("realm") != self.realm:
            return ""
        secret = _md5(f"{self.user}:{self.realm}:{self.password}")
        asked = _md5(f"{method}:{target}")
        if said.get("qop") == "auth":
            return _md5(f"{secret}:{said.get('nonce')}:{said.get('nc')}:{said.get('cnonce')}:auth:{asked}")
        return _md5(f"{secret}:{said.get('nonce')}:{asked}")


class TerminalWeb:
    """A server on the loopback interface; a family answers in ``respond``.

    ``cut`` is the largest piece of a stream written at once (a random size up to it), ``faults`` are used up one by
    one by answers to logged-in requests.
    """

    server_name = "webserver"

    def __init__(self, login: DigestLogin, port: int = 0, *, cut: int = 7, seed: int = 1) -> None:
        self.login = login
        self.port = port
        self.requests: list[str] = []
        """Method and target of every request that has logged in."""
        self.unauthorised = 0
        self.faults: deque[Fault] = deque()
        self.cut = cut
        self.drip_s = 0.05
        self._draw = random.Random(seed)
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen; ``port`` says where."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port and every connection, as a power cut does."""
        if self._server is not None:
            self._server.close()
            self._server = None
        serving = list(self._serving)
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)

    async def respond(self, request: Request) -> Response:
        """The family's answer to a request that has logged in."""
        raise NotImplementedError

    def refusal(self) -> Response:
        """The page that comes with a refused login."""
        return Response(401, b"Unauthorized")

    def public(self, request: Request) -> Response | None:
        """The answer to what needs no login; None for what does."""
        return None if request.path.startswith(("/ISAPI/", "/cgi-bin/")) else Response(404, b"not here")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._serving.add(task)
        try:
            while await self._exchange(reader, writer):
                pass
        except (OSError, EOFError, ValueError, asyncio.CancelledError):
            pass  # the client is gone, or the terminal is switched off
        finally:
            if task is not None:
                self._serving.discard(task)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        raw = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        lines = raw.split("\r\n")
        method, target, _ = lines[0].split(" ", 2)
        headers = {name.strip().lower(): value.strip() for name, _, value in (x.partition(":") for x in lines[1:])}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        path, _, query = target.partition("?")
        request = Request(method, path, dict(parse_qsl(query, keep_blank_values=True)), headers, body)
        if (answer := self.public(request)) is not None:
            return await self._write(writer, answer)
        if (challenge := self.login.check(method, target, headers.get("authorization"))) is not None:
            self.unauthorised += 1
            page = self.refusal()
            refused = Response(page.status, page.body, page.kind, (("WWW-Authenticate", challenge),))
            return await self._write(writer, refused)
        self.requests.append(f"{method} {target}")
        return await self._write(writer, await self.respond(request), self.faults.popleft() if self.faults else None)

    async def _write(self, writer: asyncio.StreamWriter, answer: Response, fault: Fault | None = None) -> bool:
        if fault == "deaf":
            await asyncio.sleep(3600)
        if fault == "reset":
            return False
        if fault == "garbage":
            writer.write(self._draw.randbytes(400))
            await writer.drain()
            return False
        if fault in ("error", "no_json"):
            answer = Response(500 if fault == "error" else 200, b"<html>please wait</html>", "text/html")
        further = "".join(f"{name}: {value}\r\n" for name, value in answer.headers)
        length = "Connection: close\r\n" if answer.stream else f"Content-Length: {len(answer.body)}\r\n"
        head = (
            f"HTTP/1.1 {answer.status} {REASONS.get(answer.status, 'Error')}\r\nServer: {self.server_name}\r\n"
            f"Content-Type: {answer.kind}\r\n{length}{further}\r\n"
        ).encode("latin-1")
        if answer.stream is not None:
            writer.write(head)
            async with contextlib.aclosing(answer.stream) as pieces:
                async for piece in pieces:
                    await self._write_cut(writer, piece)
            return False
        whole = head + answer.body
        if fault == "truncated":
            writer.write(whole[: len(head) + len(answer.body) // 2])
            await writer.drain()
            return False
        if fault == "drip":
            for n in range(len(whole)):
                writer.write(whole[n : n + 1])
                await writer.drain()
                await asyncio.sleep(self.drip_s)
            return False
        writer.write(whole)
        await writer.drain()
        return True

    async def _write_cut(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        """Pieces of random sizes, so that a part is cut anywhere."""
        place = 0
        while place < len(data):
            size = self._draw.randint(1, self.cut) if len(data) < 4096 else len(data)
            writer.write(data[place : place + size])
            await writer.drain()
            await asyncio.sleep(0)
            place += size


class Listeners:
    """Everybody who reads an endless stream of a terminal."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[bytes | None]] = set()
        self.mute = False
        """Nothing is written any more, not even a keep-alive: a dead connection that stays open."""

    @property
    def count(self) -> int:
        """Streams that are open."""
        return len(self._queues)

    def tell(self, part: bytes) -> None:
        """Write to every open stream."""
        for queue in self._queues:
            queue.put_nowait(part)

    def hang_up(self) -> None:
        """Close every open stream."""
        for queue in self._queues:
            queue.put_nowait(None)

    async def stream(self, keep_alive: bytes, every_s: float) -> AsyncGenerator[bytes, None]:
        """What is told from now on, and a keep-alive in the pauses."""
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._queues.add(queue)
        try:
            yield keep_alive
            while True:
                part: bytes | None = b"" if self.mute else keep_alive
                with contextlib.suppress(TimeoutError):
                    part = await asyncio.wait_for(queue.get(), every_s)
                if part is None:
                    return
                if not self.mute:
                    yield part
        finally:
            self._queues.discard(queue)


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

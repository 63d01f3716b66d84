"""A business system that answers over HTTP as a test says: a real server on a port of its own."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, slots=True)
class Call:
    """What came."""

    path: str
    query: Mapping[str, str]
    body: Any
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back; ``cut``: so many bytes are promised and not sent."""

    body: Any = field(default_factory=dict)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int = 0


Answer: TypeAlias = Callable[[Call], Reply]


@dataclass(slots=True)
class Peer:
    """The running server: its address, what it was asked, how it answers."""

    url: str
    answer: Answer
    calls: list[Call] = field(default_factory=list)


@contextmanager
def peer(answer: Answer) -> Iterator[Peer]:
    """A server until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._reply()

        def do_POST(self) -> None:
            self._reply()

        def log_message(self, *_: object) -> None:
            """Nothing to the test's output."""

        def _reply(self) -> None:
            parts = urlsplit(self.path)
            sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = json.loads(sent) if sent.startswith((b"{", b"[")) else sent.decode()
            call = Call(parts.path, dict(parse_qsl(parts.query)), body, dict(self.headers))
            running.calls.append(call)
            reply = running.answer(call)
            data = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.send_response_only(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data) + reply.cut))
            if reply.cut:
                self.send_header("Connection", "close")
                self.close_connection = True
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running = Peer(f"http://127.0.0.1:{server.server_port}", answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

"""What a Muster reads from a system with a preset, and a proxy to stand between the two."""

import http.client
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import select

from server.connectors.fetch.secrets import Secrets
from server.connectors.presets import preset_text
from server.services import sources
from server.services.sync import Order, Run, run_source
from server.store.database import Database
from server.store.fact_tables import FACT_TABLES
from server.store.log_queries import Entry
from shared.clock import system_clocks
from tests.peers.systems import System
from tests.server.connectors.faulty import Call, Peer, Reply, peer

ENTRY = Entry(1, "it", "source.put", "")
OURS = frozenset(("connection", "content-length", "accept-encoding"))


@dataclass(frozen=True, slots=True)
class Reader:
    """A Muster that runs sources when it is told to."""

    db: Database
    folder: Path

    async def connect(
        self, preset: str, url: str, *, page_size: int | None = None, user: str = "admin", every: str | None = None
    ) -> None:
        """Add the preset as an administrator would, with its address if it has one.

        Pages may be made small; its first stream may be read as often as ``every`` says.
        """
        text = re.sub(r"(?m)^base_url: .*", f"base_url: {url}", preset_text(preset))
        text = re.sub(r"requests_per_minute: \d+", "requests_per_minute: 60000", text)
        text = text.replace("${secret:", "${env:")
        if page_size is not None:
            text = re.sub(r"\b(page_size|size): \d+", rf"\1: {page_size}", text)
        if every is not None:
            text = re.sub(r"\bevery: \w+", f"every: {every}", text, count=1)
        text = re.sub(r"\$\{env:[A-Z_]+_USER\}", user, text)
        await sources.put_source(self.db, text, f"{preset}.yaml", ENTRY)

    async def run(
        self, preset: str, stream: str, password: str, *, whole: bool = False, confirmed: bool = False
    ) -> Run:
        """One run of one stream; every secret is the password."""
        order = Order(
            clocks=system_clocks(), holder="test", whole=whole, confirmed=confirmed, files=self.folder / "files"
        )
        secrets = Secrets(environ=_Always(password))
        [(_, run)] = await run_source(
            self.db, preset, lambda source: [one for one in source.streams if one.id == stream], secrets, order
        )
        return run

    async def rows(self, preset: str, fact: str) -> dict[str, dict[str, Any]]:
        """What is stored by key, without what is deleted."""
        table = FACT_TABLES[fact]
        async with self.db.reading() as connection:
            found = await connection.execute(select(table).where(table.c.source == preset, table.c.deleted.is_(False)))
            return {row["source_key"]: dict(row) for row in found.mappings()}


class _Always(dict[str, str]):
    def __init__(self, value: str) -> None:
        super().__init__()
        self._value = value

    def __missing__(self, name: str) -> str:
        return self._value


@contextmanager
def between(system: System, before: Callable[[Call], Reply | None] = lambda _: None) -> Iterator[Peer]:
    """A proxy before a peer; ``before`` sees each call first, and may answer it in the peer's place."""

    def answer(call: Call) -> Reply:
        told = before(call)
        return forward(system, call) if told is None else told

    with peer(answer) as proxy:
        yield proxy


def forward(system: System, call: Call) -> Reply:
    """What the peer says; a peer that is down cuts the answer."""
    body = json.dumps(call.body).encode() if call.body else None
    headers = {name: value for name, value in call.headers.items() if name.lower() not in OURS}
    path = f"{call.path}?{urlencode(call.query)}" if call.query else call.path
    connection = http.client.HTTPConnection("127.0.0.1", system.port, timeout=30)
    try:
        connection.request("POST" if body else "GET", path, body, headers)
        answer = connection.getresponse()
        return Reply(answer.read(), answer.status)
    except OSError:
        return Reply(b"", 200, cut=1)
    finally:
        connection.close()

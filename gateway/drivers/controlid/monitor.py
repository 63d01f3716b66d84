"""The port to which Control iD terminals post what happens."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

import structlog

from gateway.driver import DriverContext, Terminal
from gateway.drivers.controlid import codec
from gateway.transports.http_front import Answer, Body, Head, HttpFront, listening
from shared.errors import ConfigError, DataError

NOTICE_LIMIT = 256 * 1024
"""Bytes of a post; one with a template in it may be long."""

log = structlog.get_logger("gateway")


class Woken(Protocol):
    """A conversation that can be told to read now."""

    terminal: Terminal
    device_ids: set[str]

    def wake(self) -> None:
        """Read now."""


class Monitor:
    """One server for all terminals; it stores nothing and believes nothing."""

    def __init__(self, pulls: Sequence[Woken], context: DriverContext) -> None:
        if context.push is None:
            raise ConfigError("no port is open; add [push.controlid] with host and port")
        self._pulls, self._context = pulls, context
        self._address = (context.push.host, context.push.port)

    async def run(self) -> None:
        """Listen until cancelled; RetryableError when the port is taken."""
        front = HttpFront(self.answer, self._context.clocks.wall_ms, self._failed)
        async with listening(front, *self._address):
            await asyncio.Event().wait()

    async def answer(self, head: Head, body: Body) -> Answer:
        """200 for everything: a terminal does not repeat, and the log has it all."""
        *path, call = [part for part in head.path.split("/") if part] or [""]
        device_id, happened = "", False
        if call in ("dao", "device_is_alive"):
            try:
                raw = await body.read(NOTICE_LIMIT)
                if call == "dao":
                    notice = codec.notice_of(raw)
                    device_id, happened = notice.device_id, bool(notice.items)
                else:
                    device_id, happened = codec.alive_of(raw), True
            except DataError as error:
                log.info("bad post", family="controlid", reason=error.code)
                happened = True
        else:
            await body.drain()
        if happened:
            for pull in self._meant(path, device_id):
                pull.wake()
        return Answer(200, "{}", "application/json")

    def _meant(self, path: Sequence[str], device_id: str) -> Sequence[Woken]:
        """Whose name or serial number is in the path, who calls himself so, or everybody."""
        for pull in self._pulls:
            state = pull.terminal.state
            if {state.serial, pull.terminal.config.serial, pull.terminal.config.name} & set(path):
                return [pull]
        return [pull for pull in self._pulls if device_id in pull.device_ids] or self._pulls

    def _failed(self, error: Exception) -> None:
        log.error("crashed", task="controlid", exc_info=error)

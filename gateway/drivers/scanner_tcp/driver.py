"""Scanners that speak TCP: the gateway connects to them, or they connect to the gateway."""

import asyncio
import socket
from collections.abc import Sequence
from contextlib import suppress
from datetime import tzinfo
from ipaddress import ip_address

from gateway.device import Decoded
from gateway.driver import DriverContext, DriverTask, Terminal
from gateway.profile import Profile
from gateway.scans.frames import FrameDecoder, Noise, read_of
from gateway.scans.station import Desk, decode_reads, rules_of, station_of
from shared.errors import ConfigError, DataError, RetryableError

FAMILY = "scanner_tcp"
SILENCE_MS = 80
UNFINISHED_S = 2.0
CONTACT_S = 30.0
CHUNK = 4096
STRANGERS = 1000
_KEEP_ALIVE = ((socket.TCP_KEEPIDLE, 30), (socket.TCP_KEEPINTVL, 10), (socket.TCP_KEEPCNT, 3))
"""A scanner whose cable was pulled says nothing: the kernel asks after 30 s and gives up after 30 more."""


class ScannerTcp:
    """The family of network scanners."""

    family = FAMILY
    quirks: frozenset[str] = frozenset()

    def tasks(self, terminals: Sequence[Terminal], context: DriverContext) -> Sequence[DriverTask]:
        """One task per scanner with a port, one for all that connect to us; ConfigError for impossible settings."""
        tasks, calling = [], []
        for terminal in terminals:
            config, desk = terminal.config, Desk(station_of(terminal), context)
            port = config.port or terminal.profile.link.port
            if config.host is None:
                raise ConfigError(f"terminal {config.name}: set host to the scanner's address, such as 192.168.1.60")
            if port:
                scanner = Called(desk, config.host, port, terminal.profile.link.timeout_s)
                tasks.append(DriverTask(config.name, [terminal], scanner.run))
            else:
                calling.append((terminal, desk))
        if calling:
            server = Callers({_address(terminal): desk for terminal, desk in calling}, context)
            if len(server.desks) < len(calling):
                raise ConfigError("two scanners without port have one host; a scanner that connects is known by it")
            tasks.append(DriverTask(FAMILY, [terminal for terminal, _ in calling], server.run))
        return tasks

    def decode(self, data: bytes, profile: Profile, zone: tzinfo, terminal: str) -> Sequence[Decoded]:
        """The reads in a captured byte stream."""
        if profile.frame is None:
            raise DataError(f"profile {profile.brand}/{profile.model} says nothing of frames", code="no_frame")
        decoder = FrameDecoder(profile.frame.prefix.encode("latin-1"), profile.frame.suffix.encode("latin-1"))
        pieces = [*decoder.feed(data), *decoder.silence()]
        rules = rules_of(profile.frame)
        found = (piece if isinstance(piece, Noise) else read_of(piece.raw, rules) for piece in pieces)
        return [decode_reads("reads", found, profile, zone, terminal)]


DRIVER = ScannerTcp()


def _address(terminal: Terminal) -> str:
    try:
        return str(ip_address(terminal.config.host or ""))
    except ValueError as error:
        raise ConfigError(
            f"terminal {terminal.config.name}: host {terminal.config.host!r} is no IP address; "
            "a scanner that connects to the gateway is known by it (set port if the gateway connects)"
        ) from error


async def listen(desk: Desk, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take reads until the other side closes. While the outbox refuses nothing is read, so the scanner waits."""
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEP_ALIVE:
        connection.setsockopt(socket.IPPROTO_TCP, option, value)
    frame = desk.station.frame
    decoder = FrameDecoder(frame.prefix.encode("latin-1"), frame.suffix.encode("latin-1"))
    silence_s = UNFINISHED_S if frame.suffix else (frame.silence_ms or SILENCE_MS) / 1000
    desk.opened()
    while True:
        desk.heard()
        chunk: bytes | None = None
        with suppress(TimeoutError):
            async with asyncio.timeout(silence_s if decoder.waiting else CONTACT_S):
                chunk = await reader.read(CHUNK)
        await desk.keep(desk.events_of(decoder.feed(chunk) if chunk else decoder.silence()))
        if chunk == b"":
            return


class Called:
    """A scanner that the gateway connects to."""

    def __init__(self, desk: Desk, host: str, port: int, timeout_s: float) -> None:
        self._desk, self._host, self._port, self._timeout_s = desk, host, port, timeout_s

    async def run(self) -> None:
        """One connection; RetryableError when it can not be had or ends."""
        where = f"{self._host}:{self._port}"
        try:
            async with asyncio.timeout(self._timeout_s):
                reader, writer = await asyncio.open_connection(self._host, self._port)
        except (OSError, TimeoutError) as error:
            self._desk.lost("no_contact", f"{where} does not answer")
            raise RetryableError(f"{where}: no connection ({str(error) or 'no answer in time'})") from error
        reason = "the scanner closed the connection"
        try:
            await listen(self._desk, reader, writer)
        except OSError as error:
            reason = error.strerror or str(error)
        finally:
            writer.close()
        self._desk.lost("no_contact", reason)
        raise RetryableError(f"{where}: {reason}")


class Callers:
    """The port to which scanners connect; each is known by its address."""

    def __init__(self, desks: dict[str, Desk], context: DriverContext) -> None:
        if context.push is None:
            names = ", ".join(desk.station.terminal.config.name for desk in desks.values())
            raise ConfigError(
                f"scanners {names} have no port, so they connect to the gateway, but no port is open; "
                f"set their port, or add [push.{FAMILY}] with host and port"
            )
        self.desks = desks
        self._context = context
        self._push = context.push
        self._serving: dict[str, asyncio.StreamWriter] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._strangers: set[str] = set()

    async def run(self) -> None:
        """Listen until cancelled; RetryableError when the port is taken."""
        try:
            server = await asyncio.start_server(self._serve, self._push.host, self._push.port)
        except OSError as error:
            raise RetryableError(f"can not listen on {self._push.host}:{self._push.port}: {error}") from error
        try:
            await asyncio.Event().wait()
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = str(ip_address(writer.get_extra_info("peername")[0]))
        desk, task = self.desks.get(peer), asyncio.current_task()
        if desk is None or task is None:
            if peer not in self._strangers and len(self._strangers) < STRANGERS:
                self._strangers.add(peer)
                self._context.discovered(FAMILY, peer)
            writer.close()
            return
        if (before := self._serving.get(peer)) is not None:
            before.close()  # a scanner that was switched off and on again; what it had sent is still committed
        self._serving[peer] = writer
        self._tasks.add(task)
        try:
            await listen(desk, reader, writer)
        except OSError:
            pass
        except asyncio.CancelledError:
            pass  # at the end of the program: asyncio 3.11 would report the task as failed
        finally:
            writer.close()
            self._tasks.discard(task)
            if self._serving.get(peer) is writer:
                del self._serving[peer]
                desk.lost("no_contact", "the scanner closed the connection")

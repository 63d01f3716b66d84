"""``muster device record``: a proxy between a terminal and its gateway that keeps what they say, without secrets."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.console import errors
from gateway.cli.families import load_driver
from gateway.device import Recorder, Scrub
from shared.clock import from_ms, system_clocks
from shared.errors import ConfigError, DataError, RetryableError

PIECE = 64 * 1024
CONNECT_S = 10.0
LINE = 4096
"""Bytes in one line of the capture where messages are not known."""


def record(
    listen: Annotated[str, typer.Option(help="[ADDRESS:]PORT on which the one that connects finds us.")],
    to: Annotated[str, typer.Option(help="HOST:PORT of the other one.")],
    out: Annotated[Path, typer.Option(help="Capture file; it must not exist yet.")],
    family: Annotated[str, typer.Option(help="Driver family; it knows what is secret.")] = "",
    *,
    raw: Annotated[bool, typer.Option("--raw", help="Keep every byte: names and passwords too.")] = False,
    terminal_calls: Annotated[bool, typer.Option(help="With --raw: the terminal is the one that connects.")] = False,
) -> None:
    """Pass on what a terminal and its gateway say and write it to a file for `muster device decode --hex`.

    Keys, passwords, names, cards, templates and pictures are replaced; user numbers and times stay. Ends with Ctrl-C.

    muster device record --family zk4370 --listen 4371 --to 192.0.2.10:4370 --out k40.hex
    """
    with errors():
        recorder = _recorder(family, raw=raw)
        calls = recorder.calls_us if recorder else terminal_calls
        host, port = address(listen, "--listen", "127.0.0.1")
        there = address(to, "--to", None)
        capture = Capture(out, f"muster device record, family {family or 'unknown'}", recorder)
        try:
            asyncio.run(_serve((host, port), there, capture, terminal_calls=calls))
        except KeyboardInterrupt:
            typer.echo(f"wrote {capture.messages} messages to {out}", err=True)
        finally:
            capture.close()


def _recorder(family: str, *, raw: bool) -> Recorder | None:
    if raw:
        return None
    if not family:
        raise ConfigError("name the --family, so that secrets are left out; --raw keeps them")
    driver = load_driver(family)
    if not isinstance(driver, Recorder):
        raise ConfigError(
            f"family {family} can not tell what is secret in its messages; "
            "--raw keeps everything: give such a file to nobody"
        )
    return driver


def address(text: str, option: str, default_host: str | None) -> tuple[str, int]:
    """Host and port; ConfigError for what is none."""
    host, colon, port = text.rpartition(":")
    host = host or default_host or ""
    if not host or not port.isdecimal() or not 0 <= int(port) < 65536 or (colon and not text.partition(":")[0]):
        expected = "HOST:PORT" if default_host is None else "PORT or ADDRESS:PORT"
        raise ConfigError(f"{option} {text!r}: expected {expected}")
    return host, int(port)


class Capture:
    """The file: hexadecimal lines, ``<`` from the terminal, ``>`` to it, a whole message each where they are known."""

    def __init__(self, path: Path, title: str, recorder: Recorder | None) -> None:
        self._recorder = recorder
        self.messages = 0
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise ConfigError(f"{path}: can not be written ({error.strerror})") from error
        self._file = os.fdopen(handle, "w", encoding="ascii", errors="backslashreplace")
        at = from_ms(system_clocks().wall_ms()).isoformat(timespec="seconds")
        self.note(f"{title}, {at}, " + ("secrets replaced" if recorder else "raw: holds names and passwords"))

    def scrub(self) -> Scrub | None:
        """For one connection; None when everything is kept."""
        return self._recorder.scrub() if self._recorder else None

    def take(self, messages: list[bytes], *, to_terminal: bool) -> None:
        """Write them; a crash loses none of them."""
        mark = ">" if to_terminal else "<"
        for message in messages:
            self.messages += 1
            self._file.write(f"{mark} {message.hex()}\n")
        if messages:
            self._file.flush()

    def note(self, text: str) -> None:
        """A line that is no message."""
        self._file.write(f"# {text}\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Proxy:
    """Passes everything on unchanged and as it comes; what it keeps can not hold it up."""

    def __init__(self, to: tuple[str, int], capture: Capture, *, terminal_calls: bool) -> None:
        self._to, self._capture, self._terminal_calls = to, capture, terminal_calls

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either side ends it."""
        try:
            async with asyncio.timeout(CONNECT_S):
                there, back = await asyncio.open_connection(*self._to)
        except (OSError, TimeoutError) as error:
            self._capture.note(f"no connection to {self._to[0]}:{self._to[1]} ({error})")
            typer.echo(f"no connection to {self._to[0]}:{self._to[1]}", err=True)
            writer.close()
            return
        watch = _Watch(self._capture)
        try:
            await asyncio.gather(
                _pass_on(reader, back, watch, to_terminal=not self._terminal_calls),
                _pass_on(there, writer, watch, to_terminal=self._terminal_calls),
            )
        finally:
            for end in (writer, back):
                end.close()


class _Watch:
    """What is kept of one connection; after something strange nothing more is."""

    def __init__(self, capture: Capture) -> None:
        self._capture, self._scrub = capture, capture.scrub()
        self._lost = False

    def see(self, chunk: bytes, *, to_terminal: bool) -> None:
        if self._lost:
            return
        if self._scrub is None:
            pieces = [chunk[at : at + LINE] for at in range(0, len(chunk), LINE)]
            self._capture.take(pieces, to_terminal=to_terminal)
            return
        try:
            self._capture.take(list(self._scrub.feed(chunk, to_terminal=to_terminal)), to_terminal=to_terminal)
        except DataError as error:
            self._lost = True
            self._capture.note(f"not kept from here on: {error.code}")
            typer.echo(f"this connection is not kept any more: {error}", err=True)


async def _pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, watch: _Watch, *, to_terminal: bool
) -> None:
    try:
        while chunk := await reader.read(PIECE):
            watch.see(chunk, to_terminal=to_terminal)
            writer.write(chunk)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:
        writer.close()


async def _serve(at: tuple[str, int], to: tuple[str, int], capture: Capture, *, terminal_calls: bool) -> None:
    proxy = Proxy(to, capture, terminal_calls=terminal_calls)
    try:
        server = await asyncio.start_server(proxy.serve, *at)
    except OSError as error:
        raise RetryableError(f"can not listen on {at[0]}:{at[1]} ({error.strerror or error})") from error
    host, port = server.sockets[0].getsockname()[:2]
    typer.echo(f"listening on {host}:{port} for {to[0]}:{to[1]}; Ctrl-C ends", err=True)
    async with server:
        await server.serve_forever()

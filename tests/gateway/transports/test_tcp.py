"""A link to a terminal: what arrives, what does not, and how it ends."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

import pytest

from gateway.transports.tcp import TcpLink
from shared.errors import RetryableError
from tests.support.loopback import HOST, free_port

Peer: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def linked(peer: Peer) -> AsyncIterator[TcpLink]:
    """A link to a terminal that does that and hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer(reader, writer)
        writer.close()

    async with await asyncio.start_server(serve, HOST, 0) as server:
        port: int = server.sockets[0].getsockname()[1]
        async with await TcpLink.connect(HOST, port, 5) as link:
            yield link


async def test_what_is_written_arrives_and_is_answered() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(5))

    async with linked(echo) as link:
        await link.write(b"hello", 5)
        assert await link.read(5) == b"hello"


async def test_silence_is_no_error_and_loses_nothing() -> None:
    speak = asyncio.Event()

    async def late(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await speak.wait()
        writer.write(b"late")

    async with linked(late) as link:
        assert await link.read(0.01) is None
        speak.set()
        assert await link.read(5) == b"late"


async def test_a_terminal_that_hangs_up_is_told_with_its_address() -> None:
    async def leave(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        return

    async with linked(leave) as link:
        with pytest.raises(RetryableError, match=f"{link.where}: the terminal closed"):
            await link.read(5)


async def test_a_broken_connection_is_retryable() -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)
        writer.transport.abort()

    async with linked(reset) as link:
        await link.write(b"xy", 5)
        with pytest.raises(RetryableError, match="connection"):
            await link.read(5)


async def test_a_terminal_that_takes_no_data_is_retryable() -> None:
    done = asyncio.Event()

    async def deaf(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await done.wait()

    async with linked(deaf) as link:
        with pytest.raises(RetryableError, match="takes no data"):
            await link.write(bytes(50_000_000), 0.05)
        done.set()


async def test_nobody_there_is_retryable() -> None:
    with pytest.raises(RetryableError, match="no connection"):
        await TcpLink.connect(HOST, free_port(), 5)

"""One connection to an MQTT broker, closed however it ends."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Protocol, TypeVar


class _Client(Protocol):
    """What is asked of ``aiomqtt.Client``, which not everybody who imports this package has."""

    _client: Any

    async def __aenter__(self) -> Any: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...


C = TypeVar("C", bound=_Client)


@asynccontextmanager
async def linked(client: C) -> AsyncIterator[C]:
    """As ``async with client`` of aiomqtt; errors are its own.

    aiomqtt leaves the socket open when a connection is given up before the broker has answered, by time or by being
    cancelled: it would stay until it is garbage, and the broker would wait as long.
    """
    try:
        async with client:
            yield client
    finally:
        client._client._sock_close()  # noqa: SLF001 - neither library has a name for it; closed already: nothing

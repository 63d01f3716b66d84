"""Messages that wait for a transaction, gateways in turn, so that one with a backlog does not starve the others."""

import asyncio
from collections import OrderedDict, deque
from dataclasses import dataclass

from shared.topics import Up

MOST_AT_ONCE = 16
"""Messages of one transaction: twice what a gateway may have under way."""
MOST_OF_ONE = 32
"""Messages of one gateway that wait; its window is 8, so more are repeats."""
MOST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Message:
    """What a gateway said, as it came."""

    gateway: str
    kind: Up | None
    """None for a topic that is none of ours; ``gateway`` is then its text."""
    payload: bytes


class Inbox:
    """Bounded: what finds no room is left out, which is safe because nothing acked it; its gateway sends it again."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, deque[Message]] = OrderedDict()
        self._bytes = 0
        self._under_way = 0
        self._more = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.left_out = 0
        """Messages that found no room."""

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def put(self, message: Message) -> None:
        """Add a message behind those of its gateway, if there is room."""
        queue = self._waiting.setdefault(message.gateway, deque())
        if len(queue) >= MOST_OF_ONE or self._bytes + len(message.payload) > MOST_BYTES:
            self.left_out += 1
            return
        queue.append(message)
        self._bytes += len(message.payload)
        self._more.set()
        self._idle.clear()

    async def take(self, most: int = MOST_AT_ONCE) -> list[Message]:
        """What waits now, at least one message, one of each gateway in turn; call ``done`` after each."""
        while not self._waiting:  # another worker may have been quicker
            await self._more.wait()
        taken: list[Message] = []
        while self._waiting and len(taken) < most:
            gateway, queue = self._waiting.popitem(last=False)
            if queue:
                taken.append(queue.popleft())
            if queue:
                self._waiting[gateway] = queue
        self._bytes -= sum(len(message.payload) for message in taken)
        self._under_way += len(taken)
        if not self._waiting:
            self._more.clear()
        return taken

    def done(self, messages: list[Message]) -> None:
        """Say that these were dealt with."""
        self._under_way -= len(messages)
        if not self._waiting and not self._under_way:
            self._idle.set()

    async def idle(self) -> None:
        """Wait until nothing waits and nothing is under way."""
        await self._idle.wait()

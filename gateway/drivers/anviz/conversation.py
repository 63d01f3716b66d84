"""One session with one Anviz terminal: questions and their answers, with pushes put aside whenever they come."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Container
from datetime import datetime
from typing import NamedTuple

from gateway.drivers.anviz import codec
from gateway.drivers.anviz.codec import BadRow, Capacity, Counters, Frame, Layout, LogRow
from gateway.transports.tcp import TcpLink
from shared.clock import WallMs
from shared.errors import ConfigError, DataError, RetryableError

KEEP_ALIVE_S = 120.0
"""A login expires after 5 minutes without a question."""
HEARD_LIMIT = 1000
"""Pushes put aside; what does not fit is in the log."""
STRAY_LIMIT = 1000
"""Frames that nobody asked for, while one answer is awaited; more is noise."""
PONG = codec.HEARTBEAT | codec.ANSWER


class ClockReading(NamedTuple):
    """The terminal's naive wall time, None for an impossible one, and ours in the middle of the question."""

    device: datetime | None
    gateway_ms: WallMs


class Conversation:
    """An open session. RetryableError when the terminal is late, broken or busy; ConfigError when it refuses us."""

    def __init__(self, link: TcpLink, timeout_s: float) -> None:
        self._link = link
        self._timeout_s = timeout_s
        self._frames = codec.FrameDecoder()
        self._arrived: deque[Frame | DataError] = deque()
        self.heard: deque[bytes] = deque(maxlen=HEARD_LIMIT)
        """Data of pushes that nobody has taken yet."""

    async def ask(self, command: int, data: bytes = b"") -> bytes:
        """Data of the answer; RetryableError when the terminal says no."""
        frame = await self._exchange(command, data)
        if frame.result:
            raise RetryableError(f"{self._link.where}: command {command:#04x} refused: {_meaning(frame.result)}")
        return frame.data

    async def ask_optional(self, command: int, data: bytes = b"") -> bytes | None:
        """Data of the answer; None when the terminal does not know that command or has nothing to say."""
        frame = await self._exchange(command, data)
        return None if frame.result else frame.data

    async def listen(self, within_s: float) -> None:
        """Return when a push was heard, or after that time; heartbeats are answered."""
        loop = asyncio.get_running_loop()
        until = loop.time() + within_s
        while not self.heard and (left := until - loop.time()) > 0:
            await self._receive(left)
            while self._arrived:
                await self._put_aside(self._sound(self._arrived.popleft()))

    async def _exchange(self, command: int, data: bytes, known: Container[bytes] = ()) -> Frame:
        """The answer to a command; one whose data are ``known``, as when it comes twice, only when no other comes."""
        while self._arrived:  # late answers to an earlier question
            await self._put_aside(self._sound(self._arrived.popleft()))
        await self._link.write(codec.encode_request(command, data), self._timeout_s)
        loop = asyncio.get_running_loop()
        until = loop.time() + self._timeout_s
        repeated: Frame | None = None
        for _ in range(STRAY_LIMIT):
            frame = await self._next(until)
            if frame is None:
                break
            if frame.result is None or frame.command != command:
                await self._put_aside(frame)
            elif frame.data in known:
                repeated = frame
            else:
                return self._unlocked(frame)
        if repeated is not None:
            return repeated
        raise RetryableError(f"{self._link.where}: no answer to command {command:#04x}; it may serve another client")

    def _unlocked(self, frame: Frame) -> Frame:
        if frame.result == codec.LOCKED:
            raise ConfigError(
                f"{self._link.where}: the terminal is locked; put user:password into key_file if it wants a login, "
                "or unlock it, then start the terminal again"
            )
        return frame

    async def _next(self, until: float) -> Frame | None:
        loop = asyncio.get_running_loop()
        while not self._arrived:
            left = until - loop.time()
            if left <= 0:
                return None
            await self._receive(left)
        return self._sound(self._arrived.popleft())

    async def _receive(self, within_s: float) -> None:
        piece = await self._link.read(within_s)
        if piece is None:
            return
        try:
            self._arrived.extend(self._frames.feed(piece))
        except DataError as error:
            raise RetryableError(f"{self._link.where}: {error}; connecting again") from error

    def _sound(self, frame: Frame | DataError) -> Frame:
        """A frame with a wrong CRC ends the session: a block asked for again could be taken for the next one."""
        if isinstance(frame, DataError):
            raise RetryableError(f"{self._link.where}: {frame}; connecting again") from frame
        return frame

    async def _put_aside(self, frame: Frame) -> None:
        if frame.command == codec.PUSH:
            self.heard.append(frame.data)
        elif frame.command == codec.HEARTBEAT:
            await self._link.write(codec.encode_request(PONG, device=frame.device), self._timeout_s)

    # What a terminal can be asked

    async def login(self, user: str, password: str) -> None:
        """Prove who we are, on platforms that want it; ConfigError at the first refusal."""
        frame = await self._exchange(codec.LOGIN, codec.encode_login(user, password))
        if frame.result:
            raise ConfigError(
                f"{self._link.where}: the login was refused ({_meaning(frame.result)}); "
                "check user and password in key_file, then start the terminal again"
            )

    async def serial(self) -> str:
        """Serial number; empty when it does not tell."""
        return codec.decode_text(await self.ask_optional(codec.SERIAL) or b"")

    async def model(self) -> str:
        """Model code; empty when it does not tell."""
        return codec.decode_text(await self.ask_optional(codec.MODEL) or b"")

    async def firmware(self) -> str:
        """Firmware; empty when it does not tell."""
        return codec.firmware_of(await self.ask_optional(codec.CONFIG_1) or b"")

    async def realtime(self) -> bool | None:
        """Whether it pushes punches as they happen; None when it does not tell."""
        return codec.realtime_of(await self.ask_optional(codec.CONFIG_2) or b"")

    async def capacity(self) -> Capacity | None:
        """Its room; None when it does not tell."""
        data = await self.ask_optional(codec.CAPACITY)
        return None if data is None else codec.decode_capacity(data)

    async def counters(self) -> Counters:
        """What it holds."""
        return codec.decode_counters(await self.ask(codec.COUNTERS))

    async def clock(self, wall_ms: Callable[[], WallMs]) -> ClockReading:
        """Its clock beside ours; half of the round trip is taken out."""
        before = wall_ms()
        data = await self.ask(codec.GET_TIME)
        middle = (before + wall_ms()) // 2
        try:
            return ClockReading(codec.decode_clock(data), middle)
        except DataError:
            return ClockReading(None, middle)

    async def set_clock(self, wall: datetime) -> None:
        """Set its clock; ConfigError for a year that it can not show."""
        if not 2000 <= wall.year <= 2255:
            raise ConfigError(f"the terminal's clock goes from 2000 to 2255, not to {wall.year}")
        await self.ask(codec.SET_TIME, codec.encode_clock(wall))

    async def blocks(self, mode: int, wanted: int) -> AsyncIterator[tuple[int, list[LogRow | BadRow]]]:
        """Blocks of records with how many each holds, until ``wanted`` were read or there are no more."""
        known: set[bytes] = set()
        while wanted > 0:
            frame = await self._exchange(codec.RECORDS, codec.block_request(mode), known)
            if frame.result == codec.EMPTY:
                return
            if frame.result:
                raise RetryableError(f"{self._link.where}: records refused: {_meaning(frame.result)}")
            count, rows = codec.decode_block(frame.data)
            if count == 0:
                return
            yield count, rows
            wanted -= count
            mode = codec.NEXT
            known.add(frame.data)

    async def clear_new(self, count: int) -> None:
        """Take the new flag from the first ``count`` records."""
        await self.ask(codec.CLEAR, codec.clear_request(count))

    async def users(self, layout: Layout, wanted: int) -> AsyncIterator[bytes]:
        """User records as they are, until ``wanted`` were read or there are no more."""
        mode = codec.FIRST_ALL
        known: set[bytes] = set()
        while wanted > 0:
            frame = await self._exchange(layout.read, codec.block_request(mode, layout.block), known)
            if frame.result == codec.EMPTY:
                return
            if frame.result:
                raise ConfigError(
                    f"{self._link.where}: users refused ({_meaning(frame.result)}); "
                    "this model may keep them in another layout: try another user_record in its profile"
                )
            records = codec.decode_users(frame.data)
            if not records:
                return
            for record in records:
                yield record
            wanted -= len(records)
            mode = codec.NEXT
            known.add(frame.data)

    async def put_user(self, record: bytes) -> None:
        """Write a user record; ConfigError says why the terminal does not take it."""
        frame = await self._exchange(codec.layout_of(record).write, b"\x01" + record)
        if frame.result:
            raise ConfigError(f"{self._link.where}: the user was not taken: {_meaning(frame.result)}")


def _meaning(result: int) -> str:
    return codec.MEANINGS.get(result, f"result {result:#04x}")

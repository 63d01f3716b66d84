"""One session with one Hanvon terminal: a question, perhaps a Wait, an answer."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from types import TracebackType
from typing import NamedTuple, Self

from gateway.drivers.hanvon import codec
from gateway.drivers.hanvon.codec import Answer, Cipher, Employee
from gateway.drivers.hanvon.windows import Window
from gateway.transports.tcp import TcpLink
from shared.clock import WallMs
from shared.errors import ConfigError, DataError, RetryableError

ANSWER_S = 900.0
"""Longest that one answer may take to arrive, however steadily."""
UNKNOWN_ID = "unknown id"


class ClockReading(NamedTuple):
    """The terminal's naive wall time, None for an impossible one, and ours in the middle of the question."""

    device: datetime | None
    gateway_ms: WallMs


class Conversation:
    """An open session. RetryableError when the terminal is late, broken or busy; ConfigError for a wrong key."""

    def __init__(
        self, connect: Callable[[], Awaitable[TcpLink]], key: str, timeout_s: float, *, proven: bool = False
    ) -> None:
        self._connect, self._key, self._timeout_s = connect, key, timeout_s
        self.proven = proven
        """The terminal has answered to this key before: noise is noise then."""

    async def __aenter__(self) -> Self:
        self._link = await self._connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._link.close()

    async def reconnect(self) -> None:
        """Leave an answer unread and begin anew."""
        await self._link.close()
        self._link = await self._connect()

    async def ask(self, request: bytes) -> Answer:
        """A successful answer; RetryableError when the terminal says no."""
        answer = await self.exchange(request)
        if not answer.succeeded:
            raise RetryableError(f"{self._link.where}: {_command(request)} failed: {answer.reason}")
        return answer

    async def exchange(self, request: bytes) -> Answer:
        """The answer, whatever it says; after a Wait the terminal gets that much longer."""
        cipher = Cipher(self._key)
        await self._link.write(cipher.apply(request), self._timeout_s)
        cipher.start()
        reader = codec.AnswerReader(cipher=cipher)
        patience = self._timeout_s
        until = asyncio.get_running_loop().time() + ANSWER_S
        while (left := until - asyncio.get_running_loop().time()) > 0:
            piece = await self._link.read(min(patience, left))
            if piece is None:
                break
            for answer in self._read(reader, piece):
                if answer.name == codec.RETURN:
                    self.proven = True
                    return answer
                patience = self._timeout_s + codec.seconds_of_wait(answer)
            if reader.begun:
                patience = self._timeout_s
        what = "an unfinished answer" if reader.begun else "no answer"
        raise RetryableError(f"{self._link.where}: {what} to {_command(request)}; it may serve another client")

    def _read(self, reader: codec.AnswerReader, piece: bytes) -> list[Answer]:
        try:
            return reader.feed(piece)
        except DataError as error:
            if error.code == "oversize":
                raise
            if error.code == "wrong_key" and not self.proven:
                raise ConfigError(
                    f"{self._link.where}: {error}: the communication key is wrong; "
                    "put the key of the terminal's menu into key_file, or remove key_file if it has none"
                ) from error
            raise RetryableError(f"{self._link.where}: {error}; connecting again") from error

    # What a terminal can be asked

    async def device_info(self, wall_ms: Callable[[], WallMs]) -> tuple[Answer, ClockReading]:
        """What it says of itself, and its clock beside ours; half of the round trip is taken out."""
        before = wall_ms()
        answer = await self.ask(codec.encode_request("GetDeviceInfo"))
        middle = (before + wall_ms()) // 2
        try:
            return answer, ClockReading(codec.decode_time(answer.get("time") or ""), middle)
        except DataError:
            return answer, ClockReading(None, middle)

    async def serial(self, info: Answer) -> str:
        """The number under which its records come; empty when it has none."""
        number = info.get("dev_id") or ""
        if not number.strip("0"):
            number = (await self.exchange(codec.encode_request("GetMAC_SN"))).get("sn") or ""
        return number if number.strip("0") else ""

    async def records(self, window: Window) -> Answer:
        """Punches in that span; DataError ``oversize`` when there are too many for one answer."""
        bounds = {"start_time": window.first, "end_time": window.last}
        values = {key: codec.time_text(at) for key, at in bounds.items() if at is not None}
        return await self.ask(codec.encode_request("GetRecord", **values))

    async def set_clock(self, wall: datetime) -> None:
        """Set its clock; weeks begin on Monday, day 1."""
        week = str(wall.isoweekday())
        await self.ask(codec.encode_request("SetDeviceInfo", time=codec.time_text(wall), week=week))

    async def employee_numbers(self) -> list[str]:
        """Numbers of everybody enrolled."""
        return codec.employee_numbers(await self.ask(codec.encode_request("GetEmployeeID")))

    async def employee(self, number: str) -> Employee | None:
        """Number, name and card; None when nobody has that number. Templates are drained unread."""
        answer = await self.exchange(codec.encode_request("GetEmployee", id=number))
        if answer.succeeded:
            return codec.employee_of(answer)
        if UNKNOWN_ID in answer.reason.lower():
            return None
        raise RetryableError(f"{self._link.where}: GetEmployee failed: {answer.reason}")

    async def add_employee(self, employee: Employee) -> None:
        """Enrol somebody without template; ConfigError says why the terminal does not take him."""
        request = codec.encode_request(
            "SetEmployee",
            id=employee.number,
            name=employee.name,
            calid="",
            card_num=employee.card,
            authority="0X0",
            check_type="face",
            opendoor_type="face",
        )
        self._taken(await self.exchange(request))

    async def rename(self, number: str, name: str) -> None:
        """Change the name alone; ConfigError says why the terminal does not take it."""
        self._taken(await self.exchange(codec.encode_pairs("SetNameTable", [(number, name)])))

    def _taken(self, answer: Answer) -> None:
        if not answer.succeeded:
            raise ConfigError(f"{self._link.where}: the user was not taken: {answer.reason}")


def _command(request: bytes) -> str:
    """The command's name; its values are nobody's business."""
    return request.partition(b"(")[0].decode("ascii", "replace")

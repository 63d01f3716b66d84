"""One Hanvon terminal that a person looks at."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from datetime import datetime

from gateway.device import Ability, Device, DeviceClock, DeviceInfo, DeviceUser
from gateway.driver import Terminal
from gateway.drivers.hanvon import codec
from gateway.drivers.hanvon.codec import Answer, Employee, RecordRow
from gateway.drivers.hanvon.conversation import Conversation
from gateway.drivers.hanvon.reader import Reader
from gateway.drivers.hanvon.windows import Window, everything, recent
from gateway.profile import device_zone
from shared.clock import Clocks, from_ms
from shared.errors import ConfigError, DataError, RetryableError
from shared.keys import Event

BUSINESS_DAYS = 400
"""Days that are asked for one by one when everything is read."""
WATCH_S = 2.0
"""How often a terminal that pushes nothing is asked while somebody watches."""
TOLD = {
    "mac": "mac",
    "volume": "volume",
    "weigen": "weigen",
    "max_managernum": "max_managers",
    "managernum": "managers",
    "max_cardregist": "max_cards",
    "real_cardregist": "cards",
    "max_photorecord": "max_photos",
    "real_photorecord": "photos",
}
"""Further facts of GetDeviceInfo, under plainer names."""


def info_of(answer: Answer, serial: str) -> DeviceInfo:
    """What GetDeviceInfo says; counters as they are, absurd or not."""
    facts = {name: value for key, name in TOLD.items() if (value := answer.get(key))}
    return DeviceInfo(
        serial=serial or None,
        firmware=answer.get("edition") or None,
        users=codec.count_of(answer, "real_faceregist"),
        user_capacity=codec.count_of(answer, "max_faceregist"),
        log_used=codec.count_of(answer, "real_facerecord"),
        log_capacity=codec.count_of(answer, "max_facerecord"),
        facts=facts,
    )


async def answers_in(talk: Conversation, windows: Iterable[Window]) -> AsyncIterator[tuple[Window, Answer]]:
    """Answers to GetRecord window by window; one that is too large is asked for in halves."""
    for window in windows:
        waiting = [window]
        while waiting:
            asked = waiting.pop()
            try:
                yield asked, await talk.records(asked)
            except DataError as error:
                halves = asked.halves()
                if halves is None:
                    raise RetryableError(f"ten minutes hold too many records: {error}") from error
                await talk.reconnect()
                waiting += reversed(halves)


class HanvonDevice(Device):
    """One terminal that a person looks at."""

    family = "hanvon"
    abilities = frozenset(Ability)

    def __init__(self, talk: Conversation, terminal: Terminal, clocks: Clocks, serial: str) -> None:
        self._talk, self._clocks, self._serial = talk, clocks, serial
        self._zone = device_zone(terminal.profile, terminal.config.zone, terminal.site_zone)
        name = serial or terminal.config.serial or terminal.config.name
        self._reader = Reader(name, terminal.profile, self._zone)

    async def info(self) -> DeviceInfo:
        """What the terminal says of itself."""
        answer, _ = await self._talk.device_info(self._clocks.wall_ms)
        return info_of(answer, self._serial)

    async def clock(self) -> DeviceClock:
        """Its clock beside ours; DataError when it shows an impossible time."""
        _, reading = await self._talk.device_info(self._clocks.wall_ms)
        drift_ms = self._reader.drift_ms(reading)
        if reading.device is None or drift_ms is None:
            raise DataError("the clock shows an impossible time; set it", "bad_time")
        return DeviceClock(reading.device, reading.gateway_ms, drift_ms)

    async def set_clock(self, wall: datetime) -> None:
        """Set its clock to that naive time of its zone."""
        await self._talk.set_clock(wall)

    async def users(self) -> list[DeviceUser]:
        """Everybody enrolled, by number; each is asked for alone, and his templates are drained unread."""
        found = []
        for number in await self._talk.employee_numbers():
            person = await self._talk.employee(number)
            if person is not None:
                found.append(DeviceUser(number, person.name, person.card))
        return sorted(found, key=lambda user: (len(user.number), user.number))

    async def put_user(self, user: DeviceUser) -> None:
        """Enrol a user without face, or change his name alone: to change more would overwrite his templates."""
        wanted = Employee(user.number, codec.clean(user.name), codec.clean(user.card))
        if not (user.number.isascii() and user.number.isdecimal()):
            raise ConfigError(f"user number {user.number!r}: Hanvon terminals take digits")
        if not user.enabled:
            raise ConfigError("Hanvon terminals know no disabled users; delete the user at the terminal")
        known = await self._talk.employee(user.number)
        if known is None:
            await self._talk.add_employee(wanted)
        elif wanted.card and wanted.card != known.card:
            raise ConfigError(
                f"user {user.number} has another card at the terminal; change it there: "
                "from here it would overwrite his face templates, which Muster does not read"
            )
        elif wanted.name != known.name:
            await self._talk.rename(user.number, wanted.name)
        else:
            return
        await self._check(wanted)

    async def _check(self, wanted: Employee) -> None:
        """Look whether it was really done: some firmware says success and does nothing."""
        written = await self._talk.employee(wanted.number)
        if written is None:
            raise ConfigError(
                f"the terminal said success but did not add user {wanted.number}: enrol his face at the terminal first"
            )
        if written.name != wanted.name:
            raise ConfigError(f"the terminal said success but shows the name {written.name!r}")

    async def log(self) -> AsyncIterator[Event]:
        """Everything in its log, oldest first."""
        _, reading = await self._talk.device_info(self._clocks.wall_ms)
        windows = everything(reading.device or self._now(), BUSINESS_DAYS)
        async for _, answer in answers_in(self._talk, windows):
            for row in codec.decode_records(answer):
                if isinstance(row, RecordRow):
                    yield self._reader.punch(row, None, 0)
                else:
                    yield self._reader.damaged(row, self._clocks.wall_ms(), 0)

    async def watch(self) -> AsyncIterator[Event]:
        """Punches as they appear in the log, which is asked for every 2 s: these terminals push nothing."""
        _, reading = await self._talk.device_info(self._clocks.wall_ms)
        since = reading.device or self._now()
        known: set[tuple[str, int]] = set()
        while True:
            _, reading = await self._talk.device_info(self._clocks.wall_ms)
            async for _, answer in answers_in(self._talk, recent(since, reading.device or self._now())):
                for row in codec.decode_records(answer):
                    if isinstance(row, RecordRow) and (row.user, row.at) not in known:
                        known.add((row.user, row.at))
                        yield self._reader.punch(row, None, 0)
            await asyncio.sleep(WATCH_S)

    def _now(self) -> datetime:
        """The wall time that the terminal should show, for one whose clock can not be read."""
        return from_ms(self._clocks.wall_ms()).astimezone(self._zone).replace(tzinfo=None, microsecond=0)

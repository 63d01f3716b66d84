"""What a person asks of one Control iD terminal, and how it is recognised without a password."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import msgspec

from gateway.config import TerminalConfig
from gateway.device import Ability, Device, DeviceClock, DeviceInfo, DeviceUser
from gateway.driver import Terminal
from gateway.drivers.controlid.codec import System, User, decode
from gateway.drivers.controlid.conversation import ControlId
from gateway.drivers.controlid.events import Reader
from gateway.transports.http_client import HttpClient, base_url
from gateway.transports.session_login import SessionLogin
from gateway.transports.source import Source
from shared.clock import Clocks, device_seconds
from shared.errors import ConfigError, DataError, MusterError
from shared.keys import Event

FAMILY = "controlid"
ABILITIES = frozenset(Ability) - {Ability.WATCH}
PROBE_S = 4.0
OVER = 946_684_800
"""2000-01-01: a validity that ended then is one that is over."""


class _Valid(msgspec.Struct):
    session_is_valid: bool


@asynccontextmanager
async def open_device(terminal: Terminal, clocks: Clocks) -> AsyncIterator[Device]:
    """Log in; the first question tells whether the password holds."""
    login = SessionLogin(terminal)
    async with login.client() as client:
        talk = ControlId(client, login.account)
        system = await talk.system()
        yield ControlIdDevice(talk, Reader(Source.of(terminal, system.serial or None)), system, clocks)


class ControlIdDevice(Device):
    """One open conversation."""

    family = FAMILY
    abilities = ABILITIES

    def __init__(self, talk: ControlId, reader: Reader, system: System, clocks: Clocks) -> None:
        self._talk, self._reader, self._system, self._clocks = talk, reader, system, clocks

    async def info(self) -> DeviceInfo:
        """What the terminal says of itself."""
        return DeviceInfo(
            serial=self._reader.source.serial,
            model=self._system.product or None,
            firmware=self._system.version or None,
            users=len(await self._talk.users()),
            log_used=await self._talk.log_count(),
            log_capacity=self._reader.source.profile.layouts.get("log_capacity"),
        )

    async def clock(self) -> DeviceClock:
        """Its clock beside ours; ConfigError for firmware that does not tell it."""
        before = self._clocks.wall_ms()
        system = await self._talk.system()
        now_ms = (before + self._clocks.wall_ms()) // 2
        if system.second is None:
            raise ConfigError("this firmware does not tell its time; look at the terminal")
        second, _ = self._reader.wall(system.second)
        wall = datetime.fromtimestamp(second, UTC).replace(tzinfo=None)
        return DeviceClock(wall, now_ms, self._reader.source.drift_ms(second, now_ms))

    async def set_clock(self, wall: datetime) -> None:
        """Set its clock to that naive local time."""
        await self._talk.set_clock(wall)

    async def users(self) -> list[DeviceUser]:
        """Everybody who has a registration, by it; the others by ``id:<n>``, as in punches."""
        cards = await self._talk.cards()
        now = device_seconds(self._reader.source.wall_at(self._clocks.wall_ms()))
        found = [
            DeviceUser(
                user.registration or f"id:{user.number}",
                user.name,
                str(cards[user.number]) if user.number in cards else "",
                enabled=not _is_over(user, now),
            )
            for user in (await self._talk.users(validity=True)).values()
        ]
        return sorted(found, key=lambda user: user.number)

    async def put_user(self, user: DeviceUser) -> None:
        """Add a user, or change name, card and whether his validity is over; faces and groups stay as they are."""
        if user.card and not (user.card.isascii() and user.card.isdecimal() and int(user.card) < 1 << 63):
            raise ConfigError(f"card {user.card!r}: Control iD terminals take a decimal number")
        same = [one for one in (await self._talk.users(validity=True)).values() if _is(one, user.number)]
        if len(same) > 1:
            raise ConfigError(
                f"registration {user.number!r} is enrolled {len(same)} times; put that right at the terminal"
            )
        now = device_seconds(self._reader.source.wall_at(self._clocks.wall_ms()))
        if not same:
            if user.number.startswith("id:"):
                raise ConfigError(f"nobody has number {user.number!r}; a new user needs a registration")
            number = await self._talk.create("users", {"registration": user.number, "name": user.name})
            if not user.enabled:
                await self._talk.modify("users", {"end_time": OVER}, {"id": number})
        else:
            number = same[0].number
            changes: dict[str, object] = {} if same[0].name == user.name else {"name": user.name}
            if user.enabled == _is_over(same[0], now):
                changes["end_time"] = 0 if user.enabled else OVER
            if changes:
                await self._talk.modify("users", changes, {"id": number})
        await self._put_card(number, user.card)

    async def _put_card(self, number: int, card: str) -> None:
        known = (await self._talk.cards()).get(number)
        if not card or known == int(card):
            return
        if known is None:
            await self._talk.create("cards", {"value": int(card), "user_id": number})
        else:
            await self._talk.modify("cards", {"value": int(card)}, {"user_id": number, "value": known})

    async def log(self) -> AsyncIterator[Event]:
        """Everything in its log, oldest first."""
        users, after = await self._talk.users(), 0
        while items := await self._talk.logs(after):
            for event in self._reader.events(items, users, self._clocks.wall_ms(), 0):
                yield event
            last = max((item.number for item in items if item.number is not None), default=None)
            if last is None:
                raise DataError("rows without a number", code="bad_answer")
            after = last


def _is(user: User, number: str) -> bool:
    return user.registration == number or (not user.registration and number == f"id:{user.number}")


def _is_over(user: User, now: int) -> bool:
    return 0 < user.end < now


async def identify(host: str, port: int) -> DeviceInfo | None:
    """Whoever answers that no session is valid; None for anything else."""
    scheme = "https://" if port == 443 else ""
    try:
        config = TerminalConfig(name=host, profile="", host=f"{scheme}{host}", port=port)
        async with HttpClient(base_url(config), login="none", timeout_s=PROBE_S) as client:
            reply = await client.request("POST", "/session_is_valid.fcgi", content=b"{}", kind="application/json")
            decode(reply.body, _Valid)
            return DeviceInfo()
    except MusterError:
        return None

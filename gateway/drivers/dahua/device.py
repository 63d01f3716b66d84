"""What a person asks of one terminal, and how it is recognised without a password."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from gateway.config import TerminalConfig
from gateway.device import Ability, Device, DeviceClock, DeviceInfo, DeviceUser
from gateway.driver import Terminal
from gateway.drivers.dahua import codec
from gateway.drivers.dahua.codec import FROZEN
from gateway.drivers.dahua.conversation import Cgi, UnsupportedError
from gateway.drivers.dahua.events import Reader
from gateway.profile import utc_offset_s
from gateway.transports.http_client import HttpClient, RefusedError, base_url, read_account
from gateway.transports.log_place import FAR_S, Place
from shared.clock import Clocks, WallMs, device_seconds
from shared.errors import ConfigError, DataError, MusterError
from shared.keys import Event

ABILITIES = frozenset(Ability)
PROBE_S = 4.0
_REALM = re.compile(r'realm\s*=\s*"Login to ([^"]{1,64})"', re.IGNORECASE)


def client_of(terminal: Terminal) -> HttpClient:
    """The HTTP client of a configured terminal, not yet open."""
    config, link = terminal.config, terminal.profile.link
    return HttpClient(
        base_url(config, link.port), read_account(config), timeout_s=link.timeout_s, ca_file=config.ca_file
    )


def info_of(facts: dict[str, str]) -> DeviceInfo:
    """What magicBox says."""
    return DeviceInfo(
        serial=(facts.get("sn") or facts.get("serialnumber") or "")[:64] or None,
        model=(facts.get("type") or facts.get("devicetype") or "")[:80] or None,
        firmware=facts.get("version", "")[:80] or None,
        facts={name: facts[name][:80] for name in ("hardwareversion", "processor") if name in facts},
    )


@asynccontextmanager
async def open_device(terminal: Terminal, clocks: Clocks) -> AsyncIterator[Device]:
    """Log in; the first question tells whether the password holds."""
    async with client_of(terminal) as client:
        cgi = Cgi(client)
        info = info_of(await cgi.facts())
        serial = info.serial or terminal.config.serial or terminal.config.name
        yield DahuaDevice(cgi, Reader.of(terminal, serial), info, clocks)


class DahuaDevice(Device):
    """One open conversation."""

    family = "dahua"
    abilities = ABILITIES

    def __init__(self, cgi: Cgi, reader: Reader, info: DeviceInfo, clocks: Clocks) -> None:
        self._cgi, self._reader, self._info, self._clocks = cgi, reader, info, clocks

    async def info(self) -> DeviceInfo:
        """What magicBox says, and how many users and events there are."""
        info = self._info
        users = len({user.number for user in await self._cgi.users()})
        return DeviceInfo(
            self._reader.serial, info.model, info.firmware, users, log_used=await self._cgi.size(), facts=info.facts
        )

    async def clock(self) -> DeviceClock:
        """Its clock beside ours."""
        before = self._clocks.wall_ms()
        wall = await self._cgi.clock()
        now_ms = (before + self._clocks.wall_ms()) // 2
        return DeviceClock(wall, now_ms, drift_ms(wall, self._reader, now_ms))

    async def set_clock(self, wall: datetime) -> None:
        """Set its clock."""
        await self._cgi.set_clock(wall)

    async def users(self) -> list[DeviceUser]:
        """Everybody enrolled, by number; of one with several cards the first."""
        found: dict[str, DeviceUser] = {}
        for user in await self._cgi.users():
            found.setdefault(user.number, DeviceUser(user.number, user.name, user.card, user.status <= 0))
        return [found[number] for number in sorted(found)]

    async def put_user(self, user: DeviceUser) -> None:
        """Add or change a user in every record he has; faces, fingers and rights stay as they are."""
        records = [known for known in await self._cgi.users() if known.number == user.number]
        fields: list[tuple[str, str | int]] = [("CardName", user.name), ("CardStatus", 0 if user.enabled else FROZEN)]
        if user.card:
            fields.append(("CardNo", user.card))
        try:
            if not records:
                await self._cgi.put_card([("UserID", user.number), *fields], None)
            for n, record in enumerate(records):
                # A second card of the same person keeps its number.
                await self._cgi.put_card(fields if n == 0 else fields[:2], record.record)
        except DataError as error:
            hint = "" if user.card else "; some models want a card number for a new user"
            raise ConfigError(f"the terminal did not take user {user.number}{hint}") from error

    async def log(self) -> AsyncIterator[Event]:
        """Everything in its log."""
        try:
            async for page in self._cgi.pages(0, FAR_S):
                for event in self._reader.events(page.items, Place(), self._clocks.wall_ms(), 0):
                    yield event
        except UnsupportedError:
            async for page in self._cgi.handle_pages():
                for event in self._reader.events(page.items, Place(), self._clocks.wall_ms(), 0):
                    yield event

    async def watch(self) -> AsyncIterator[Event]:
        """Punches of the event stream."""
        async with self._cgi.events() as pieces:
            async for parts in pieces:
                for part in parts:
                    items = codec.part_items(part)
                    for event in self._reader.events(items, Place(), self._clocks.wall_ms(), 0, live=True):
                        yield event


def drift_ms(wall: datetime, reader: Reader, now_ms: WallMs) -> int:
    """Terminal clock minus ours; the terminal shows whole seconds, half of one is added."""
    at = device_seconds(wall)
    return (at - utc_offset_s(reader.zone, at)) * 1000 + 500 - now_ms


async def identify(host: str, port: int) -> DeviceInfo | None:
    """The realm of its refusal, ``Login to <serial>``; None for anything else."""
    scheme = "https://" if port == 443 else ""
    try:
        config = TerminalConfig(name=host, profile="", host=f"{scheme}{host}", port=port)
        async with HttpClient(base_url(config), login="none", timeout_s=PROBE_S, trust_any=True) as client:
            await client.get("/cgi-bin/magicBox.cgi?action=getDeviceType")
    except RefusedError as error:
        challenge = error.reply.headers.get("www-authenticate", "")
        found = _REALM.search(challenge)
        return DeviceInfo(serial=found[1]) if found else None
    except MusterError:
        return None
    return None

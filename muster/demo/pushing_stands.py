"""Terminals that call the gateway, and devices that somebody built."""

import asyncio
from abc import abstractmethod
from typing import ClassVar, Literal, Protocol

from emulators.aiface_ws import AifaceTerminal
from emulators.custom import CustomDevice
from emulators.dahua import DahuaTerminal
from emulators.fkweb import FkTerminal
from emulators.hikvision import HikvisionTerminal
from emulators.uniview import UniviewTerminal
from emulators.zk_adms import AdmsTerminal
from muster.demo.depot_broker import publish_until_answered
from muster.demo.stand import KEY, Depot, Mark, Settings, Stand, address
from muster.stage.installation import HOST

AGAIN_S = 0.3
"""Before a device tries once more."""


class Caller(Protocol):
    """A terminal that repeats by itself what was not confirmed; ``run`` lives until ``stop``."""

    async def run(self) -> None:
        """Call the gateway."""
        ...

    async def stop(self) -> None:
        """End ``run``."""
        ...


class PushingStand(Stand):
    """A terminal with a log that calls the gateway."""

    pushes: ClassVar[bool] = True

    def __init__(self, depot: Depot, caller: Caller, serial: str, profile: str, label: str = "") -> None:
        super().__init__(depot, serial, profile, label=label)
        self._caller = caller
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to call."""
        self._running = asyncio.create_task(self._caller.run())

    async def stop(self) -> None:
        """End after the request it is in."""
        await self._caller.stop()
        if self._running is not None:
            await self._running


class AdmsStand(PushingStand):
    """ZK over HTTP, in one of its dialects."""

    def __init__(self, depot: Depot, dialect: Literal["att", "acc"]) -> None:
        serial, model = ("CQZ790001", "senseface-2a") if dialect == "att" else ("CQZ790002", "senseface-3a")
        self.terminal = AdmsTerminal(serial, port=depot.ports["zk_adms"], dialect=dialect)
        super().__init__(depot, self.terminal, serial, f"zkteco/{model}", dialect)

    async def give(self, mark: Mark) -> None:
        """A row in its log."""
        self.terminal.punch(mark.user, mark.at)


class FkStand(PushingStand):
    """FK web protocol."""

    def __init__(self, depot: Depot) -> None:
        self.terminal = FkTerminal("RSS20209001", port=depot.ports["fkweb"])
        super().__init__(depot, self.terminal, self.terminal.serial, "realand/g-f-web")
        self.tick()

    def tick(self) -> None:
        """Its clock goes."""
        self.terminal.clock = self.depot.now()

    async def give(self, mark: Mark) -> None:
        """A row in its log."""
        self.terminal.punch(mark.user, mark.at)


class UniviewStand(PushingStand):
    """Uniview."""

    def __init__(self, depot: Depot) -> None:
        self.terminal = UniviewTerminal("210235C8U3190001", port=depot.ports["uniview"])
        super().__init__(depot, self.terminal, self.terminal.serial, "uniview/oet")
        self.tick()

    def tick(self) -> None:
        """Its clock goes."""
        self.terminal.clock = self.depot.now()

    async def give(self, mark: Mark) -> None:
        """A recognition."""
        self.terminal.punch(mark.user, self.depot.utc_s(mark.at))


class AifaceStand(PushingStand):
    """AiFace, by WebSocket or by its HTTP twin."""

    def __init__(self, depot: Depot, *, http: bool) -> None:
        serial, label = ("ZXRB90002", "HTTP") if http else ("ZXRB90001", "WebSocket")
        self.terminal = AifaceTerminal(serial, port=depot.ports["aiface_ws"], http=http, repeat_s=0.5)
        super().__init__(depot, self.terminal, serial, "timmy/tfs30", label)

    async def give(self, mark: Mark) -> None:
        """A row in its log."""
        self.terminal.punch(int(mark.user), mark.at)


class ReportingStand(Stand):
    """A terminal whose log nobody asks for: it posts each punch until that is confirmed."""

    keeps: ClassVar[bool] = False
    pushes: ClassVar[bool] = True

    @abstractmethod
    async def post(self, mark: Mark) -> int:
        """Post it once; the status of the answer, 0 for none."""

    async def give(self, mark: Mark) -> None:
        """Post it until the gateway has it."""
        while await self.post(mark) != 200:  # noqa: ASYNC110 - a device tries again
            await asyncio.sleep(AGAIN_S)


class HikvisionPushStand(ReportingStand):
    """Hikvision with HTTP Listening."""

    def __init__(self, depot: Depot) -> None:
        self.terminal = HikvisionTerminal(serial="DS-K1T341AM20260101V030230ENG90000002")
        super().__init__(depot, self.terminal.serial, "hikvision/ds-k1t341am", label="push")

    async def post(self, mark: Mark) -> int:
        """One message with a picture."""
        report = self.terminal.report(self.terminal.punch(mark.user, mark.at, live=False))
        return await self.terminal.push(report, self.depot.ports["hikvision"], f"/{self.serial}")


class DahuaPushStand(ReportingStand):
    """Dahua with reports."""

    def __init__(self, depot: Depot) -> None:
        self.terminal = DahuaTerminal(serial="6G0ABCDPAJ90002")
        super().__init__(depot, self.terminal.serial, "dahua/asi", label="push")

    async def post(self, mark: Mark) -> int:
        """One report with a picture."""
        report = self.terminal.report(self.terminal.punch(mark.user, mark.at, live=False))
        return await self.terminal.push(report, self.depot.ports["dahua"], f"/{self.serial}")


class CustomHttpStand(ReportingStand):
    """A device that somebody built, over HTTP."""

    def __init__(self, depot: Depot) -> None:
        super().__init__(depot, "gate-http", "generic/custom", label="HTTP", key=KEY)
        self.built = CustomDevice(self.serial, KEY)

    async def post(self, mark: Mark) -> int:
        """One signed message with all that waits."""
        if not self.built.punches:
            self.built.punch(mark.user, mark.at)
        try:
            status, _ = await asyncio.to_thread(self.built.post, HOST, self.depot.ports["custom"])
        except OSError:
            return 0
        return status


class CustomMqttStand(Stand):
    """The same through the depot's broker."""

    keeps: ClassVar[bool] = False

    def __init__(self, depot: Depot) -> None:
        super().__init__(depot, "gate-mqtt", "generic/custom-mqtt", label="MQTT", key=KEY)
        self.built = CustomDevice(self.serial, KEY)

    def settings(self) -> Settings:
        """The depot's broker."""
        return address(self.depot.broker_port)

    async def give(self, mark: Mark) -> None:
        """Publish it until the gateway has it."""
        self.built.punch(mark.user, mark.at)
        body, signature = self.built.message(self.depot.utc(self.depot.now()))
        device = f"local/{self.serial}"
        await publish_until_answered(
            self.depot.broker_port, f"{device}/ev", f"{device}/re", signature.encode() + b"\n" + body
        )
        self.built.confirmed()

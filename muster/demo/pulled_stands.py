"""Terminals that the gateway asks."""

from datetime import datetime
from typing import ClassVar, Literal, Protocol

from emulators.akuvox import AkuvoxTerminal
from emulators.anviz import AnvizTerminal
from emulators.axis import AxisController
from emulators.controlid import ControlIdTerminal
from emulators.dahua import DahuaTerminal
from emulators.hanvon import HanvonTerminal
from emulators.hikvision import HikvisionTerminal
from emulators.matrix_cosec import MatrixTerminal
from emulators.suprema import BioStarServer
from emulators.twon import TwonTerminal
from emulators.zk4370 import ZkTerminal
from muster.demo.stand import LOGIN, Depot, Mark, Settings, Stand, address
from muster.stage.installation import HOST


class Emulator(Protocol):
    """A terminal that listens; ``port`` is known after ``start``."""

    port: int

    async def start(self) -> None:
        """Listen."""
        ...

    async def stop(self) -> None:
        """Close the port."""
        ...


class PulledStand(Stand):
    """A terminal with a port and a log."""

    waits: ClassVar[bool] = True

    def __init__(
        self, depot: Depot, emulator: Emulator, serial: str, profile: str, *, label: str = "", key: str = LOGIN
    ) -> None:
        super().__init__(depot, serial, profile, label=label, key=key)
        self._emulator = emulator

    async def start(self) -> None:
        """Open its port."""
        await self._emulator.start()

    async def stop(self) -> None:
        """Close it."""
        await self._emulator.stop()

    def settings(self) -> Settings:
        """Where it listens."""
        return address(self._emulator.port)


class Zk4370Stand(PulledStand):
    """ZK, port 4370."""

    def __init__(self, depot: Depot, transport: Literal["tcp", "udp"]) -> None:
        serial, profile = ("CKUH90001", "zkteco/k40") if transport == "tcp" else ("CKUH90002", "zkteco/iclock260")
        self.terminal = ZkTerminal(serial, transport=transport, zone=depot.zone)
        super().__init__(depot, self.terminal, serial, profile, label=transport.upper(), key="")

    async def give(self, mark: Mark) -> None:
        """A row in its log, and on the line."""
        self.terminal.punch(mark.user, mark.at)


class AnvizStand(PulledStand):
    """Anviz."""

    def __init__(self, depot: Depot) -> None:
        self.terminal = AnvizTerminal("1800020025120099", users=range(1001, 1006), zone=depot.zone, user_size=27)
        super().__init__(depot, self.terminal, self.terminal.serial, "anviz/c2-pro", key="")

    async def give(self, mark: Mark) -> None:
        """A row in its log, and on the line."""
        self.terminal.punch(mark.user, mark.at)


class HanvonStand(PulledStand):
    """Hanvon, with a communication key."""

    def __init__(self, depot: Depot) -> None:
        self.terminal = HanvonTerminal("1101002030099", key="20260101", zone=depot.zone)
        super().__init__(depot, self.terminal, self.terminal.serial, "hanvon/f810", key="20260101")

    async def give(self, mark: Mark) -> None:
        """A row in its log."""
        self.terminal.punch(mark.user, mark.at)


class SupremaStand(PulledStand):
    """A BioStar 2 server with one device."""

    def __init__(self, depot: Depot) -> None:
        self.server = BioStarServer(devices=("541690001",))
        super().__init__(depot, self.server, "541690001", "suprema/biostar-2")

    def second(self, mark: Mark) -> datetime:
        """BioStar counts in UTC."""
        return self.depot.utc(mark.at)

    async def give(self, mark: Mark) -> None:
        """An event of its device."""
        self.server.punch(mark.user, self.depot.utc(mark.at))


class HikvisionStand(PulledStand):
    """Hikvision: search and stream."""

    def __init__(self, depot: Depot) -> None:
        self.terminal = HikvisionTerminal(serial="DS-K1T342MWX20260101V030300ENL90000001")
        super().__init__(depot, self.terminal, self.terminal.serial, "hikvision/ds-k1t342mwx", label="pull")

    async def give(self, mark: Mark) -> None:
        """A row in its log, and in the stream."""
        self.terminal.punch(mark.user, mark.at)


class DahuaStand(PulledStand):
    """Dahua: search and stream."""

    def __init__(self, depot: Depot) -> None:
        self.terminal = DahuaTerminal(serial="6G0ABCDPAJ90001")
        super().__init__(depot, self.terminal, self.terminal.serial, "dahua/asi", label="pull")

    async def give(self, mark: Mark) -> None:
        """A row in its log, and in the stream."""
        self.terminal.punch(mark.user, mark.at)


class ControlIdStand(PulledStand):
    """Control iD, whose monitor wakes the gateway."""

    pushes: ClassVar[bool] = True

    def __init__(self, depot: Depot) -> None:
        serial = "0M0400-090001"
        self.terminal = ControlIdTerminal(serial=serial, monitor=(HOST, depot.ports["controlid"], serial))
        for number in range(1, 6):
            self.terminal.enroll(number, f"{1000 + number}")
        super().__init__(depot, self.terminal, serial, "controlid/idface")

    async def give(self, mark: Mark) -> None:
        """A row in its log under the terminal's own number of the person; a post to the gateway."""
        self.terminal.punch(int(mark.user) - 1000, mark.at)


class AkuvoxStand(PulledStand):
    """Akuvox."""

    def __init__(self, depot: Depot) -> None:
        self.terminal = AkuvoxTerminal("0C:11:05:09:00:01")
        super().__init__(depot, self.terminal, "0C1105090001", "akuvox/x916")

    async def give(self, mark: Mark) -> None:
        """A line of its door log."""
        self.terminal.punch("77", mark.at, user=mark.user)


class TwonStand(PulledStand):
    """2N."""

    def __init__(self, depot: Depot) -> None:
        self.terminal = TwonTerminal("08-1860-9001")
        super().__init__(depot, self.terminal, self.terminal.serial, "2n/verso")
        self.tick()

    def tick(self) -> None:
        """Its clock goes."""
        self.terminal.utc_s = self.depot.utc_s(self.depot.now())

    async def give(self, mark: Mark) -> None:
        """Two events of one session: the card, and who it is."""
        self.terminal.punch(mark.user, self.depot.utc_s(mark.at))


class AxisStand(PulledStand):
    """Axis."""

    def __init__(self, depot: Depot) -> None:
        self.terminal = AxisController("ACCC8E090001")
        super().__init__(depot, self.terminal, self.terminal.serial, "axis/a1601")

    async def give(self, mark: Mark) -> None:
        """A row of its event logger."""
        self.terminal.punch(mark.user, self.depot.utc_s(mark.at))


class MatrixStand(PulledStand):
    """Matrix COSEC, which tells no serial number."""

    def __init__(self, depot: Depot) -> None:
        self.terminal = MatrixTerminal()
        super().__init__(depot, self.terminal, "COSEC-9001", "matrix/cosec-vega")

    async def give(self, mark: Mark) -> None:
        """An event of its ring."""
        self.terminal.punch(mark.user, mark.at)

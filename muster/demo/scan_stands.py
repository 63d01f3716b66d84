"""Scanners, readers and handhelds, and export files, which come by the same ways."""

import asyncio
from typing import ClassVar, Literal

from emulators.handheld import Handheld
from emulators.iot_reader import IotReader
from emulators.llrp import LlrpReader, Seen
from emulators.scanner_hid import HidScanner
from emulators.scanner_serial import SerialScanner
from emulators.scanner_ssi import SsiScanner
from emulators.scanner_tcp import TcpScanner
from muster.demo.depot_broker import connected
from muster.demo.stand import KEY, Depot, Mark, Settings, Stand, address
from muster.stage.installation import HOST

AGAIN_S = 0.3
"""Before a device tries once more."""


class ScanStand(Stand):
    """A scanner: what nobody hears is lost, and each read counts."""

    kind: ClassVar[Literal["terminal", "scanner"]] = "scanner"
    keeps: ClassVar[bool] = False
    repeats: ClassVar[bool] = False


class SerialStand(ScanStand):
    """A scanner on a serial line."""

    def __init__(self, depot: Depot) -> None:
        super().__init__(depot, "SN-9001", "newland/serial", label="live")
        self.scanner = SerialScanner(link=depot.folder / self.serial, suffix=b"\r\n")

    async def start(self) -> None:
        """Make the line."""
        await self.scanner.start()

    async def stop(self) -> None:
        """Take the line away."""
        await self.scanner.stop()

    def settings(self) -> Settings:
        """The line."""
        return {"device": self.scanner.device, "kind": "inbound"}

    async def give(self, mark: Mark) -> None:
        """A read."""
        await self.scanner.scan(mark.code)


class BatchStand(SerialStand):
    """A scanner that keeps its reads and sends the same file again and again."""

    repeats: ClassVar[bool] = True

    def __init__(self, depot: Depot) -> None:
        super().__init__(depot)
        self.serial, self.profile, self.label = "SN-9002", "generic/batch-csv", "batch"
        self.scanner = SerialScanner(link=depot.folder / self.serial)

    async def give(self, mark: Mark) -> None:
        """A read, sent at once with its number and time."""
        await self.scanner.batch([(mark.code, mark.at)])

    async def give_again(self, mark: Mark) -> None:
        """Its line once more."""
        await self.scanner.send_batch(mark.number - 1)


class SsiStand(ScanStand):
    """A Zebra scanner in packet mode."""

    repeats: ClassVar[bool] = True

    def __init__(self, depot: Depot) -> None:
        super().__init__(depot, "SN-9003", "zebra/ssi")
        self.scanner = SsiScanner(depot.folder / self.serial)

    async def start(self) -> None:
        """Make the line."""
        await self.scanner.start()

    async def stop(self) -> None:
        """Take the line away."""
        await self.scanner.stop()

    def settings(self) -> Settings:
        """The line."""
        return {"device": self.scanner.device, "kind": "load"}

    async def give(self, mark: Mark) -> None:
        """A read, sent until it is acknowledged; the acknowledgement of the last one gets lost once."""
        await self.scanner.scan(mark.code)

    async def give_again(self, mark: Mark) -> None:
        """A packet that looks like a repetition of the one before."""
        data = bytes([0x03]) + mark.code.encode()
        self.scanner.send(self.scanner.packet(0xF3, 1, data))


class TcpStand(ScanStand):
    """A scanner on the network, called or calling."""

    pushes: ClassVar[bool] = True

    def __init__(self, depot: Depot, *, calls: bool) -> None:
        serial, label = ("SN-9005", "calls") if calls else ("SN-9004", "called")
        super().__init__(depot, serial, "generic/tcp-scanner", label=label)
        self._calls, self._connected = calls, False
        self.scanner = TcpScanner(gateway_port=depot.ports["scanner_tcp"] if calls else None)

    async def start(self) -> None:
        """Listen; one that calls waits for its first read."""
        if not self._calls:
            await self.scanner.start()

    async def stop(self) -> None:
        """Switch it off."""
        await self.scanner.stop()

    def settings(self) -> Settings:
        """Where it listens; one that calls is known by its address."""
        return {"host": HOST, "kind": "sort"} if self._calls else {**address(self.scanner.port), "kind": "sort"}

    async def give(self, mark: Mark) -> None:
        """A read."""
        while self._calls and not self._connected:
            try:
                await self.scanner.start()
                self._connected = True
            except OSError:
                await asyncio.sleep(AGAIN_S)
        await self.scanner.scan(mark.code)


class HidStand(ScanStand):
    """A scanner that types, as a file of key strokes."""

    def __init__(self, depot: Depot) -> None:
        super().__init__(depot, "SN-9006", "zebra/hid")
        self.scanner = HidScanner(depot.folder / self.serial)

    async def start(self) -> None:
        """Make the file."""
        await self.scanner.start()

    async def stop(self) -> None:
        """Unplug it."""
        await self.scanner.stop()

    def settings(self) -> Settings:
        """The file."""
        return {"device": self.scanner.device, "kind": "inbound"}

    async def give(self, mark: Mark) -> None:
        """Key strokes."""
        self.scanner.scan(mark.code)


class TagStand(ScanStand):
    """A UHF reader; it reports a tag as long as it sees it."""

    repeats: ClassVar[bool] = True

    def code(self, mark: Mark) -> str:
        """The EPC of a parcel: an SGTIN-96 with the parcel's number as its serial number."""
        return f"3035a537c83775400{mark.number:07x}"


class LlrpStand(TagStand):
    """A UHF reader that the gateway calls."""

    def __init__(self, depot: Depot) -> None:
        super().__init__(depot, "RFID-9001", "impinj/speedway-r420")
        self.reader = LlrpReader(keepalive_s=2.0)

    async def start(self) -> None:
        """Listen."""
        await self.reader.start()

    async def stop(self) -> None:
        """Switch it off."""
        await self.reader.stop()

    def settings(self) -> Settings:
        """Where it listens."""
        return {**address(self.reader.port), "kind": "inbound"}

    async def give(self, mark: Mark) -> None:
        """A tag comes into the field."""
        await self.reader.see([Seen(self.code(mark), at_us=self.depot.utc_s(mark.at) * 1_000_000)])


class IotStand(TagStand):
    """A UHF reader that publishes to the depot's broker."""

    waits: ClassVar[bool] = True

    def __init__(self, depot: Depot) -> None:
        super().__init__(depot, "RFID-9002", "zebra/fx9600-iot")
        self.reader = IotReader("fx9600/tags")

    def settings(self) -> Settings:
        """The depot's broker."""
        return {**address(self.depot.broker_port), "topic": self.reader.topic, "kind": "load"}

    async def give(self, mark: Mark) -> None:
        """A tag comes into the field."""
        async with connected(self.depot.broker_port) as client:
            await client.publish(self.reader.topic, self.reader.seen(self.code(mark), self.depot.utc(mark.at)), qos=1)


class HandheldStand(ScanStand):
    """A handheld computer."""

    pushes: ClassVar[bool] = True
    repeats: ClassVar[bool] = True

    def __init__(self, depot: Depot) -> None:
        super().__init__(depot, "PDA-9001", "generic/handheld-http", key=KEY)
        self.handheld = Handheld(self.serial, KEY)

    def settings(self) -> Settings:
        """What its scans mean."""
        return {"kind": "delivered"}

    async def give(self, mark: Mark) -> None:
        """A read, posted until the gateway has it; the last one stays in its memory, as if the answer got lost."""
        self.handheld.waiting.clear()
        self.handheld.scan(mark.code, self.depot.utc(mark.at))
        await self._post()

    async def give_again(self, mark: Mark) -> None:  # noqa: ARG002 - it has not forgotten it
        """The last one once more."""
        await self._post()

    async def _post(self) -> None:
        port = self.depot.ports["handheld_http"]
        while True:
            try:
                if await asyncio.to_thread(self.handheld.post, HOST, port, keep=True) == 200:
                    return
            except OSError:
                pass
            await asyncio.sleep(AGAIN_S)


class FileStand(Stand):
    """A terminal without a network: somebody carries its export over on a stick."""

    def __init__(self, depot: Depot) -> None:
        super().__init__(depot, "CKUH90003", "zkteco/usb-attlog")
        self._folder = depot.folder / "usb"
        self._file = self._folder / f"{self.serial}_attlog.dat"

    async def start(self) -> None:
        """Put the stick in."""
        self._folder.mkdir()

    def settings(self) -> Settings:
        """Where the stick is mounted."""
        return {"folder": str(self._folder)}

    async def give(self, mark: Mark) -> None:
        """A line of the export."""
        with self._file.open("a", newline="") as export:
            export.write(f"{mark.user:>9}\t{mark.at:%Y-%m-%d %H:%M:%S}\t1\t0\t1\t0\r\n")

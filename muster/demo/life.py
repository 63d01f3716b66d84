"""Lets the doors and docks of the sample company speak: earlier days from the logs, the last day as it arrives."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from muster.sample.days import DoorPunch
from muster.sample.history import Sample
from muster.sample.people import DEPOTS
from muster.stage.devices import PullDoor, PushDoor, ScanStation
from muster.stage.ledger import Ledger

DELIVERIES, DOCK = "SN-1902-DELIVERED", "SN-1902-INBOUND"
LIVE_SCAN_S = 2.0
STEP_S = 0.2


class Life:
    """The emulated devices of the company; pull doors are started before a gateway's settings can name their ports."""

    def __init__(self, sample: Sample, zone: str, folder: Path, push_port: int, ledger: Ledger) -> None:
        terminals = sorted({depot.terminal for depot in DEPOTS})
        self.sample = sample
        self.ledger = ledger
        self.pulls = [PullDoor(serial, zone, ledger) for serial in terminals if serial.startswith("CKUH")]
        self.pushes = [PushDoor(serial, push_port, ledger) for serial in terminals if serial.startswith("CQZ")]
        self.deliveries = ScanStation(DELIVERIES, folder / "scanner-deliveries", ledger)
        self.dock = ScanStation(DOCK, folder / "scanner-dock", ledger, suffix=b"\r\n")
        self.doors: list[PullDoor | PushDoor] = [*self.pulls, *self.pushes]
        self._door = {door.serial: door for door in self.doors}
        self._devices: list[PullDoor | PushDoor | ScanStation] = [*self.doors, self.deliveries, self.dock]
        self._scanned = 0

    async def start(self) -> None:
        """Everything up to the day before is in the logs already when the devices are switched on."""
        for punch in self.sample.punches:
            if punch.at.date() < self.sample.day:
                self._punch(punch)
        for parcel in self._delivered(before=True):
            self.deliveries.keep(*parcel)
        for device in self._devices:
            await device.start()

    async def stop(self) -> None:
        """Switch the devices off."""
        for device in self._devices:
            await device.stop()

    async def live(self, day_s: float) -> None:
        """The day in ``day_s`` seconds, its faults and repeats, then parcels at the dock until cancelled."""
        await self._upload(0)
        punches = [punch for punch in self.sample.punches if punch.at.date() == self.sample.day]
        parcels = list(self._delivered(before=False))
        steps = max(1, round(day_s / STEP_S))
        for step in range(steps):
            for punch in _share(punches, step, steps):
                self._punch(punch)
            await self._scan_dock(every=round(LIVE_SCAN_S / STEP_S), step=step)
            await asyncio.sleep(STEP_S)
        first = len(self.deliveries.scanner.batch_file)
        for parcel in parcels:
            self.deliveries.keep(*parcel)
        await self._upload(first)
        await self._go_wrong(first)
        while True:
            await self._scan_dock(every=1, step=0)
            await asyncio.sleep(LIVE_SCAN_S)

    async def _go_wrong(self, first: int) -> None:
        """What happens in every depot: answers get lost, a file is sent twice, power fails, a line is disturbed."""
        await self.pushes[0].repeat(last=5)
        await self.deliveries.upload_again(first)
        self.pulls[0].punch_at_impossible_time("1001")
        await self.dock.noise()

    async def _upload(self, first: int) -> None:
        await self.deliveries.upload(first)

    async def _scan_dock(self, every: int, step: int) -> None:
        if step % every == 0:
            self._scanned += 1
            await self.dock.scan(f"YT{90_000_000_000_00 + self._scanned:013}")

    def _punch(self, punch: DoorPunch) -> None:
        self._door[punch.terminal].punch(punch.user, punch.at, punch.verify, punch.state)

    def _delivered(self, *, before: bool) -> list[tuple[str, datetime]]:
        """Number and time of the parcels delivered before, or on, the day; oldest first."""
        made = [(p.tracking_no, p.delivered) for p in self.sample.parcels if p.delivered is not None]
        return sorted(
            ((number, at) for number, at in made if (at.date() < self.sample.day) is before), key=lambda p: p[1]
        )


def _share(punches: Sequence[DoorPunch], step: int, steps: int) -> Sequence[DoorPunch]:
    """The part of them that belongs to this step; all steps together give each exactly once."""
    return punches[len(punches) * step // steps : len(punches) * (step + 1) // steps]

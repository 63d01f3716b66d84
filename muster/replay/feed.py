"""Recorded data as a company, its devices, and what they give out."""

from contextlib import AsyncExitStack
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from muster.replay.attendance import Attendance
from muster.replay.orders import Order, Orders
from muster.replay.run import Replay
from muster.stage.devices import PullDoor, ScanStation
from muster.stage.installation import HOST, Device, Gateway
from muster.stage.ledger import Ledger
from server.services.company import (
    Company,
    Department,
    Employee,
    PlannedShift,
    RosterDay,
    Shipment,
    Site,
    TerminalUser,
)

SITE, GROUP = "replay", "replay"
DEPARTMENT = Department(id="replay", name_zh="回放", name_en="Replay")
SHIFT = PlannedShift(
    id="replay", name_zh="回放班", name_en="Replay", start="10:00", end="19:00", breaks=(("13:00", "14:00"),)
)
"""Its window of 08:00 to 23:00 holds every punch of the recorded year."""
PULL, BATCH_SCANNER = "zkteco/k40", "generic/batch-csv"
DOOR, HANDOVER, DELIVERY = "REPLAY-DOOR", "REPLAY-HANDOVER", "REPLAY-DELIVERY"
FINGER, WAY_IN, WAY_OUT = 1, 0, 1
DEPOTS = 5


async def attendance_replay(read: Attendance, zone: str, stack: AsyncExitStack) -> Replay:
    """One terminal with everything in its log, switched on; everybody on one roster. ``stack`` switches it off."""
    ledger = Ledger()
    door = PullDoor(DOOR, zone, ledger, log_capacity=max(100_000, 2 * len(read.sides)))
    for side in read.sides:
        door.punch(side.user, side.at, FINGER, WAY_OUT if side.out else WAY_IN)
    await door.start()
    stack.push_async_callback(door.stop)
    first = read.days[0] if read.days else date(2015, 1, 1)
    company = Company(
        sites=(_site(SITE, zone),),
        departments=(DEPARTMENT,),
        shifts=(SHIFT,),
        employees=tuple(_employee(_person(user), SITE, first) for user in read.users),
        terminal_users=tuple(
            TerminalUser(user_group=GROUP, user_code=user, employee=_person(user)) for user in read.users
        ),
        roster=tuple(
            RosterDay(employee=_person(user), date=day, shift=SHIFT.id) for user in read.users for day in read.days
        ),
    )
    device = Device(DOOR, "Replay door", SITE, PULL, GROUP, settings={"host": HOST, "port": door.port, "poll_s": 2.0})
    return Replay(company, Gateway("Replay gateway", SITE, (device,)), _nothing_more, ledger, terminals=(DOOR,))


async def orders_replay(read: Orders, zone: str, folder: Path, stack: AsyncExitStack) -> Replay:
    """A batch scanner for hand-over and one for delivery; their lines are in ``folder``."""
    ledger = Ledger()
    handover = ScanStation(HANDOVER, folder / "handover", ledger)
    delivery = ScanStation(DELIVERY, folder / "delivery", ledger)
    for station in (handover, delivery):
        await station.start()
        stack.push_async_callback(station.stop)
    for order in read.orders:
        if order.handed_over is not None:
            handover.keep(order.number, order.handed_over)
        if order.delivered is not None:
            delivery.keep(order.number, order.delivered)

    async def feed() -> None:
        await handover.upload()
        await delivery.upload()

    devices = tuple(
        Device(
            station.serial, station.serial, SITE, BATCH_SCANNER, GROUP, "scanner",
            settings={"device": station.scanner.device, "kind": kind},
        )
        for station, kind in ((handover, "load"), (delivery, "delivered"))
    )  # fmt: skip
    return Replay(
        _delivery_company(read.orders, zone),
        Gateway("Replay gateway", SITE, devices),
        feed,
        ledger,
        stations=(HANDOVER, DELIVERY),
    )


def depot_of(orders: tuple[Order, ...]) -> dict[str, str]:
    """The depot that a seller stands for: sellers in order of id, dealt out in turn."""
    sellers = sorted({order.seller for order in orders})
    return {seller: f"depot-{number % DEPOTS + 1}" for number, seller in enumerate(sellers)}


def _delivery_company(orders: tuple[Order, ...], zone: str) -> Company:
    """Each depot has one courier who answers for its parcels."""
    depots = depot_of(orders)
    names = sorted(set(depots.values()))
    first = min((order.purchased.date() for order in orders), default=date(2015, 1, 1))
    return Company(
        sites=(_site(SITE, zone), *(_site(name, zone) for name in names)),
        departments=(DEPARTMENT,),
        employees=tuple(_employee(f"courier-{name}", name, first, "courier") for name in names),
        shipments=tuple(
            Shipment(
                tracking_no=order.number,
                site=depots[order.seller],
                courier=f"courier-{depots[order.seller]}",
                promised_on=order.promised_on,
                cancelled_at=_instant(order.purchased, zone) if order.cancelled else None,
            )
            for order in orders
        ),
    )


def _instant(wall: datetime, zone: str) -> datetime:
    return wall.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def _site(name: str, zone: str) -> Site:
    return Site(id=name, name_zh=f"回放 {name}", name_en=f"Replay {name}", zone=zone)


def _employee(id_: str, site: str, joined_on: date, position: str = "replay") -> Employee:
    return Employee(id=id_, name=id_, department=DEPARTMENT.id, site=site, position=position, joined_on=joined_on)


def _person(user: str) -> str:
    return f"replay-{user}"


async def _nothing_more() -> None:
    """The terminal has it all in its log."""

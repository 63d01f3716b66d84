"""The sample company as a file that ``muster server company load`` would take."""

from datetime import date, timedelta

from muster.sample.parcels import Parcel
from muster.sample.people import DEPARTMENTS, DEPOTS, SHIFTS, Person
from server.services.company import (
    Company,
    Department,
    Employee,
    PlannedShift,
    RosterDay,
    Shipment,
    Site,
    TerminalUser,
    User,
)

USER_GROUP = "company"
"""All terminals of the company share their user numbers."""
NEWCOMERS = 2
"""The last of the people have no number yet: their punches wait in the list of unmatched users."""

DEMO_LOGINS = (
    ("admin", "everything / 全部"),
    ("hr", "everybody's attendance and scores / 全员考勤与绩效"),
    ("manager", "the logistics department / 物流发展部"),
    ("employee", "a courier's own day and score / 配送员本人"),
    ("it", "gateways and terminals / 网关与考勤机"),
    ("facilities", "gateways and terminals / 网关与考勤机"),
)


def sample_company(
    people: tuple[Person, ...], days: list[date], parcels: list[Parcel], password: str, zone: str
) -> Company:
    """Everybody on a shift on each of these days; all accounts with one password."""
    return Company(
        sites=tuple(Site(id=depot.id, name_zh=depot.name_zh, name_en=depot.name_en, zone=zone) for depot in DEPOTS),
        departments=tuple(Department(id=id_, name_zh=zh, name_en=en) for id_, zh, en in DEPARTMENTS),
        shifts=tuple(
            PlannedShift(id=id_, name_zh=zh, name_en=en, start=start, end=end, breaks=breaks)
            for id_, zh, en, start, end, breaks in SHIFTS
        ),
        employees=tuple(
            Employee(
                id=person.id,
                name=person.name,
                department=person.department,
                site=person.depot,
                position=person.position,
                joined_on=days[0] - timedelta(days=365),
            )
            for person in people
        ),
        roster=tuple(RosterDay(employee=person.id, date=day, shift=person.shift) for day in days for person in people),
        terminal_users=tuple(
            TerminalUser(user_group=USER_GROUP, user_code=person.number, employee=person.id)
            for person in people[:-NEWCOMERS]
        ),
        shipments=tuple(
            Shipment(tracking_no=p.tracking_no, site=p.depot, courier=p.courier, promised_on=p.promised_on)
            for p in parcels
        ),
        users=_users(people, password),
    )


def _users(people: tuple[Person, ...], password: str) -> tuple[User, ...]:
    hr = next(person for person in people if person.department == "hr")
    manager = next(person for person in people if person.position == "sorter")
    courier = next(person for person in people if person.position == "courier")
    return (
        User(login="admin", name="Administrator", role="administrator", password=password),
        User(login="hr", name=hr.name, role="hr", employee=hr.id, password=password),
        User(
            login="manager", name=manager.name, role="manager", employee=manager.id, departments=("logistics",),
            password=password,
        ),
        User(login="employee", name=courier.name, role="employee", employee=courier.id, password=password),
        User(login="it", name="IT", role="it", password=password),
        User(login="facilities", name="Facilities", role="facilities", password=password),
    )  # fmt: skip

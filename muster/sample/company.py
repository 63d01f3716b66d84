"""The sample company as a file that ``muster server company load`` would take."""

from datetime import date, timedelta

from muster.sample.history import Sample
from muster.sample.people import DEPARTMENTS, DEPOTS, SHIFTS, Person
from muster.sample.story import NEWCOMERS
from server.people.company_file import Flex, SignedContract
from server.services.company import (
    Company,
    Department,
    Employee,
    PlannedShift,
    Shipment,
    Site,
    TerminalUser,
    User,
)

USER_GROUP = "company"
"""All terminals of the company share their user numbers."""
CODES = {"day": "白", "early": "早", "late": "晚"}
FLEXIBLE = PlannedShift(
    id="flex",
    name_zh="弹性班",
    name_en="Flexible",
    start="08:00",
    end="17:00",
    breaks=(("12:00", "13:00"),),
    flex=Flex(earliest="08:00", latest="10:00", span_min=540),
    code="弹",
)
"""Of the designers."""

DEMO_LOGINS = (
    ("admin", "everything / 全部"),
    ("hr", "everybody's attendance and scores / 全员考勤与绩效"),
    ("manager", "the logistics department / 物流发展部"),
    ("employee", "a courier's own day and score / 配送员本人"),
    ("it", "gateways and terminals / 网关与考勤机"),
    ("facilities", "gateways and terminals / 网关与考勤机"),
)


def sample_company(sample: Sample, password: str, zone: str) -> Company:
    """The people with their contracts, numbers and parcels; all accounts with one password. Rosters follow groups."""
    people = sample.people
    joined = {person.id: first_day(sample, number) for number, person in enumerate(people)}
    return Company(
        sites=tuple(Site(id=depot.id, name_zh=depot.name_zh, name_en=depot.name_en, zone=zone) for depot in DEPOTS),
        departments=tuple(Department(id=id_, name_zh=zh, name_en=en) for id_, zh, en in DEPARTMENTS),
        shifts=(
            *(
                PlannedShift(id=id_, name_zh=zh, name_en=en, start=start, end=end, breaks=breaks, code=CODES[id_])
                for id_, zh, en, start, end, breaks in SHIFTS
            ),
            FLEXIBLE,
        ),
        employees=tuple(
            Employee(
                id=person.id,
                name=person.name,
                department=person.department,
                site=person.depot,
                position=person.position,
                joined_on=joined[person.id],
                worked_since=joined[person.id] - timedelta(days=365 * (number % 14)),
            )
            for number, person in enumerate(people)
        ),
        contracts=tuple(_contract(person, joined[person.id]) for person in people),
        terminal_users=tuple(
            TerminalUser(user_group=USER_GROUP, user_code=person.number, employee=person.id)
            for person in people[:-NEWCOMERS]
        ),
        shipments=tuple(
            Shipment(tracking_no=p.tracking_no, site=p.depot, courier=p.courier, promised_on=p.promised_on)
            for p in sample.parcels
        ),
        users=_users(people, password),
    )


def first_day(sample: Sample, number: int) -> date:
    """When that one of the people joined: newcomers just now, the others one to eight years ago."""
    since = sample.days[0].replace(day=1) - timedelta(days=365 + 53 * number)
    return sample.story.begins.get(sample.people[number].id, since)


def _contract(person: Person, joined_on: date) -> SignedContract:
    if person.position == "sorter":
        return SignedContract(
            employee=person.id,
            from_on=joined_on,
            kind="open_ended",
            work_system="comprehensive",
            hours_period="month",
        )
    return SignedContract(employee=person.id, from_on=joined_on, kind="open_ended")


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

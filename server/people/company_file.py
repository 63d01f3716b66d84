"""A company as a JSON file: what it may say, read row by row so that an error names section, row and field.

All sections are optional, and so is every field that has a default here: what is left out stays as it is stored.
Dates are local to the site, times of day HH:MM, instants RFC 3339 with an offset.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

import msgspec
from msgspec import UNSET, UnsetType

from server.people.person import Contract, ContractKind, HoursPeriod, WorkSystem, refuse_contract
from shared.errors import ConfigError, DataError

MOST_SHOWN = 30

Id = Annotated[str, msgspec.Meta(pattern=r"^[^\s\x00-\x1f]([^\x00-\x1f]{0,62}[^\s\x00-\x1f])?$")]
Name = Annotated[str, msgspec.Meta(pattern=r"^[^\x00-\x1f]{1,200}$")]
TimeOfDay = Annotated[str, msgspec.Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Code = Annotated[str, msgspec.Meta(pattern=r"^[^\s\x00-\x1f]{1,4}$")]
Email = Annotated[str, msgspec.Meta(pattern=r"^[^\s@\x00-\x1f]{1,100}@[^\s@\x00-\x1f]{1,150}$")]
Instant = Annotated[datetime, msgspec.Meta(tz=True)]
Role = Literal["administrator", "hr", "manager", "employee", "it", "facilities"]


class _Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row of a section."""


class Department(_Row, frozen=True, kw_only=True):
    """A department; ``parent`` is the one above."""

    id: Id
    name_zh: Name
    name_en: Name
    parent: Id | None = None


class Site(_Row, frozen=True, kw_only=True):
    """A depot or office; ``zone`` is an IANA name such as Asia/Shanghai."""

    id: Id
    name_zh: Name
    name_en: Name
    zone: str


class Flex(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Flexible hours (AR-18): come between two times, stay ``span_min`` minutes."""

    earliest: TimeOfDay
    latest: TimeOfDay
    span_min: Annotated[int, msgspec.Meta(ge=1, le=1440)]


class PlannedShift(_Row, frozen=True, kw_only=True):
    """A shift; an end at or before the start is on the next day. ``code`` is its short name on narrow boards."""

    id: Id
    name_zh: Name
    name_en: Name
    start: TimeOfDay
    end: TimeOfDay
    breaks: tuple[tuple[TimeOfDay, TimeOfDay], ...] = ()
    flex: Flex | UnsetType | None = UNSET
    code: Code | UnsetType | None = UNSET


class Employee(_Row, frozen=True, kw_only=True):
    """A person; ``position`` decides the weights of the scorecard, ``worked_since`` (first job) the annual leave.

    Another department, site or position than before is a change of post as of today.
    """

    id: Id
    name: Name
    department: Id
    site: Id
    position: Name
    joined_on: date
    left_on: date | None = None
    worked_since: date | UnsetType | None = UNSET
    email: Email | UnsetType | None = UNSET


class SignedContract(_Row, frozen=True, kw_only=True):
    """A contract in its basics; ``to_on`` is its last day. It replaces the one of the same first day."""

    employee: Id
    from_on: date
    to_on: date | None = None
    kind: ContractKind
    work_system: WorkSystem = "standard"
    hours_period: HoursPeriod | None = None


class RosterDay(_Row, frozen=True, kw_only=True):
    """Who works when: the rows of an employee and date replace what was planned; ``shift: null`` is a day off."""

    employee: Id
    date: date
    shift: Id | None


class TerminalUser(_Row, frozen=True, kw_only=True):
    """Whose number it is on the terminals of a group; past punches of a new number follow."""

    user_group: Id
    user_code: Id
    employee: Id


class Shipment(_Row, frozen=True, kw_only=True):
    """A parcel and its promise; ``new_promise_at`` is what the customer asked for and replaces the promise."""

    tracking_no: Id
    site: Id
    courier: Id | None = None
    promised_at: Instant | None = None
    promised_on: date | None = None
    new_promise_at: Instant | None = None
    picked_up_at: Instant | None = None
    cancelled_at: Instant | None = None
    force_majeure: bool | None = None


class User(_Row, frozen=True, kw_only=True):
    """An account; a new one needs a password."""

    login: Name
    name: Name
    role: Role
    employee: Id | None = None
    departments: tuple[Id, ...] = ()
    password: str | None = None


class Company(msgspec.Struct, frozen=True, kw_only=True):
    """All sections of a file."""

    departments: tuple[Department, ...] = ()
    sites: tuple[Site, ...] = ()
    shifts: tuple[PlannedShift, ...] = ()
    employees: tuple[Employee, ...] = ()
    contracts: tuple[SignedContract, ...] = ()
    roster: tuple[RosterDay, ...] = ()
    terminal_users: tuple[TerminalUser, ...] = ()
    shipments: tuple[Shipment, ...] = ()
    users: tuple[User, ...] = ()


ROWS: dict[str, type[_Row]] = {
    "departments": Department,
    "sites": Site,
    "shifts": PlannedShift,
    "employees": Employee,
    "contracts": SignedContract,
    "roster": RosterDay,
    "terminal_users": TerminalUser,
    "shipments": Shipment,
    "users": User,
}
_KEYS: dict[str, tuple[str, ...]] = {
    "departments": ("id",),
    "sites": ("id",),
    "shifts": ("id",),
    "employees": ("id",),
    "contracts": ("employee", "from_on"),
    "roster": ("employee", "date", "shift"),
    "terminal_users": ("user_group", "user_code"),
    "shipments": ("tracking_no",),
    "users": ("login",),
}
_REFERENCES: dict[str, tuple[tuple[str, str], ...]] = {
    "departments": (("parent", "departments"),),
    "employees": (("department", "departments"), ("site", "sites")),
    "contracts": (("employee", "employees"),),
    "roster": (("employee", "employees"), ("shift", "shifts")),
    "terminal_users": (("employee", "employees"),),
    "shipments": (("site", "sites"), ("courier", "employees")),
    "users": (("employee", "employees"), ("departments", "departments")),
}
"""Field and the section whose ids it names."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong where; ``row`` counts from 0, as in ``employees[0]``."""

    section: str
    row: int | None
    field: str
    fact: str

    def __str__(self) -> str:
        where = self.section if self.row is None else f"{self.section}[{self.row}]"
        return f"{where}.{self.field}: {self.fact}" if self.field else f"{where}: {self.fact}"


class CompanyError(ConfigError):
    """The file does not fit; nothing of it was loaded."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        more = [f"and {len(problems) - MOST_SHOWN} more"] if len(problems) > MOST_SHOWN else []
        lines = [str(problem) for problem in problems[:MOST_SHOWN]] + more
        super().__init__("nothing was loaded, rows count from 0:\n  " + "\n  ".join(lines))


@dataclass(frozen=True, slots=True)
class Known:
    """Ids that are stored already, by section."""

    departments: frozenset[str] = frozenset()
    sites: frozenset[str] = frozenset()
    shifts: frozenset[str] = frozenset()
    employees: frozenset[str] = frozenset()


def read_company(data: bytes) -> Company:
    """The company in a JSON document; CompanyError lists every row that can not be read."""
    try:
        sections = msgspec.json.decode(data, type=dict[str, list[msgspec.Raw]])
    except msgspec.MsgspecError as error:
        raise CompanyError([Problem("file", None, "", f"{error}; expected an object of lists")]) from error
    problems = [
        Problem(name, None, "", f"unknown section, there are {', '.join(ROWS)}")
        for name in sections
        if name not in ROWS
    ]
    read: dict[str, tuple[Any, ...]] = {}
    for name, kind in ROWS.items():
        rows = []
        for number, raw in enumerate(sections.get(name, ())):
            try:
                rows.append(msgspec.json.decode(raw, type=kind))
            except msgspec.MsgspecError as error:
                problems.append(_unreadable(name, number, str(error)))
        read[name] = tuple(rows)
    if problems:
        raise CompanyError(problems)
    return Company(**read)


def problems_of(company: Company, known: Known) -> list[Problem]:
    """Rows that name what is neither in the file nor stored, say something twice, or make no sense in themselves."""
    ids = {
        section: getattr(known, section) | {row.id for row in getattr(company, section)}
        for section in ("departments", "sites", "shifts", "employees")
    }
    found = []
    for section, key in _KEYS.items():
        seen: set[tuple[object, ...]] = set()
        for number, row in enumerate(getattr(company, section)):
            value = tuple(getattr(row, field) for field in key)
            if value in seen:
                found.append(Problem(section, number, key[-1], "is in the file twice"))
            seen.add(value)
            for field, target in _REFERENCES.get(section, ()):
                found += _unknown(section, number, field, getattr(row, field), target=target, ids=ids[target])
    return found + _senseless(company)


def _unreadable(section: str, number: int, message: str) -> Problem:
    at = re.search(r" - at `\$\.?([^`]*)`$", message)
    return Problem(section, number, at[1] if at else "", message[: at.start()] if at else message)


def _unknown(section: str, number: int, field: str, value: object, *, target: str, ids: Iterable[str]) -> list[Problem]:
    named = value if isinstance(value, tuple) else () if value is None else (value,)
    return [
        Problem(section, number, field, f"{name!r} is not in {target}, neither in the file nor loaded before")
        for name in named
        if name not in ids
    ]


def _senseless(company: Company) -> list[Problem]:
    zones = available_timezones()
    found = [
        Problem("sites", number, "zone", f"{site.zone!r} is no IANA zone such as Asia/Shanghai")
        for number, site in enumerate(company.sites)
        if site.zone not in zones
    ]
    found += [
        Problem("employees", number, "left_on", f"{person.left_on} is before joined_on")
        for number, person in enumerate(company.employees)
        if person.left_on is not None and person.left_on < person.joined_on
    ]
    found += [
        Problem("shifts", number, "breaks", f"{start}-{end} is not inside {shift.start}-{shift.end}")
        for number, shift in enumerate(company.shifts)
        for start, end in shift.breaks
        if not _inside(shift, start, end)
    ]
    found += _bad_contracts(company)
    return found + [
        Problem("users", number, "employee", "the role employee needs one")
        for number, user in enumerate(company.users)
        if user.role == "employee" and user.employee is None
    ]


def _bad_contracts(company: Company) -> list[Problem]:
    found = []
    for number, row in enumerate(company.contracts):
        try:
            refuse_contract(contract_of(row))
        except DataError as error:
            found.append(Problem("contracts", number, "", str(error)))
    return found


def contract_of(row: SignedContract) -> Contract:
    """The contract that a row says."""
    return Contract(row.from_on, row.to_on, row.kind, row.work_system, row.hours_period)


def _inside(shift: PlannedShift, start: str, end: str) -> bool:
    """Whether a break lies in the shift, both maybe across midnight."""
    begin = _minutes(shift.start)
    length = (_minutes(shift.end) - begin) % 1440 or 1440
    from_ = (_minutes(start) - begin) % 1440
    return from_ + ((_minutes(end) - _minutes(start)) % 1440 or 1440) <= length


def _minutes(time: str) -> int:
    return int(time[:2]) * 60 + int(time[3:])

"""People by date, departments, positions, sites, and what changes them."""

import datetime as dt
from typing import Annotated, Literal

from pydantic import Field

from server.api.views.base import Id, NameView, View

NewId = Annotated[str, Field(pattern=r"^[^\s\x00-\x1f]([^\x00-\x1f]{0,62}[^\s\x00-\x1f])?$")]
OptionalId = Annotated[str, Field(pattern=r"^$|^[^\s\x00-\x1f]([^\x00-\x1f]{0,62}[^\s\x00-\x1f])?$")]
Name = Annotated[str, Field(pattern=r"^[^\x00-\x1f]{1,200}$")]
Email = Annotated[str, Field(pattern=r"^[^\s@\x00-\x1f]{1,100}@[^\s@\x00-\x1f]{1,150}$")]
ContractKind = Literal["fixed_term", "open_ended", "project", "part_time", "dispatch", "internship"]
WorkSystem = Literal["standard", "comprehensive", "untimed"]
HoursPeriod = Literal["month", "quarter", "year"]


class PostView(View):
    """Where somebody works as what, from a date on."""

    from_on: dt.date
    department: str
    site: str
    position: str


class ContractView(View):
    """A contract in its basics; ``to_on`` is its last day."""

    from_on: dt.date
    to_on: dt.date | None
    kind: ContractKind
    work_system: WorkSystem
    hours_period: HoursPeriod | None


class NumberView(View):
    """A number on the terminals of a group."""

    user_group: str
    user_code: str


class PersonView(View):
    """Everything about an employee that changes by date."""

    id: str
    name: str
    joined_on: dt.date
    left_on: dt.date | None
    worked_since: dt.date | None
    email: str | None
    today: dt.date
    """At the site."""
    post: PostView
    """In force today."""
    posts: list[PostView]
    """By date; the first holds for the time before it too."""
    contracts: list[ContractView]
    """By date."""
    numbers: list[NumberView]


class SiteView(NameView):
    """A site; no ``calendar`` means the company's."""

    zone: str
    calendar: str | None


class DepartmentView(NameView):
    """A department; ``people`` counts those in it today, without those below it."""

    parent: str | None
    people: int


class OrganisationView(View):
    """What people can be put into."""

    departments: list[DepartmentView]
    positions: list[NameView]
    sites: list[SiteView]
    groups: list[str]
    """Groups of terminals that share user numbers."""
    calendars: list[NameView]


class NewPersonBody(View):
    """Somebody new."""

    id: NewId
    name: Name
    department: Id
    site: Id
    position: Id
    joined_on: dt.date
    worked_since: dt.date | None = None
    email: Email | None = None


class DetailsBody(View):
    """What does not change by date; sent in full."""

    name: Name
    joined_on: dt.date
    left_on: dt.date | None
    worked_since: dt.date | None
    email: Email | None


class PostBody(View):
    """Another post from a date on, until the next one that is known."""

    from_on: dt.date
    department: Id
    site: Id
    position: Id


class FromBody(View):
    """A change of post or a contract, by its first day."""

    from_on: dt.date


class ContractBody(View):
    """A contract; ``instead_of`` is the first day of the one it replaces."""

    from_on: dt.date
    to_on: dt.date | None
    kind: ContractKind
    work_system: WorkSystem
    hours_period: HoursPeriod | None
    instead_of: dt.date | None = None


class ChangedView(View):
    """How many days are computed again."""

    days: int


class NumberBody(View):
    """A number on the terminals of a group."""

    user_group: Id
    user_code: Id


class MoveNumberBody(View):
    """A number that is somebody else's or, without ``to``, nobody's: from a date on, or altogether."""

    user_group: Id
    user_code: Id
    to: Id | None
    from_on: dt.date | None


class DepartmentBody(View):
    """A department and the one above it; an empty id is made from the name."""

    id: OptionalId = ""
    name_zh: Name
    name_en: Name
    parent: Id | None


class PositionBody(View):
    """A position; an empty id is made from the name."""

    id: OptionalId = ""
    name_zh: Name
    name_en: Name


class SiteBody(View):
    """A site; an empty id is made from the name."""

    id: OptionalId = ""
    name_zh: Name
    name_en: Name
    zone: Id
    calendar: Id | None


class IdView(View):
    """What was added or changed."""

    id: str

"""A person by date: posts and contracts, what changes when one of them changes. Dates are local to the site."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise
from typing import Literal, TypeAlias, get_args

from shared.errors import DataError

ContractKind: TypeAlias = Literal["fixed_term", "open_ended", "project", "part_time", "dispatch", "internship"]
WorkSystem: TypeAlias = Literal["standard", "comprehensive", "untimed"]
HoursPeriod: TypeAlias = Literal["month", "quarter", "year"]
Span: TypeAlias = tuple[date, date]
"""First and last date."""

CONTRACT_KINDS: tuple[ContractKind, ...] = get_args(ContractKind)
WORK_SYSTEMS: tuple[WorkSystem, ...] = get_args(WorkSystem)
HOURS_PERIODS: tuple[HoursPeriod, ...] = get_args(HoursPeriod)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Post:
    """Where somebody works as what, from a date on."""

    from_on: date
    department: str
    site: str
    position: str

    @property
    def place(self) -> tuple[str, str, str]:
        """All but the date."""
        return self.department, self.site, self.position


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract in its basics; ``to_on`` is its last day, None for open-ended."""

    from_on: date
    to_on: date | None
    kind: ContractKind
    work_system: WorkSystem
    hours_period: HoursPeriod | None = None
    """Of comprehensive hours (AR-31)."""


@dataclass(frozen=True, slots=True)
class Person:
    """Everything about somebody that changes by date."""

    id: str
    name: str
    joined_on: date
    left_on: date | None
    worked_since: date | None
    email: str | None
    posts: tuple[Post, ...]
    """By date; never empty. The first holds for the time before it too."""
    contracts: tuple[Contract, ...] = ()
    """By date."""

    def post_on(self, day: date) -> Post:
        """The post in force on a date."""
        begun = [post for post in self.posts if post.from_on <= day]
        return begun[-1] if begun else self.posts[0]

    def contract_on(self, day: date) -> Contract | None:
        """The contract in force on a date."""
        return next((c for c in self.contracts if c.from_on <= day and (c.to_on is None or c.to_on >= day)), None)


def with_post(person: Person, post: Post) -> Person:
    """Another post from its date on, until the next one that is known; says nothing twice."""
    others = [one for one in person.posts if one.from_on != post.from_on]
    return replace(person, posts=_without_repeats(sorted([*others, post], key=lambda one: one.from_on)))


def without_post(person: Person, from_on: date) -> Person:
    """As if that change had never been; DataError ``no_such_change`` for the first, and for none."""
    if from_on not in [post.from_on for post in person.posts[1:]]:
        raise DataError(f"{person.id} has no change of post on {from_on} that could go", "no_such_change")
    return replace(person, posts=_without_repeats([post for post in person.posts if post.from_on != from_on]))


def with_first_day(person: Person, joined_on: date) -> Person:
    """Another first day: the first post begins with it where it began with the former one."""
    posts = list(person.posts)
    second = posts[1].from_on if len(posts) > 1 else None
    if posts[0].from_on == person.joined_on and (second is None or joined_on < second):
        posts[0] = replace(posts[0], from_on=joined_on)
    return replace(person, joined_on=joined_on, posts=tuple(posts))


def with_contract(person: Person, contract: Contract, instead_of: date | None = None) -> Person:
    """Another contract, in place of the one from ``instead_of``; DataError ``contract_*`` when it can not be."""
    refuse_contract(contract)
    if instead_of is not None and instead_of not in [one.from_on for one in person.contracts]:
        raise DataError(f"{person.id} has no contract from {instead_of}", "no_such_contract")
    others = [one for one in person.contracts if one.from_on != instead_of]
    contracts = tuple(sorted([*others, contract], key=lambda one: one.from_on))
    for earlier, later in pairwise(contracts):
        if earlier.to_on is None or earlier.to_on >= later.from_on:
            raise DataError(
                f"contracts of {person.id} from {earlier.from_on} and {later.from_on} overlap: end the former first",
                "contract_overlap",
                {"from_on": earlier.from_on.isoformat(), "other_from_on": later.from_on.isoformat()},
            )
    return replace(person, contracts=contracts)


def without_contract(person: Person, from_on: date) -> Person:
    """Without the contract from that date; DataError ``no_such_contract``."""
    if from_on not in [one.from_on for one in person.contracts]:
        raise DataError(f"{person.id} has no contract from {from_on}", "no_such_contract")
    return replace(person, contracts=tuple(one for one in person.contracts if one.from_on != from_on))


def refuse_contract(contract: Contract) -> None:
    """DataError when a contract makes no sense in itself."""
    if contract.to_on is not None and contract.to_on < contract.from_on:
        raise DataError(f"contract ends on {contract.to_on}, before it begins", "contract_ends_first")
    if contract.kind == "fixed_term" and contract.to_on is None:
        raise DataError("a fixed-term contract needs its last day", "contract_needs_end")
    if contract.kind == "open_ended" and contract.to_on is not None:
        raise DataError("an open-ended contract has no last day; choose another kind", "contract_has_end")
    if (contract.hours_period is not None) != (contract.work_system == "comprehensive"):
        raise DataError("comprehensive hours need their period, other systems have none", "contract_hours_period")


def refuse_person(person: Person) -> None:
    """DataError when the dates of a person make no sense."""
    if person.left_on is not None and person.left_on < person.joined_on:
        raise DataError(f"{person.id} leaves on {person.left_on}, before the first day", "left_before_joined")
    if person.worked_since is not None and person.worked_since > person.joined_on:
        raise DataError(f"{person.id} worked since {person.worked_since}, after the first day", "worked_since_late")


# --- what follows from a change -------------------------------------------------------------------------------------


def changed_spans(before: Person, after: Person) -> list[Span]:
    """Dates on which post, contract or belonging to the company differ, as spans in order."""
    bounds = {date.min, *_bounds(before), *_bounds(after)}
    starts = sorted(bounds)
    ends = [*(start - _DAY for start in starts[1:]), date.max]
    found: list[Span] = []
    for start, end in zip(starts, ends, strict=True):
        if _standing(before, start) == _standing(after, start):
            continue
        if found and found[-1][1] + _DAY == start:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found


def months_in(spans: Iterable[Span], months: Iterable[str]) -> list[str]:
    """Those of the months (``YYYY-MM``) that one of the spans reaches, in order."""
    wanted = list(spans)
    found = []
    for month in sorted(months):
        first = date(int(month[:4]), int(month[5:]), 1)
        last = (first + timedelta(days=31)).replace(day=1) - _DAY
        if any(start <= last and end >= first for start, end in wanted):
            found.append(month)
    return found


def within(spans: Iterable[Span], day: date) -> bool:
    """Whether a date is in one of the spans."""
    return any(start <= day <= end for start, end in spans)


def _standing(person: Person, day: date) -> tuple[object, ...]:
    """What attendance and scores ask about a date; nothing of it while somebody is not here."""
    if day < person.joined_on or (person.left_on is not None and day > person.left_on):
        return (False,)
    contract = person.contract_on(day)
    terms = (contract.work_system, contract.hours_period) if contract else ("standard", None)
    return (True, person.post_on(day).place, terms)


def _bounds(person: Person) -> Iterator[date]:
    yield person.joined_on
    if person.left_on is not None:
        yield person.left_on + _DAY
    yield from (post.from_on for post in person.posts)
    for contract in person.contracts:
        yield contract.from_on
        if contract.to_on is not None and contract.to_on < date.max:
            yield contract.to_on + _DAY


def _without_repeats(posts: Sequence[Post]) -> tuple[Post, ...]:
    kept: list[Post] = []
    for post in posts:
        if not kept or kept[-1].place != post.place:
            kept.append(post)
    return tuple(kept)

"""What a row of a file of people asks for, against what is known."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from server.people.person import (
    Contract,
    Person,
    Post,
    changed_spans,
    months_in,
    refuse_person,
    with_contract,
    with_first_day,
    with_post,
)
from server.people.person_rows import Bad, PersonRow, find_department, find_named, path_of
from server.services.people import Number
from server.services.people_changes import local_today
from server.store.post_queries import SiteRow
from shared.clock import WallMs
from shared.errors import DataError, MusterError


class BadRowError(MusterError):
    """A row can not be done."""

    def __init__(self, bad: Sequence[Bad]) -> None:
        super().__init__(", ".join(f"{one.field}: {one.code}" for one in bad))
        self.bad = tuple(bad)


@dataclass(slots=True)
class Known:
    """What is stored, and what rows before asked to be added."""

    people: Mapping[str, Person]
    departments: dict[str, tuple[str | None, str, str]]
    positions: dict[str, tuple[str, str]]
    sites: Mapping[str, SiteRow]
    groups: Mapping[str, Collection[str]]
    """Sites of each group of terminals."""
    numbers: dict[tuple[str, str], str]
    closed: frozenset[str]
    create_missing: bool
    effective_on: date | None
    now_ms: WallMs
    new_departments: list[dict[str, Any]] = field(default_factory=list)
    new_positions: list[dict[str, Any]] = field(default_factory=list)

    def path(self, department: str) -> str:
        """Names from the top, as people write them."""
        steps: list[str] = []
        at: str | None = department
        while at is not None and len(steps) <= len(self.departments):
            parent, name, _ = self.departments[at]
            steps.append(name)
            at = parent
        return "/".join(reversed(steps))

    def mark(self) -> tuple[int, int]:
        """How much was asked to be added."""
        return len(self.new_departments), len(self.new_positions)

    def back_to(self, mark: tuple[int, int]) -> None:
        """Forget what a row asked for that can not be done."""
        for values in self.new_departments[mark[0] :]:
            del self.departments[values["id"]]
        for values in self.new_positions[mark[1] :]:
            del self.positions[values["id"]]
        del self.new_departments[mark[0] :], self.new_positions[mark[1] :]


def plan_row(row: PersonRow, before: Person | None, known: Known) -> tuple[Person, list[Number]]:
    """The person as the row wants them, and numbers they do not have yet; BadRowError with all that is wrong."""
    bad: list[Bad] = []
    place = _place(row, before, known, bad)
    if before is None:
        bad += [Bad(name, "empty") for name in ("name", "joined_on") if getattr(row, name) is None]
    if bad:
        raise BadRowError(bad)
    person = _new(row, place) if before is None else _changed(row, before, place, known)
    try:
        person = _with_contract(row, person, before, known)
        refuse_person(person)
    except DataError as error:
        field_ = "contract_from" if error.code.startswith("contract") else "joined_on"
        raise BadRowError([Bad(field_, error.code, error.parameters)]) from error
    if before is not None and (months := months_in(changed_spans(before, person), known.closed)):
        raise BadRowError([Bad("effective_on", "month_closed", {"month": months[0]})])
    return person, _numbers(row, person, known)


def _new(row: PersonRow, place: Mapping[str, str]) -> Person:
    joined = row.joined_on or date.min
    post = Post(joined, place["department"], place["site"], place["position"])
    return Person(row.id, row.name or "", joined, row.left_on, row.worked_since, row.email, (post,))


def _changed(row: PersonRow, before: Person, place: Mapping[str, str], known: Known) -> Person:
    person = before
    if row.joined_on is not None and row.joined_on != before.joined_on:
        person = with_first_day(person, row.joined_on)
    told = {name: getattr(row, name) for name in ("name", "left_on", "worked_since", "email")}
    person = replace(person, **{name: value for name, value in told.items() if value is not None})
    day = max(_effective(person, known), person.posts[0].from_on)
    now = person.post_on(day)
    wanted = replace(now, from_on=day, **place)
    return person if wanted.place == now.place else with_post(person, wanted)


def _effective(person: Person, known: Known) -> date:
    return known.effective_on or local_today(known.now_ms, known.sites[person.posts[-1].site].zone)


def _with_contract(row: PersonRow, person: Person, before: Person | None, known: Known) -> Person:
    said = (row.contract_kind, row.contract_from, row.contract_to, row.work_system)
    if all(value is None for value in said) and not row.contract_open:
        return person
    current = person.contract_on(_effective(person, known)) if before is not None else None
    begin = row.contract_from or (current.from_on if current else person.joined_on)
    old = next((one for one in person.contracts if one.from_on == begin), None)
    last = None if row.contract_open else row.contract_to or (old.to_on if old else None)
    kind = row.contract_kind or (old.kind if old else "fixed_term" if last else "open_ended")
    if kind == "open_ended" and row.contract_to is None:
        last = None
    model = old or current
    system = row.work_system or ((model.work_system, model.hours_period) if model else ("standard", None))
    contract = Contract(begin, last, kind, *system)
    return person if contract == old else with_contract(person, contract, old.from_on if old else None)


# --- where and what -------------------------------------------------------------------------------------------------


def _place(row: PersonRow, before: Person | None, known: Known, bad: list[Bad]) -> dict[str, str]:
    """Ids of those of department, site and position that the row names; someone new needs all."""
    found: dict[str, str] = {}
    for name, find in (("department", _department), ("site", _site), ("position", _position)):
        text = getattr(row, name)
        if text is None and name == "site" and before is None and len(known.sites) == 1:
            found[name] = next(iter(known.sites))
        elif text is not None:
            try:
                found[name] = find(text, known)
            except BadRowError as error:
                bad += error.bad
        elif before is None:
            bad.append(Bad(name, "empty"))
    return found


def _one(name: str, text: str, ids: Sequence[str]) -> str:
    if len(ids) == 1:
        return ids[0]
    code = f"ambiguous_{name}" if ids else f"unknown_{name}"
    raise BadRowError([Bad(name, code, {"value": text[:80]})])


def _site(text: str, known: Known) -> str:
    return _one("site", text, find_named(text, ((row.id, row.name_zh, row.name_en) for row in known.sites.values())))


def _position(text: str, known: Known) -> str:
    ids = find_named(text, ((name, *names) for name, names in known.positions.items()))
    if not ids and known.create_missing and len(text) <= 64:
        known.positions[text] = (text, text)
        known.new_positions.append({"id": text, "name_zh": text, "name_en": text})
        return text
    return _one("position", text, ids)


def _department(text: str, known: Known) -> str:
    ids = find_department(text, known.departments)
    if not ids and known.create_missing:
        return _new_department(text, known)
    return _one("department", text, ids)


def _new_department(text: str, known: Known) -> str:
    """Add what a path lacks, below the part of it that is there."""
    steps = path_of(text)
    above: str | None = None
    for number, step in enumerate(steps):
        ids = [name for name in find_department("/".join(steps[: number + 1]), known.departments) if name]
        if len(ids) > 1:
            _one("department", text, ids)
        if ids:
            above = ids[0]
            continue
        name, again = step[:50], 1
        while name in known.departments:
            again += 1
            name = f"{step[:50]}-{again}"
        known.departments[name] = (above, step, step)
        known.new_departments.append({"id": name, "parent": above, "name_zh": step, "name_en": step})
        above = name
    if above is None:
        raise BadRowError([Bad("department", "unknown_department", {"value": text[:80]})])
    return above


def _numbers(row: PersonRow, person: Person, known: Known) -> list[Number]:
    """Numbers that the person does not have yet; they are taken for the rows below."""
    found = []
    for text in row.numbers:
        group, _, code = text.rpartition("/")
        if not group:
            at_site = [name for name, places in known.groups.items() if person.posts[-1].site in places]
            groups = list(known.groups) if len(known.groups) == 1 else at_site
            if len(groups) != 1:
                raise BadRowError([Bad("numbers", "number_group", {"value": text[:40]})])
            group = groups[0]
        if group not in known.groups:
            raise BadRowError([Bad("numbers", "unknown_group", {"value": text[:40]})])
        owner = known.numbers.get((group, code))
        if owner not in (None, person.id):
            raise BadRowError([Bad("numbers", "number_taken", {"value": text[:40], "owner": str(owner)})])
        if owner is None:
            found.append(Number(group, code))
    known.numbers.update({(number.user_group, number.user_code): person.id for number in found})
    return found

"""What scores go by: what ships, overlaid with what people published; all of it dated, nothing overwritten (KS-6)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from typing import Annotated, Literal, TypeAlias

import msgspec

from server.scoring.catalogue import Catalogue, default_catalogue
from server.scoring.indicator import Indicator, check_indicators, in_force
from server.scoring.scheme import PeriodWeights, Place, WeightSet, check_sets, sets_between
from server.scoring.season import Delta, Spell, applied, check_spells, weights_over
from shared.errors import DataError

Kind: TypeAlias = Literal["set", "season", "own", "indicator"]
Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


class SetItem(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="set"):
    """Weights of a department or post: the whole set replaces the one before it."""

    set: WeightSet

    @property
    def key(self) -> str:
        """One set for each place and first day."""
        return f"{self.set.department or ''}|{self.set.position or ''}|{self.set.starts}"

    @property
    def first(self) -> date:
        """First day on which it may matter."""
        return self.set.starts


class SeasonItem(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="season"):
    """A season or project with its days, both inclusive."""

    delta: Delta
    first: date
    last: date

    @property
    def key(self) -> str:
        """Another last day replaces the former one."""
        return f"{self.delta.id}|{self.first}"


class OwnItem(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="own"):
    """A change for one person, approved by whoever publishes it."""

    employee: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    delta: Delta
    first: date
    last: date
    reason: Reason

    @property
    def key(self) -> str:
        """Another last day replaces the former one."""
        return f"{self.employee}|{self.delta.id}|{self.first}"


class IndicatorItem(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="indicator"
):
    """A version of an indicator."""

    indicator: Indicator

    @property
    def key(self) -> str:
        """One version for each first day."""
        return f"{self.indicator.id}|{self.indicator.starts}"

    @property
    def first(self) -> date:
        """First day on which it may matter."""
        return self.indicator.starts


Item: TypeAlias = SetItem | SeasonItem | OwnItem | IndicatorItem
Book: TypeAlias = Mapping[tuple[Kind, str], Item]
"""What is published, by kind and key."""

FOREVER = date.max - timedelta(days=1)
"""Last day of what has none."""


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a draft: an item that is new or replaces the one of its key, or None to take that back."""

    kind: Kind
    key: str
    item: Item | None


@dataclass(frozen=True, slots=True)
class Rules:
    """Indicators, sets and changes of weights with their days."""

    catalogue: Catalogue
    seasons: tuple[Spell, ...] = ()
    own: Mapping[str, tuple[Spell, ...]] = field(default_factory=dict)
    """By employee."""
    _known: dict[tuple[Place, date, date], PeriodWeights] = field(default_factory=dict, compare=False, repr=False)
    _defined: dict[tuple[str, date], Indicator | None] = field(default_factory=dict, compare=False, repr=False)

    def definition(self, indicator: str, day: date) -> Indicator | None:
        """The version of an indicator in force on a day."""
        key = indicator, day
        if key not in self._defined:
            self._defined[key] = in_force(self.catalogue.indicators, indicator, day)
        return self._defined[key]

    def weights(self, employee: str, place: Place, first: date, last: date) -> PeriodWeights:
        """Mean of a person's daily weights in a post, with all changes (KS-7)."""
        if own := self.own.get(employee):
            return weights_over(self.catalogue.sets, place, first, last, self.seasons, own)
        key = place, first, last
        if key not in self._known:
            self._known[key] = weights_over(self.catalogue.sets, place, first, last, self.seasons)
        return self._known[key]


def kind_of(item: Item) -> Kind:
    """The word that an item is stored under."""
    match item:
        case SetItem():
            return "set"
        case SeasonItem():
            return "season"
        case OwnItem():
            return "own"
        case IndicatorItem():
            return "indicator"


def put(item: Item) -> Change:
    """A line that adds an item."""
    return Change(kind_of(item), item.key, item)


def book_of(items: Iterable[Item]) -> Book:
    """Items by kind and key."""
    return {(kind_of(item), item.key): item for item in items}


def changed(book: Book, changes: Iterable[Change]) -> Book:
    """The book after a draft."""
    after = dict(book)
    for change in changes:
        if change.item is None:
            after.pop((change.kind, change.key), None)
        else:
            after[change.kind, change.key] = change.item
    return after


def changes_between(before: Book, after: Book) -> tuple[Change, ...]:
    """What makes one book of the other, in order of kind and key."""
    names = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    return tuple(Change(kind, key, after.get((kind, key))) for kind, key in names)


def rules_of(book: Book, defaults: Catalogue | None = None) -> Rules:
    """What ships with a book over it; an item of the place and day of a default stands in its stead."""
    base = defaults or default_catalogue()
    items = list(book.values())
    sets = {(one.department, one.position, one.starts): one for one in base.sets}
    own_sets = [one.set for one in items if isinstance(one, SetItem)]
    sets |= {(one.department, one.position, one.starts): one for one in own_sets}
    indicators = {(one.id, one.starts): one for one in base.indicators}
    found = [one.indicator for one in items if isinstance(one, IndicatorItem)]
    indicators |= {(one.id, one.starts): one for one in found}
    own: dict[str, tuple[Spell, ...]] = {}
    for one in items:
        if isinstance(one, OwnItem):
            own[one.employee] = (*own.get(one.employee, ()), Spell(one.delta, one.first, one.last))
    seasons = tuple(Spell(one.delta, one.first, one.last) for one in items if isinstance(one, SeasonItem))
    return Rules(Catalogue(tuple(indicators.values()), tuple(sets.values())), seasons, own)


def check_rules(rules: Rules, parents: Mapping[str, str | None] | None = None) -> None:
    """DataError with field and reason for weights that do not add up to 100 on some day of somebody, and the like.

    ``parents`` has the department above each.
    """
    tree = _Tree(parents or {})
    catalogue = rules.catalogue
    check_indicators(catalogue.indicators)
    known = {indicator.id for indicator in catalogue.indicators}
    check_sets(catalogue.sets, known)
    for spell in rules.seasons:
        _check_spell(spell, rules, known, tree)
    for number, one in enumerate(rules.seasons):
        for other in rules.seasons[number + 1 :]:
            if tree.related(one.delta.department, other.delta.department):
                _check_meeting(one, other, catalogue.sets)
    for spells in rules.own.values():
        _check_own(spells, rules, known, tree)


def rolled_back(now: Book, then: Book, day: date) -> Book:
    """From ``day`` on everything as it was in ``then``; before it all stays as it is now.

    Versions of indicators that have begun are never taken back: the former definition starts anew on that day.
    """
    eve = day - timedelta(days=1)
    after: dict[tuple[Kind, str], Item] = {}
    again: list[Item] = []
    for name, item in now.items():
        former = then.get(name)
        if former == item:
            after[name] = item
        elif former is not None and _same_but_end(former, item) and _end(item) >= eve:
            after[name] = _ending(item, max(_end(former), eve))
        elif item.first <= eve:
            after[name] = _ending(item, min(_end(item), eve))
    for name, item in then.items():
        if name not in after or (now.get(name) != item and _end(after[name]) < _end(item)):
            again += [] if (one := _from(item, day)) is None else [one]
    after |= book_of(again)
    return after | _former_indicators(after, then, day)


def first_day(changes: Iterable[Change], before: Book) -> date | None:
    """First day on which a draft may change anything: of what it adds, takes back, or ends on another day."""
    days = []
    for change in changes:
        old, new = before.get((change.kind, change.key)), change.item
        if old is not None and new is not None and _same_but_end(old, new):
            days.append(min(_end(old), _end(new)) + timedelta(days=1))
        else:
            days += [one.first for one in (old, new) if one is not None]
    return min(days, default=None)


# --- checks ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Tree:
    """Departments and the one above each."""

    parents: Mapping[str, str | None]

    def upwards(self, department: str) -> tuple[str, ...]:
        """A department and all above it."""
        found, at = [department], self.parents.get(department)
        while at is not None and at not in found:
            found.append(at)
            at = self.parents.get(at)
        return tuple(found)

    def related(self, one: str, other: str) -> bool:
        """Whether somebody may be in both."""
        return one in self.upwards(other) or other in self.upwards(one)

    def sets_of(self, sets: Sequence[WeightSet], department: str) -> list[WeightSet]:
        """Those that people of a department or below it may have: of the nearest department with one for all posts."""
        below = [one for one in self.parents if department in self.upwards(one)]
        found: dict[str, WeightSet] = {}
        for start in (department, *below):
            for place in (*self.upwards(start), None):
                here = [one for one in sets if one.department == place]
                found |= {one.version: one for one in here}
                if any(one.position is None for one in here):
                    break
        return list(found.values())


def _check_meeting(one: Spell, other: Spell, sets: Sequence[WeightSet]) -> None:
    """Two on one set and day are refused; only sets of the days on which both are in force are looked at."""
    first, last = max(one.first, other.first), min(one.last, other.last)
    if first <= last:
        check_spells((one, other), sets_between(sets, first, last))


def _check_own(spells: Sequence[Spell], rules: Rules, known: set[str], tree: _Tree) -> None:
    for number, spell in enumerate(spells):
        for other in spells[number + 1 :]:
            _check_meeting(spell, other, rules.catalogue.sets)
        for one in _check_spell(spell, rules, known, tree):
            weights = {name: Fraction(weight) for name, weight in one.weights.items()}
            for season in rules.seasons:
                near = tree.related(season.delta.department, spell.delta.department)
                if near and season.first <= spell.last and spell.first <= season.last:
                    applied(applied(weights, season.delta), spell.delta)


def _check_spell(spell: Spell, rules: Rules, known: set[str], tree: _Tree) -> list[WeightSet]:
    """The sets that a change works on, each of which can take it."""
    delta = spell.delta
    if not delta.weights:
        raise DataError(f"change of weights {delta.id}: name at least one indicator", *_field("weights"))
    if unknown := set(delta.weights) - known:
        raise DataError(f"change of weights {delta.id}: no indicator {min(unknown)}", *_field("weights"))
    sets = tree.sets_of(sets_between(rules.catalogue.sets, spell.first, spell.last), delta.department)
    fitting = [one for one in sets if delta.applies_to(one.weights)]
    if not fitting:
        message = f"change of weights {delta.id}: no set of {delta.department} has all its indicators"
        raise DataError(message, *_field("department"))
    for one in fitting:
        applied({name: Fraction(weight) for name, weight in one.weights.items()}, delta)
    return fitting


def _field(name: str) -> tuple[str, dict[str, str]]:
    return "weights_change", {"field": name}


# --- ends and beginnings --------------------------------------------------------------------------------------------


def _ending(item: Item, last: date) -> Item:
    """An item with another last day."""
    match item:
        case SetItem():
            return SetItem(set=msgspec.structs.replace(item.set, ends=None if last == FOREVER else last))
        case SeasonItem() | OwnItem():
            return msgspec.structs.replace(item, last=last)
        case IndicatorItem():
            return item


def _from(item: Item, day: date) -> Item | None:
    """An item with that first day at least; None when it ends before, and for indicators."""
    first = max(item.first, day)
    if first > _end(item):
        return None
    match item:
        case SetItem():
            return SetItem(set=msgspec.structs.replace(item.set, starts=first))
        case SeasonItem() | OwnItem():
            return msgspec.structs.replace(item, first=first)
        case IndicatorItem():
            return item if item.first == first else None


def _end(item: Item) -> date:
    match item:
        case SetItem():
            return item.set.ends or FOREVER
        case SeasonItem() | OwnItem():
            return item.last
        case IndicatorItem():
            return FOREVER


def _same_but_end(old: Item, new: Item) -> bool:
    match old, new:
        case SetItem(), SetItem():
            return msgspec.structs.replace(old.set, ends=None) == msgspec.structs.replace(new.set, ends=None)
        case SeasonItem(), SeasonItem():
            return msgspec.structs.replace(old, last=new.last) == new
        case OwnItem(), OwnItem():
            return msgspec.structs.replace(old, last=new.last) == new
        case _:
            return False


def _former_indicators(after: Book, then: Book, day: date) -> dict[tuple[Kind, str], Item]:
    """Definitions that another has replaced by that day, starting anew."""
    present, past = rules_of(after).catalogue.indicators, rules_of(then).catalogue.indicators
    found: dict[tuple[Kind, str], Item] = {}
    for name in sorted({one.id for one in past}):
        old, new = in_force(past, name, day), in_force(present, name, day)
        if old is not None and new is not None and old != new:
            again = IndicatorItem(indicator=msgspec.structs.replace(old, starts=day))
            found["indicator", again.key] = again
    return found

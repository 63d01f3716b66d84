"""What is counted: rows of one fact, chosen, dated and added up. Numerators and denominators are made of parts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Annotated, Literal, TypeAlias

import msgspec

from server.scoring.formula import SUMMED, THOUSAND, Operand, Shapes, Typed, read_operand
from server.scoring.where import Condition, read_condition
from shared.errors import DataError

Window: TypeAlias = Literal["period", "previous", "trailing_90d", "first_month", "last_month", "any"]
"""Which days count for a period: its own, those of the one before, 90 days to its end, its first or last month."""
Text: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, cache_hash=True):
    """Rows of a fact and what becomes of them: counted, added up, or counted once for each key."""

    fact: Text
    date: Text | None = None
    """Operand that puts a row into a window; none with ``window = "any"``."""
    window: Window = "period"
    where: tuple[Text, ...] = ()
    """Conditions on the row, all of them."""
    good: tuple[Text, ...] = ()
    """Further ones for those rows that count, after ``first`` has chosen."""
    person: Text = "employee"
    """Operand that says whose row it is."""
    sum: tuple[Text, ...] = ()
    """Operands that are added up, with ``-`` before it taken off; an empty one adds nothing."""
    rating: tuple[Text, Text, Text] | None = None
    """Value, least and most of its scale: moved to a scale of 1 to 5 and added up."""
    distinct: tuple[Text, ...] = ()
    """Operands that make a key: each key counts once."""
    first: bool = False
    """Of each key only the first row in the window is looked at."""
    days: Annotated[int, msgspec.Meta(ge=0, le=31)] = 0
    """A key counts with rows on so many different days at least."""
    also: "Part | None" = None
    """A key counts when this part has it too, wherever: not bound to the same person or unit."""
    percentile: Literal[50, 90] | None = None
    """The middle value, or the 90th of a hundred, of the one operand in ``sum``."""
    stock: Literal["start", "change"] | None = None
    """Of each key the value before the window, or its change up to the last one; keys without both are left out."""
    times: int = 1
    per_month: bool = False
    """Times the months of the period too."""
    plus: "Part | None" = None
    """Added to it."""
    otherwise: "Part | None" = None
    """Taken instead where a unit has no row of this part and what is added to it."""


class Heads(Part, frozen=True, kw_only=True):
    """Who is behind rows: each key in ``distinct`` once, among rows that are alike in ``apart``; never in a definition.

    Rows without a key are nobody, but rows.
    """

    apart: tuple[Text, ...] = ()
    """Operands within which keys can be compared."""


def without_also(part: Part) -> Part:
    """The part with all its keys, whether the other has them or not."""
    return msgspec.structs.replace(part, also=None)


@dataclass(frozen=True, slots=True)
class Summand:
    """One operand that is added up or taken off."""

    value: Typed
    sign: int


@dataclass(frozen=True, slots=True)
class ReadPart:
    """A part whose texts have been read against the fields of its fact."""

    part: Part
    date: Typed | None
    where: tuple[Condition, ...]
    good: tuple[Condition, ...]
    person: Operand
    sum: tuple[Summand, ...]
    rating: tuple[Operand, Operand, Operand] | None
    distinct: tuple[Operand, ...]
    also: "ReadPart | None"
    apart: tuple[Operand, ...] = ()

    def __hash__(self) -> int:
        """Of what nearly always tells parts apart: it is asked for many times after every event."""
        return hash((self.part, self.date))

    @property
    def parts_of_one(self) -> int:
        """How many make a whole: sums of numbers with decimals are in thousandths."""
        return THOUSAND if any(summand.value.kind == "thousandths" for summand in self.sum) else 1

    def factor(self, months: int) -> int:
        """What the part is multiplied with in a period of so many months."""
        return self.part.times * (months if self.part.per_month else 1)


@dataclass(frozen=True, slots=True)
class Counted:
    """What a part came to for a unit."""

    total: Fraction = Fraction(0)
    rows: int = 0
    """Rows, or keys, behind it."""
    apart: Mapping[str, int] = field(default_factory=dict, hash=False)
    """Of ``Heads`` the different keys, by what keeps them apart."""


def read_part(part: Part, shapes: Shapes) -> ReadPart:
    """The part with everything in it understood; DataError names the field and the reason."""
    shape = shapes.get(part.fact)
    if shape is None:
        raise DataError(f"no fact {part.fact!r}; there are {', '.join(sorted(shapes))}", "part_fact")
    date = None if part.date is None else read_operand(part.date, shape)
    if (date is None) != (part.window == "any"):
        raise DataError(f"{part.fact}: window {part.window!r} and date {part.date!r} do not go together", "part_date")
    if date is not None and date.kind not in ("day", "instant", "month"):
        raise DataError(f"{part.fact}: {part.date!r} is no date", "part_date")
    person = read_operand(part.person, shape)
    if person.kind != "text":
        raise DataError(f"{part.fact}: {part.person!r} is nobody", "part_person")
    found = ReadPart(
        part,
        date,
        tuple(read_condition(text, shape) for text in part.where),
        tuple(read_condition(text, shape) for text in part.good),
        person.operand,
        tuple(_summand(text, shapes, part.fact) for text in part.sum),
        _rating(part, shapes),
        tuple(read_operand(text, shape).operand for text in part.distinct),
        None if part.also is None else read_part(part.also, shapes),
        tuple(read_operand(text, shape).operand for text in part.apart) if isinstance(part, Heads) else (),
    )
    _check(found)
    return found


def together(part: Part) -> Iterator[Part]:
    """The part and what is added to it."""
    yield part
    if part.plus is not None:
        yield from together(part.plus)


def alternatives(part: Part) -> Iterator[tuple[Part, ...]]:
    """The part, with what is added to it, and then what is taken instead."""
    yield tuple(together(part))
    if part.otherwise is not None:
        yield from alternatives(part.otherwise)


def _summand(text: str, shapes: Shapes, fact: str) -> Summand:
    value = read_operand(text.removeprefix("-").strip(), shapes[fact])
    if value.kind not in SUMMED:
        raise DataError(f"{fact}: {text!r} is no number", "part_sum")
    return Summand(value, -1 if text.startswith("-") else 1)


def _rating(part: Part, shapes: Shapes) -> tuple[Operand, Operand, Operand] | None:
    if part.rating is None:
        return None
    value, least, most = (read_operand(text, shapes[part.fact]) for text in part.rating)
    if {value.kind, least.kind, most.kind} != {"thousandths"}:
        raise DataError(f"{part.fact}: a rating needs numbers", "part_rating")
    return value.operand, least.operand, most.operand


def _check(found: ReadPart) -> None:
    part = found.part
    ways = [bool(part.sum), part.rating is not None, bool(part.distinct) and part.stock is None]
    if sum(ways) > 1:
        raise DataError(f"{part.fact}: expected one of sum, rating and distinct", "part_way")
    if (part.percentile or part.stock) and len(part.sum) != 1:
        raise DataError(f"{part.fact}: expected one operand in sum", "part_sum")
    if part.stock and not (part.distinct and part.date):
        raise DataError(f"{part.fact}: a stock needs a key in distinct and a date", "part_key")
    if len({summand.value.kind for summand in found.sum}) > 1:
        raise DataError(f"{part.fact}: expected numbers of one kind to add up", "part_sum")
    if not part.distinct and (part.first or part.days or part.also is not None):
        raise DataError(f"{part.fact}: first, days and also need a key in distinct", "part_key")
    if part.also is not None and (part.also.fact != part.fact or len(part.also.distinct) != len(part.distinct)):
        raise DataError(f"{part.fact}: also needs the same fact and as many keys", "part_key")

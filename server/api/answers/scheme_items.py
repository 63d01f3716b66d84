"""Lines of schemes between pages and the rules: bodies are read once here, items become views."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import msgspec

from server.api.views.schemes import (
    SchemeChange,
    SchemeDiffView,
    SchemeEntryView,
    SchemeIndicatorView,
    SchemeItem,
    SchemeOwnView,
    SchemeSeasonView,
    SchemeSetView,
    SchemeTakenBackView,
)
from server.scoring.indicator import Indicator
from server.scoring.numbers import decimal_text
from server.scoring.rules import (
    Book,
    Change,
    IndicatorItem,
    Item,
    OwnItem,
    Rules,
    SeasonItem,
    SetItem,
    changed,
    put,
    rules_of,
)
from server.scoring.scheme import PeriodWeights, Place, WeightSet
from server.scoring.season import Delta
from shared.errors import DataError

WEIGHT_PLACES = 4
SOURCE = "written on a page"
_PATH = re.compile(r"`\$\.?(.*)`")


def read_changes(bodies: Iterable[SchemeChange]) -> list[Change]:
    """Lines of a draft; DataError for two of one key, and for a definition that is none."""
    changes = [_change(body) for body in bodies]
    if len({(one.kind, one.key) for one in changes}) < len(changes):
        raise DataError("two lines of the draft are about the same set, season or version", "scheme_twice")
    return changes


def read_definition(definition: Mapping[str, Any]) -> Indicator:
    """An indicator from the fields of a definition file; DataError ``indicator_invalid`` with the field."""
    try:
        return msgspec.convert(dict(definition), Indicator, strict=False)
    except (msgspec.ValidationError, ValueError) as error:
        path = found[1] if (found := _PATH.search(str(error))) else ""
        raise DataError(f"indicator: {error}", "indicator_invalid", {"field": path, "reason": str(error)}) from error


def definition_of(indicator: Indicator) -> dict[str, Any]:
    """The fields of a definition file."""
    found: dict[str, Any] = msgspec.to_builtins(indicator)
    return found


def item_view(item: Item) -> SchemeItem:
    """An item as pages see it."""
    match item:
        case SetItem(set=one):
            return SchemeSetView.model_validate(one)
        case SeasonItem(delta=delta, first=first, last=last):
            return SchemeSeasonView(**_delta_fields(delta), first=first, last=last)
        case OwnItem(employee=employee, delta=delta, first=first, last=last, reason=reason):
            fields = _delta_fields(delta)
            return SchemeOwnView(**fields, employee=employee, first=first, last=last, reason=reason)
        case IndicatorItem(indicator=indicator):
            return SchemeIndicatorView(definition=definition_of(indicator))


def entry(item: Item, book: Book) -> SchemeEntryView:
    """An item with its key."""
    change = put(item)
    return SchemeEntryView(key=change.key, ships=book.get((change.kind, change.key)) != item, item=item_view(item))


def diff(before: Book, changes: Sequence[Change], above: Mapping[str, tuple[str, ...]]) -> list[SchemeDiffView]:
    """Each line with what it replaces, and what becomes of the weights of its place."""
    now, then = rules_of(before), rules_of(changed(before, changes))
    found = []
    for change in changes:
        old = before.get((change.kind, change.key))
        weights = _weights(change.item or old, now, then, above)
        found.append(
            SchemeDiffView(
                kind=change.kind,
                key=change.key,
                before=None if old is None else item_view(old),
                after=None if change.item is None else item_view(change.item),
                weights_before=weights[0],
                weights_after=weights[1],
            )
        )
    return found


def shares(weights: PeriodWeights) -> dict[str, str]:
    """Per cent of each indicator, heaviest first."""
    found = {name: Fraction(100 * weight, weights.denominator) for name, weight in weights.weights.items()}
    return {
        name: decimal_text(weight, WEIGHT_PLACES)
        for name, weight in sorted(found.items(), key=lambda one: (-one[1], one[0]))
    }


def _weights(
    item: Item | None, now: Rules, then: Rules, above: Mapping[str, tuple[str, ...]]
) -> tuple[dict[str, str], dict[str, str]]:
    match item:
        case SetItem(set=one):
            place, day, who = Place(one.position or "", above.get(one.department or "", ())), one.starts, ""
        case SeasonItem(delta=delta, first=day):
            place, who = Place("", above.get(delta.department, (delta.department,))), ""
        case OwnItem(employee=who, delta=delta, first=day):
            place = Place("", above.get(delta.department, (delta.department,)))
        case _:
            return {}, {}
    return shares(now.weights(who, place, day, day)), shares(then.weights(who, place, day, day))


def _change(body: SchemeChange) -> Change:
    match body:
        case SchemeTakenBackView():
            return Change(body.of, body.key, None)
        case SchemeSetView():
            told = body.model_dump(exclude={"kind", "id"})
            name = body.id or _new_id(body.department or "", body.position or "")
            return put(SetItem(set=WeightSet(id=name, source=SOURCE, **told)))
        case SchemeSeasonView():
            return put(SeasonItem(delta=_delta(body), first=body.first, last=body.last))
        case SchemeOwnView():
            item = OwnItem(
                employee=body.employee, delta=_delta(body), first=body.first, last=body.last, reason=body.reason
            )
            return put(item)
        case SchemeIndicatorView():
            return put(IndicatorItem(indicator=read_definition(body.definition)))


def _delta(body: SchemeSeasonView | SchemeOwnView) -> Delta:
    return Delta(
        id=body.id or _new_id(body.name_zh, body.name_en, str(body.first)),
        name_zh=body.name_zh,
        name_en=body.name_en,
        department=body.department,
        weights=body.weights,
        source=SOURCE,
    )


def _delta_fields(delta: Delta) -> dict[str, Any]:
    return {
        "id": delta.id,
        "name_zh": delta.name_zh,
        "name_en": delta.name_en,
        "department": delta.department,
        "weights": delta.weights,
    }


def _new_id(*parts: str) -> str:
    """An id for something that has names alone: readable where it can be, the same for the same names."""
    plain = re.sub(r"[^a-z0-9]+", "_", "_".join(parts).casefold()).strip("_")[:40]
    digest = hashlib.sha256("|".join(parts).encode()).hexdigest()[:8]
    return f"own_{plain}_{digest}" if plain else f"own_{digest}"

"""Drafts of schemes as files: sets, seasons and definitions in the TOML that ships, seasons with their days."""

from datetime import date

import msgspec

from server.scoring.indicator import Id, Indicator
from server.scoring.rules import Change, IndicatorItem, OwnItem, Reason, SeasonItem, SetItem, put
from server.scoring.scheme import Weight, WeightSet
from server.scoring.season import Delta, Department
from shared.errors import DataError


class _Season(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: Id
    name_zh: str
    name_en: str
    department: Department
    weights: dict[Id, Weight]
    first: date
    last: date
    source: str = "file"

    @property
    def delta(self) -> Delta:
        told = {name: getattr(self, name) for name in ("id", "name_zh", "name_en", "department", "weights", "source")}
        return Delta(**told)


class _Own(_Season, frozen=True, kw_only=True, forbid_unknown_fields=True):
    employee: str
    reason: Reason


class _Draft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    set: tuple[WeightSet, ...] = ()
    season: tuple[_Season, ...] = ()
    own: tuple[_Own, ...] = ()
    indicator: tuple[Indicator, ...] = ()


def read_draft(toml: bytes) -> list[Change]:
    """Lines of a draft from a TOML document; DataError says what is wrong where. What they mean is checked later."""
    try:
        found = msgspec.toml.decode(toml, type=_Draft, strict=True)
    except (msgspec.MsgspecError, ValueError) as error:
        raise DataError(f"draft: {error}", "draft_file") from error
    changes = [
        *(put(SetItem(set=one)) for one in found.set),
        *(put(SeasonItem(delta=one.delta, first=one.first, last=one.last)) for one in found.season),
        *(
            put(OwnItem(employee=one.employee, delta=one.delta, first=one.first, last=one.last, reason=one.reason))
            for one in found.own
        ),
        *(put(IndicatorItem(indicator=one)) for one in found.indicator),
    ]
    if not changes:
        raise DataError("draft: expected [[set]], [[season]], [[own]] or [[indicator]] tables", "draft_file")
    return changes

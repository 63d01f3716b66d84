"""What a check of a roster can find: the codes, how much they weigh, and where they come from."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Level: TypeAlias = Literal["conflict", "warning", "advice"]
"""A conflict can not be saved, a warning only by who accepts it, an advice by anybody."""


@dataclass(frozen=True, slots=True)
class CheckCode:
    """One thing that may be found."""

    code: str
    level: Level
    params: tuple[str, ...]
    source: str


CODES: tuple[CheckCode, ...] = (
    CheckCode("month_closed", "conflict", ("month",), "AR-34"),
    CheckCode("not_employed", "conflict", ("joined_on", "left_on"), ""),
    CheckCode("unknown_shift", "conflict", ("shift",), ""),
    CheckCode("retired_shift", "conflict", ("shift",), ""),
    CheckCode("shift_twice", "conflict", ("shift",), ""),
    CheckCode("overlap", "conflict", ("shift", "other", "other_date"), "AR-8"),
    CheckCode("order_unclear", "conflict", ("shift", "other", "other_date"), "AR-8, AR-18"),
    CheckCode("day_over_8h", "warning", ("minutes", "limit"), "劳动法 36"),
    CheckCode("week_over_40h", "warning", ("minutes", "limit", "from"), "国务院令第 174 号"),
    CheckCode("week_over_44h", "warning", ("minutes", "limit", "from"), "劳动法 36"),
    CheckCode("part_time_over_24h", "warning", ("minutes", "limit", "from"), "劳动合同法 68"),
    CheckCode("no_weekly_rest", "warning", ("days", "from", "to"), "劳动法 38"),
    CheckCode("seven_days_in_a_row", "warning", ("days", "from", "to"), "AR-30"),
    CheckCode("statutory_work", "warning", ("holiday", "shift"), "劳动法 40, AR-28"),
    CheckCode("short_rest", "advice", ("minutes", "limit", "other", "other_date"), ""),
)
BY_CODE = {one.code: one for one in CODES}

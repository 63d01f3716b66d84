"""Kinds of leave: what a fresh installation starts with, and what makes one unusable."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

from server.requests.balance import CarryOver
from shared.errors import DataError

Balance: TypeAlias = Literal["none", "granted", "annual", "comp"]
"""Where the right to it comes from: nowhere, the ledger, the years of work, or banked overtime (AR-27)."""
BALANCES: tuple[Balance, ...] = get_args(Balance)
DAY_MIN = 480
"""Minutes of a day of leave in grants."""

_ID = re.compile(r"[a-z][a-z0-9_]{0,39}")
_MONTH_DAY = re.compile(r"(0[13578]|1[02])-(0[1-9]|[12]\d|3[01])|(0[469]|11)-(0[1-9]|[12]\d|30)|02-(0[1-9]|1\d|2[0-8])")


@dataclass(frozen=True, slots=True)
class LeaveType:
    """A kind of leave; ``unit_min`` is the smallest step, from ``file_from_min`` minutes on a document is needed."""

    id: str
    name_zh: str
    name_en: str
    paid: bool
    balance: Balance = "none"
    unit_min: int = 60
    file_from_min: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    """``carry_until`` (MM-DD), ``carry_most_min`` of annual leave; ``expires_months`` of banked overtime."""
    retired: bool = False

    @property
    def carry_over(self) -> CarryOver | None:
        """What goes over into the next year; None: nothing."""
        until = self.settings.get("carry_until")
        return None if until is None else CarryOver(until, self.settings.get("carry_most_min"))

    @property
    def expires_months(self) -> int | None:
        """How long banked minutes can be taken; None: for good."""
        return self.settings.get("expires_months")


DEFAULT_TYPES: tuple[LeaveType, ...] = (
    LeaveType(
        "annual",
        "年假",
        "Annual leave",
        True,
        "annual",
        settings={"carry_until": "03-31", "carry_most_min": 5 * DAY_MIN},
    ),
    LeaveType("comp", "调休", "Compensatory leave", True, "comp", 30, settings={"expires_months": None}),
    LeaveType("sick", "病假", "Sick leave", True, file_from_min=2 * DAY_MIN),
    LeaveType("personal", "事假", "Personal leave", False),
    LeaveType("marriage", "婚假", "Marriage leave", True, unit_min=DAY_MIN, file_from_min=1),
    LeaveType("maternity", "产假", "Maternity leave", True, unit_min=DAY_MIN, file_from_min=1),
    LeaveType("paternity", "陪产假", "Paternity leave", True, unit_min=DAY_MIN, file_from_min=1),
    LeaveType("bereavement", "丧假", "Bereavement leave", True, unit_min=DAY_MIN),
    LeaveType("injury", "工伤假", "Work injury leave", True, unit_min=DAY_MIN, file_from_min=1),
    LeaveType("parental", "育儿假", "Parental leave", True, "granted", unit_min=DAY_MIN // 2),
)
"""Lengths that provinces set (marriage, maternity, parental ...) are granted or decided by people, not assumed here."""

SETTINGS: Mapping[Balance, frozenset[str]] = {
    "none": frozenset(),
    "granted": frozenset(),
    "annual": frozenset({"carry_until", "carry_most_min"}),
    "comp": frozenset({"expires_months"}),
}


def check_type(leave: LeaveType) -> None:
    """DataError ``bad_leave_type`` with the field at fault."""
    for name, right, expected in (
        ("id", _ID.fullmatch(leave.id), "small letters, digits and _"),
        ("name_zh", leave.name_zh.strip(), "a name"),
        ("name_en", leave.name_en.strip(), "a name"),
        ("unit_min", 1 <= leave.unit_min <= DAY_MIN, f"1 to {DAY_MIN} minutes"),
        ("file_from_min", leave.file_from_min is None or leave.file_from_min >= 0, "0 or more minutes, or none"),
        ("settings", set(leave.settings) <= SETTINGS[leave.balance], f"of {sorted(SETTINGS[leave.balance])}"),
        ("settings", _settings_right(leave.settings), "carry_until MM-DD, whole numbers of 0 or more"),
    ):
        if not right:
            raise DataError(f"leave type {leave.id!r}, {name}: expected {expected}", "bad_leave_type", {"field": name})


def _settings_right(settings: Mapping[str, Any]) -> bool:
    until = settings.get("carry_until")
    numbers = (settings.get("carry_most_min"), settings.get("expires_months"))
    right = all(number is None or (type(number) is int and 0 <= number <= 1_000_000) for number in numbers)
    return right and (until is None or (isinstance(until, str) and _MONTH_DAY.fullmatch(until) is not None))

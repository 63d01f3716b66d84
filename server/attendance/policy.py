"""What a company may set about attendance; the defaults are those of the rules, section 4."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Pairing: TypeAlias = Literal["first_last", "alternating", "directional"]
OvertimeMode: TypeAlias = Literal["intersect", "punch", "approval"]
WorkSystem: TypeAlias = Literal["standard", "comprehensive", "untimed"]


@dataclass(frozen=True, slots=True)
class ClockPolicy:
    """How far a terminal's clock may be off before a punch is corrected (AR-3) or held (AR-3, AR-4)."""

    drift_tol_s: int = 30
    drift_max_s: int = 3_600
    future_tol_s: int = 300


@dataclass(frozen=True, slots=True)
class LateLeave:
    """AR-19: who leaves at or after ``after`` (HH:MM) may come ``shift_min`` minutes late on the next date.

    A time before noon is in the night that follows the attendance date.
    """

    after: str
    shift_min: int


@dataclass(frozen=True, slots=True)
class Policy:
    """Settings of one computation; ``*_min`` are minutes, ``*_s`` seconds."""

    clock: ClockPolicy = ClockPolicy()
    system: WorkSystem = "standard"
    window_before_min: int = 120
    window_after_min: int = 240
    dedup_s: int = 60
    pairing: Pairing = "first_last"
    min_pair_gap_min: int = 30
    contiguous_gap_min: int = 30
    late_grace_min: int = 0
    early_grace_min: int = 0
    late_leave: LateLeave | None = None
    in_round_min: int = 0
    out_round_min: int = 0
    ot_mode: OvertimeMode = "intersect"
    ot_before: bool = False
    ot_gap_min: int = 0
    ot_min_min: int = 30
    ot_round_min: int = 30
    day_ot_limit_min: int = 180
    month_ot_limit_min: int = 2_160
    restday_breaks: tuple[tuple[str, str], ...] = (("12:00", "13:00"),)
    untimed_statutory_ot: bool = False
    unverified_punches: Literal["wait", "accept", "refuse"] = "wait"
    """AR-41: what becomes of a phone punch of time grade C before anybody decided."""


DEFAULT = Policy()

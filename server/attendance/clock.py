"""When a punch really happened, given what its terminal's clock was off by (AR-3, AR-4)."""

from dataclasses import dataclass
from typing import Literal

from server.attendance.policy import DEFAULT, ClockPolicy
from shared.clock import CLOCK_SUSPECT_BEFORE_S, WallMs

_SECOND_MS = 1_000
_WIDEST_OFFSET_MS = 14 * 3_600 * _SECOND_MS
_RESET_BEFORE_MS = CLOCK_SUSPECT_BEFORE_S * _SECOND_MS - _WIDEST_OFFSET_MS
"""Earlier than this, the terminal's wall clock showed a year before 2015 in every zone."""


@dataclass(frozen=True, slots=True)
class Judged:
    """``true_ms`` is None while a rule holds the punch until a person decides; both times stay stored."""

    true_ms: WallMs | None
    held: Literal["AR-3", "AR-4"] | None = None
    corrected: bool = False


def judge_clock(
    at_ms: WallMs, drift_ms: int | None, received_ms: WallMs | None, policy: ClockPolicy = DEFAULT.clock
) -> Judged:
    """Correct or hold a punch; ``drift_ms`` is terminal minus server clock, None when it was never read.

    A clock that was reset (before 2015) is further off than AR-3 allows, whether anybody read its drift or not.
    """
    off_ms = drift_ms or 0
    if at_ms < _RESET_BEFORE_MS or abs(off_ms) > policy.drift_max_s * _SECOND_MS:
        return Judged(None, held="AR-3")
    corrected = abs(off_ms) > policy.drift_tol_s * _SECOND_MS
    true_ms = at_ms - off_ms if corrected else at_ms
    if received_ms is not None and true_ms > received_ms + policy.future_tol_s * _SECOND_MS:
        return Judged(None, held="AR-4")
    return Judged(true_ms, corrected=corrected)

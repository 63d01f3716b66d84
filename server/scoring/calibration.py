"""Points that a manager adds or takes, with a reason and a second approval (KS-10)."""

from dataclasses import dataclass

from server.scoring.numbers import CentiPoints
from shared.errors import DataError

MOST: CentiPoints = 10_00
HIGHEST: CentiPoints = 120_00


@dataclass(frozen=True, slots=True)
class Calibration:
    """An approved adjustment, kept apart from the computed total; DataError says which field is wrong and why."""

    points: CentiPoints
    reason: str
    proposed_by: str
    approved_by: str

    def __post_init__(self) -> None:
        if abs(self.points) > MOST:
            raise self._refusal("points", f"{self.points} hundredths, expected -{MOST} to {MOST}")
        if not self.reason.strip():
            raise self._refusal("reason", "say why the total is changed")
        if not self.approved_by or self.approved_by == self.proposed_by:
            raise self._refusal("approved_by", "expected a second person's approval")

    @staticmethod
    def _refusal(field: str, why: str) -> DataError:
        return DataError(f"calibration {field}: {why}", "calibration", {"field": field})


def calibrated(centi: CentiPoints, calibration: Calibration | None) -> CentiPoints:
    """The total with its adjustment, between 0 and 120 points."""
    return min(max(centi + calibration.points, 0), HIGHEST) if calibration else centi

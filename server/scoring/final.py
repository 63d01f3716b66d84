"""The published score: total, then calibration, then veto, then grade (KS-9, KS-10, KS-13)."""

from collections.abc import Iterable
from dataclasses import dataclass

from server.scoring.calibration import Calibration, calibrated
from server.scoring.numbers import CentiPoints
from server.scoring.scorecard import Grade, Total, grade
from server.scoring.veto import Veto, limited


@dataclass(frozen=True, slots=True)
class Final:
    """What is published, beside the total that was computed and what a person added to it."""

    computed: Total
    calibration: Calibration | None
    centi: CentiPoints | None
    """None without a total: there is nothing to adjust or limit."""
    grade: Grade | None


def final(computed: Total, calibration: Calibration | None = None, vetoes: Iterable[Veto] = ()) -> Final:
    """The veto comes last, so that no calibration lifts a score above its cap."""
    if computed.centi is None:
        return Final(computed, calibration, None, None)
    centi = limited(calibrated(computed.centi, calibration), vetoes)
    return Final(computed, calibration, centi, grade(centi))

"""What a company may set about attendance; the defaults are those of the rules, section 4."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Pairing: TypeAlias = Literal["first_last", "alternating", "directional"]


@dataclass(frozen=True, slots=True)
class ClockPolicy:
    """How far a terminal's clock may be off before a punch is corrected (AR-3) or held (AR-3, AR-4)."""

    drift_tol_s: int = 30
    drift_max_s: int = 3_600
    future_tol_s: int = 300


@dataclass(frozen=True, slots=True)
class Policy:
    """Settings of one computation; ``*_min`` are minutes, ``*_s`` seconds."""

    clock: ClockPolicy = ClockPolicy()
    window_before_min: int = 120
    window_after_min: int = 240
    dedup_s: int = 60
    pairing: Pairing = "first_last"
    min_pair_gap_min: int = 30
    late_grace_min: int = 0
    early_grace_min: int = 0


DEFAULT = Policy()

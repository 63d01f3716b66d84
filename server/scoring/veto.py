"""Confirmed grave events limit a total (KS-9). They never end an employment: that a person decides elsewhere."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from server.scoring.numbers import CentiPoints
from shared.errors import DataError

VetoKind: TypeAlias = Literal["fraud", "tax_penalty", "safety_accident", "data_leak"]

DEFAULT_CAP: CentiPoints = 60_00


@dataclass(frozen=True, slots=True)
class Veto:
    """One confirmed event; DataError without evidence, or with a cap that is no score."""

    kind: VetoKind
    evidence: str
    """Where it can be looked up, for the person concerned as well: an appeal begins there."""
    cap: CentiPoints = DEFAULT_CAP

    def __post_init__(self) -> None:
        if not self.evidence.strip():
            raise DataError(f"veto {self.kind}: name the evidence", "veto", {"field": "evidence"})
        if not 0 <= self.cap <= 120_00:
            raise DataError(f"veto {self.kind}: cap {self.cap}, expected 0 to 12000", "veto", {"field": "cap"})


def limited(centi: CentiPoints, vetoes: Iterable[Veto]) -> CentiPoints:
    """A score under the lowest cap of all vetoes; a score below it stays."""
    return min([centi, *(veto.cap for veto in vetoes)])

"""What the emulators emitted, held against what the server has: nothing lost, nothing stored twice.

The ledger is filled by whoever makes a terminal speak, and knows nothing of gateway or server.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeAlias

PunchKey: TypeAlias = tuple[str, str, int]
"""(terminal serial, user number, device second counted as if UTC)."""
ScanKey: TypeAlias = tuple[str, str]
"""(station, code)."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What the server's database holds of the sources in question."""

    punches: Mapping[PunchKey, int]
    scans: Mapping[ScanKey, int]
    quarantined: int
    scorecards: int


@dataclass(frozen=True, slots=True)
class Tally:
    """The result; ``emitted == stored + quarantined + repeats`` unless something is lost or doubled."""

    emitted: int
    stored: int
    repeats: int
    """Emitted again under the same business key, and stored once."""
    quarantined: int
    duplicates: int
    """Stored more often than it happened."""
    lost: int
    scorecards: int

    @property
    def good(self) -> bool:
        """Nothing lost, nothing doubled."""
        return self.lost == 0 and self.duplicates == 0


@dataclass
class Ledger:
    """Every read and punch that a terminal or scanner gave out."""

    punches: Counter[PunchKey] = field(default_factory=Counter)
    numbered: Counter[tuple[ScanKey, int]] = field(default_factory=Counter)
    """Reads that carry a number of their own: the same number is the same read."""
    plain: Counter[ScanKey] = field(default_factory=Counter)
    """Reads without a number: each one is a read of its own."""
    unreadable: int = 0
    """Noise, which belongs into quarantine."""

    def punch(self, terminal: str, user: str, at: datetime) -> None:
        """A press at a terminal; ``at`` is its wall clock."""
        self.punches[terminal, user, int(at.replace(tzinfo=UTC).timestamp())] += 1

    def scan(self, station: str, code: str, number: int | None = None) -> None:
        """A read at a scanner."""
        if number is None:
            self.plain[station, code] += 1
        else:
            self.numbered[(station, code), number] += 1

    @property
    def emitted(self) -> int:
        """All of it, what was given out twice counted twice."""
        return self.punches.total() + self.numbered.total() + self.plain.total() + self.unreadable

    def compare(self, stored: Stored) -> Tally:
        """Each event looked for under its own key; what is missing beyond the quarantined is lost."""
        wanted: Counter[PunchKey | ScanKey] = Counter(dict.fromkeys(self.punches, 1))
        wanted.update(scan for scan, _ in self.numbered)
        wanted.update(self.plain)
        found: Counter[PunchKey | ScanKey] = Counter()
        found.update(stored.punches)
        found.update(stored.scans)
        missing = (wanted - found).total()
        refused = stored.quarantined - self.unreadable
        return Tally(
            emitted=self.emitted,
            stored=(wanted & found).total(),
            repeats=self.emitted - wanted.total() - self.unreadable,
            quarantined=stored.quarantined,
            duplicates=(found - wanted).total(),
            lost=max(0, missing - max(0, refused)) + max(0, -refused),
            scorecards=stored.scorecards,
        )

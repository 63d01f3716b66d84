"""What a file would do, told before anything of it is stored. Pure: fed part by part."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from server.connectors.mapping import Mapped, Rejected
from server.connectors.saved import MASK
from server.connectors.source_file import Stream
from server.connectors.visible import visible_changes


@dataclass(slots=True)
class _Reason:
    rows: int = 0
    line: int = 0
    value: str = ""


@dataclass(slots=True)
class _Change:
    rows: int = 0
    was: str = ""
    became: str = ""


@dataclass(slots=True)
class DryRun:
    """Counts, by reason and by field, with one sample each. ``masked`` for facts with pay."""

    stream: Stream
    zone: ZoneInfo
    masked: bool = False
    rows: int = 0
    clean: int = 0
    """Rows that fit as they are written."""
    changed: int = 0
    """Rows that fit, of which a value was read from another form."""
    unchanged: int = 0
    """Rows that are stored already, with the same values."""
    duplicates: int = 0
    """Rows that the file has before, with the same values."""
    waiting: int = 0
    """Rows that would wait for a person."""
    _reasons: dict[tuple[str, str], _Reason] = field(default_factory=dict)
    _changes: dict[str, _Change] = field(default_factory=dict)
    _months: Counter[str] = field(default_factory=Counter)
    _seen: dict[bytes, bytes] = field(default_factory=dict)

    def add(self, rows: Sequence[tuple[Mapped, bytes] | Rejected], stored: Mapping[str, bytes], raw_rows: int) -> None:
        """Take a part into account: rows that fit with their digests, digests of those that are stored by key.

        ``raw_rows`` are the rows of the file; a map may make several or none of one.
        """
        self.rows += raw_rows
        for one in rows:
            if isinstance(one, Rejected):
                for fault in one.faults:
                    self._wait(fault.field, fault.code, one.number, fault.value)
                self.waiting += 1
            else:
                self._add(*one, stored)

    def _add(self, mapped: Mapped, digest: bytes, stored: Mapping[str, bytes]) -> None:
        key = mapped.row.source_key
        mark = hashlib.blake2b(key.encode(), digest_size=8).digest()  # a million whole keys would take much room
        before = self._seen.get(mark)
        there = stored.get(key)
        if there not in (None, digest) or before not in (None, digest[:8]):
            self._wait("source_key", "conflict", mapped.number, key)
            self.waiting += 1
        elif before is not None:
            self.duplicates += 1
        elif there is not None:
            self.unchanged += 1
        else:
            self._fits(mapped)
        self._seen.setdefault(mark, digest[:8])

    def _fits(self, mapped: Mapped) -> None:
        changes = list(visible_changes(self.stream, mapped))
        self.changed += bool(changes)
        self.clean += not changes
        for change in changes:
            known = self._changes.setdefault(change.field, _Change(0, change.was, change.became))
            known.rows += 1
        if mapped.row.occurred_at is not None:
            self._months[f"{mapped.row.occurred_at.astimezone(self.zone):%Y-%m}"] += 1

    def _wait(self, name: str, code: str, line: int, value: str) -> None:
        known = self._reasons.setdefault((code, name), _Reason(0, line, value))
        known.rows += 1

    def report(self) -> dict[str, Any]:
        """As JSON, the most frequent reasons first."""
        hide = self.masked
        reasons = sorted(self._reasons.items(), key=lambda one: (-one[1].rows, one[0]))
        changes = sorted(self._changes.items(), key=lambda one: (-one[1].rows, one[0]))
        return {
            "rows": self.rows,
            "clean": self.clean,
            "changed": self.changed,
            "unchanged": self.unchanged,
            "duplicates": self.duplicates,
            "waiting": self.waiting,
            "reasons": [
                {"code": code, "field": name, "rows": one.rows, "line": one.line, "value": MASK if hide else one.value}
                for (code, name), one in reasons
            ],
            "changes": [
                {
                    "field": name,
                    "rows": one.rows,
                    "was": MASK if hide else one.was,
                    "became": MASK if hide else one.became,
                }
                for name, one in changes
            ],
            "months": dict(sorted(self._months.items())),
        }

"""Stored scores that need not be counted again: nothing that they read has changed."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from server.scoring.family import facts_read
from server.scoring.indicator import Indicator
from server.scoring.plain import When
from server.scoring.scorecard import SOURCE_REASONS, NoScore
from server.store.score_queries import ScoreRow, TouchedCard


@dataclass(frozen=True, slots=True)
class Held:
    """What of a stored card may stay, by indicator."""

    rows: Mapping[str, ScoreRow] = field(default_factory=dict)
    """Counting again would give these again."""
    standing: Mapping[str, ScoreRow] = field(default_factory=dict)
    """These stay as long as the person has nothing of their own: what their units have is counted less often."""


def held(
    touched: TouchedCard, definitions: Collection[Indicator], when: When, reasons: Mapping[str, NoScore | None]
) -> Held:
    """What may stay of a card that was touched for some facts; nothing of one that had other indicators.

    A count is good for its day: rows of days to come wait for theirs. ``reasons`` has by indicator why there can be no
    score now.
    """
    stored = touched.stored
    if stored.keys() != {one.id for one in definitions}:
        return Held()
    rows, standing = {}, {}
    for one in definitions:
        row, reads = stored[one.id], facts_read(one)
        if not reads.isdisjoint(touched.facts or ()) or not _as_it_was(row, one, when, reasons[one.id]):
            continue
        if reads.isdisjoint(touched.own) or one.level != "person":
            rows[one.id] = row
        elif row.lineage.query.level != "person" or row.no_score == "no_denominator":
            standing[one.id] = row
    return Held(rows, standing)


def _as_it_was(row: ScoreRow, indicator: Indicator, when: When, reason: NoScore | None) -> bool:
    lineage = row.lineage
    return (
        lineage.rule_version == indicator.rule_version
        and (lineage.query.first, lineage.query.last) == (when.days.first, when.days.last)
        and replace(when, cut_ms=lineage.query.cut_ms).cut_day == when.cut_day
        and reason == (row.no_score if row.no_score in SOURCE_REASONS else None)
    )

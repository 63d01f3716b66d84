"""The count at the end of a demo: each way an event can go is told apart."""

from datetime import datetime

import pytest

from muster.stage.ledger import Ledger, Stored, Tally

AT = datetime(2026, 11, 23, 8, 59, 1)
SECOND = 1795424341
"""2026-11-23 08:59:01 counted as if UTC."""
PUNCH = ("T1", "1000", SECOND)


@pytest.fixture
def ledger() -> Ledger:
    """Two presses of one punch, a numbered read given out twice, a plain code read twice, and noise."""
    made = Ledger()
    made.punch("T1", "1000", AT)
    made.punch("T1", "1000", AT)
    made.scan("S1", "A", number=7)
    made.scan("S1", "A", number=7)
    made.scan("S2", "B")
    made.scan("S2", "B")
    made.unreadable = 1
    return made


def test_all_is_accounted_for(ledger: Ledger) -> None:
    tally = ledger.compare(Stored({PUNCH: 1}, {("S1", "A"): 1, ("S2", "B"): 2}, quarantined=1, scorecards=3))
    assert tally == Tally(emitted=7, stored=4, repeats=2, quarantined=1, duplicates=0, lost=0, scorecards=3)
    assert tally.emitted == tally.stored + tally.repeats + tally.quarantined
    assert tally.good


@pytest.mark.parametrize(
    ("stored", "lost", "duplicates"),
    [
        (Stored({}, {("S1", "A"): 1, ("S2", "B"): 2}, 1, 0), 1, 0),
        (Stored({PUNCH: 1}, {("S1", "A"): 1, ("S2", "B"): 1}, 1, 0), 1, 0),
        (Stored({PUNCH: 1}, {("S1", "A"): 1, ("S2", "B"): 2}, 0, 0), 1, 0),  # the noise is nowhere
        (Stored({PUNCH: 2}, {("S1", "A"): 1, ("S2", "B"): 2}, 1, 0), 0, 1),
        (Stored({PUNCH: 1}, {("S1", "A"): 2, ("S2", "B"): 2}, 1, 0), 0, 1),
        (Stored({PUNCH: 1}, {("S1", "A"): 1, ("S2", "B"): 2, ("S9", "X"): 1}, 1, 0), 0, 1),  # nobody emitted that
        (Stored({}, {("S1", "A"): 1, ("S2", "B"): 2}, 2, 0), 0, 0),  # refused with a reason is not lost
    ],
)
def test_a_loss_and_a_double_are_seen(ledger: Ledger, stored: Stored, lost: int, duplicates: int) -> None:
    tally = ledger.compare(stored)
    assert (tally.lost, tally.duplicates) == (lost, duplicates)
    assert tally.good is (lost == duplicates == 0)

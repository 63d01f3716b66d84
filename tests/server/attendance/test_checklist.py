"""What may stay when a month is closed, and which records need somebody."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.attendance.checklist import ADVISORY, BLOCKING, Code, checklist, refuse_unready
from server.attendance.exceptions import FLAG_KINDS, HELPS, KINDS, STATUS_KINDS, Limits, kinds_of, suggested
from server.attendance.record import Minutes
from shared.errors import DataError

CODES = st.dictionaries(st.sampled_from([*BLOCKING, *ADVISORY]), st.integers(0, 5))


@given(CODES, st.sets(st.sampled_from([*BLOCKING, *ADVISORY])))
def test_a_month_is_ready_exactly_when_nothing_blocks_and_the_rest_is_accepted(
    counts: dict[Code, int], accepted: set[Code]
) -> None:
    blocked = any(counts.get(code, 0) for code in BLOCKING)
    open_ = any(counts.get(code, 0) and code not in accepted for code in ADVISORY)
    items = checklist(counts)
    assert {item.code: item.count for item in items} == counts
    if not blocked and not open_:
        refuse_unready(items, accepted)
        return
    with pytest.raises(DataError) as refused:
        refuse_unready(items, accepted)
    assert refused.value.code == ("not_ready" if blocked else "not_accepted")


def test_a_blocking_item_can_not_be_accepted() -> None:
    with pytest.raises(DataError, match="pending 2"):
        refuse_unready(checklist({"pending": 2}), ["pending"])


@pytest.mark.parametrize(
    ("status", "minutes", "flags", "kinds"),
    [
        ("missing_out", Minutes(required=480, pending=460, late=20), (), ("missing_out",)),
        ("missing_out", Minutes(required=480, pending=450, late=30), (), ("missing_out", "late")),
        ("late", Minutes(late=29), ("duplicate_dropped",), ()),
        ("early", Minutes(early=45), ("mid_gap",), ("early", "mid_gap")),
        ("normal", Minutes(), ("ot_unapproved", "outside_window"), ("ot_unapproved", "outside_window")),
        ("off", Minutes(), ("orphan_punch",), ("orphan_punch",)),
        ("normal", Minutes(worked=480), (), ()),
    ],
)
def test_a_record_says_why_it_needs_somebody(
    status: str, minutes: Minutes, flags: tuple[str, ...], kinds: tuple[str, ...]
) -> None:
    assert kinds_of(status, minutes, flags, Limits(30, 30)) == kinds


def test_every_kind_has_something_that_helps() -> None:
    assert set(HELPS) == set(KINDS) == {*STATUS_KINDS, *FLAG_KINDS, "held", "late", "early"}


def test_who_was_asked_and_did_not_answer_is_decided_about() -> None:
    assert suggested("missing_out", asked=False, pending=480, decided=False, requested=False) == "correct"
    assert suggested("missing_out", asked=True, pending=480, decided=False, requested=False) == "decide"
    assert suggested("missing_out", asked=True, pending=480, decided=True, requested=False) == "look"
    assert suggested("absent", asked=False, pending=0, decided=False, requested=True) == "look", "a request waits"

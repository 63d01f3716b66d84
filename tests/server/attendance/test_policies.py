"""Which policy holds for whom on which date, and which settings make one."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.attendance.policies import PolicyBook, Term, Version
from server.attendance.policy import DEFAULT, LateLeave, Policy
from server.attendance.policy_settings import MOST_WINDOW_MIN, NAMES, SettingsError, policy_from

MARCH = (date(2026, 3, 1), date(2026, 3, 31))


def march(day: int) -> date:
    return date(2026, 3, day)


def test_without_any_version_the_defaults_of_the_rules_hold() -> None:
    assert PolicyBook().policies((), (), *MARCH).runs == ((march(1), DEFAULT),)


def test_the_group_overrides_the_company_and_the_contract_the_system() -> None:
    company = [Version(march(1), {"late_grace_min": 5, "early_grace_min": 5, "system": "untimed"})]
    groups = {"g": [Version(march(1), {"late_grace_min": 10})]}
    found = PolicyBook(company, groups).policies(
        [Term(march(10), march(20), "g")], [Term(march(15), None, "comprehensive")], *MARCH
    )
    seen = [(found.on(march(d)).late_grace_min, found.on(march(d)).system) for d in (9, 10, 14, 15, 20, 21)]
    plain, grouped = (5, "untimed"), (10, "untimed")
    assert seen == [plain, grouped, grouped, (10, "comprehensive"), (10, "comprehensive"), (5, "comprehensive")]
    assert {found.on(march(day)).early_grace_min for day in (1, 31)} == {5}, "what the group leaves out"


def test_dates_are_split_where_the_policy_changes_and_only_there() -> None:
    book = PolicyBook([Version(march(1), {}), Version(march(9), {"dedup_s": 30}), Version(march(12), {"dedup_s": 30})])
    found = book.policies((), (), *MARCH)
    dates = {march(day) for day in (7, 8, 9, 12, 13)}
    changed = replace(DEFAULT, dedup_s=30)
    assert found.split(dates) == [(DEFAULT, {march(7), march(8)}), (changed, {march(9), march(12), march(13)})]


versions = st.lists(
    st.builds(Version, st.integers(1, 31).map(march), st.fixed_dictionaries({"dedup_s": st.integers(0, 9)})),
    max_size=3,
    unique_by=lambda version: version.from_on,
)
groups_ = st.fixed_dictionaries({"a": versions, "b": versions})
terms = st.lists(
    st.builds(
        lambda start, days, value: Term(march(start), None if days is None else march(start) + timedelta(days), value),
        st.integers(1, 31),
        st.one_of(st.none(), st.integers(0, 20)),
        st.sampled_from(["a", "b"]),
    ),
    max_size=3,
    unique_by=lambda term: term.from_on,
)


@given(versions, groups_, terms, st.integers(1, 31))
def test_a_date_has_what_holds_on_it_alone(
    company: list[Version], groups: dict[str, list[Version]], memberships: list[Term], day: int
) -> None:
    """Resolved for a month at once, or date by date by plain code: the same."""
    on = march(day)
    expected = DEFAULT.dedup_s
    member = [term for term in memberships if term.from_on <= on and (term.to_on is None or on <= term.to_on)]
    group = max(member, key=lambda term: term.from_on).value if member else None
    for source in (company, groups.get(group or "", [])):
        begun = sorted((v.from_on, v.settings["dedup_s"]) for v in source if v.from_on <= on)
        expected = begun[-1][1] if begun else expected
    book = PolicyBook(company, groups)
    assert book.policies(memberships, (), *MARCH).on(on).dedup_s == expected
    assert book.policies(memberships, (), on, on).on(on).dedup_s == expected


# --- settings -------------------------------------------------------------------------------------------------------


def test_settings_change_what_they_name_and_nothing_else() -> None:
    base = Policy(late_grace_min=5, dedup_s=10)
    told = {"dedup_s": 20, "late_leave": {"after": "22:00", "shift_min": 60}, "restday_breaks": [["11:30", "12:30"]]}
    expected = replace(base, dedup_s=20, late_leave=LateLeave("22:00", 60), restday_breaks=(("11:30", "12:30"),))
    assert policy_from(told, base) == expected
    assert policy_from({"late_leave": None}, expected).late_leave is None


@pytest.mark.parametrize(
    ("settings", "parameters"),
    [
        ({"late_grace": 5}, {"late_grace": "unknown"}),
        ({"clock": {}}, {"clock": "unknown"}),
        ({"drift_tol_s": 5}, {"drift_tol_s": "unknown"}),
        ({"late_grace_min": "5", "dedup_s": -1}, {"late_grace_min": "type", "dedup_s": "range"}),
        ({"late_grace_min": True}, {"late_grace_min": "type"}),
        ({"window_after_min": MOST_WINDOW_MIN + 1}, {"window_after_min": "range"}),
        ({"pairing": "zigzag"}, {"pairing": "type"}),
        ({"system": None}, {"system": "type"}),
        ({"restday_breaks": [["12:00", "25:00"]]}, {"restday_breaks": "time"}),
        ({"late_leave": {"after": "9:00", "shift_min": 60}}, {"late_leave": "time"}),
        ({"late_leave": {"after": "09:00", "shift_min": -1}}, {"late_leave": "range"}),
        ({"late_leave": {"after": "09:00", "shift_min": 1, "x": 1}}, {"late_leave": "type"}),
    ],
)
def test_what_makes_no_policy_is_named(settings: Mapping[str, Any], parameters: dict[str, str]) -> None:
    with pytest.raises(SettingsError) as refused:
        policy_from(settings)
    assert (refused.value.code, refused.value.parameters) == ("policy_settings", parameters)
    assert all(name in str(refused.value) for name in parameters)


def test_the_clock_of_terminals_is_only_for_who_asks() -> None:
    assert policy_from({"drift_tol_s": 5}, clock=True).clock.drift_tol_s == 5
    assert "clock" not in NAMES

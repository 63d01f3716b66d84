"""The pure rules of access: waits, session lives, departments, passwords, topics."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.access.departments import with_those_below
from server.access.password_rules import check_new_password
from server.access.roles import ROLES, Role
from server.access.scope import Scope
from server.access.sessions import is_alive
from server.access.throttle import ACCOUNT, ADDRESS, Failures, wait_s
from server.access.topics import Topic, may_follow, parse_topic
from server.access.viewer import Viewer
from shared.errors import DataError

MINUTE_MS = 60_000


def viewer(role: Role, employee: str | None = "e1", departments: frozenset[str] = frozenset()) -> Viewer:
    return Viewer(1, "somebody", "Somebody", role, employee, departments, b"")


@pytest.mark.parametrize(
    ("count", "waits"), [(0, 0), (4, 0), (5, 1), (6, 2), (7, 4), (8, 8), (9, 16), (10, 30), (1000, 30)]
)
def test_an_account_waits_longer_with_each_failure_and_30_s_at_most(count: int, waits: int) -> None:
    assert ACCOUNT.wait_s(Failures(count, 0), 0) == waits


@given(count=st.integers(0, 10**9), passed_ms=st.integers(0, 10**6))
def test_every_wait_ends_by_itself(count: int, passed_ms: int) -> None:
    for limit in (ACCOUNT, ADDRESS):
        failures = Failures(count, 0)
        left_s = limit.wait_s(failures, passed_ms)
        assert 0 <= left_s <= limit.longest_s
        assert limit.wait_s(failures, passed_ms + left_s * 1000) == 0


def test_the_longer_of_both_waits_counts() -> None:
    assert wait_s(Failures(6, 0), Failures(0, None), 0) == 2
    assert wait_s(Failures(0, None), Failures(23, 0), 0) == 8


@pytest.mark.parametrize(
    ("created_min", "seen_min", "alive"),
    [(0, 0, True), (29, 29, True), (30, 30, False), (719, 0, True), (720, 0, False), (40, 30, False)],
)
def test_a_session_lives_30_idle_minutes_and_12_hours(created_min: int, seen_min: int, alive: bool) -> None:
    """Ages in minutes; security.md section 4."""
    now = 10**9
    assert is_alive(now - created_min * MINUTE_MS, now - seen_min * MINUTE_MS, now) is alive


@pytest.mark.parametrize(
    ("managed", "expected"),
    [({"a"}, {"a", "b", "c"}), ({"b"}, {"b", "c"}), ({"d"}, {"d"}), (set(), set()), ({"x"}, {"x"})],
)
def test_who_manages_a_department_manages_those_below(managed: set[str], expected: set[str]) -> None:
    assert with_those_below(managed, {"c": "b", "b": "a", "a": None, "d": None}) == expected


def test_a_circle_of_departments_comes_to_an_end() -> None:
    assert with_those_below({"a"}, {"a": "b", "b": "a"}) == {"a", "b"}


@pytest.mark.parametrize("role", ROLES)
def test_only_hr_and_administrators_see_everyone(role: Role) -> None:
    scope = viewer(role, departments=frozenset({"ops"})).scope
    assert scope.everyone is (role in ("hr", "administrator"))
    assert scope.departments == ({"ops"} if role == "manager" else frozenset())
    assert scope.employee == "e1"


def test_an_empty_scope_is_nobodys() -> None:
    assert Scope() == Scope(everyone=False, departments=frozenset(), employee=None)


@pytest.mark.parametrize("password", ["12345678", "PASSWORD", "Woaini123", "88888888", "kaoqin123", "guanliyuan"])
def test_common_passwords_are_refused_in_any_case(password: str) -> None:
    with pytest.raises(DataError, match="first that are tried"):
        check_new_password(password, "wang.fang")


def test_a_refusal_does_not_repeat_the_password() -> None:
    with pytest.raises(DataError) as refused:
        check_new_password("hunter2", "wang.fang")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "topic"),
    [
        ("devices", Topic("devices", "devices")),
        ("unmatched", Topic("unmatched", "unmatched")),
        ("employee:e7", Topic("employee:e7", "employee", employee="e7")),
        ("day:2026-11-24", Topic("day:2026-11-24", "day", date=dt.date(2026, 11, 24))),
        ("day:20261124", Topic("day:2026-11-24", "day", date=dt.date(2026, 11, 24))),
        ("day:2026-11-31", None),
        ("employee:", None),
        ("day:", None),
        ("", None),
        ("devices:1", None),
    ],
)
def test_topics_have_one_name_each(name: str, topic: Topic | None) -> None:
    assert parse_topic(name) == topic


@given(st.text(max_size=40))
def test_any_text_is_a_topic_or_none(text: str) -> None:
    topic = parse_topic(text)
    assert topic is None or parse_topic(topic.name) == topic


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        ("administrator", {"devices", "unmatched", "day:2026-11-24", "employee:e1", "employee:e2"}),
        ("hr", {"unmatched", "day:2026-11-24", "employee:e1", "employee:e2"}),
        ("manager", {"day:2026-11-24", "employee:e1", "employee:e2"}),
        ("employee", {"employee:e1"}),
        ("it", {"devices", "employee:e1"}),
        ("facilities", {"devices", "employee:e1"}),
    ],
)
def test_roles_follow_what_their_permissions_say(role: Role, allowed: set[str]) -> None:
    names = ("devices", "unmatched", "day:2026-11-24", "employee:e1", "employee:e2")
    topics = [topic for topic in map(parse_topic, names) if topic is not None]
    assert {topic.name for topic in topics if may_follow(viewer(role), topic)} == allowed

"""People by date: posts, contracts, what differs when, and dates as people type them."""

import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.people.dates import read_date
from server.people.numbers import suggest
from server.people.person import (
    Contract,
    Person,
    Post,
    changed_spans,
    months_in,
    with_contract,
    with_first_day,
    with_post,
    without_post,
)
from server.people.person_rows import find_department, read_row
from shared.errors import DataError

DAY_0 = dt.date(2026, 1, 1)


def day(number: int) -> dt.date:
    return DAY_0 + dt.timedelta(days=number)


def person(*posts: Post, contracts: tuple[Contract, ...] = (), left: int | None = None) -> Person:
    left_on = None if left is None else day(left)
    return Person("e1", "Fang", DAY_0, left_on, None, None, posts or (Post(DAY_0, "ops", "d1", "courier"),), contracts)


numbers = st.integers(0, 60)
posts = st.builds(lambda n, place: Post(day(n), place, "d1", "p"), numbers, st.sampled_from("ab"))


@given(st.lists(posts, max_size=6))
def test_a_post_holds_from_its_day_until_the_next_that_is_known(wanted: list[Post]) -> None:
    one = person(Post(DAY_0, "a", "d1", "p"))
    plain = dict.fromkeys(range(62), "a")
    starts = {0}
    for post in wanted:
        number = (post.from_on - DAY_0).days
        one = with_post(one, post)
        starts.add(number)
        until = min((start for start in starts if start > number), default=62)
        plain.update(dict.fromkeys(range(number, until), post.department))
        starts = {n for n in range(62) if n == 0 or plain[n] != plain[n - 1]}
    assert {n: one.post_on(day(n)).department for n in range(62)} == plain
    assert all(a.place != b.place for a, b in zip(one.posts, one.posts[1:], strict=False))


def test_a_change_of_post_can_be_taken_back_but_never_the_first() -> None:
    one = with_post(person(), Post(day(9), "fin", "d1", "courier"))
    assert without_post(one, day(9)) == person()
    for when in (DAY_0, day(3)):
        with pytest.raises(DataError) as caught:
            without_post(one, when)
        assert caught.value.code == "no_such_change"


def test_another_first_day_takes_the_first_post_with_it() -> None:
    assert with_first_day(person(), day(-5)).posts[0].from_on == day(-5)


contracts = st.builds(
    lambda start, length, system: Contract(
        day(start), day(start + length), "project", system, "month" if system == "comprehensive" else None
    ),
    numbers,
    st.integers(0, 20),
    st.sampled_from(["standard", "comprehensive", "untimed"]),
)


@given(st.lists(contracts, max_size=6))
def test_contracts_that_overlap_are_refused_and_others_kept(wanted: list[Contract]) -> None:
    one, kept = person(), set[int]()
    for contract in wanted:
        days = set(range((contract.from_on - DAY_0).days, ((contract.to_on or contract.from_on) - DAY_0).days + 1))
        try:
            one = with_contract(one, contract)
        except DataError as error:
            assert error.code == "contract_overlap"  # noqa: PT017 - either outcome is right
            assert kept & days
        else:
            assert not kept & days
            kept |= days
    assert {n for n in range(100) if one.contract_on(day(n))} == kept


@pytest.mark.parametrize(
    ("contract", "code"),
    [
        (Contract(day(5), day(4), "project", "standard"), "contract_ends_first"),
        (Contract(day(5), None, "fixed_term", "standard"), "contract_needs_end"),
        (Contract(day(5), day(9), "open_ended", "standard"), "contract_has_end"),
        (Contract(day(5), day(9), "project", "comprehensive"), "contract_hours_period"),
        (Contract(day(5), day(9), "project", "untimed", "month"), "contract_hours_period"),
    ],
)
def test_a_contract_that_makes_no_sense_is_refused(contract: Contract, code: str) -> None:
    with pytest.raises(DataError) as caught:
        with_contract(person(), contract)
    assert caught.value.code == code


people = st.builds(
    lambda first, more, signed, left: replace(
        person(
            *sorted({p.from_on: p for p in [Post(DAY_0, first, "d1", "p"), *more]}.values(), key=lambda p: p.from_on)
        ),
        contracts=signed[:1] and tuple(signed[:1]),
        left_on=None if left is None else day(left),
    ),
    st.sampled_from("ab"),
    st.lists(posts, max_size=3),
    st.lists(contracts, max_size=1),
    st.none() | numbers,
)


@given(people, people)
def test_changed_spans_hold_exactly_the_dates_that_differ(before: Person, after: Person) -> None:
    def standing(one: Person, when: dt.date) -> object:
        if when < one.joined_on or (one.left_on and when > one.left_on):
            return None
        signed = one.contract_on(when)
        terms = (signed.work_system, signed.hours_period) if signed else ("standard", None)
        return one.post_on(when).place, terms

    spans = changed_spans(before, after)
    for number in range(-3, 90):
        when = day(number)
        inside = any(start <= when <= end for start, end in spans)
        assert inside == (standing(before, when) != standing(after, when)), when


def test_a_span_reaches_the_months_it_touches() -> None:
    spans = [(dt.date(2026, 1, 31), dt.date(2026, 2, 1)), (dt.date(2026, 12, 5), dt.date.max)]
    assert months_in(spans, ["2025-12", "2026-01", "2026-02", "2026-03", "2027-05"]) == [
        "2026-01",
        "2026-02",
        "2027-05",
    ]


# --- dates ----------------------------------------------------------------------------------------------------------

days = st.dates(dt.date(1930, 1, 1), dt.date(2199, 12, 31))
FORMS = ("{y}-{m:02}-{d:02}", "{y}/{m}/{d}", "{y}.{m}.{d}", "{y}年{m}月{d}日", "{y} 年 {m} 月 {d} 日",
         "{y}{m:02}{d:02}", "{y}-{m:02}-{d:02} 00:00:00", "{y}年{m}月{d}")  # fmt: skip


@given(days, st.sampled_from(FORMS))
def test_a_date_reads_the_same_however_it_is_written(when: dt.date, form: str) -> None:
    assert read_date(form.format(y=when.year, m=when.month, d=when.day)) == when


@given(st.dates(dt.date(1930, 1, 1), dt.date(2173, 1, 1)))
def test_a_date_that_excel_shows_as_a_number_is_that_date(when: dt.date) -> None:
    assert read_date(str((when - dt.date(1899, 12, 31)).days + 1)) == when


@pytest.mark.parametrize("text", ["46083"])
def test_excel_knows_monday_2_march_2026_as_46083(text: str) -> None:
    assert read_date(text) == dt.date(2026, 3, 2)


@pytest.mark.parametrize(
    "text", ["", "3/2/2026", "02.03.2026", "2026-02-30", "2026-13-01", "1899-01-01", "tomorrow", "7"]
)
def test_a_date_that_could_be_another_is_refused(text: str) -> None:
    with pytest.raises(DataError) as caught:
        read_date(text)
    assert caught.value.code == "bad_date"


@given(st.text(max_size=30))
def test_any_text_is_a_date_or_refused_by_name(text: str) -> None:
    try:
        assert 1930 <= read_date(text).year <= 2199
    except DataError as error:
        assert error.code == "bad_date"  # noqa: PT017 - either outcome is right


# --- rows -----------------------------------------------------------------------------------------------------------

TREE = {
    "hq": (None, "总部", "HQ"),
    "ops": ("hq", "运营", "Operations"),
    "ops2": ("br", "运营", "Operations"),
    "br": (None, "分公司", "Branch"),
    "north": ("ops", "北区", "North"),
}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ops", ["ops"]), ("总部/运营", ["ops"]), ("总部 ／ 运营", ["ops"]), ("HQ > Operations", ["ops"]),
        ("北区", ["north"]),
        ("运营/北区", ["north"]), ("运营", ["ops", "ops2"]), ("总部", ["hq"]), ("总部/北区", []), ("", []),
    ],
)  # fmt: skip
def test_a_department_is_named_by_id_or_path(text: str, found: list[str]) -> None:
    assert find_department(text, TREE) == found


def test_a_row_reads_the_words_of_an_hr_office() -> None:
    cells = {
        "id": "0007", "name": " 王  芳 ", "joined_on": "2026年3月2日", "contract_kind": "固定期限劳动合同",
        "contract_from": "2026/3/2",
        "contract_to": "2029-03-01", "work_system": "综合（季）", "numbers": "g1/7、8", "email": "fang@example.com",
    }  # fmt: skip
    row = read_row(2, lambda name: cells.get(name, ""))
    assert (row.id, row.name, row.joined_on, row.bad) == ("0007", "王 芳", dt.date(2026, 3, 2), [])
    assert (row.contract_kind, row.contract_to) == ("fixed_term", dt.date(2029, 3, 1))
    assert (row.work_system, row.numbers) == (("comprehensive", "quarter"), ("g1/7", "8"))
    assert read_row(2, lambda name: {"id": "1", "contract_to": "无固定期限"}.get(name, "")).contract_open


def test_a_row_tells_all_that_is_wrong_at_once() -> None:
    cells = {"joined_on": "soon", "email": "nobody", "work_system": "弹性", "contract_kind": "?"}
    row = read_row(2, lambda name: cells.get(name, ""))
    assert {(bad.field, bad.code) for bad in row.bad} == {
        ("id", "empty"), ("joined_on", "bad_date"), ("email", "bad_email"), ("work_system", "unknown_word"),
        ("contract_kind", "unknown_word"),
    }  # fmt: skip


# --- suggestions ----------------------------------------------------------------------------------------------------

NAMES = {"e7": "王芳", "e8": "李雷", "e9": "王芳", "0012": "赵敏"}


@pytest.mark.parametrize(
    ("code", "shown", "found"),
    [
        ("55", [("李雷", "大门")], ("e8", "terminal_name", "大门")),
        ("55", [("王芳", "大门")], None),  # two people of that name
        ("55", [("李雷", "大门"), ("赵敏", "侧门")], None),  # two lists disagree
        ("12", [], ("0012", "id", None)),
        ("e8", [("", "大门")], ("e8", "id", None)),
        ("e8", [("孙悟空", "大门")], None),  # the terminal says somebody whom nobody knows
        ("99", [], None),
    ],
)
def test_a_number_suggests_a_person_only_without_doubt(
    code: str, shown: list[tuple[str, str]], found: tuple[str, str, str | None] | None
) -> None:
    told = suggest(code, shown, NAMES)
    assert (None if told is None else (told.employee, told.reason, told.terminal)) == found

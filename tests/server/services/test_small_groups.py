"""SEC-21: a score does not tell what fewer than five people think, nor what is left of another department's figure."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from sqlalchemy import update

from server.access.scope import Scope
from server.scoring.catalogue import default_catalogue
from server.scoring.indicator import Level, in_force
from server.scoring.plain import When
from server.scoring.window import days_of
from server.services.behind import rows_behind
from server.services.observing import Seen, observe_unit
from server.services.sources import put_source
from server.store import counting, link_queries
from server.store.counted_pass import COMPANY
from server.store.database import Database
from server.store.link_queries import LinkRow
from server.store.log_queries import Entry
from server.store.score_queries import ScoreRow
from server.store.source_tables import source_streams
from tests.server.services.scheme_world import NOW, card, prepare, publish, weight_set
from tests.server.services.test_attributes import at, day, put
from tests.server.services.world import SHANGHAI, load
from tests.server.services.world import at as moment

SURVEYS = """
source: surveys
kind: webhook
timezone: Asia/Shanghai
push: {secrets: ["${env:X}"], facts: [survey_round, survey_response]}
"""
NAME = "hr_employee_satisfaction"


async def answers(db: Database, **people: int) -> None:
    """Content people of departments, in a round of March."""
    for department, number in people.items():
        about = {"survey_key": department, "purpose": "employee_satisfaction", "org_key": department}
        days = {"opened_on": day("2026-03-01"), "closed_on": day("2026-03-20")}
        rows = [
            {"source_key": f"{department}-{n}", "respondent_key": f"{department}-{n}", "question_key": "q", **about}
            | {"submitted_at": at("2026-03-18 12:00"), "value": 4.0, "scale_min": 1.0, "scale_max": 5.0}
            for n in range(number)
        ]
        await put(db, "survey_round", {"source_key": department, "invited": number, **about, **days}, source="surveys")
        await put(db, "survey_response", *rows, source="surveys")


async def satisfaction(db: Database, person: str) -> ScoreRow:
    [row] = (await card(db, person, "2026-03")).scores
    return row


@pytest.fixture
async def company(db: Database) -> Database:
    await prepare(db)
    await put_source(db, SURVEYS, "surveys.yaml", Entry(moment(NOW), "test", "test", ""))
    async with db.writing() as connection:
        await connection.execute(update(source_streams).values(last_ok_ms=moment(NOW)))
    for one in ("business", "logistics"):
        await publish(db, weight_set(one, None, "2026-01-01", **{NAME: 100}))
    return db


@pytest.mark.parametrize(("logistics", "people"), [(3, 9), (0, 6), (5, 11)])
async def test_sec21_of_a_department_that_leaves_few_over_nothing_is_kept(
    company: Database, logistics: int, people: int
) -> None:
    """Six of business; with three of logistics the company's figure would tell theirs."""
    await answers(company, business=6, logistics=logistics)
    mine, theirs = await satisfaction(company, "s1"), await satisfaction(company, "e1")
    if logistics == 3:
        for row in (mine, theirs):
            told = row.lineage
            assert (row.no_score, row.points, row.sample) == ("few_people", None, 0)
            assert (told.numerator, told.denominator, told.value, told.beside) == (0, 0, None, {})
    else:
        assert (mine.no_score, mine.sample) == (None, 6)
        assert (theirs.no_score, theirs.sample, theirs.lineage.query.level) == (
            None,
            logistics or people,
            "department" if logistics else "company",
        )


async def test_sec21_answers_of_a_department_are_listed_for_those_who_see_everybody(company: Database) -> None:
    await answers(company, business=6)
    await satisfaction(company, "s1")
    async with company.reading() as connection:
        for scope, expected in ((Scope.system(), 6), (Scope(departments=frozenset({"business"})), 0)):
            found = await rows_behind(connection, scope, "s1", "2026-03", NAME, limit=50)
            assert found is not None
            assert found[0] == expected


@pytest.mark.parametrize(
    ("level", "unit", "counted", "sample"),
    [
        ("company", COMPANY, ["company"], 11),
        ("department", "business", ["department", "company", "department"], 6),
    ],
)
async def test_sec21_what_may_be_told_of_the_company_is_taken_from_its_own_count(  # noqa: PLR0917 - a table of cases
    company: Database, monkeypatch: pytest.MonkeyPatch, level: Level, unit: str, counted: list[str], sample: int
) -> None:
    """A department needs the company's figure and those beside it; the company's own is counted once."""
    await answers(company, business=6, logistics=5)
    when = When(days_of("2026-03"), SHANGHAI, moment(NOW))
    indicator = in_force(default_catalogue().indicators, NAME, when.days.last)
    assert indicator is not None
    asked: list[str] = []
    count_each = counting.count_each

    async def noted(*args: Any) -> Mapping[When, Any]:
        asked.append(args[2])
        return await count_each(*args)

    monkeypatch.setattr(counting, "count_each", noted)
    async with company.reading() as connection:
        seen = await observe_unit(connection, [indicator], level, unit, [when])
    assert (asked, seen[NAME, when].observed.sample) == (counted, sample)


Sheets = Mapping[str, Sequence[str | None]]
"""By survey the pseudonyms of those who answered it."""


async def sheets(db: Database, department: str, surveys: Sheets, questions: Sequence[str] = ("q",)) -> None:
    """Content people of a department, who close a round in each month of the first quarter."""
    for month, (survey, who) in enumerate(surveys.items(), start=1):
        about = {"survey_key": survey, "purpose": "employee_satisfaction", "org_key": department}
        days = {"opened_on": day(f"2026-{month:02}-01"), "closed_on": day(f"2026-{month:02}-20")}
        key = f"{survey}-{department}"
        rows = [
            {"source_key": f"{key}-{n}-{question}", "respondent_key": one, "question_key": question, **about}
            | {"submitted_at": at(f"2026-{month:02}-18 12:00"), "value": 4.0, "scale_min": 1.0, "scale_max": 5.0}
            for n, one in enumerate(who)
            for question in questions
        ]
        await put(db, "survey_round", {"source_key": key, "invited": len(who), **about, **days}, source="surveys")
        await put(db, "survey_response", *rows, source="surveys")


async def quarter(db: Database, level: Level, unit: str, name: str = NAME) -> Seen:
    """Of the first quarter."""
    when = When(days_of("2026-Q1"), SHANGHAI, moment(NOW))
    indicator = in_force(default_catalogue().indicators, name, when.days.last)
    assert indicator is not None
    async with db.reading() as connection:
        return (await observe_unit(connection, [indicator], level, unit, [when]))[name, when]


@pytest.mark.parametrize("level", ["company", "department"])
@pytest.mark.parametrize(
    ("surveys", "questions", "sample"),
    [
        ({"a": "12", "b": "12", "c": "12"}, "q", None),  # two people, three rounds each
        ({"a": "12", "b": "34", "c": "56"}, "q", None),  # the same, numbered on from round to round
        ({"a": "123"}, "qr", None),  # three people, two questions each
        ({"a": "12345"}, "q", 5),
        ({"a": "12345", "b": "12", "c": "1"}, "q", 8),
        ({"a": [None] * 6}, "q", None),  # one person's, for all that is known
        ({"a": ["1", "2", "3", "4", None]}, "q", None),
        ({"a": [*"12345", None]}, "q", 6),
    ],
)
async def test_sec21_people_are_counted_and_not_their_answers(
    company: Database, level: Level, surveys: Sheets, questions: str, sample: int | None
) -> None:
    await sheets(company, "business", surveys, questions)
    seen = await quarter(company, level, COMPANY if level == "company" else "business")
    assert (seen.reason, seen.observed.sample) == (("few_people", 0) if sample is None else (None, sample))


@pytest.mark.parametrize(
    ("logistics", "shown"),
    [
        ({"x": "ab", "y": "ab", "z": "ab"}, False),  # two are left of the company, six answers
        ({"x": "ab", "y": "cd", "z": "ef"}, False),
        ({"x": "12"}, False),  # the same numbers of another survey are other people
        ({"x": "12345"}, True),
        ({"x": [None] * 6}, False),
        ({"a": [None] * 2}, False),  # in the very survey of business
        ({"x": "abcde", "y": "ab"}, True),
    ],
)
async def test_sec21_whoever_is_left_over_is_counted_once_too(
    company: Database, logistics: Sheets, shown: bool
) -> None:
    """Six people of business answered; with the company's figure theirs tells that of logistics."""
    await sheets(company, "business", {"a": "123456"})
    await sheets(company, "logistics", logistics)
    seen = await quarter(company, "department", "business")
    assert seen.reason == (None if shown else "few_people")
    assert (await quarter(company, "company", COMPANY)).observed.denominator


@pytest.mark.parametrize(("people", "sample"), [("1234", None), ("12345", 6)])
async def test_sec21_somebody_with_two_contracts_is_one(company: Database, people: str, sample: int | None) -> None:
    """Person 1 has two in the period; three people of all are paid within their grade."""
    staff = [
        {"id": f"p{n}", "name": n, "department": "business", "site": "d1", "position": "seller"}
        | {"joined_on": "2026-01-01"}
        for n in people
    ]
    await load(company, json.dumps({"employees": staff}).encode())
    async with company.writing() as connection:
        for n in people:
            await link_queries.put_link(connection, LinkRow("system", n, day("2026-01-01"), None, f"p{n}"))
    grade = {"pay_grade": "G", "pay_min_minor": 800_000, "pay_max_minor": 1_200_000}
    rows = [
        {"source_key": f"c{place}", "employee_key": n, "starts_on": day("2026-01-01"), **grade}
        | {"pay_minor": 1_000_000 if n in "123" else 2_000_000}
        for place, n in enumerate(["1", *people])
    ]
    await put(company, "labour_contract", *rows, source="system")
    seen = await quarter(company, "department", "business", "hr_pay_structure_rationality")
    assert (seen.reason, seen.observed.sample) == (("few_people", 0) if sample is None else (None, sample))

"""SEC-21: a score does not tell what fewer than five people think, nor what is left of another department's figure."""

from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import update

from server.access.scope import Scope
from server.scoring.catalogue import default_catalogue
from server.scoring.indicator import Level, in_force
from server.scoring.plain import When
from server.scoring.window import days_of
from server.services.behind import rows_behind
from server.services.observing import observe_unit
from server.services.sources import put_source
from server.store import counting
from server.store.counted_pass import COMPANY
from server.store.database import Database
from server.store.log_queries import Entry
from server.store.score_queries import ScoreRow
from server.store.source_tables import source_streams
from tests.server.services.scheme_world import NOW, card, prepare, publish, weight_set
from tests.server.services.test_attributes import at, day, put
from tests.server.services.world import SHANGHAI
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

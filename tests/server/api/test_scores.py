"""Scorecards as answered; numbers worked out by hand.

e2 was normal on 17 of 20 days: 85 %. The curve of punctuality rises from 80 % = 0 to 95 % = 100 points, so 85 % is
5/15 of 100 = 33.33. Its weight is 60 of 100, the other indicator has no parcels: coverage 60 %, total 33.33, grade D.
"""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from server.api.views.scores import ScorecardView, ScoreHistoryView, ScoreRankingView, SourceRowsView
from server.store import tables
from server.store.period_tables import closed_cards, score_closings
from shared.clock import from_ms
from tests.server.api.company import DAY, NOW_MS, World

CUT_MS = NOW_MS - 60_000


async def score(world: World) -> None:
    """Store the scores of the text above."""
    query = {"first": "2026-03-01", "last": "2026-03-31", "from_ms": 0, "to_ms": 4_000_000_000_000, "cut_ms": CUT_MS}
    kept = {
        "rule_version": "score-2/2015-01-01",
        "weight_sets": ["default/2015-01-01"],
        "watermarks": {"cut_ms": CUT_MS},
    }
    punctual = {"weight": [60, 100], "numerator": 17, "denominator": 20, "value": "85/1", "input_hash": "ab" * 32}
    on_time = {"weight": [40, 100], "numerator": 0, "denominator": 0, "value": None, "input_hash": "cd" * 32}
    async with world.db.writing() as connection:
        for name, numbers, points, reason in (
            ("att_punctuality_rate", punctual, 33_333_333, None),
            ("log_on_time_delivery_rate", on_time, None, "no_denominator"),
        ):
            await connection.execute(
                tables.scores.insert().values(
                    employee="e2",
                    period="2026-03",
                    indicator=name,
                    sample=numbers["denominator"],
                    score_micro=points,
                    no_score=reason,
                    lineage={**kept, **numbers, "query": {"level": "person", "unit": "e2", **query}},
                    computed_ms=NOW_MS,
                )
            )
        card = {"employee": "e2", "period": "2026-03", "status": "scored", "total_centi": 3333, "computed_ms": NOW_MS}
        await connection.execute(tables.scorecards.insert().values(**card, coverage_num=60, coverage_den=100))


async def test_a_scorecard_shows_everything_that_made_it(any_world: World) -> None:
    await score(any_world)
    answer = ScorecardView.model_validate((await any_world.get("employee", "/api/scores/me")).json())
    assert (answer.employee, answer.period, answer.periods, answer.status) == ("e2", "2026-03", ["2026-03"], "scored")
    assert (answer.total, answer.grade, answer.coverage_pct) == ("33.33", "D", "60.00")
    punctual, on_time = answer.indicators
    assert (punctual.id, punctual.name_zh, punctual.unit) == ("att_punctuality_rate", "准点率", "%")
    assert (punctual.value, punctual.points, punctual.weight, punctual.target) == ("85.00", "33.33", "60.0000", "95")
    assert (punctual.numerator, punctual.denominator, punctual.sample, punctual.watermark_ms) == (17, 20, 20, CUT_MS)
    assert [(corner.value, corner.points) for corner in punctual.curve] == [
        ("80.00", "0.00"),
        ("95.00", "100.00"),
        ("100.00", "120.00"),
    ]
    assert (on_time.value, on_time.points, on_time.no_score) == (None, None, "no_denominator")


async def test_a_number_opens_into_its_source_rows(any_world: World) -> None:
    await score(any_world)
    path = "/api/scores/me/2026-03/att_punctuality_rate/sources"
    answer = SourceRowsView.model_validate((await any_world.get("employee", path)).json())
    assert answer.total == 1
    [row] = answer.rows
    assert (row.kind, row.key, row.counts, row.status) == ("attendance_day", str(DAY), False, "late")
    assert row.refs == [3, 5]


async def test_a_month_without_scores_is_none_and_names_those_that_have(world: World) -> None:
    await score(world)
    answer = (await world.get("employee", "/api/scores/me?period=2026-02")).json()
    assert (answer["status"], answer["period"], answer["periods"]) == ("none", "2026-02", ["2026-03"])
    never = (await world.get("hr", "/api/scores/e4")).json()
    assert (never["status"], never["period"], never["periods"], never["total"]) == ("none", "2026-03", [], None)


async def test_sec18_scores_and_their_rows_stay_within_the_scope(world: World) -> None:
    await score(world)
    path = "/api/scores/e2/2026-03/att_punctuality_rate/sources"
    assert (await world.get("manager", path)).status_code == 200
    assert (await world.get("manager", path.replace("e2", "e3"))).status_code == 404
    assert (await world.get("employee", path.replace("e2", "e1"))).status_code == 403
    assert (await world.get("it", path)).status_code == 403


async def test_a_month_that_is_none_is_refused(world: World) -> None:
    for period in ("2026-13", "2026", "x"):
        assert (await world.get("employee", f"/api/scores/me?period={period}")).status_code == 422


async def test_ks14_progress_and_ratings_are_told_in_words(world: World) -> None:
    """X27: 800,000 of 1,000,000 is 80 %; no working day of March is over on Monday the 2nd. X28: 4.75 reads 4.8."""
    await score(world)
    query = {"first": "2026-03-01", "last": "2026-03-31", "from_ms": 0, "to_ms": 4_000_000_000_000, "cut_ms": CUT_MS}
    async with world.db.writing() as connection:
        for name, value, target in (
            ("biz_sales_amount", "800000/1", "1000000"),
            ("cs_satisfaction_score", "19/4", "4.6"),
        ):
            lineage = {
                "rule_version": "score-2/2015-01-01",
                "weight_sets": ["sales_rep/2015-01-01"],
                "watermarks": {"cut_ms": CUT_MS},
                "weight": [30, 100],
                "numerator": 1,
                "denominator": 1,
                "value": value,
                "target": target,
                "input_hash": "ef" * 32,
                "query": {"level": "person", "unit": "e2", **query},
            }
            row = {"employee": "e2", "period": "2026-03", "indicator": name, "sample": 1, "score_micro": 80_000_000}
            await connection.execute(
                tables.scores.insert().values(**row, no_score=None, lineage=lineage, computed_ms=NOW_MS)
            )
    answer = ScorecardView.model_validate((await world.get("employee", "/api/scores/me")).json())
    found = {one.id: one for one in answer.indicators}
    sales, satisfaction = found["biz_sales_amount"], found["cs_satisfaction_score"]
    assert sales.progress is not None
    assert (sales.progress.completion_pct, sales.progress.pace, sales.progress.expected_pct) == (80, "ahead", "0.0")
    assert (satisfaction.rating, satisfaction.progress, sales.rating) == ("4.8", None, None)
    assert found["att_punctuality_rate"].progress is None


async def ranked(world: World) -> None:
    """March of four people: 110.00 and 82.00, one below and one equal to it, and one without a total."""
    async with world.db.writing() as connection:
        for employee, total in (("e1", 82_00), ("e2", 110_00), ("e3", 82_00), ("e4", None)):
            status = "scored" if total else "insufficient_data"
            card = {"employee": employee, "period": "2026-03", "status": status, "total_centi": total}
            values = {**card, "coverage_num": 3, "coverage_den": 4, "computed_ms": NOW_MS}
            await connection.execute(tables.scorecards.insert().values(**values))


async def test_the_ranking_is_best_first_with_how_many_have_each_grade(any_world: World) -> None:
    await ranked(any_world)
    answer = ScoreRankingView.model_validate((await any_world.get("hr", "/api/scores")).json())
    assert (answer.period, answer.periods, answer.total) == ("2026-03", ["2026-03"], 4)
    assert answer.grades == {"S": 1, "A": 0, "B": 0, "C": 2, "D": 0, "none": 1}
    assert [(row.rank, row.employee, row.total, row.grade) for row in answer.rows] == [
        (1, "e2", "110.00", "S"),
        (2, "e1", "82.00", "C"),
        (2, "e3", "82.00", "C"),
        (None, "e4", None, None),
    ]
    assert {row.coverage_pct for row in answer.rows} == {"75.00"}


async def test_a_page_and_a_department_of_the_ranking(world: World) -> None:
    await ranked(world)
    page = (await world.get("hr", "/api/scores?limit=2&offset=1")).json()
    assert (page["total"], [row["employee"] for row in page["rows"]]) == (4, ["e1", "e3"])
    below = (await world.get("hr", "/api/scores?department=ops")).json()
    assert [row["employee"] for row in below["rows"]] == ["e2", "e1"], "those of ops-north are below ops"
    nobody = (await world.get("hr", "/api/scores?period=2026-02")).json()
    assert (nobody["rows"], nobody["periods"]) == ([], ["2026-03"])


async def test_sec18_the_ranking_stays_within_the_scope(world: World) -> None:
    await ranked(world)
    seen = (await world.get("manager", "/api/scores")).json()
    assert [row["employee"] for row in seen["rows"]] == ["e2", "e1"]
    assert seen["grades"]["none"] == 0, "nobody outside is counted either"
    for role in ("employee", "it"):
        assert (await world.get(role, "/api/scores")).status_code == 403


@pytest.mark.parametrize(
    ("days_ago", "state", "final_in"),
    [(0, "running", None), (1, "provisional", 15), (15, "provisional", 1), (16, "final", 0), (400, "final", -384)],
)
async def test_damage_is_provisional_for_15_days(world: World, days_ago: int, state: str, final_in: int | None) -> None:
    today = from_ms(NOW_MS).astimezone(ZoneInfo("Asia/Shanghai")).date()
    last = today - timedelta(days=days_ago)
    await score(world)
    query = {"level": "person", "unit": "e2", "first": "2026-03-01", "last": f"{last}"}
    lineage: dict[str, object] = {
        "rule_version": "score-2/2015-01-01",
        "weight_sets": [],
        "weight": [1, 1],
        "value": "3/1",
    }
    lineage |= {"numerator": 3, "denominator": 100, "watermarks": {}, "input_hash": "ab" * 32}
    lineage["query"] = {**query, "from_ms": 0, "to_ms": 1, "cut_ms": 1}
    row = {"employee": "e2", "period": "2026-03", "indicator": "log_damage_rate", "sample": 100, "computed_ms": NOW_MS}
    async with world.db.writing() as connection:
        await connection.execute(tables.scores.insert().values(**row, score_micro=40_000_000, lineage=lineage))
    answer = ScorecardView.model_validate((await world.get("employee", "/api/scores/me?period=2026-03")).json())
    [damage] = [one for one in answer.indicators if one.id == "log_damage_rate"]
    assert damage.state == state
    assert damage.final_on == (None if final_in is None else today + timedelta(days=final_in))
    assert damage.pair == "log_on_time_delivery_rate"


async def past(world: World) -> None:
    """Three months, and a quarter without a total; the first month is published with five points more."""
    await score(world)
    async with world.db.writing() as connection:
        for period, total in (("2026-02", 80_00), ("2025-Q4", None), ("2025-11", 71_50)):
            status = "scored" if total else "insufficient_data"
            row = {"employee": "e2", "period": period, "status": status, "total_centi": total}
            await connection.execute(
                tables.scorecards.insert().values(**row, coverage_num=1, coverage_den=1, computed_ms=NOW_MS)
            )
        closing = {"period": "2025-11", "department": "", "closed_ms": 1, "closed_by": "hr", "appeal_until_ms": 1}
        made = await connection.execute(score_closings.insert().values(**closing, summary={}))
        assert made.inserted_primary_key is not None
        for version, final, newest in ((1, 71_50, False), (2, 76_50, True)):
            card = {"employee": "e2", "period": "2025-11", "version": version, "newest": newest, "status": "scored"}
            card |= {"closing": made.inserted_primary_key[0], "cause": "closing", "computed_centi": 71_50}
            card |= {"coverage_num": 1, "coverage_den": 1, "adjustment_centi": final - 71_50, "vetoes": []}
            card |= {"final_centi": final, "grade": "C", "provisional": [], "rewards": []}
            await connection.execute(closed_cards.insert().values(**card, parts=[], published_ms=1))


async def test_the_history_of_scores_is_in_order_and_as_it_was_published(any_world: World) -> None:
    await past(any_world)
    answer = ScoreHistoryView.model_validate((await any_world.get("employee", "/api/scores/me/history")).json())
    assert [(one.period, one.total, one.grade, one.closed) for one in answer.periods] == [
        ("2025-11", "76.50", "C", True),
        ("2025-Q4", None, None, False),
        ("2026-02", "80.00", "C", False),
        ("2026-03", "33.33", "D", False),
    ]
    told = {one.id: [(past.period, past.value, past.points) for past in one.periods] for one in answer.indicators}
    assert told == {
        "att_punctuality_rate": [("2026-03", "85.00", "33.33")],
        "log_on_time_delivery_rate": [("2026-03", None, None)],
    }


async def test_sec18_the_history_of_scores_stays_within_the_scope(world: World) -> None:
    await past(world)
    assert (await world.get("manager", "/api/scores/e2/history")).status_code == 200
    assert (await world.get("manager", "/api/scores/e3/history")).status_code == 404
    assert (await world.get("employee", "/api/scores/e1/history")).status_code == 403
    assert (await world.get("it", "/api/scores/e2/history")).status_code == 403

"""KS-18 over HTTP: series of a unit from its own rows, what is said of them, and who may ask.

30 weeks of tickets of e2 (ops-north), one a weekday, up to Friday 2026-02-27; today is Monday evening, 2026-03-02. In
week w the first reply took ``REPLY[w]`` seconds and the handling, in minutes, ``REPLY[w - 2]``: it follows two weeks
later. Half of e3's (fin) tickets are solved, and nothing of them is ops'.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from server.access.scope import Scope
from server.analytics import extra
from server.api.views.trends import CorrelationsView, TrendsView
from server.scoring.catalogue import default_catalogue
from server.scoring.whole_months import needs_whole_months
from server.services import trend_basis, trend_correlations
from server.store import counting_executor, link_queries
from server.store.counted_facts import shapes
from server.store.link_queries import LinkRow
from server.store.tables import departments, employees, users
from tests.server.api.company import NOW_MS, ZONE, World
from tests.server.services.test_attributes import put

WEEKS = 30
FIRST = dt.date(2025, 8, 4)
REPLY = [int(x) for x in 20 + np.random.default_rng(7).permutation(WEEKS + 2)]
PATH = "/api/trends?level=department&unit=ops&grain=week&steps=30"
REPLY_TIME, HANDLING, SOLVED = "cs_first_response_seconds", "cs_avg_handle_time", "cs_resolution_rate"
CHOSEN = f"&indicator={REPLY_TIME}&indicator={HANDLING}"


def ticket(key: str, day: dt.date, employee: str, **more: Any) -> dict[str, Any]:
    at = dt.datetime.combine(day, dt.time(10), ZONE)
    return {"source_key": key, "created_at": at, "status": "solved", "employee_key": employee, "org_key": "d1", **more}


async def tickets(world: World) -> None:
    """Everything in the text above."""
    async with world.db.writing() as connection:
        for employee in ("e2", "e3"):
            await link_queries.put_link(connection, LinkRow("desk", employee, FIRST, None, employee))
    rows = []
    for week in range(WEEKS):
        for number in range(5):
            day = FIRST + dt.timedelta(days=7 * week + number)
            at = dt.datetime.combine(day, dt.time(11), ZONE)
            solved = {"solved_at": at, "first_solved_at": at, "handle_seconds": 60 * REPLY[week]}
            reply = {"first_reply_business_seconds": REPLY[week + 2]}
            rows.append(ticket(f"{week}-{number}", day, "e2", **solved, **reply))
            rows.append(ticket(f"fin-{week}-{number}", day, "e3", **(solved if number % 2 else {})))
    await put(world.db, "ticket", *rows, source="desk")


@pytest.fixture
async def desk(any_world: World) -> World:
    await tickets(any_world)
    return any_world


async def trend(world: World, role: str, path: str) -> TrendsView:
    answer = await world.get(role, path)
    assert answer.status_code == 200, answer.text
    return TrendsView.model_validate(answer.json())


async def moving(world: World, role: str, path: str) -> CorrelationsView:
    answer = await world.get(role, path.replace("/api/trends", "/api/trends/correlations"))
    assert answer.status_code == 200, answer.text
    return CorrelationsView.model_validate(answer.json())


async def test_ks18_a_department_has_the_values_of_its_own_people_week_by_week(desk: World) -> None:
    found = await trend(desk, "hr", PATH + CHOSEN)
    replies, handling = found.series
    assert (found.first, found.last) == (FIRST, dt.date(2026, 3, 1))
    assert [point.value for point in replies.points] == [f"{number}.0" for number in REPLY[2:]]
    assert [point.value for point in handling.points] == [f"{number}.00" for number in REPLY[:WEEKS]]
    assert {point.sample for point in replies.points} == {5}
    assert [point.final for point in replies.points][-1]


async def test_ks18_a_forecast_comes_with_interval_and_number_of_values(desk: World) -> None:
    [series] = (await trend(desk, "hr", PATH + f"&indicator={REPLY_TIME}")).series
    told = series.forecast
    assert (told.n, told.level_pct, told.reason) == (30, 95, None)
    assert [one.first for one in told.ahead] == [dt.date(2026, 3, 2) + dt.timedelta(days=7 * n) for n in range(4)]
    for one in told.ahead:
        assert one.value is not None
        assert float(one.low or 0) < float(one.value) < float(one.high or 0)


async def test_ks18_steps_that_late_rows_may_change_are_shown_and_forecast_again(desk: World) -> None:
    """Resolutions are final ten days after the week: two weeks are not."""
    [series] = (await trend(desk, "hr", f"/api/trends?unit=fin&steps=20&indicator={SOLVED}")).series
    assert [point.final for point in series.points] == [True] * 18 + [False] * 2
    assert series.points[-1].value == "40.00"
    assert (series.forecast.n, series.forecast.reason) == (18, "constant")


async def test_ks18_steps_that_late_rows_may_change_are_in_no_correlation(desk: World) -> None:
    """Of 20 weeks 18 are final: 17 changes."""
    [pair] = (
        await moving(desk, "hr", f"/api/trends?unit=ops&steps=20&indicator={REPLY_TIME}&indicator={SOLVED}")
    ).pairs
    assert (pair.best.state, pair.best.n) == ("constant", 17)


async def test_ks18_too_few_values_are_said_instead_of_a_forecast(desk: World) -> None:
    [series] = (await trend(desk, "hr", f"/api/trends?unit=ops&steps=11&indicator={REPLY_TIME}")).series
    assert (series.forecast.n, series.forecast.reason, series.forecast.ahead) == (11, "few_points", [])


async def test_ks18_one_that_follows_two_weeks_later_is_found_with_r_n_and_corrected_p(desk: World) -> None:
    found = await moving(desk, "hr", PATH + CHOSEN)
    [pair] = found.pairs
    assert (pair.one, pair.other, pair.best.lag, pair.best.r, pair.best.state) == (
        REPLY_TIME,
        HANDLING,
        2,
        "1.00",
        "moves",
    )
    assert pair.best.n == 29 - 2
    assert float(pair.best.p or 1) < 0.001
    assert [one.lag for one in pair.lags] == list(range(-7, 8))
    assert (found.least, found.changes) == (8, True)


async def test_ks18_fewer_than_eight_changes_are_too_few(desk: World) -> None:
    [pair] = (await moving(desk, "hr", f"/api/trends?unit=ops&steps=8{CHOSEN}")).pairs
    assert (pair.best.state, pair.best.n, pair.best.r) == ("few", 7, None)


async def test_values_as_they_are_can_be_compared(desk: World) -> None:
    found = await moving(desk, "hr", PATH + CHOSEN + "&plain=true")
    assert (found.changes, found.pairs[0].best.lag, found.pairs[0].best.n) == (False, 2, 28)


async def test_a_manager_sees_departments_of_their_own_and_no_other(desk: World) -> None:
    found = await trend(desk, "manager", f"/api/trends?indicator={REPLY_TIME}")
    assert found.unit == "ops"
    assert [one.id for one in found.departments] == ["ops", "ops-north"]
    assert found.sites == []
    for other in ("level=department&unit=fin", "level=person&unit=e3", "level=site&unit=d1", "level=company"):
        for path in ("/api/trends", "/api/trends/correlations"):
            answer = await desk.get("manager", f"{path}?{other}&indicator={REPLY_TIME}")
            assert answer.status_code == 404, other
    assert (await trend(desk, "manager", "/api/trends?level=person&unit=e2")).unit_name == "Li Lei"


async def test_a_department_above_those_in_scope_is_not_in_scope(desk: World) -> None:
    async with desk.db.writing() as connection:
        await connection.execute(users.update().where(users.c.login == "boss").values(departments=["ops-north"]))
    assert (await desk.get("manager", "/api/trends?unit=ops")).status_code == 404
    assert (await desk.get("manager", "/api/trends?unit=ops-north")).status_code == 200


@pytest.mark.parametrize("role", ["employee", "it", "facilities"])
async def test_others_may_not_ask(desk: World, role: str) -> None:
    for path in ("/api/trends", "/api/trends/correlations"):
        assert (await desk.get(role, path)).status_code == 403


async def test_a_site_and_the_company_hold_everybodys_rows(desk: World) -> None:
    for unit in ("level=site&unit=d1", "level=company"):
        [series] = (await trend(desk, "hr", f"/api/trends?{unit}&indicator={SOLVED}&steps=4")).series
        assert {point.sample for point in series.points} == {10}


async def test_what_is_counted_by_the_month_is_left_out_of_weeks(desk: World) -> None:
    found = await trend(desk, "hr", PATH + f"&indicator={REPLY_TIME}&indicator=ops_repurchase_rate")
    assert ([one.id for one in found.series], found.left_out) == ([REPLY_TIME], ["ops_repurchase_rate"])
    months = await trend(desk, "hr", "/api/trends?unit=ops&grain=month&indicator=ops_repurchase_rate")
    assert ([one.id for one in months.series], months.left_out) == (["ops_repurchase_rate"], [])


async def test_steps_end_with_the_day_that_was_asked_for(desk: World) -> None:
    """A Wednesday: the week before is the last whole one. What is to come is not there yet."""
    found = await trend(desk, "hr", PATH + CHOSEN + "&last=2026-02-11")
    assert found.last == dt.date(2026, 2, 8)
    whole = await trend(desk, "hr", PATH + CHOSEN)
    ahead = await trend(desk, "hr", PATH + CHOSEN + "&last=2099-01-01")
    assert (ahead.first, ahead.last) == (whole.first, whole.last)
    moved = await moving(desk, "hr", PATH + CHOSEN + "&last=2026-02-11")
    assert moved.last == found.last
    refused = await desk.get("hr", PATH + "&last=1999-12-31")
    assert (refused.status_code, refused.json()["code"]) == (422, "trend_last")
    assert refused.json()["parameters"] == {"field": "last", "earliest": "2000-01-01"}


async def test_an_unknown_indicator_is_named(desk: World) -> None:
    answer = await desk.get("hr", "/api/trends?unit=ops&indicator=nobodys")
    assert (answer.status_code, answer.json()["code"]) == (422, "trend_indicator")
    assert answer.json()["parameters"] == {"indicator": "nobodys"}


async def test_without_the_libraries_lines_are_there_and_correlations_say_what_is_missing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await tickets(world)
    monkeypatch.setattr(extra, "find_spec", lambda _: None)
    [series] = (await trend(world, "hr", PATH + f"&indicator={REPLY_TIME}")).series
    assert series.points[0].value == f"{REPLY[2]}.0"
    assert (series.forecast.reason, series.forecast.ahead) == ("analytics_missing", [])
    answer = await world.get("hr", "/api/trends/correlations?unit=ops")
    assert (answer.status_code, answer.json()["code"]) == (501, "analytics_missing")


async def answers(world: World, month: int, **people: int) -> None:
    """Everybody of a department, with ``_`` for ``-``, is content in a round of January or February."""
    rounds, rows = [], []
    for name, number in people.items():
        department, survey = name.replace("_", "-"), f"{name}{month}"
        days = {"opened_on": dt.date(2026, month, 10), "closed_on": dt.date(2026, month, 20)}
        about = {"survey_key": survey, "purpose": "employee_satisfaction", "org_key": department}
        rounds.append({"source_key": survey, "invited": number, **about, **days})
        scale = {"question_key": "q", "value": 4.0, "scale_min": 1.0, "scale_max": 5.0}
        at = dt.datetime(2026, month, 18, 12, tzinfo=ZONE)
        rows += [
            {"source_key": f"{survey}-{n}", "submitted_at": at, "respondent_key": f"{survey}-{n}", **about, **scale}
            for n in range(number)
        ]
    await put(world.db, "survey_round", *rounds, source="desk")
    await put(world.db, "survey_response", *rows, source="desk")


SATISFACTION = "/api/trends?grain=month&steps=2&indicator=hr_employee_satisfaction"


async def test_sec21_satisfaction_of_fewer_than_five_is_not_shown_whatever_the_definition_says(desk: World) -> None:
    """Four answers in January, five in February."""
    await answers(desk, 1, fin=4)
    await answers(desk, 2, fin=5)
    january, february = (await trend(desk, "hr", SATISFACTION + "&unit=fin")).series[0].points
    assert (january.value, january.sample, january.reason) == (None, None, "few_people")
    assert february.sample == 5


async def test_sec21_a_department_is_not_shown_where_it_would_tell_of_the_rest_of_another(desk: World) -> None:
    """Two answers of ops itself in January, five in February; beside those of ops-north below it."""
    await answers(desk, 1, ops=2, ops_north=6)
    await answers(desk, 2, ops=5, ops_north=6)
    whole, part, company = [
        [(point.value, point.sample, point.reason) for point in (await trend(desk, "hr", path)).series[0].points]
        for path in (
            SATISFACTION + "&unit=ops",
            SATISFACTION + "&unit=ops-north",
            SATISFACTION + "&level=company&unit=company",
        )
    ]
    assert whole == company == [("4.00", 8, None), ("4.00", 11, None)]
    assert part == [(None, None, "few_people"), ("4.00", 6, None)]


async def test_ks18_an_indicator_without_weight_that_moves_with_the_heaviest_is_suggested(world: World) -> None:
    """Of 20 stops and of 20 parcels a week as many are in order and on time; sorting has nothing to do with either."""
    async with world.db.writing() as connection:
        await connection.execute(
            departments.insert().values(id="logistics", parent=None, name_zh="物流", name_en="Logistics")
        )
        await connection.execute(employees.update().where(employees.c.id == "e4").values(department="logistics"))
        await link_queries.put_link(connection, LinkRow("tms", "e4", FIRST, None, "e4"))
    parcels, stops = [], []
    good = np.random.default_rng(9).permutation(np.arange(WEEKS) % 15 + 5)
    for week, number in enumerate(good):
        due = dt.datetime.combine(FIRST + dt.timedelta(days=7 * week), dt.time(12), ZONE)
        for place in range(20):
            at = due - dt.timedelta(hours=1) if place < number else due + dt.timedelta(hours=1)
            key = {"source_key": f"{week}-{place}", "employee_key": "e4"}
            parcel = {"tracking_no": f"{week}-{place}", "status": "delivered", "promised_at": due, "delivered_at": at}
            parcels.append(key | parcel)
            stop = {"route_key": "r", "stop_no": place, "window_from": due, "served_no": place + (place >= number)}
            stops.append(key | stop)
    await put(world.db, "shipment", *parcels, source="tms")
    await put(world.db, "route_stop", *stops, source="tms")
    found = await moving(world, "hr", "/api/trends?unit=logistics&steps=30&indicator=log_on_time_delivery_rate")
    assert found.pairs == []
    [suggestion] = found.suggestions
    assert (suggestion.main.id, suggestion.other.id) == ("log_on_time_delivery_rate", "log_route_plan_adherence")
    assert (suggestion.best.r, suggestion.best.lag, suggestion.best.n, suggestion.best.state) == (
        "1.00",
        0,
        29,
        "moves",
    )


@pytest.mark.parametrize(("department", "offered"), [("customer_service", True), ("design", False)])
async def test_attendance_is_never_suggested_to_design(world: World, department: str, offered: bool) -> None:
    async with world.db.writing() as connection:
        await connection.execute(departments.insert().values(id=department, parent=None, name_zh="", name_en=""))
        wanted = trend_basis.Wanted("department", department, "week", 10)
        basis = await trend_basis.basis_of(connection, Scope.system(), wanted, NOW_MS)
    candidates = {one.indicator.id for one in trend_correlations._candidates(basis, [], wanted)}
    assert ("att_punctuality_rate" in candidates) == offered


def test_stocks_and_former_periods_are_by_the_month_and_rows_of_a_day_are_not() -> None:
    by_month = {one.id for one in default_catalogue().indicators if needs_whole_months(one, shapes())}
    assert by_month >= {
        "biz_customer_retention_rate",
        "fin_capital_turnover",
        "fin_budget_execution_rate",
        "hr_employee_retention_rate",
        "hr_pay_structure_rationality",
        "nm_follower_growth_rate",
        "ops_repurchase_rate",
        "ops_user_growth_rate",
    }
    assert not by_month & {"log_on_time_delivery_rate", "biz_sales_amount", REPLY_TIME, "att_punctuality_rate"}


async def test_a_quarter_of_days_takes_as_many_statements_as_a_week(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows are read once and told apart by a column; only a new year begins another statement."""
    await tickets(world)
    asked: list[object] = []
    rows = counting_executor.OnDatabase.rows

    def counted(self: counting_executor.OnDatabase, wanted: Sequence[counting_executor.Asked]) -> Any:
        asked.extend(wanted)
        return rows(self, wanted)

    monkeypatch.setattr(counting_executor.OnDatabase, "rows", counted)
    await trend(world, "hr", f"/api/trends?unit=ops&grain=day&steps=7{CHOSEN}")
    week = len(asked)
    await trend(world, "hr", f"/api/trends?unit=ops&grain=day&steps=91{CHOSEN}")
    assert len(asked) - week <= 2 * week

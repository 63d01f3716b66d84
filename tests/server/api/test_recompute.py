"""Computing again over HTTP: who may, whom it is about, how far it is."""

import pytest

from server.services.attendance import compute_touched
from tests.server.api.company import NOW_MS, World

PATH = "/api/attendance/recompute"
MONDAY = {"first": "2026-03-02", "last": "2026-03-02"}


@pytest.mark.parametrize("role", ["manager", "employee", "it", "facilities"])
async def test_only_who_closes_months_may(world: World, role: str) -> None:
    assert (await world.post(role, PATH, MONDAY)).status_code == 403
    assert (await world.get(role, PATH)).status_code == 403


async def test_a_range_waits_and_is_computed(any_world: World) -> None:
    world = any_world
    asked = await world.post("hr", PATH, {"first": "2026-03-01", "last": "2026-03-03"})
    assert (asked.status_code, asked.json()) == (202, {"people": 4, "days": 12})
    assert (await world.get("hr", PATH)).json() == {"waiting": 12}
    while await compute_touched(world.db, NOW_MS):
        pass
    assert (await world.get("hr", PATH)).json() == {"waiting": 0}
    operations = (await world.get("administrator", "/api/operations")).json()["rows"]
    assert operations[0]["action"] == "attendance.recompute"


@pytest.mark.parametrize(
    ("narrow", "people"), [({"department": "ops"}, 2), ({"department": "fin", "employees": ["e4"]}, 1)]
)
async def test_a_department_stands_for_those_below(world: World, narrow: dict[str, object], people: int) -> None:
    assert (await world.post("hr", PATH, MONDAY | narrow)).json() == {"people": people, "days": people}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"first": "2026-03-02", "last": "2026-03-01"}, 422, "bad_range"),
        ({"first": "2026-03-02", "last": "2027-03-03"}, 422, "bad_range"),
        (MONDAY | {"employees": ["ghost"]}, 404, "not_found"),
        (MONDAY | {"department": "ghost"}, 404, "not_found"),
        (MONDAY | {"department": "ops", "employees": ["e4"]}, 404, "not_found"),
    ],
)
async def test_what_can_not_be_is_refused_and_nothing_waits(
    world: World, body: dict[str, object], status: int, code: str
) -> None:
    refused = await world.post("hr", PATH, body)
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert (await world.get("hr", PATH)).json() == {"waiting": 0}

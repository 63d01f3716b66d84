"""People by date and the organisation, as answers."""

import csv
import io
from collections.abc import Iterable

from server.access.departments import with_those_below
from server.access.errors import NotFoundError
from server.access.viewer import Viewer
from server.api.context import Context
from server.api.views.base import NameView
from server.api.views.people_edit import (
    ContractView,
    DepartmentView,
    NumberView,
    OrganisationView,
    PersonView,
    PostView,
    SiteView,
)
from server.people.person import Person
from server.services.people_changes import local_today, post_today
from server.store import calendar_queries, page_queries, people_queries, post_queries, user_queries
from server.store.scope_filter import Narrow
from shared.clock import WallMs

HEADINGS = (
    "工号", "姓名", "部门", "岗位", "站点", "入职日期", "离职日期", "参加工作日期", "邮箱", "合同类型", "合同开始",
    "合同结束", "工时制", "考勤号",
)  # fmt: skip
"""As the import of people knows them, so that an export can be changed and brought back."""


async def person(context: Context, viewer: Viewer, employee: str, now_ms: WallMs) -> PersonView:
    """One employee in scope; NotFoundError."""
    async with context.db.reading() as connection:
        if await page_queries.person(connection, viewer.scope, employee) is None:
            raise NotFoundError(f"employee {employee!r}")
        found = (await post_queries.people_by_id(connection, [employee]))[employee]
        sites = await post_queries.site_rows(connection)
        numbers = await people_queries.numbers_of(connection, viewer.scope, [employee])
    post = post_today(found, sites, now_ms)
    return PersonView(
        id=found.id,
        name=found.name,
        joined_on=found.joined_on,
        left_on=found.left_on,
        worked_since=found.worked_since,
        email=found.email,
        today=local_today(now_ms, sites[post.site].zone),
        post=PostView.model_validate(post),
        posts=[PostView.model_validate(one) for one in found.posts],
        contracts=[ContractView.model_validate(one) for one in found.contracts],
        numbers=[NumberView(user_group=group, user_code=code) for group, code in numbers.get(employee, ())],
    )


async def organisation(context: Context, viewer: Viewer, now_ms: WallMs) -> OrganisationView:
    """Departments in scope as a tree, and what people can be put into."""
    scope = viewer.scope
    async with context.db.reading() as connection:
        departments = await post_queries.department_rows(connection)
        sites = await post_queries.site_rows(connection)
        counts = await post_queries.headcounts(connection, local_today(now_ms, context.config.zone.key))
        positions = await post_queries.position_rows(connection)
        groups = await people_queries.user_groups(connection) if viewer.may("people.map") else {}
        calendars = await calendar_queries.calendar_rows(connection)
    shown = [row for row in departments.values() if scope.everyone or row.id in scope.departments]
    ids = {row.id for row in shown}
    return OrganisationView(
        departments=[
            DepartmentView(
                id=row.id,
                name_zh=row.name_zh,
                name_en=row.name_en,
                parent=row.parent if row.parent in ids else None,
                people=counts.get(row.id, 0),
            )
            for row in shown
        ],
        positions=[NameView.model_validate(row) for row in positions.values()],
        sites=[SiteView.model_validate(row) for row in sites.values()],
        groups=list(groups),
        calendars=[NameView(id=row.id, name_zh=row.name_zh, name_en=row.name_en) for row in calendars],
    )


async def export(context: Context, viewer: Viewer, part: str, department: str | None, site: str | None) -> bytes:
    """Everybody in scope that was asked for as CSV, UTF-8 with a mark so that office software reads it."""
    async with context.db.reading() as connection:
        below = None
        if department is not None:
            below = with_those_below({department}, await user_queries.department_parents(connection))
        ids = await people_queries.employee_ids(connection, viewer.scope, part.strip(), Narrow(below, site))
        people = await post_queries.people_by_id(connection, ids)
        departments = await post_queries.department_rows(connection)
        positions = await post_queries.position_rows(connection)
        sites = await post_queries.site_rows(connection)
        numbers = await people_queries.numbers_of(connection, viewer.scope, ids)
    target = io.StringIO()
    writer = csv.writer(target)
    writer.writerow(HEADINGS)
    parents = {row.id: (row.parent, row.name_zh) for row in departments.values()}
    for name in ids:
        one = people[name]
        post = post_today(one, sites, context.clocks.wall_ms())
        place = (_path(post.department, parents), positions[post.position].name_zh, sites[post.site].name_zh)
        codes = " ".join(f"{group}/{code}" for group, code in numbers.get(name, ()))
        cells = [one.id, one.name, *place, *_dates(one), one.email or "", *_contract(one), codes]
        writer.writerow([_harmless(cell) for cell in cells])
    return b"\xef\xbb\xbf" + target.getvalue().encode()


def _dates(one: Person) -> Iterable[str]:
    return (str(day) if day else "" for day in (one.joined_on, one.left_on, one.worked_since))


def _contract(one: Person) -> list[str]:
    if not one.contracts:
        return [""] * 4
    newest = one.contracts[-1]
    system = f"{newest.work_system} {newest.hours_period}" if newest.hours_period else newest.work_system
    return [newest.kind, str(newest.from_on), str(newest.to_on) if newest.to_on else "", system]


def _path(department: str, parents: dict[str, tuple[str | None, str]]) -> str:
    steps: list[str] = []
    at: str | None = department
    while at is not None and len(steps) <= len(parents):
        at, name = parents[at]
        steps.append(name)
    return "/".join(reversed(steps))


def _harmless(cell: str) -> str:
    """Office software computes what begins like a formula."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell

"""Employees by date, departments, positions, sites, and numbers on terminals: looked at and changed."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query, Response

from server.api.answers import people_edit as answers
from server.api.context import CallerDep, ContextDep
from server.api.guards import PeopleMapper, PeopleReader, PeopleWriter
from server.api.views.base import Id
from server.api.views.people import AssignedView
from server.api.views.people_edit import (
    ChangedView,
    ContractBody,
    DepartmentBody,
    DetailsBody,
    FromBody,
    IdView,
    MoveNumberBody,
    NewPersonBody,
    NumberBody,
    OrganisationView,
    PersonView,
    PositionBody,
    PostBody,
    SiteBody,
)
from server.people.person import (
    Contract,
    Person,
    Post,
    with_contract,
    with_first_day,
    with_post,
    without_contract,
    without_post,
)
from server.services import organisation, people
from server.services.imports import who_of
from server.services.organisation import Named
from server.services.people import Number
from server.services.people_changes import Deed, add_person, change_person

router = APIRouter(prefix="/api", tags=["people_edit"])


@router.get("/organisation")
async def organisation_of(viewer: PeopleReader, context: ContextDep, caller: CallerDep) -> OrganisationView:
    """Departments in scope, positions, sites, calendars, groups of terminals."""
    return await answers.organisation(context, viewer, caller.at_ms)


@router.get("/people/export.csv")
async def export_people(
    viewer: PeopleReader,
    context: ContextDep,
    *,
    q: Annotated[str, Query(max_length=100)] = "",
    department: Id | None = None,
    site: Id | None = None,
) -> Response:
    """Employees in scope as a table that can be changed and imported again."""
    data = await answers.export(context, viewer, q, department, site)
    headers = {"Content-Disposition": 'attachment; filename="people.csv"'}
    return Response(data, media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/employees/{employee}")
async def employee_detail(viewer: PeopleReader, context: ContextDep, caller: CallerDep, employee: Id) -> PersonView:
    """One employee: posts, contracts, numbers."""
    return await answers.person(context, viewer, employee, caller.at_ms)


@router.post("/employees")
async def add_employee(
    body: NewPersonBody, viewer: PeopleWriter, context: ContextDep, caller: CallerDep
) -> ChangedView:
    """Somebody new."""
    post = Post(body.joined_on, body.department, body.site, body.position)
    new = Person(body.id, body.name, body.joined_on, None, body.worked_since, body.email, (post,))
    return ChangedView.model_validate(await add_person(context.db, who_of(viewer, caller), new))


@router.post("/employees/{employee}/details")
async def change_details(
    body: DetailsBody, viewer: PeopleWriter, context: ContextDep, caller: CallerDep, employee: Id
) -> ChangedView:
    """Name, first and last day, first job of the life, e-mail."""

    def change(person: Person) -> Person:
        moved = with_first_day(person, body.joined_on)
        named = replace(moved, name=body.name, email=body.email)
        return replace(named, left_on=body.left_on, worked_since=body.worked_since)

    left_on = None if body.left_on is None else str(body.left_on)
    deed = Deed("people.details", {"joined_on": str(body.joined_on), "left_on": left_on})
    done = await change_person(context.db, who_of(viewer, caller), employee, change, deed)
    return ChangedView.model_validate(done)


@router.post("/employees/{employee}/posts")
async def change_post(
    body: PostBody, viewer: PeopleWriter, context: ContextDep, caller: CallerDep, employee: Id
) -> ChangedView:
    """Another department, site or position from a date on: past, today or ahead."""
    post = Post(body.from_on, body.department, body.site, body.position)
    deed = Deed("people.post", {"from_on": str(body.from_on), "department": body.department, "site": body.site})
    who = who_of(viewer, caller)
    done = await change_person(context.db, who, employee, lambda person: with_post(person, post), deed)
    return ChangedView.model_validate(done)


@router.post("/employees/{employee}/posts/remove")
async def remove_post(
    body: FromBody, viewer: PeopleWriter, context: ContextDep, caller: CallerDep, employee: Id
) -> ChangedView:
    """As if that change of post had never been."""
    deed = Deed("people.post_removed", {"from_on": str(body.from_on)})
    who = who_of(viewer, caller)
    done = await change_person(context.db, who, employee, lambda person: without_post(person, body.from_on), deed)
    return ChangedView.model_validate(done)


@router.post("/employees/{employee}/contracts")
async def put_contract(
    body: ContractBody, viewer: PeopleWriter, context: ContextDep, caller: CallerDep, employee: Id
) -> ChangedView:
    """A new contract, or another version of one."""
    contract = Contract(body.from_on, body.to_on, body.kind, body.work_system, body.hours_period)
    deed = Deed("people.contract", {"from_on": str(body.from_on), "work_system": body.work_system})
    who = who_of(viewer, caller)
    done = await change_person(
        context.db, who, employee, lambda person: with_contract(person, contract, body.instead_of), deed
    )
    return ChangedView.model_validate(done)


@router.post("/employees/{employee}/contracts/remove")
async def remove_contract(
    body: FromBody, viewer: PeopleWriter, context: ContextDep, caller: CallerDep, employee: Id
) -> ChangedView:
    """Take out a contract that was entered by mistake."""
    deed = Deed("people.contract_removed", {"from_on": str(body.from_on)})
    who = who_of(viewer, caller)
    done = await change_person(context.db, who, employee, lambda person: without_contract(person, body.from_on), deed)
    return ChangedView.model_validate(done)


# --- numbers on terminals -------------------------------------------------------------------------------------------


@router.post("/employees/{employee}/numbers")
async def add_number(
    body: NumberBody, viewer: PeopleMapper, context: ContextDep, caller: CallerDep, employee: Id
) -> AssignedView:
    """Another number of an employee; punches that wait for its owner follow."""
    wanted = [(Number(body.user_group, body.user_code), employee)]
    done = await people.assign_users(
        context.db, viewer.login, wanted, now_ms=caller.at_ms, scope=viewer.scope, caller=caller
    )
    return AssignedView.model_validate(done)


@router.post("/employees/{employee}/numbers/move")
async def move_number(
    body: MoveNumberBody, viewer: PeopleMapper, context: ContextDep, caller: CallerDep, employee: Id
) -> AssignedView:
    """Take a number away, or give it to whose it is: from a date on, or altogether; its punches follow."""
    done = await people.move_number(
        context.db,
        viewer.login,
        Number(body.user_group, body.user_code),
        employee,
        to=body.to,
        from_on=body.from_on,
        now_ms=caller.at_ms,
        scope=viewer.scope,
        caller=caller,
    )
    return AssignedView.model_validate(done)


# --- departments, positions, sites ----------------------------------------------------------------------------------


@router.post("/departments")
async def add_department(body: DepartmentBody, viewer: PeopleWriter, context: ContextDep, caller: CallerDep) -> IdView:
    """A new department."""
    named = Named(body.name_zh, body.name_en, body.id)
    return IdView(id=await organisation.add_department(context.db, who_of(viewer, caller), named, body.parent))


@router.post("/departments/{department}")
async def change_department(
    body: DepartmentBody, viewer: PeopleWriter, context: ContextDep, caller: CallerDep, department: Id
) -> IdView:
    """Rename or move a department; its id stays."""
    named = Named(body.name_zh, body.name_en)
    await organisation.change_department(context.db, who_of(viewer, caller), department, named, body.parent)
    return IdView(id=department)


@router.post("/departments/{department}/remove", status_code=204)
async def remove_department(viewer: PeopleWriter, context: ContextDep, caller: CallerDep, department: Id) -> None:
    """Take out a department that is empty and always was."""
    await organisation.remove_department(context.db, who_of(viewer, caller), department)


@router.post("/positions")
async def put_position(body: PositionBody, viewer: PeopleWriter, context: ContextDep, caller: CallerDep) -> IdView:
    """A new position, or another name of one."""
    named = Named(body.name_zh, body.name_en, body.id)
    return IdView(id=await organisation.put_position(context.db, who_of(viewer, caller), named))


@router.post("/positions/{position}/remove", status_code=204)
async def remove_position(viewer: PeopleWriter, context: ContextDep, caller: CallerDep, position: Id) -> None:
    """Take out a position that nobody has or had."""
    await organisation.remove_position(context.db, who_of(viewer, caller), position)


@router.post("/sites")
async def put_site(body: SiteBody, viewer: PeopleWriter, context: ContextDep, caller: CallerDep) -> IdView:
    """A new site, or another name, zone or calendar of one."""
    named = Named(body.name_zh, body.name_en, body.id)
    done = await organisation.put_site(context.db, who_of(viewer, caller), named, body.zone, body.calendar)
    return IdView(id=done)

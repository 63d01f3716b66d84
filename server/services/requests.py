"""Asking for leave, corrections, overtime, trips and swaps; taking it back; adding documents and words."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, get_args

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.errors import ForbiddenError, NotFoundError
from server.access.scope import Scope
from server.access.viewer import Viewer
from server.requests.approvers import Account, Approvers, Concerned
from server.requests.chain import Progress, State, Step, begun, decided
from server.requests.files import LARGEST, MOST_FILES, media_type, safe_name
from server.services import request_effects
from server.services.accounts import Caller
from server.services.request_drafts import draft
from server.services.request_parts import ABSENCES, Ask, Asking, Draft, concerned
from server.store import approval_queries, asked_queries, log_queries
from server.store.asked_queries import FileRow, RequestRow, StepRow
from server.store.change_queries import note_changes
from server.store.closing_queries import closed_months, hold_closed_months
from server.store.database import Database
from server.store.log_queries import Entry
from shared.clock import WallMs
from shared.errors import DataError

HOUR_MS = 3_600_000
SYSTEM = "system"

_STATES: dict[str, State] = {state: state for state in get_args(State)}


@dataclass(frozen=True, slots=True)
class Checked:
    """What a request would be, and who would decide it."""

    draft: Draft
    approvers: tuple[tuple[Step, tuple[Account, ...]], ...]


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as somebody sends it."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Shown:
    """A request with everything the viewer may see of it."""

    row: RequestRow
    steps: list[StepRow]
    files: list[FileRow]
    approvers: tuple[tuple[Step, tuple[Account, ...]], ...]
    may: frozenset[str]
    """What the viewer may do: withdraw, cancel, decide, consent, escalate, comment, add_file, end."""


# --- asking ---------------------------------------------------------------------------------------------------------


async def check(db: Database, viewer: Viewer, employee: str, ask: Ask, now_ms: WallMs, *, by_hr: bool) -> Checked:
    """What would become of a request; nothing is stored. DataError for one that would be refused."""
    async with db.reading() as connection:
        asking = await _asking(connection, viewer, employee, now_ms, by_hr=by_hr)
        made = await draft(connection, replace(asking, closed=await closed_months(connection)), ask)
        office = await approval_queries.approvers_at(connection, now_ms)
        return Checked(made, _asked(office, made.chain, concerned(asking.person, made.values.get("other"))))


async def ask(db: Database, viewer: Viewer, employee: str, ask: Ask, caller: Caller, *, by_hr: bool) -> int:
    """Store a request and begin its chain; its number. DataError for what is refused, NotFoundError out of scope."""
    async with db.writing() as connection:
        closed = await hold_closed_months(connection)
        await asked_queries.hold_people(connection, [employee, ask.other])
        asking = await _asking(connection, viewer, employee, caller.at_ms, by_hr=by_hr)
        made = await draft(connection, replace(asking, closed=closed), ask)
        progress = begun(made.chain)
        values = {"leave_type": None, "direction": None, "about": None, "other": None, **made.values}
        values |= {"employee": employee, "state": "pending", "step": 0, "chain": [asdict(s) for s in made.chain]}
        values |= {"step_due_ms": due_ms(progress, caller.at_ms), "decided_ms": None, "cancelled_ms": None}
        number = await asked_queries.add_request(
            connection, {**values, "created_by": viewer.login, "created_ms": caller.at_ms}
        )
        row = await asked_queries.request_row(connection, Scope.system(), number)
        assert row is not None  # noqa: S101  (just added)
        topics = await _begin_at_once(connection, row, closed, caller.at_ms) if progress.state == "approved" else set()
        if row.kind == "correction" or progress.state == "approved":
            await request_effects.touch(connection, row)
        await log_queries.append(connection, entry(caller, viewer.login, "request.ask", row))
        await note_changes(connection, topics | topics_of(row), caller.at_ms)
    return number


async def _begin_at_once(
    connection: AsyncConnection, row: RequestRow, closed: Collection[str], now_ms: WallMs
) -> set[str]:
    """A chain without steps asks nobody."""
    topics = await request_effects.begin(connection, row, closed, SYSTEM, now_ms)
    await asked_queries.add_step(connection, row.id, StepRow(0, "approved", SYSTEM, None, "", now_ms))
    changed = {"state": "approved", "decided_ms": now_ms, "step_due_ms": None}
    await asked_queries.change_request(connection, row.id, changed)
    return topics


async def _asking(connection: AsyncConnection, viewer: Viewer, employee: str, now_ms: WallMs, *, by_hr: bool) -> Asking:
    scope = viewer.scope if by_hr else Scope(employee=viewer.employee)
    person = await asked_queries.asker(connection, scope, employee)
    if person is None:
        raise NotFoundError(f"employee {employee!r} is not in scope")
    # HR asks for itself like anybody else.
    return Asking(person, by_hr and viewer.employee != employee, now_ms, ())


# --- looking --------------------------------------------------------------------------------------------------------


async def shown(connection: AsyncConnection, viewer: Viewer, request: int, now_ms: WallMs) -> Shown:
    """A request; NotFoundError when the viewer has nothing to do with it."""
    office = await approval_queries.approvers_at(connection, now_ms)
    row = await _row(connection, request)
    steps = await asked_queries.steps_of(connection, request)
    decided_it = viewer.may("requests.decide") and any(step.actor == viewer.login for step in steps)
    if not decided_it and not await may_see(connection, viewer, office, row, now_ms):
        raise NotFoundError(f"request {request}")
    progress, about = progress_of(row), about_of(row)
    files = await asked_queries.files_of(connection, request)
    return Shown(row, steps, files, _asked(office, progress.chain, about), may_do(viewer, office, row, now_ms))


async def may_see(
    connection: AsyncConnection, viewer: Viewer, office: Approvers, row: RequestRow, now_ms: WallMs
) -> bool:
    """Whether the request is about the viewer, about somebody in scope, or waits for them."""
    if viewer.employee is not None and viewer.employee in (row.employee, row.other):
        return True
    if viewer.may("requests.read") and await asked_queries.request_row(connection, viewer.scope, row.id) is not None:
        return True
    waiting = progress_of(row).waiting
    return waiting is not None and office.acting_for(viewer.user, waiting.role, about_of(row), now_ms) is not None


def may_do(viewer: Viewer, office: Approvers, row: RequestRow, now_ms: WallMs) -> frozenset[str]:
    """What the viewer may do with a request that they see."""
    own = viewer.employee is not None and viewer.employee == row.employee
    hr = viewer.may("requests.settings")
    waiting = progress_of(row).waiting
    acts = waiting is not None and office.acting_for(viewer.user, waiting.role, about_of(row), now_ms) is not None
    consents = waiting is not None and waiting.role == "other"
    found = {
        "withdraw": row.state == "pending" and (own or (hr and row.created_by == viewer.login)),
        "cancel": row.state == "approved" and row.kind != "leave_end" and (hr or (own and now_ms < row.from_ms)),
        "decide": acts and not consents and viewer.may("requests.decide"),
        "consent": acts and consents,
        "escalate": waiting is not None and waiting.role == "manager" and hr and not own,
        "comment": row.state == "pending" and (own or acts),
        "add_file": row.state in ("pending", "approved") and (own or hr),
        "end": row.state == "approved" and row.kind in ABSENCES and (own or hr),
    }
    return frozenset(name for name, allowed in found.items() if allowed)


# --- taking back, adding to -----------------------------------------------------------------------------------------


async def withdraw(db: Database, viewer: Viewer, request: int, caller: Caller) -> None:
    """Take back what nobody decided yet; DataError ``not_pending`` when somebody did."""
    async with db.writing() as connection:
        await hold_closed_months(connection)
        row = await held(connection, viewer, request, caller.at_ms)
        await _require(connection, viewer, row, "withdraw", caller.at_ms, state="pending")
        progress = decided(progress_of(row), "withdrawn")
        await record(connection, row, progress, StepRow(row.step, "withdrawn", viewer.login, None, "", caller.at_ms))
        if row.kind == "correction":
            await request_effects.touch(connection, row)
        await log_queries.append(connection, entry(caller, viewer.login, "request.withdrawn", row))
        await note_changes(connection, topics_of(row), caller.at_ms)


async def cancel(db: Database, viewer: Viewer, request: int, comment: str, caller: Caller) -> None:
    """Let an approved request hold no more: HR in any open month, the employee before it begins."""
    async with db.writing() as connection:
        closed = await hold_closed_months(connection)
        row = await held(connection, viewer, request, caller.at_ms)
        await _require(connection, viewer, row, "cancel", caller.at_ms, state="approved")
        topics = await request_effects.cease(connection, row, closed, viewer.login, caller.at_ms)
        progress = decided(progress_of(row), "cancelled")
        await record(
            connection, row, progress, StepRow(row.step, "cancelled", viewer.login, None, comment, caller.at_ms)
        )
        await request_effects.touch(connection, row)
        await log_queries.append(connection, entry(caller, viewer.login, "request.cancelled", row))
        await note_changes(connection, topics | topics_of(row), caller.at_ms)


async def comment_on(db: Database, viewer: Viewer, request: int, comment: str, caller: Caller) -> None:
    """Ask or answer something about a request that waits; it stays where it is."""
    async with db.writing() as connection:
        row = await held(connection, viewer, request, caller.at_ms)
        await _require(connection, viewer, row, "comment", caller.at_ms, state="pending")
        decision = "commented" if viewer.employee == row.employee else "asked_back"
        await asked_queries.add_step(
            connection, row.id, StepRow(row.step, decision, viewer.login, None, comment, caller.at_ms)
        )
        await log_queries.append(connection, entry(caller, viewer.login, "request.comment", row))
        await note_changes(connection, topics_of(row), caller.at_ms)


async def add_file(db: Database, viewer: Viewer, request: int, upload: Upload, caller: Caller) -> int:
    """Add a document; its number. DataError for what is no document, too large or one too many."""
    content = upload.content
    if len(content) > LARGEST:
        raise DataError(f"{len(content)} bytes: at most {LARGEST}; make it smaller", "too_large")
    about = {"name": safe_name(upload.name, content), "media_type": media_type(content)}
    async with db.writing() as connection:
        row = await held(connection, viewer, request, caller.at_ms)
        await _require(connection, viewer, row, "add_file", caller.at_ms)
        if len(await asked_queries.files_of(connection, row.id)) >= MOST_FILES:
            raise DataError(f"{MOST_FILES} documents are there already", "too_many_files")
        sha256 = hashlib.sha256(content).digest()
        values = {**about, "actor": viewer.login, "at_ms": caller.at_ms}
        number = await asked_queries.add_file(connection, row.id, values, content, sha256)
        await log_queries.append(connection, entry(caller, viewer.login, "request.file", row))
        await note_changes(connection, topics_of(row), caller.at_ms)
    return number


async def file_of(
    connection: AsyncConnection, viewer: Viewer, request: int, file: int, now_ms: WallMs
) -> tuple[str, str, bytes]:
    """Name, type and content of a document; NotFoundError when the viewer does not see the request."""
    await shown(connection, viewer, request, now_ms)
    found = await asked_queries.file_content(connection, request, file)
    if found is None:
        raise NotFoundError(f"file {file} of request {request}")
    return found


# --- parts that approvals share -------------------------------------------------------------------------------------


def progress_of(row: RequestRow) -> Progress:
    """How far a stored request has come."""
    return Progress(tuple(Step(**step) for step in row.chain), row.step, _STATES[row.state])


def about_of(row: RequestRow) -> Concerned:
    """Whom a stored request is about."""
    return Concerned(row.employee, row.department, row.other)


def due_ms(progress: Progress, now_ms: WallMs) -> WallMs | None:
    """When the waiting step times out."""
    return None if progress.waiting is None else now_ms + progress.waiting.hours * HOUR_MS


def topics_of(row: RequestRow) -> set[str]:
    """What pages follow that show the request."""
    return {"requests"} | {f"employee:{one}" for one in (row.employee, row.other) if one is not None}


async def held(connection: AsyncConnection, viewer: Viewer, request: int, now_ms: WallMs) -> RequestRow:
    """The request, held against others until this transaction ends; NotFoundError when the viewer does not see it."""
    await shown(connection, viewer, request, now_ms)
    return await hold(connection, request)


async def hold(connection: AsyncConnection, request: int) -> RequestRow:
    """The same for whoever works for everybody: first the people, then the request, so that none waits in a circle."""
    before = await _row(connection, request)
    await asked_queries.hold_people(connection, [before.employee, before.other])
    row = await asked_queries.hold_request(connection, request)
    if row is None:
        raise NotFoundError(f"request {request}")
    return row


async def record(connection: AsyncConnection, row: RequestRow, progress: Progress, step: StepRow) -> None:
    """Write down a decision and the state after it."""
    await asked_queries.add_step(connection, row.id, step)
    changed: dict[str, Any] = {
        "state": progress.state,
        "step": progress.step,
        "chain": [asdict(one) for one in progress.chain],
    }
    moved = (progress.step, progress.state) != (row.step, row.state)
    if moved:
        changed["step_due_ms"] = due_ms(progress, step.at_ms)
    if progress.state in ("approved", "refused") and row.state == "pending":
        changed["decided_ms"] = step.at_ms
    if progress.state == "cancelled":
        changed["cancelled_ms"] = step.at_ms
    await asked_queries.change_request(connection, row.id, changed)


def entry(
    caller: Caller | None, actor: str, action: str, row: RequestRow, *, at_ms: WallMs = 0, for_user: str | None = None
) -> Entry:
    """An entry of the operation log; reasons and comments are personal and stay out of it."""
    detail: dict[str, str | int | bool | Sequence[str] | None] = {"employee": row.employee, "kind": row.kind}
    if for_user is not None:
        detail["for"] = for_user
    if caller is None:
        return Entry(at_ms, actor, action, f"request/{row.id}", detail=detail)
    about = f"request/{row.id}"
    return Entry(caller.at_ms, actor, action, about, ip=caller.ip, request_id=caller.request_id, detail=detail)


async def _row(connection: AsyncConnection, request: int) -> RequestRow:
    row = await asked_queries.request_row(connection, Scope.system(), request)
    if row is None:
        raise NotFoundError(f"request {request}")
    return row


async def _require(
    connection: AsyncConnection,
    viewer: Viewer,
    row: RequestRow,
    action: str,
    now_ms: WallMs,
    *,
    state: str | None = None,
) -> None:
    """DataError when the state does not allow it, ForbiddenError when it is not the viewer's to do."""
    if state is not None and row.state != state:
        raise DataError(f"request {row.id} is {row.state}: look at it again", f"not_{state}")
    office = await approval_queries.approvers_at(connection, now_ms)
    if action not in may_do(viewer, office, row, now_ms):
        if action == "cancel" and row.employee == viewer.employee:
            raise DataError("it has begun: ask for its end, or ask HR", "has_begun")
        raise ForbiddenError(f"{viewer.login} may not {action} request {row.id}")


def _asked(office: Approvers, chain: Sequence[Step], about: Concerned) -> tuple[tuple[Step, tuple[Account, ...]], ...]:
    return tuple((step, office.asked(step.role, about)) for step in chain)

"""Deciding what others ask for: by oneself, as a delegate, in bulk, and by time."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.errors import AccessError, ForbiddenError
from server.access.viewer import Viewer
from server.requests.chain import Kind, Progress, State, Step, check_steps, decided, timed_out
from server.services import request_effects
from server.services.accounts import Caller
from server.services.leave import CORRECTION_SETTINGS
from server.services.requests import SYSTEM, about_of, entry, held, hold, progress_of, record, topics_of
from server.store import approval_queries, asked_queries, log_queries
from server.store.approval_queries import ChainRow
from server.store.asked_queries import RequestRow, StepRow
from server.store.change_queries import note_changes
from server.store.closing_queries import hold_closed_months
from server.store.database import Database
from server.store.log_queries import Entry
from shared.clock import WallMs
from shared.errors import DataError, MusterError

Verdict: TypeAlias = Literal["approved", "refused", "escalated"]
MOST_TOGETHER = 200
"""Requests of one bulk decision or one round of time-outs."""
MOST_PENDING = 5_000
LONGEST_DELEGATION_MS = 366 * 86_400_000
DECIDERS = frozenset({"manager", "hr", "administrator"})

log = structlog.get_logger("server.approvals")


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of one request of a bulk decision; ``code`` says why it was not decided."""

    id: int
    state: str | None
    code: str | None = None
    parameters: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request that waits for the viewer, and in whose right they decide: None for their own."""

    row: RequestRow
    for_login: str | None


# --- deciding -------------------------------------------------------------------------------------------------------


async def decide(
    db: Database, viewer: Viewer, request: int, verdict: Verdict, caller: Caller, *, step: int | None, comment: str
) -> State:
    """Decide the step that waits; the state after it.

    ``step`` is the one the viewer saw: DataError ``step_passed`` when another waits by now, ``not_pending`` after the
    end, ``comment_missing`` for a refusal without a reason. ForbiddenError when it is not theirs to decide.
    """
    if verdict == "refused" and not comment.strip():
        raise DataError("a refusal needs a reason: say why", "comment_missing")
    async with db.writing() as connection:
        closed = await hold_closed_months(connection)
        row = await held(connection, viewer, request, caller.at_ms)
        if row.state == "pending" and step not in (None, row.step):
            raise DataError(f"step {row.step} waits by now, not {step}: look at the request again", "step_passed")
        return await _decided(connection, viewer, row, verdict, caller, comment=comment, closed=closed)


async def consent(db: Database, viewer: Viewer, request: int, caller: Caller, *, agree: bool, comment: str) -> State:
    """The other employee's answer to a swap; DataError ``not_pending`` when nobody waits for it."""
    async with db.writing() as connection:
        closed = await hold_closed_months(connection)
        row = await held(connection, viewer, request, caller.at_ms)
        waiting = progress_of(row).waiting
        if waiting is None or waiting.role != "other":
            raise DataError(f"request {row.id} does not wait for a consent: look at it again", "not_pending")
        verdict: Verdict = "approved" if agree else "refused"
        return await _decided(connection, viewer, row, verdict, caller, comment=comment, closed=closed)


async def _decided(
    connection: AsyncConnection,
    viewer: Viewer,
    row: RequestRow,
    verdict: Verdict,
    caller: Caller,
    *,
    comment: str,
    closed: Collection[str],
) -> State:
    progress = progress_of(row)
    after = decided(progress, verdict)
    for_user = await _right(connection, viewer, row, progress, verdict, now_ms=caller.at_ms)
    done = StepRow(row.step, verdict, viewer.login, for_user, comment.strip(), caller.at_ms)
    topics = await _follow(connection, row, after, done, closed)
    await log_queries.append(connection, entry(caller, viewer.login, f"request.{verdict}", row, for_user=for_user))
    await note_changes(connection, topics, caller.at_ms)
    return after.state


async def decide_many(
    db: Database,
    viewer: Viewer,
    asked: Sequence[tuple[int, int | None]],
    verdict: Verdict,
    caller: Caller,
    *,
    comment: str,
) -> list[Decided]:
    """Decide each request, number and step, on its own; what became of each, in order."""
    if len(asked) > MOST_TOGETHER:
        raise DataError(f"{len(asked)} requests: at most {MOST_TOGETHER} at once", "too_many")
    found = []
    for number, step in asked:
        try:
            state = await decide(db, viewer, number, verdict, caller, step=step, comment=comment)
            found.append(Decided(number, state))
        except DataError as error:
            found.append(Decided(number, None, error.code, dict(error.parameters)))
        except AccessError as error:
            found.append(Decided(number, None, error.code))
    return found


async def time_out(db: Database, now_ms: WallMs) -> int:
    """Let the steps whose time is over decide themselves; how many did. What can not be approved then is refused."""
    async with db.reading() as connection:
        due = await asked_queries.timed_out_requests(connection, now_ms, MOST_TOGETHER)
    done = 0
    for request in due:
        try:
            done += await _time_out(db, request, now_ms)
        except MusterError as error:
            log.warning("time_out_failed", request=request, reason=str(error))
    return done


async def _time_out(db: Database, request: int, now_ms: WallMs) -> bool:
    try:
        return await _timed_out(db, request, now_ms, refuse=None)
    except DataError as error:
        return await _timed_out(db, request, now_ms, refuse=error.code)


async def _timed_out(db: Database, request: int, now_ms: WallMs, *, refuse: str | None) -> bool:
    async with db.writing() as connection:
        closed = await hold_closed_months(connection)
        row = await hold(connection, request)
        if row.state != "pending" or row.step_due_ms is None or row.step_due_ms > now_ms:
            return False
        progress = progress_of(row)
        verdict, after = timed_out(progress)
        if refuse is not None:
            verdict, after = "refused", decided(progress, "refused")
        comment = "time_out" if refuse is None else f"time_out {refuse}"
        topics = await _follow(
            connection, row, after, StepRow(row.step, verdict, SYSTEM, None, comment, now_ms), closed
        )
        await log_queries.append(connection, entry(None, SYSTEM, f"request.{verdict}", row, at_ms=now_ms))
        await note_changes(connection, topics, now_ms)
    return True


async def _follow(
    connection: AsyncConnection, row: RequestRow, after: Progress, done: StepRow, closed: Collection[str]
) -> set[str]:
    """Write the decision down and do what follows; the topics that changed."""
    topics = topics_of(row)
    if after.state == "approved":
        topics |= await request_effects.begin(connection, row, closed, done.actor, done.at_ms)
    await record(connection, row, after, done)
    if after.state == "approved" or (row.kind == "correction" and after.state != "pending"):
        await request_effects.touch(connection, row)
    return topics


async def _right(
    connection: AsyncConnection,
    viewer: Viewer,
    row: RequestRow,
    progress: Progress,
    verdict: Verdict,
    *,
    now_ms: WallMs,
) -> str | None:
    """Login of the one whose delegate the viewer is, None for their own right; ForbiddenError without any."""
    waiting = progress.waiting
    assert waiting is not None  # noqa: S101  (something was decided)
    office = await approval_queries.approvers_at(connection, now_ms)
    entitled = office.acting_for(viewer.user, waiting.role, about_of(row), now_ms)
    own = viewer.employee is not None and viewer.employee == row.employee
    if entitled is None and verdict == "escalated" and viewer.may("requests.settings") and not own:
        return None  # HR takes over what nobody decides
    if entitled is None:
        raise ForbiddenError(f"{viewer.login} does not decide step {row.step} of request {row.id}")
    return None if entitled == viewer.user else office.by_id[entitled].login


# --- what waits -----------------------------------------------------------------------------------------------------


async def waiting_for(connection: AsyncConnection, viewer: Viewer, now_ms: WallMs) -> list[Waiting]:
    """Requests whose turn it is the viewer's to decide, oldest first; consents to swaps included."""
    office = await approval_queries.approvers_at(connection, now_ms)
    found = []
    for row in await asked_queries.pending_requests(connection, MOST_PENDING):
        step, about = progress_of(row).waiting, about_of(row)
        if step is None or (step.role != "other" and not viewer.may("requests.decide")):
            continue
        if office.waits_for(viewer.user, step.role, about, now_ms):
            entitled = office.acting_for(viewer.user, step.role, about, now_ms)
            for_login = None if entitled in (None, viewer.user) else office.by_id[entitled].login
            found.append(Waiting(row, for_login))
    return found


# --- chains and delegations -----------------------------------------------------------------------------------------


async def save_chain(
    db: Database, actor: str, kind: Kind, steps: Sequence[Step], caller: Caller, *, settings: Mapping[str, int]
) -> None:
    """Store the chain of a kind; it holds for what is asked from now on. DataError ``bad_chain``."""
    check_steps(kind, steps)
    known = CORRECTION_SETTINGS if kind == "correction" else {}
    if set(settings) - set(known) or any(not 0 <= value <= 366 for value in settings.values()):
        raise DataError(f"settings of {kind}: expected {sorted(known)} of 0 to 366", "bad_chain")
    async with db.writing() as connection:
        row = ChainRow(kind, [asdict(step) for step in steps], {**known, **settings})
        await approval_queries.put_chain(connection, row)
        about = Entry(caller.at_ms, actor, "request.chain", kind, ip=caller.ip, request_id=caller.request_id)
        await log_queries.append(connection, about)
        await note_changes(connection, ["requests"], caller.at_ms)


async def delegate(db: Database, viewer: Viewer, to: str, span: tuple[WallMs, WallMs], caller: Caller) -> int:
    """Let another act for the viewer from the first instant of a span up to, without, the second; its number."""
    from_ms, to_ms = span
    if not from_ms < to_ms <= from_ms + LONGEST_DELEGATION_MS or to_ms <= caller.at_ms:
        raise DataError("a delegation ends after it begins, in the future, within a year", "bad_span")
    async with db.writing() as connection:
        office = await approval_queries.approvers_at(connection, caller.at_ms)
        other = next((one for one in office.accounts if one.login == to), None)
        if other is None or other.role not in DECIDERS or other.user == viewer.user:
            raise DataError(f"{to!r} can not act for you: choose another who decides requests", "bad_delegate")
        values = {"user": viewer.user, "delegate": other.user, "from_ms": from_ms, "to_ms": to_ms}
        number = await approval_queries.add_delegation(connection, values)
        await log_queries.append(connection, _delegated(viewer, caller, "request.delegate", {"to": to}))
        await note_changes(connection, ["requests"], caller.at_ms)
    return number


async def end_delegation(db: Database, viewer: Viewer, delegation: int, caller: Caller) -> bool:
    """End a delegation that the viewer gave; whether there was such a one."""
    async with db.writing() as connection:
        ended = await approval_queries.end_delegation(connection, viewer.user, delegation, caller.at_ms)
        if ended:
            await log_queries.append(connection, _delegated(viewer, caller, "request.delegate_end", {}))
            await note_changes(connection, ["requests"], caller.at_ms)
    return ended


def _delegated(viewer: Viewer, caller: Caller, action: str, detail: dict[str, str]) -> Entry:
    return Entry(
        caller.at_ms, viewer.login, action, viewer.login, ip=caller.ip, request_id=caller.request_id, detail=detail
    )

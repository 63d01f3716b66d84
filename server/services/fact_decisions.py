"""People decide about rows that wait: mended, accepted, refused; much at once, or pay, by two. All of it is logged."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, TypeAlias

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.errors import NotFoundError
from server.access.scope import Scope
from server.connectors.mapping import Mapped
from server.facts.codes import SOFT
from server.services.fact_review import found, mapped, stream_of
from server.services.fact_store import Arrival, Counts, store_page
from server.services.sealing import has_pay
from server.services.sources import load_source
from server.store import log_queries, proposal_queries, review_queries, source_queries
from server.store.database import Database
from server.store.log_queries import Detail, Entry
from server.store.proposal_queries import Proposal
from server.store.review_queries import WaitingFact
from shared.errors import DataError

ALONE = 500
"""More rows, or pay and contracts, are for two people to decide about."""
Kind: TypeAlias = Literal["fix", "accept", "refuse"]
_STATES: Mapping[str, str] = {"fix": "fixed", "accept": "accepted", "refuse": "rejected"}
_Plan: TypeAlias = Sequence[tuple[WaitingFact, Mapped | None]]
"""Rows, and what each is stored as; None for those that are none."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to become of rows, and why."""

    kind: str
    """As ``Kind``."""
    note: str = ""
    patch: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the fact with their right values; null takes one out."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of rows at once, or the proposal that waits for a second person."""

    counts: Counts
    proposal: int | None = None


async def decide(db: Database, scope: Scope, numbers: Sequence[int], decision: Decision, entry: Entry) -> Decided:
    """Carry a decision out, or propose it where it takes two people; all of its rows or none.

    ``entry`` says who decides and when. DataError ``still_wrong`` names what is wrong with the first that does not fit,
    ``not_soft`` the first that can not be accepted as it is, ``same_key`` rows that would replace each other,
    ``decided`` and ``proposed`` one that waits no longer, or for two people's decision.
    """
    async with db.writing() as connection:
        rows = await found(connection, scope, numbers)
        plan = await _plan(connection, rows, decision, entry)
        if len(rows) > ALONE or any(has_pay(row.fact) for row in rows):
            return Decided(Counts(), await _propose(connection, scope, rows, decision, entry))
        counts = await _carry_out(connection, plan, decision, entry)
        told = {"rows": ", ".join(str(row.id) for row in rows), **_detail(decision)}
        await _log(connection, f"facts.{decision.kind}", rows[0].source, told, entry)
    return Decided(counts)


async def confirm(db: Database, scope: Scope, number: int, entry: Entry) -> Counts:
    """Carry out what another person proposed, for those of its rows that still wait as they were then.

    DataError ``same_person``, ``decided``, ``nothing_left``, and those of ``decide``.
    """
    async with db.writing() as connection:
        proposal, rows = await _of_another(connection, scope, number, entry)
        if not rows:
            raise DataError(f"no row of proposal {number} waits any more: decline it", "nothing_left")
        decision = Decision(proposal.kind, proposal.note, proposal.patch)
        plan = await _plan(connection, [replace(row, proposal=None) for row in rows], decision, entry)
        counts = await _carry_out(connection, plan, decision, entry)
        await _settle(connection, proposal, "confirmed", "", entry)
        told: Detail = {
            "proposal": str(number),
            "proposed_by": proposal.proposed_by,
            "count": len(rows),
            **_detail(decision),
        }
        await _log(connection, "facts.confirm", proposal.source, told, entry)
    return counts


async def decline(db: Database, scope: Scope, number: int, reason: str, entry: Entry) -> None:
    """Refuse what another person proposed; its rows wait on. DataError ``same_person``, ``decided``."""
    async with db.writing() as connection:
        proposal, rows = await _of_another(connection, scope, number, entry)
        await review_queries.propose(connection, [row.id for row in rows], None)
        await _settle(connection, proposal, "declined", reason, entry)
        told = {"proposal": str(number), "proposed_by": proposal.proposed_by, "note": reason, "kind": proposal.kind}
        await _log(connection, "facts.decline", proposal.source, told, entry)


def is_own(proposal: Proposal, login: str, employee: str | None) -> bool:
    """Whether the same person proposed it, by whichever account."""
    return login == proposal.proposed_by or (employee is not None and employee == proposal.proposed_employee)


async def _of_another(
    connection: AsyncConnection, scope: Scope, number: int, entry: Entry
) -> tuple[Proposal, list[WaitingFact]]:
    """A proposal that waits and was somebody else's, with its rows, all of which the viewer sees."""
    proposal = await proposal_queries.one(connection, number)
    total, rows = await review_queries.proposed(connection, scope, number)
    if proposal is None or len(rows) < total or not (total or scope.everyone):
        raise NotFoundError(f"proposal {number}")
    if proposal.state != "waiting":
        raise DataError(f"proposal {number} is decided already", "decided")
    if is_own(proposal, entry.actor, scope.employee):
        raise DataError("it takes a second person: somebody else decides about your own proposal", "same_person")
    return proposal, rows


async def _plan(connection: AsyncConnection, rows: Sequence[WaitingFact], decision: Decision, entry: Entry) -> _Plan:
    """What each row is stored as; the first that does not fit ends it."""
    plan: list[tuple[WaitingFact, Mapped | None]] = []
    keys: dict[tuple[str, str, str], int] = {}
    for row in rows:
        if row.state != "open":
            raise DataError(f"row {row.id} is decided already", "decided", {"row": str(row.id)})
        if row.proposal is not None:
            about = {"row": str(row.id), "proposal": str(row.proposal)}
            raise DataError(f"row {row.id} waits for a second person's word", "proposed", about)
        if decision.kind == "refuse":
            plan.append((row, None))
            continue
        one = await _fitting(connection, row, decision, entry)
        other = keys.setdefault((row.source, row.stream, one.row.source_key), row.id)
        if other != row.id:
            about = {"row": str(row.id), "other": str(other)}
            raise DataError(f"rows {other} and {row.id} would have the same key: decide one by one", "same_key", about)
        plan.append((row, one))
    return plan


async def _fitting(connection: AsyncConnection, row: WaitingFact, decision: Decision, entry: Entry) -> Mapped:
    accepts = decision.kind == "accept"
    hard = [code for code in row.codes if code not in SOFT]
    if accepts and hard:
        raise _not_soft(row, hard)
    outcome = await mapped(connection, row, decision.patch, entry.at_ms, accepts=accepts)
    if isinstance(outcome, Mapped):
        return outcome
    if accepts:
        raise _not_soft(row, outcome.codes)
    told = ", ".join(f"{fault.field}: {fault.code}" for fault in outcome.faults)
    raise DataError(f"row {row.id} still does not fit: {told}", "still_wrong", {"row": str(row.id), "faults": told})


def _not_soft(row: WaitingFact, codes: Sequence[str]) -> DataError:
    return DataError(
        f"row {row.id} can not be accepted as it is ({', '.join(codes)}): only {' and '.join(sorted(SOFT))} can; "
        "put it right, or refuse it",
        "not_soft",
        {"row": str(row.id), "codes": ", ".join(codes)},
    )


async def _propose(
    connection: AsyncConnection, scope: Scope, rows: Sequence[WaitingFact], decision: Decision, entry: Entry
) -> int:
    """Let a decision wait for a second person; its number."""
    kinds = {(row.source, row.fact) for row in rows}
    if len(kinds) > 1:
        raise DataError("what takes two people is about rows of one source and fact: decide by source", "one_source")
    [(source, fact)] = kinds
    values = {"kind": decision.kind, "source": source, "fact": fact, "rows": len(rows), "note": decision.note}
    values |= {"patch": dict(decision.patch), "proposed_by": entry.actor, "proposed_employee": scope.employee}
    number = await proposal_queries.add(connection, values | {"proposed_ms": entry.at_ms})
    await review_queries.propose(connection, [row.id for row in rows], number)
    told: Detail = {"proposal": str(number), "count": len(rows), **_detail(decision)}
    await _log(connection, "facts.propose", source, told, entry)
    return number


async def _carry_out(connection: AsyncConnection, plan: _Plan, decision: Decision, entry: Entry) -> Counts:
    values: dict[str, Any] = {"state": _STATES[decision.kind], "note": decision.note}
    values |= {"decided_by": entry.actor, "decided_ms": entry.at_ms}
    values |= {"patch": dict(decision.patch)} if decision.patch else {}
    if await review_queries.decide(connection, [row.id for row, _ in plan], values) < len(plan):
        raise DataError("some of these rows are decided already", "decided")
    counts = Counts()
    streams: dict[tuple[str, str], list[tuple[WaitingFact, Mapped]]] = {}
    for row, one in plan:
        if one is not None:
            streams.setdefault((row.source, row.stream), []).append((row, one))
    for pairs in streams.values():
        counts += await _store(connection, pairs[0][0], [one for _, one in pairs], entry)
    return counts


async def _store(connection: AsyncConnection, row: WaitingFact, rows: Sequence[Mapped], entry: Entry) -> Counts:
    """Rows of one stream, as a run of its own."""
    known, _ = await load_source(connection, row.source)
    source, stream = await stream_of(connection, row)
    started = {"source": row.source, "stream": row.stream, "kind": "review", "map_version": known.map_version}
    run = await source_queries.begin_run(connection, {**started, "actor": entry.actor, "started_ms": entry.at_ms})
    counts = await store_page(connection, Arrival(row.source, stream, source.zone, run, entry.at_ms), rows)
    await source_queries.set_run(connection, run, {"state": "ok", "ended_ms": entry.at_ms, **asdict(counts)})
    return counts


async def _settle(connection: AsyncConnection, proposal: Proposal, state: str, reason: str, entry: Entry) -> None:
    values = {"state": state, "decided_by": entry.actor, "decided_ms": entry.at_ms, "reason": reason}
    if not await proposal_queries.settle(connection, proposal.id, values):
        raise DataError(f"proposal {proposal.id} is decided already", "decided")


def _detail(decision: Decision) -> dict[str, str]:
    patch = msgspec.json.encode(dict(decision.patch)).decode()
    return {"kind": decision.kind, "patch": patch, "note": decision.note}


async def _log(connection: AsyncConnection, action: str, source: str, told: Detail, entry: Entry) -> None:
    await log_queries.append(connection, replace(entry, action=action, object=source, detail=told))

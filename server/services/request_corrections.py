"""Corrections (补卡): a punch that is missing, with a quota and a time limit that HR may exceed."""

import datetime as dt
from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from server.attendance.months import month_of
from server.requests.span import date_of_punch, instant, midnights
from server.services.leave import CORRECTION_SETTINGS
from server.services.request_parts import DAY, Ask, Asking, Draft, shifts_around, values_of
from server.store import approval_queries, asked_queries
from server.store.asked_queries import AskerRow, RequestRow
from shared.clock import WallMs, from_ms
from shared.errors import DataError


async def correction(connection: AsyncConnection, asking: Asking, ask: Ask) -> Draft:
    """A correction before it is stored; DataError with a code for each thing that does not fit."""
    at = instant(ask.start, asking.zone)
    if at > asking.now_ms:
        raise DataError(f"{ask.start} is in the future: only what happened can be corrected", "in_future")
    if not ask.reason.strip():
        raise DataError("a correction needs a reason: say what happened", "reason_missing")
    shifts = await shifts_around(connection, asking.person, asking.zone, at, at + 1)
    day = date_of_punch(shifts, at, asking.zone)
    made = Draft(values_of(ask, at, at, 0), (day,))
    made.values["direction"] = ask.direction
    await _limit_corrections(connection, asking, made, day, at)
    return made


async def _limit_corrections(
    connection: AsyncConnection, asking: Asking, made: Draft, day: dt.date, at: WallMs
) -> None:
    """Quota and time limit: employees are refused, HR is told."""
    limits, near = await _corrections_of_month(connection, asking.person, day)
    if any(row.from_ms == at for row in near):
        raise DataError("a correction of that minute was asked for already", "overlap")
    month = month_of(day)
    used = _used(near, day)
    made.values["detail"] = {"date": str(day)}
    today = from_ms(asking.now_ms).astimezone(asking.zone).date()
    if used >= limits["per_month"]:
        text = f"{used} corrections in {month} already, {limits['per_month']} are allowed: ask HR to enter it"
        _limit(asking, made, "correction_quota", text, {"used": str(used), "most": str(limits["per_month"])})
    if (today - day).days > limits["within_days"]:
        text = f"{day} is more than {limits['within_days']} days ago: ask HR to enter it"
        _limit(asking, made, "correction_too_late", text, {"days": str(limits["within_days"])})


async def corrections_left(
    connection: AsyncConnection, person: AskerRow, now_ms: WallMs
) -> tuple[Mapping[str, int], int]:
    """Limits of corrections, and how many of this month the employee has asked for."""
    today = from_ms(now_ms).astimezone(ZoneInfo(person.zone)).date()
    limits, near = await _corrections_of_month(connection, person, today)
    return limits, _used(near, today)


async def _corrections_of_month(
    connection: AsyncConnection, person: AskerRow, day: dt.date
) -> tuple[Mapping[str, int], list[RequestRow]]:
    """Limits, and corrections in and around the month; near its ends they may be of a shift of another month."""
    row = (await approval_queries.chain_rows(connection)).get("correction")
    limits = {**CORRECTION_SETTINGS, **(row.settings if row is not None else {})}
    first, zone = day.replace(day=1), ZoneInfo(person.zone)
    following = (first + 31 * DAY).replace(day=1)
    span = midnights(first - DAY, zone)[0], midnights(following + DAY, zone)[1]
    return limits, await asked_queries.corrections_between(connection, person.id, *span)


def _used(near: Sequence[RequestRow], day: dt.date) -> int:
    """Corrections of the month of that date that count: those of the employee."""
    month = month_of(day)
    return sum(one.detail.get("date", "").startswith(month) and not one.detail.get("by_hr") for one in near)


def _limit(asking: Asking, made: Draft, code: str, text: str, parameters: Mapping[str, str]) -> None:
    if not asking.by_hr:
        raise DataError(text, code, parameters)
    made.warnings.append(code)
    made.values["detail"] = {**made.values["detail"], "beyond_quota": True}

"""What notices say: counts, never names, as a group reads them; a workbook only by e-mail."""

from collections import Counter
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from server.access.scope import Scope
from server.attendance.months import month_span
from server.config import ServerConfig
from server.notices.mail import Attachment
from server.notices.robots import Message
from server.notices.schedule import month_told
from server.reports.columns import Language, ReportName
from server.reports.words import label, title, word
from server.services import contracts
from server.services.appeal_notices import HAPPENINGS
from server.services.report_files import Setting, workbook
from server.services.reports import Question
from server.store import closing_queries, page_queries, period_queries, report_queries
from server.store.database import Database
from server.store.report_queries import DaysAsked
from server.store.scope_filter import Narrow
from shared.clock import WallMs, from_ms

SUBJECTS = ("today", "exceptions", "month", "contracts", "appeals", *HAPPENINGS)
DAY_MS = 86_400_000
NEAR_MS = 3 * DAY_MS
"""So long before it a deadline is told of."""


@dataclass(frozen=True, slots=True)
class Told:
    """What to tell: about what, when it was due, to whom in which language."""

    report: str
    due_ms: WallMs
    language: Language
    narrow: Narrow


async def message(db: Database, config: ServerConfig, told: Told) -> Message:
    """Counts of the day, exceptions, the month, contracts that end or appeals, or that one is there; with a link."""
    match told.report:
        case "today":
            head, lines, path = await _today(db, config.zone, told)
        case "exceptions":
            head, lines, path = await _exceptions(db, config.zone, told)
        case "contracts":
            head, lines, path = await _contracts(db, config.zone, told)
        case "appeals":
            head, lines, path = await _appeals(db, config.zone, told)
        case "appeal_filed":
            head, lines, path = _happened(told, "/periods?tab=appeals")
        case "appeal_decided":
            head, lines, path = _happened(told, "/me/score")
        case _:
            head, lines, path = await _month(db, config.zone, told)
    link = f"{config.http.address}{path}" if config.http.address else None
    return Message(head, "\n".join(lines), link, label("open", told.language))


async def attachment(db: Database, config: ServerConfig, told: Told) -> Attachment | None:
    """The workbook that goes with an e-mail; none for counts of a day."""
    if told.report in ("today", "contracts", "appeals", *HAPPENINGS):
        return None
    report: ReportName = "exceptions" if told.report == "exceptions" else "month"
    month = month_told(told.due_ms, config.zone)
    setting = Setting(told.due_ms, config.zone, told.language, config.company)
    with await workbook(db, Scope.system(), Question(report, month, told.narrow), setting) as file:
        return Attachment(f"{title(report, told.language)}-{month}.xlsx", file.read())


async def _today(db: Database, zone: ZoneInfo, told: Told) -> tuple[str, list[str], str]:
    day = from_ms(told.due_ms).astimezone(zone).date()
    async with db.reading() as connection:
        rows = await page_queries.day_rows(connection, Scope.system(), day, told.narrow)
        planned = await page_queries.planned_people(connection, Scope.system(), day, told.narrow)
    counts = Counter(row.status for row in rows)
    lines = [f"{label('planned', told.language)}: {len(planned)}"]
    lines += [f"{word(status, told.language)}: {number}" for status, number in sorted(counts.items())]
    return f"{label('today', told.language)} {day}", lines, f"/today?date={day}"


async def _exceptions(db: Database, zone: ZoneInfo, told: Told) -> tuple[str, list[str], str]:
    month = month_told(told.due_ms, zone)
    async with db.reading() as connection:
        asked = DaysAsked("exceptions", *month_span(month))
        rows = await report_queries.report_days(connection, Scope.system(), told.narrow, asked)
    counts = Counter(row.record.status for row in rows)
    lines = [f"{label('count_of', told.language)}: {len(rows)}"]
    lines += [f"{word(status, told.language)}: {number}" for status, number in sorted(counts.items())]
    pending = sum(row.record.minutes.pending > 0 for row in rows)
    lines.append(f"{label('pending', told.language)}: {pending}")
    return f"{title('exceptions', told.language)} {month}", lines, f"/exceptions?month={month}"


async def _month(db: Database, zone: ZoneInfo, told: Told) -> tuple[str, list[str], str]:
    month = month_told(told.due_ms, zone)
    async with db.reading() as connection:
        closed = month in await closing_queries.closed_months(connection)
        asked = DaysAsked("daily", *month_span(month))
        _, sums = await report_queries.report_day_sums(connection, Scope.system(), told.narrow, asked)
        people = await report_queries.people_of_month(connection, Scope.system(), told.narrow, asked.first, asked.last)
    overtime = sum(sums[f"ot_{kind}_min"] for kind in ("15", "20", "30"))
    facts = {
        label("closing", told.language): word("closed" if closed else "open", told.language),
        label("people", told.language): str(len(people)),
        label("late_hours", told.language): _hours(sums["late_min"]),
        label("absent_hours", told.language): _hours(sums["absent_min"]),
        label("overtime_hours", told.language): _hours(overtime),
        label("pending_hours", told.language): _hours(sums["pending_min"]),
    }
    return (
        f"{title('month', told.language)} {month}",
        [f"{k}: {v}" for k, v in facts.items()],
        f"/reports?month={month}",
    )


async def _contracts(db: Database, zone: ZoneInfo, told: Told) -> tuple[str, list[str], str]:
    day = from_ms(told.due_ms).astimezone(zone).date()
    below = told.narrow.departments
    async with db.reading() as connection:
        found = await contracts.contracts(connection, Scope.system(), day)
    counts = contracts.counted(one for one in found if below is None or one.department in below)
    lines = [
        f"{label(f'contracts_{name}', told.language)}: {counts[name]}" for name in ("expired", "expiring", "probation")
    ]
    return f"{label('contracts', told.language)} {day}", lines, "/contracts"


async def _appeals(db: Database, zone: ZoneInfo, told: Told) -> tuple[str, list[str], str]:
    """Appeals to decide about, those answered in the last day, and periods whose deadline is near."""
    async with db.reading() as connection:
        found = await period_queries.appeals(connection, Scope.system(), None, told.narrow)
        closings = await period_queries.closing_rows(connection)
    near = {one.period: one for one in closings if told.due_ms <= one.appeal_until_ms < told.due_ms + NEAR_MS}
    counts = {
        "open": sum(one.state == "open" for one in found),
        "changing": sum(one.state == "changing" for one in found),
        "answered": sum(
            one.state in ("upheld", "changed", "refused")
            and one.decided_ms is not None
            and told.due_ms - DAY_MS <= one.decided_ms < told.due_ms
            for one in found
        ),
    }
    lines = [f"{label(f'appeals_{name}', told.language)}: {number}" for name, number in counts.items()]
    until = label("appeals_until", told.language)
    for period, one in sorted(near.items()):
        last = from_ms(one.appeal_until_ms - 1).astimezone(zone).date()
        lines.append(f"{until} {period}: {last}")
    day = from_ms(told.due_ms).astimezone(zone).date()
    return f"{label('appeals', told.language)} {day}", lines, "/periods?tab=appeals"


def _happened(told: Told, path: str) -> tuple[str, list[str], str]:
    """That it happened and where to read it: mail leaves the house, so it says nothing about whom or what."""
    return label(told.report, told.language), [label(f"{told.report}_text", told.language)], path


def _hours(minutes: int) -> str:
    return f"{minutes / 60:.1f}"

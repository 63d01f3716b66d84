"""Visitors, campaigns, posts."""

from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

from server.facts.resolve.rule import DAY_MS, Cause, Causes, Row, Rule, each, in_order, own_key

CONVERSION_MS = 7 * DAY_MS
INTERACTIONS = ("likes", "comments", "shares", "favourites")
_NOTHING: Row = dict.fromkeys(("reads", *INTERACTIONS, "conversions"))


def _converted(rows: Sequence[Row], causes: Causes, _zone: ZoneInfo) -> list[Row]:
    steps = in_order(causes["funnel_event"], "occurred_at_ms")
    times = {kind: [row["occurred_at_ms"] for row in steps if row["kind"] == kind] for kind in ("paid", "goal")}
    return [{f"{kind}_at_ms": _next(row, found) for kind, found in times.items()} for row in rows]


def _next(view: Row, times_ms: Iterable[int]) -> int | None:
    if view["kind"] != "page_view":
        return None
    at_ms = view["occurred_at_ms"]
    return next((ms for ms in times_ms if at_ms <= ms <= at_ms + CONVERSION_MS), None)


def _designed(view: Row, causes: Causes, _zone: ZoneInfo) -> Row:
    at_ms = view["occurred_at_ms"]
    live = [task for task in in_order(causes["design_task"], "page_live_from_ms") if _is_live(task, at_ms)]
    if not live or view["kind"] != "page_view":
        return {"designer": None, "page_type": None}
    return {"designer": live[-1]["employee"], "page_type": live[-1]["page_type"]}


def _is_live(task: Row, at_ms: int) -> bool:
    start, end = task["page_live_from_ms"], task["page_live_to_ms"]
    return start is not None and start <= at_ms and (end is None or at_ms < end)


def _completed(rows: Sequence[Row], causes: Causes, _zone: ZoneInfo) -> list[Row]:
    events = in_order(causes["campaign_event"], "occurred_at_ms")
    done = next((row["occurred_at_ms"] for row in events if row["kind"] == "completed"), None)
    first = next((own_key(row) for row in events if row["kind"] == "invited"), None)
    return [
        {"completed_at_ms": done, "repeated": (own_key(row) != first) or None}
        if row["kind"] == "invited"
        else {"completed_at_ms": None, "repeated": None}
        for row in rows
    ]


def _added(rows: Sequence[Row], causes: Causes, _zone: ZoneInfo) -> list[Row]:
    """Running totals are compared with the row before of the same source; a total without one counts whole."""
    before: dict[tuple[str, str], Row | None] = {}
    newest: dict[str, Row] = {}
    for row in in_order([row for row in causes["content_post"] if row["cumulative"]], "stat_date"):
        before[own_key(row)] = newest.get(row["source"])
        newest[row["source"]] = row
    return [_difference(row, before.get(own_key(row))) for row in rows]


def _difference(row: Row, before: Row | None) -> Row:
    earlier = _NOTHING if before is None else before
    return {
        "reads_added": _less(row["reads"], earlier["reads"]),
        "interactions_added": _less(_interactions(row), _interactions(earlier)),
        "conversions_added": _less(row["conversions"], earlier["conversions"]),
    }


def _less(value: int | None, before: int | None) -> int | None:
    return None if value is None else value - (before or 0)


def _interactions(row: Row) -> int | None:
    known = [row[name] for name in INTERACTIONS if row[name] is not None]
    return sum(known) if known else None


_FIGURES = ("stat_date", "cumulative", "reads", *INTERACTIONS, "conversions")

RULES = (
    Rule(
        "content_post",
        ("platform", "post_key"),
        ("reads_added", "interactions_added", "conversions_added"),
        (Cause("content_post", ("platform", "post_key"), _FIGURES),),
        _added,
        _FIGURES,
    ),
    Rule(
        "funnel_event",
        ("source", "visitor_key"),
        ("paid_at_ms", "goal_at_ms"),
        (Cause("funnel_event", ("source", "visitor_key"), ("kind", "occurred_at_ms")),),
        _converted,
        ("kind", "occurred_at_ms"),
    ),
    Rule(
        "funnel_event",
        ("page",),
        ("designer", "page_type"),
        (Cause("design_task", ("page_key",), ("page_live_from_ms", "page_live_to_ms", "page_type", "employee")),),
        each(_designed),
        ("kind", "occurred_at_ms"),
    ),
    Rule(
        "campaign_event",
        ("campaign", "user_key"),
        ("completed_at_ms", "repeated"),
        (Cause("campaign_event", ("campaign", "user_key"), ("kind", "occurred_at_ms")),),
        _completed,
        ("kind", "occurred_at_ms"),
    ),
)

"""Parcels, their damage and events; complaints."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from server.facts.resolve.rule import Cause, Causes, Resolve, Row, Rule, each, in_order, own_key

WITHIN_DAYS = 7


def _parcel(report: Row, causes: Causes, _zone: ZoneInfo) -> Row:
    if report["tracking_no"] is not None:
        return {"parcel": report["tracking_no"]}
    known = sorted(row["tracking_no"] for row in causes["shipment"] if row["tracking_no"] is not None)
    return {"parcel": known[0] if known else None}


def _damaged(_parcel: Row, causes: Causes, _zone: ZoneInfo) -> Row:
    confirmed = [
        row
        for row in causes["damage_report"]
        if row["responsibility"] == "logistics" and row["confirmed_on"] is not None
    ]
    before = [row["confirmed_on"] for row in confirmed if not _by_return(row)]
    return {
        "damaged_on": min((row["confirmed_on"] for row in confirmed), default=None),
        "damaged_before_return_on": min(before, default=None),
    }


def _by_return(report: Row) -> bool:
    return report["point"] == "return_inspection" or (report["point"] is None and report["kind"] == "return")


def _order_net(parcel: Row, causes: Causes, _zone: ZoneInfo) -> Row:
    own = [row for row in causes["sales_order"] if row["source"] == parcel["source"]]
    found = in_order(own or causes["sales_order"])
    return {"order_net_minor": found[0]["amount_net_minor"] if found else None}


def _sorted(rows: Sequence[Row], causes: Causes, _zone: ZoneInfo) -> list[Row]:
    """For each arrival the first sorting after it that no later arrival is nearer to."""
    events = in_order(causes["shipment_event"], "occurred_at_ms")
    sorted_ms = [row["occurred_at_ms"] for row in events if row["status"] == "sorted"]
    inbound_ms = [row["occurred_at_ms"] for row in events if row["status"] == "inbound"]
    found: list[Row] = []
    for row in rows:
        at_ms = row["occurred_at_ms"]
        first = next((ms for ms in sorted_ms if ms >= at_ms), None) if row["status"] == "inbound" else None
        again = first is not None and any(at_ms < ms <= first for ms in inbound_ms)
        found.append({"sorted_at_ms": None if again else first})
    return found


def _repeated(rows: Sequence[Row], causes: Causes, _zone: ZoneInfo) -> list[Row]:
    earlier = in_order(causes["complaint"], "occurred_on")
    return [{"repeated": (row["repeat_of"] is not None or _follows(row, earlier)) or None} for row in rows]


def _follows(row: Row, complaints: Sequence[Row]) -> bool:
    same = ("order_key", "category")
    return row["customer_key"] is not None and any(
        _before(other, row) and any(row[name] is not None and row[name] == other[name] for name in same)
        for other in complaints
    )


def _before(other: Row, row: Row) -> bool:
    """Whether it came up to seven days earlier; of one day the smaller key is the first."""
    days: int = (row["occurred_on"] - other["occurred_on"]).days
    if days == 0:
        return own_key(other) < own_key(row)
    return 0 < days <= WITHIN_DAYS


def _counted(rows: Sequence[Row], causes: Causes, _zone: ZoneInfo) -> list[Row]:
    by_logistics = [row for row in causes["complaint"] if row["responsibility"] == "logistics"]
    return [
        {"counted": (row["responsibility"] == "logistics" and not _again(row, by_logistics)) or None} for row in rows
    ]


def _again(row: Row, complaints: Sequence[Row]) -> bool:
    return row["order_key"] is not None and any(_before(other, row) for other in complaints)


def _courier(name: str) -> Resolve:
    """Who carried the parcel; of several the first in order."""

    def courier(_complaint: Row, causes: Causes, _zone: ZoneInfo) -> Row:
        carried = [row["employee"] for row in in_order(causes["shipment"]) if row["employee"] is not None]
        return {name: carried[0] if carried else None}

    return each(courier)


RULES = (
    Rule(
        "damage_report",
        ("order_key",),
        ("parcel",),
        (Cause("shipment", ("order_key",), ("tracking_no",)),),
        each(_parcel),
        ("tracking_no",),
        alone=True,
    ),
    Rule(
        "shipment",
        ("tracking_no",),
        ("damaged_on", "damaged_before_return_on"),
        (Cause("damage_report", ("parcel",), ("responsibility", "confirmed_on", "point", "kind")),),
        each(_damaged),
    ),
    Rule(
        "shipment",
        ("order_key",),
        ("order_net_minor",),
        (Cause("sales_order", ("order_no",), ("amount_net_minor",)),),
        each(_order_net),
    ),
    Rule(
        "shipment_event",
        ("tracking_no",),
        ("sorted_at_ms",),
        (Cause("shipment_event", ("tracking_no",), ("status", "occurred_at_ms")),),
        _sorted,
        ("status", "occurred_at_ms"),
    ),
    Rule(
        "complaint",
        ("customer_key",),
        ("repeated",),
        (Cause("complaint", ("customer_key",), ("occurred_on", "order_key", "category")),),
        _repeated,
        ("occurred_on", "order_key", "category", "repeat_of"),
    ),
    Rule(
        "complaint",
        ("order_key",),
        ("counted",),
        (Cause("complaint", ("order_key",), ("occurred_on", "responsibility")),),
        _counted,
        ("occurred_on", "responsibility"),
    ),
    Rule(
        "complaint",
        ("tracking_no",),
        ("parcel_courier",),
        (Cause("shipment", ("tracking_no",), ("employee",)),),
        _courier("parcel_courier"),
    ),
    Rule(
        "complaint",
        ("order_key",),
        ("order_courier",),
        (Cause("shipment", ("order_key",), ("employee",)),),
        _courier("order_courier"),
    ),
)

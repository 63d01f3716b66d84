"""Parcels of the orders: promises, scans, stops, damage and complaints, as the carrier and the service desk tell them.

Damage fell from 3 % to 1.5 % when packaging was changed, seven weeks before the last day.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from muster.business.rows import Rows, Span, at, z
from muster.business.trade import Sale
from muster.sample.people import EVERY_DEPOT

CARRIER = "YTO"
MENDED_DAYS = 49
POINTS = ("sorting_scan", "transit", "refusal", "complaint", "return_inspection")


@dataclass(frozen=True, slots=True)
class Delivery:
    """Everything of it."""

    shipments: Rows
    events: Rows
    stops: Rows
    damage: Rows
    complaints: Rows


def make_delivery(span: Span, sales: list[Sale]) -> Delivery:
    """A parcel for each order."""
    pick = span.pick("delivery")
    couriers, agents = span.of("logistics", "courier"), span.of("customer_service")
    made = Delivery([], [], [], [], [])
    stops: dict[tuple[str, date], int] = {}
    for number, sale in enumerate(sales):
        site = EVERY_DEPOT[number % len(EVERY_DEPOT)]
        courier = couriers[number % len(couriers)]
        parcel = f"YT7{sale.number[2:]}"
        sent = sale.paid.date() + timedelta(days=1)
        promised = at(sale.paid.date() + timedelta(days=3), 20)
        late = pick.random() < 0.035
        arrives = at(promised.date() + timedelta(days=1 if late else -pick.randint(0, 1)), pick.uniform(9, 19.5))
        there = arrives.date() <= span.last
        refused = there and pick.random() < 0.01
        row = {
            "source_key": f"{CARRIER}|{parcel}",
            "tracking_no": parcel,
            "carrier_code": CARRIER,
            "status": "refused"
            if refused
            else "delivered"
            if there
            else "in_transit"
            if sent <= span.last
            else "created",
            "order_key": sale.number,
            "promised_at": z(promised),
            "shipped_on": str(sent) if sent <= span.last else None,
            "picked_up_at": z(at(sent, 8)) if sent <= span.last else None,
            "delivered_at": z(arrives) if there and not refused else None,
            "refused_at": z(arrives) if refused else None,
            "cost_minor": 590,
            "route_key": f"{courier}-{arrives:%m%d}",
            "site_key": site,
            "packaging_type": "paper" if sent > span.last - timedelta(days=MENDED_DAYS) else "bag",
            "employee_key": courier,
        }
        made.shipments.append(row)
        if sent <= span.last:
            sorted_ = at(sent, 9 + pick.uniform(0.2, 3.5) + (3 if pick.random() < 0.04 else 0))
            for status, moment in (("inbound", at(sent, 9)), ("sorted", sorted_)):
                made.events.append(
                    {
                        "source_key": f"{parcel}|{status}",
                        "tracking_no": parcel,
                        "status": status,
                        "occurred_at": z(moment),
                        "site_key": site,
                    }
                )
        if there and not refused:
            stop = stops[courier, arrives.date()] = stops.get((courier, arrives.date()), 0) + 1
            made.stops.append(
                {
                    "source_key": f"{row['route_key']}|{stop}",
                    "route_key": row["route_key"],
                    "stop_no": stop,
                    "window_from": z(arrives - timedelta(hours=1)),
                    "window_to": z(arrives + timedelta(hours=1)),
                    "served_at": z(arrives),
                    "served_no": stop,
                    "employee_key": courier,
                }
            )
        if there:
            found = _Handed(sale, parcel, arrives.date(), agents[number % len(agents)])
            _note_damage(made, found, pick.random(), span)
            _note_complaint(made, found, pick.random(), span)
    return made


@dataclass(frozen=True, slots=True)
class _Handed:
    """A parcel that came to its customer."""

    sale: Sale
    parcel: str
    day: date
    agent: str


def _note_damage(made: Delivery, handed: _Handed, damage: float, span: Span) -> None:
    parcel, day = handed.parcel, handed.day
    if damage < (0.015 if day > span.last - timedelta(days=MENDED_DAYS) else 0.03):
        found = min(day + timedelta(days=int(damage * 300)), span.last)
        point = POINTS[int(damage * 10_000) % len(POINTS)]
        made.damage.append(
            {
                "source_key": f"DMG-{parcel}",
                "occurred_on": str(found),
                "tracking_no": parcel,
                "order_key": handed.sale.number,
                "kind": "return" if point == "return_inspection" else "transit",
                "point": point,
                "responsibility": "supplier" if int(damage * 100_000) % 9 == 0 else "logistics",
                "confirmed_on": str(found),
                "quantity": 1,
            }
        )


def _note_complaint(made: Delivery, handed: _Handed, complaint: float, span: Span) -> None:
    if complaint < 0.022:
        made.complaints.append(
            {
                "source_key": f"CP-{handed.parcel}",
                "occurred_on": str(min(handed.day + timedelta(days=1), span.last)),
                "category": ("late", "damage", "service", "product")[int(complaint * 10_000) % 4],
                "status": "closed",
                "order_key": handed.sale.number,
                "tracking_no": handed.parcel,
                "responsibility": "logistics" if complaint < 0.005 else "supplier",
                "customer_key": handed.sale.customer,
                "employee_key": handed.agent,
            }
        )

"""Parcels of the orders: promises, scans, stops, damage and complaints, as the carrier and the service desk tell them.

Damage fell from 3 % to 1.5 % when packaging was changed, seven weeks before the last day.
"""

import random
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from muster.business.rows import Rows, Span, at, z
from muster.business.trade import Sale
from muster.sample.people import EVERY_DEPOT

CARRIER = "YTO"
MENDED_DAYS = 49
DAMAGED, DAMAGED_MENDED = 0.03, 0.015
LATE, REFUSED, SORTED_LATE = 0.035, 0.01, 0.04
COMPLAINED, BY_LOGISTICS = 0.022, 0.005
"""Shares of parcels."""
POINTS = ("sorting_scan", "transit", "refusal", "complaint", "return_inspection")


@dataclass(frozen=True, slots=True)
class Delivery:
    """Everything of it."""

    shipments: Rows
    events: Rows
    stops: Rows
    damage: Rows
    complaints: Rows


@dataclass(frozen=True, slots=True)
class Trip:
    """One parcel on its way, as the carrier lived it."""

    sale: Sale
    parcel: str
    site: str
    courier: str
    agent: str
    """Of customer service, who hears of it when something is wrong."""
    sent: date
    promised: datetime
    arrives: datetime
    refused: bool
    mended: bool
    """Packed in the new way."""


def make_delivery(span: Span, sales: list[Sale]) -> Delivery:
    """A parcel for each order."""
    pick = span.pick("delivery")
    made = Delivery([], [], [], [], [])
    stops: Counter[str] = Counter()
    for number, sale in enumerate(sales):
        trip = _trip(span, pick, sale, number)
        made.shipments.append(_shipment(trip, span.last))
        if trip.sent <= span.last:
            made.events.extend(_scans(trip, pick))
        if trip.arrives.date() > span.last:
            continue
        if not trip.refused:
            stops[_route(trip)] += 1
            made.stops.append(_stop(trip, stops[_route(trip)]))
        _note_damage(made, trip, pick.random(), span.last)
        _note_complaint(made, trip, pick.random(), span.last)
    return made


def _trip(span: Span, pick: random.Random, sale: Sale, number: int) -> Trip:
    couriers, agents = span.of("logistics", "courier"), span.of("customer_service")
    sent, promised = sale.paid.date() + timedelta(days=1), at(sale.paid.date() + timedelta(days=3), 20)
    days = 1 if pick.random() < LATE else -pick.randint(0, 1)
    return Trip(
        sale=sale,
        parcel=f"YT7{sale.number[2:]}",
        site=EVERY_DEPOT[number % len(EVERY_DEPOT)],
        courier=couriers[number % len(couriers)],
        agent=agents[number % len(agents)],
        sent=sent,
        promised=promised,
        arrives=at(promised.date() + timedelta(days=days), pick.uniform(9, 19.5)),
        refused=pick.random() < REFUSED,
        mended=sent > span.last - timedelta(days=MENDED_DAYS),
    )


def _shipment(trip: Trip, last: date) -> dict[str, object]:
    left, there = trip.sent <= last, trip.arrives.date() <= last
    handed = ("refused" if trip.refused else "delivered") if there else None
    return {
        "source_key": f"{CARRIER}|{trip.parcel}",
        "tracking_no": trip.parcel,
        "carrier_code": CARRIER,
        "status": handed or ("in_transit" if left else "created"),
        "order_key": trip.sale.number,
        "promised_at": z(trip.promised),
        "shipped_on": str(trip.sent) if left else None,
        "picked_up_at": z(at(trip.sent, 8)) if left else None,
        "delivered_at": z(trip.arrives) if handed == "delivered" else None,
        "refused_at": z(trip.arrives) if handed == "refused" else None,
        "cost_minor": 590,
        "route_key": _route(trip),
        "site_key": trip.site,
        "packaging_type": "paper" if trip.mended else "bag",
        "employee_key": trip.courier,
    }


def _route(trip: Trip) -> str:
    return f"{trip.courier}-{trip.arrives:%m%d}"


def _scans(trip: Trip, pick: random.Random) -> Rows:
    came = at(trip.sent, 9)
    hours = pick.uniform(0.2, 3.5) + (3 if pick.random() < SORTED_LATE else 0)
    return [
        {
            "source_key": f"{trip.parcel}|{status}",
            "tracking_no": trip.parcel,
            "status": status,
            "occurred_at": z(moment),
            "site_key": trip.site,
        }
        for status, moment in (("inbound", came), ("sorted", came + timedelta(hours=hours)))
    ]


def _stop(trip: Trip, number: int) -> dict[str, object]:
    return {
        "source_key": f"{_route(trip)}|{number}",
        "route_key": _route(trip),
        "stop_no": number,
        "window_from": z(trip.arrives - timedelta(hours=1)),
        "window_to": z(trip.arrives + timedelta(hours=1)),
        "served_at": z(trip.arrives),
        "served_no": number,
        "employee_key": trip.courier,
    }


def _note_damage(made: Delivery, trip: Trip, chance: float, last: date) -> None:
    if chance >= (DAMAGED_MENDED if trip.arrives.date() > last - timedelta(days=MENDED_DAYS) else DAMAGED):
        return
    found = min(trip.arrives.date() + timedelta(days=int(chance * 300)), last)
    point = POINTS[int(chance * 10_000) % len(POINTS)]
    made.damage.append(
        {
            "source_key": f"DMG-{trip.parcel}",
            "occurred_on": str(found),
            "tracking_no": trip.parcel,
            "order_key": trip.sale.number,
            "kind": "return" if point == "return_inspection" else "transit",
            "point": point,
            "responsibility": "supplier" if int(chance * 100_000) % 9 == 0 else "logistics",
            "confirmed_on": str(found),
            "quantity": 1,
        }
    )


def _note_complaint(made: Delivery, trip: Trip, chance: float, last: date) -> None:
    if chance >= COMPLAINED:
        return
    made.complaints.append(
        {
            "source_key": f"CP-{trip.parcel}",
            "occurred_on": str(min(trip.arrives.date() + timedelta(days=1), last)),
            "category": ("late", "damage", "service", "product")[int(chance * 10_000) % 4],
            "status": "closed",
            "order_key": trip.sale.number,
            "tracking_no": trip.parcel,
            "responsibility": "logistics" if chance < BY_LOGISTICS else "supplier",
            "customer_key": trip.sale.customer,
            "employee_key": trip.agent,
        }
    )

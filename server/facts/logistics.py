"""Parcels, their events, routes, damage."""

from typing import Literal, TypeAlias

from server.facts.fields import Count, Day, Fact, Instant, Key, Minor, Text

ShipmentStatus: TypeAlias = Literal[
    "created",
    "picked_up",
    "in_transit",
    "out_for_delivery",
    "delivered",
    "exception",
    "refused",
    "returning",
    "returned",
    "cancelled",
    "shipped",
]
EventStatus: TypeAlias = ShipmentStatus | Literal["inbound", "sorted", "loaded", "damaged", "return_inspected"]
Responsibility: TypeAlias = Literal["logistics", "supplier", "customer", "packaging_design"]


class Shipment(Fact):
    """A parcel, its promise and what became of it; ``employee_key`` is the courier."""

    tracking_no: Key | None = None
    carrier_code: Key | None = None
    status: ShipmentStatus
    order_key: Key | None = None
    promised_on: Day | None = None
    promised_at: Instant | None = None
    new_promise_at: Instant | None = None
    """Asked for by the customer."""
    force_majeure: Key | None = None
    """Approved code."""
    eta_at: Instant | None = None
    shipped_on: Day | None = None
    picked_up_at: Instant | None = None
    first_out_for_delivery_at: Instant | None = None
    delivered_at: Instant | None = None
    delivered_kind: Literal["signed", "locker"] | None = None
    refused_at: Instant | None = None
    cost_minor: Minor | None = None
    route_key: Key | None = None
    site_key: Key | None = None
    packaging_type: Key | None = None
    service_area: Literal["same_city", "remote"] | None = None


class ShipmentEvent(Fact):
    """One scan or report about a parcel."""

    tracking_no: Key
    status: EventStatus
    occurred_at: Instant
    place: Text | None = None
    site_key: Key | None = None


class RouteStop(Fact):
    """A stop of a planned route and when it was served."""

    route_key: Key
    stop_no: Count
    window_from: Instant | None = None
    window_to: Instant | None = None
    served_at: Instant | None = None
    served_no: Count | None = None


class DamageReport(Fact):
    """Damage of a parcel; returns damaged on the way count."""

    occurred_on: Day
    order_key: Key | None = None
    tracking_no: Key | None = None
    kind: Literal["transit", "return", "warehouse"] | None = None
    point: Literal["sorting_scan", "loading_scan", "transit", "refusal", "complaint", "return_inspection"] | None = None
    responsibility: Responsibility | None = None
    confirmed_on: Day | None = None
    quantity: Count | None = None
    found_by: Text | None = None

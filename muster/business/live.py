"""What happens in the business systems while the demo runs."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from muster.business.delivery import CARRIER
from muster.business.rows import Fields, z
from muster.business.trade import CUSTOMERS

LIVE_S = 4.0


@dataclass(frozen=True, slots=True)
class News:
    """One order, one ticket and one delivered parcel."""

    order: Fields
    ticket: Fields
    parcel: dict[str, object]


def make_news(
    now: datetime,
    number: int,
    pick: random.Random,
    *,
    sellers: Sequence[str],
    agents: Sequence[str],
    couriers: Sequence[str],
) -> News:
    """Of just now."""
    key, net = f"L{now:%m%d%H%M%S}{number}", pick.randint(60, 900) * 100
    order = {
        "source_key": f"SO-{key}",
        "order_no": f"SO-{key}",
        "status": "open",
        "payment_status": "paid",
        "currency": "CNY",
        "amount_gross_minor": round(net * 1.13),
        "amount_net_minor": net,
        "cost_minor": round(net * 0.78),
        "order_date": str(now.date()),
        "paid_at": z(now),
        "customer_key": f"C{pick.randrange(CUSTOMERS):05}",
        "employee_key": sellers[number % len(sellers)],
    }
    ticket = {
        "source_key": f"T-{key}",
        "created_at": z(now - timedelta(minutes=9)),
        "status": "solved",
        "first_reply_business_seconds": pick.randint(12, 60),
        "first_solved_at": z(now),
        "solved_at": z(now),
        "handle_seconds": pick.randint(200, 600),
        "csat": pick.choice((5, 5, 5, 4)),
        "rated_at": z(now),
        "employee_key": agents[number % len(agents)],
    }
    parcel: dict[str, object] = {
        "source_key": f"{CARRIER}|YT-{key}",
        "tracking_no": f"YT-{key}",
        "carrier_code": CARRIER,
        "status": "delivered",
        "promised_at": z(now + timedelta(hours=1)),
        "picked_up_at": z(now - timedelta(days=1)),
        "delivered_at": z(now),
        "employee_key": couriers[number % len(couriers)],
    }
    return News(order, ticket, parcel)

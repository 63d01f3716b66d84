"""What visitors of the site did: visits from the first page to the payment, and the days of channels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random

from muster.business.rows import Span, at
from muster.business.trade import Sale

VISITS_A_DAY, VISITS_BEFORE = 70, 8
DAYS_WHOLE = 62
"""So long the log of visits is whole; of those before it has a few of each day."""
STEPS = (("product_view", 0.62), ("cart", 0.24), ("order", 0.5))
REFERRERS = ("direct", "search", "website")
SITE = "https://shop.example.com"


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit: the page that was come to, and how far it went; ``order`` is what was bought, and paid for."""

    number: int
    referrer: str
    page: str
    came: datetime
    seconds: int
    """So long the page was looked at."""
    product_at: datetime | None
    cart_at: datetime | None
    order: Sale | None


@dataclass(frozen=True, slots=True)
class ChannelDay:
    """Figures of a channel and day."""

    day: date
    channel: str
    visits: int
    visitors: int
    new_users: int
    active: int
    """In four weeks."""
    views: int
    orders: int


def make_visits(span: Span, pages: Sequence[str], sales: Sequence[Sale]) -> list[Visit]:
    """Visits of each day; those that end with an order are of its sales, as long as there are some."""
    pick = span.pick("visits")
    by_day: dict[date, list[Sale]] = {}
    for sale in sales:
        by_day.setdefault(sale.paid.date(), []).append(sale)
    made: list[Visit] = []
    for day in span.days():
        whole = day >= span.last - timedelta(days=DAYS_WHOLE)
        bought = iter(by_day.get(day, ()))
        for _ in range(VISITS_A_DAY if whole else VISITS_BEFORE):
            made.append(_visit(len(made) + 1, day, pick, pages, bought))
    return made


def _visit(number: int, day: date, pick: Random, pages: Sequence[str], bought: Iterator[Sale]) -> Visit:
    steps = 0
    while steps < len(STEPS) and pick.random() < STEPS[steps][1]:
        steps += 1
    order = next(bought, None) if steps == len(STEPS) else None
    waits = [timedelta(minutes=pick.randint(1, 9)) for _ in STEPS]
    came = at(day, pick.uniform(7, 22)) if order is None else order.paid - sum(waits, timedelta())
    return Visit(
        number=number,
        referrer=REFERRERS[number % len(REFERRERS)],
        page=f"{SITE}{pick.choice(pages)}",
        came=came,
        seconds=min(2_400, round(pick.lognormvariate(4.15, 0.8))),
        product_at=came + waits[0] if steps else None,
        cart_at=came + waits[0] + waits[1] if steps > 1 else None,
        order=order,
    )


def make_days(span: Span) -> list[ChannelDay]:
    """Figures of each channel and day; active users grow by some five per cent a month."""
    pick = span.pick("web days")
    made: list[ChannelDay] = []
    for channel, base in (("Direct", 520.0), ("Organic Search", 220.0), ("Referral", 330.0)):
        active = base
        for day in span.days():
            active *= 1 + pick.uniform(-0.001, 0.0045)
            visits = round(active * pick.uniform(0.05, 0.07))
            visitors, new, orders = round(visits * 0.8), round(visits * 0.1), round(visits * 0.07)
            made.append(ChannelDay(day, channel, visits, visitors, new, round(active), visits * 3, orders))
    return made

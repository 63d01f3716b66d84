"""Everything that the business systems of the sample company hold, for one seed and one last day."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from muster.business.campaigns import CampaignStep, make_campaigns
from muster.business.delivery import Delivery, make_delivery
from muster.business.desk import make_tickets
from muster.business.media import Article, by_day, make_articles, make_followers
from muster.business.rows import Rows, Span, months_before
from muster.business.trade import Trade, make_trade
from muster.business.visits import ChannelDay, Visit, make_days, make_visits
from muster.business.works import Work, make_works
from muster.sample.parcels import Parcel
from muster.sample.people import Person

MONTHS_BEFORE = 13
"""Months of history before the one that runs: the same month of last year has one before it."""
FAULTY: Mapping[str, dict[str, object]] = {
    "sales_order": {
        "source_key": "SO-BAD-1",
        "order_no": "SO-BAD-1",
        "status": "open",
        "currency": "CNY",
        "amount_gross_minor": "twelve",
    },
    "ticket": {"source_key": "T-BAD-1", "created_at": "2026-13-01T00:00:00Z", "status": "solved"},
    "shipment": {"source_key": "YTO|BAD", "tracking_no": "BAD", "status": "lost on the moon"},
}
"""One row of each that waits for a person: a word for an amount, a month that is not, a status nobody knows."""


@dataclass(frozen=True, slots=True)
class Business:
    """What each system holds."""

    span: Span
    trade: Trade
    delivery: Delivery
    tickets: Rows
    visits: list[Visit]
    days: list[ChannelDay]
    campaigns: list[CampaignStep]
    articles: list[Article]
    followers: dict[date, int]
    works: list[Work]
    scanned: Mapping[tuple[str, date], int]
    """Parcels of a depot and day that its own scanners delivered."""

    def pushed(self) -> Iterator[tuple[str, str, Rows]]:
        """Source, fact and rows of the carrier, who sends by himself."""
        delivery = self.delivery
        yield "carrier_push", "shipment", [*delivery.shipments, dict(FAULTY["shipment"])]
        yield "carrier_push", "damage_report", delivery.damage
        yield "carrier_push", "shipment_event", delivery.events
        yield "carrier_push", "route_stop", delivery.stops


def make_business(people: Sequence[Person], last: date, seed: int, parcels: Sequence[Parcel] = ()) -> Business:
    """The history of whole months before that of ``last``, and of that one up to it; ``parcels`` were scanned."""
    span = Span(months_before(last, MONTHS_BEFORE), last, people, seed)
    articles, works = make_articles(span), make_works(span)
    trade = make_trade(span, by_day(articles))
    return Business(
        span=span,
        trade=trade,
        delivery=make_delivery(span, trade.sales),
        tickets=make_tickets(span),
        visits=make_visits(span, sorted({work.page for work in works}), trade.sales),
        days=make_days(span),
        campaigns=make_campaigns(span),
        articles=articles,
        followers=make_followers(span),
        works=works,
        scanned=Counter((one.depot, one.delivered.date()) for one in parcels if one.delivered is not None),
    )

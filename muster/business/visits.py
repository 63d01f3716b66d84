"""What visitors of the site did: page views to payments, days of channels, campaigns."""

from datetime import timedelta

from muster.business.rows import Rows, Span, at, z

VISITORS_A_DAY = 70
STEPS = (("product_view", 0.62), ("cart", 0.24), ("order", 0.5), ("paid", 0.86))
CHANNELS = ("app", "web", "mini")
CAMPAIGN_USERS = 300


def make_funnel(span: Span, pages: list[str]) -> Rows:
    """Steps of visitors of the newest days of the history: two months are enough for every rate."""
    pick = span.pick("funnel")
    rows: Rows = []
    for day in span.days():
        if day < span.last - timedelta(days=62):
            continue
        for number in range(VISITORS_A_DAY):
            visitor, page = f"V{day:%m%d}{number:03}", pick.choice(pages)
            moment = at(day, pick.uniform(7, 22))
            channel = CHANNELS[number % len(CHANNELS)]
            seen = {"visitor_key": visitor, "channel": channel, "page": page, "bot": number % 41 == 0}
            rows.append(
                {
                    **seen,
                    "source_key": f"{visitor}|page_view",
                    "kind": "page_view",
                    "occurred_at": z(moment),
                    "dwell_seconds": min(2_400, round(pick.lognormvariate(4.15, 0.8))),
                }
            )
            for step, chance in STEPS:
                if pick.random() > chance:
                    break
                moment += timedelta(minutes=pick.randint(1, 9))
                rows.append({**seen, "source_key": f"{visitor}|{step}", "kind": step, "occurred_at": z(moment)})
    return rows


def make_days(span: Span) -> Rows:
    """Figures of each channel and day; active users grow by some five per cent a month."""
    pick = span.pick("web days")
    rows: Rows = []
    for channel, base in zip(CHANNELS, (42_000, 18_000, 27_000), strict=True):
        active = float(base)
        for day in span.days():
            active *= 1 + pick.uniform(-0.001, 0.0045)
            visits = round(active * pick.uniform(0.05, 0.07))
            rows.append(
                {
                    "source_key": f"{day}|day|{channel}",
                    "stat_date": str(day),
                    "span": "day",
                    "channel": channel,
                    "visits": visits,
                    "visitors": round(visits * 0.8),
                    "new_users": round(visits * 0.1),
                    "active_users_30d": round(active),
                    "views": visits * 3,
                }
            )
    return rows


def make_campaigns(span: Span) -> Rows:
    """A campaign each month, owned by somebody of operations."""
    pick = span.pick("campaigns")
    owners = span.of("operations")
    rows: Rows = []
    for number, first in enumerate(span.months()):
        for campaign in range(len(owners)):
            name = f"CA{first:%y%m}-{campaign + 1}"
            for user in range(CAMPAIGN_USERS // len(owners)):
                day = first + timedelta(days=(user * 7 + number) % 20)
                if day > span.last:
                    continue
                about = {"campaign": name, "user_key": f"U{user:04}", "employee_key": owners[campaign]}
                key = f"{name}|U{user:04}"
                rows.append({**about, "source_key": f"{key}|invited", "kind": "invited", "occurred_at": z(at(day, 10))})
                if pick.random() < 0.155 and day < span.last:
                    moment = z(at(day + timedelta(days=1), 11))
                    rows.append({**about, "source_key": f"{key}|completed", "kind": "completed", "occurred_at": moment})
    return rows

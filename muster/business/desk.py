"""Tickets of the service desk. Resolution rose from 70 to 85 % when agents got the right to decide on refunds."""

from datetime import timedelta

from muster.business.rows import Rows, Span, at, z
from muster.business.trade import CUSTOMERS

TICKETS_A_DAY = 30
MENDED_DAYS = 49
RATED = 0.45
"""Share of the solved ones; more where fewer are told, so that each agent has enough of them in every month."""


def make_tickets(span: Span) -> Rows:
    """Tickets of the days, each with an agent."""
    pick = span.pick("tickets")
    agents = span.of("customer_service")
    rows: Rows = []
    for day in span.days():
        rate = 0.87 if day > span.last - timedelta(days=MENDED_DAYS) else 0.70
        rated = RATED * TICKETS_A_DAY / span.share(TICKETS_A_DAY, day)
        for number in range(round(span.share(TICKETS_A_DAY, day) * pick.uniform(0.7, 1.3))):
            opened = at(day, pick.uniform(8, 21))
            solved = opened + timedelta(minutes=pick.randint(8, 900))
            done = pick.random() < rate and solved.date() <= span.last
            again = done and pick.random() < 0.03
            ticket: dict[str, object] = {
                "source_key": f"T{day:%y%m%d}{number:03}",
                "created_at": z(opened),
                "status": "solved" if done else "open",
                "first_reply_business_seconds": round(pick.lognormvariate(3.3, 0.5)),
                "customer_key": f"C{pick.randrange(CUSTOMERS):05}",
                "employee_key": agents[(number + day.toordinal()) % len(agents)],
            }
            if done:
                ticket |= {
                    "first_solved_at": z(solved),
                    "solved_at": z(solved),
                    "reopened_at": z(solved + timedelta(hours=20)) if again else None,
                    "handle_seconds": pick.randint(180, 780),
                    "replies": pick.randint(1, 6),
                }
                if pick.random() < rated:
                    ticket |= {"csat": pick.choice((5, 5, 5, 5, 5, 4, 4, 3)), "rated_at": z(solved)}
            rows.append(ticket)
    return rows

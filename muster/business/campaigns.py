"""Campaigns of operations: whom they reached, and who did what they are for."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from muster.business.rows import Span, at

USERS = 300
"""Of all campaigns of a month."""
TOOK_PART = 0.155
LASTS = 28
"""Days."""


@dataclass(frozen=True, slots=True)
class CampaignStep:
    """Somebody and a campaign."""

    campaign: str
    user: str
    kind: str
    at: datetime
    owner: str
    ends: date


def make_campaigns(span: Span) -> list[CampaignStep]:
    """A campaign each month of everybody of operations, who own one each."""
    pick = span.pick("campaigns")
    owners = span.of("operations")
    made: list[CampaignStep] = []
    for number, first in enumerate(span.months()):
        ends = first + timedelta(days=LASTS - 1)
        for place, owner in enumerate(owners, start=1):
            name = f"CA{first:%y%m}-{place}"
            for user in range(span.share(USERS, first) // len(owners)):
                day = first + timedelta(days=(user * 7 + number) % 20)
                if day > span.last:
                    continue
                made.append(CampaignStep(name, f"U{user:04}", "invited", at(day, 10), owner, ends))
                if pick.random() < TOOK_PART and day < span.last:
                    done = at(day + timedelta(days=1), 11)
                    made.append(CampaignStep(name, f"U{user:04}", "completed", done, owner, ends))
    return made

"""How long somebody waited for a first reply, where a source tells only when it came."""

from typing import Any

import pytest

from server.facts.service import Ticket
from server.facts.wide import widened

ASKED = {"source_key": "1", "status": "open", "created_at": "2026-03-02T17:59:30Z"}


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ({"first_reply_at": "2026-03-02T18:00:00Z"}, 30),
        ({"first_reply_at": "2026-03-03T09:59:30+08:00"}, 28_800),
        ({"first_reply_at": "2026-03-02T17:59:30Z"}, 0),
        ({"first_reply_at": "2026-03-02T17:59:29Z"}, None),
        ({"first_reply_at": "2026-03-02T18:00:00Z", "first_reply_seconds": 28}, 28),
        ({"first_reply_at": "2026-03-02T18:00:00Z", "first_reply_business_seconds": 0}, 30),
        ({"first_reply_minutes": 12}, None),
        ({}, None),
    ],
)
def test_seconds_to_the_first_reply_are_those_told_or_those_between_the_moments(
    told: dict[str, Any], seconds: int | None
) -> None:
    assert Ticket.model_validate(ASKED | told).first_reply_seconds == seconds
    assert widened(Ticket).model_validate(ASKED | told).model_dump()["first_reply_seconds"] == seconds

"""The company's customer service in the shape of Zendesk: tickets, complaints among them, by the incremental export."""

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from muster.business.rows import Fields, Rows

LOGIN = "muster@example.com/token"
OWN_FIELDS: Mapping[str, Any] = {
    "handle_seconds": {"path": "custom_fields[id=360000000000].value", "as": "int"},
}
"""The app Time Tracking: the line that the preset has behind a ``#``."""
_HANDLE, _REASON, _ORDER, _PARCEL, _WHOSE = range(360_000_000_000, 360_000_000_005)
_REQUESTERS = 20_000
_GOOD = 4
"""A survey of Zendesk knows good and bad: so many points of five are good."""


class Zendesk:
    """One account; ``people`` are its agents by their number."""

    def __init__(
        self, key: str, people: Mapping[str, int], tickets: Sequence[Fields], complaints: Sequence[Fields]
    ) -> None:
        pair = base64.b64encode(f"{LOGIN}:{key}".encode()).decode()
        self._signed, self._people = f"Basic {pair}", people
        self._tickets: Rows = [*map(self._ticket, tickets), *map(self._complaint, complaints)]

    def add(self, ticket: Fields) -> None:
        """One more."""
        self._tickets.append(self._ticket(ticket))

    async def answer(self, request: Request) -> Response:
        """Tickets by the time of their last change, each page with the cursor of the next."""
        if request.headers.get("Authorization") != self._signed:
            return JSONResponse({"error": "Couldn't authenticate you"}, status_code=401)
        asked = request.query_params
        place = asked.get("cursor") or f"{_text(int(asked.get('start_time', 0)))}|0"
        found = sorted((_place(row), row) for row in self._tickets if _place(row) > place)
        page = found[: int(asked.get("per_page", 1_000))]
        after = page[-1][0] if page else place
        rows = [row for _, row in page]
        return JSONResponse({"tickets": rows, "after_cursor": after, "end_of_stream": len(page) == len(found)})

    def _ticket(self, row: Fields) -> dict[str, Any]:
        first, solved = row.get("first_reply_business_seconds"), row.get("solved_at")
        csat = row.get("csat")
        return {
            "id": _number(row["source_key"]),
            "created_at": row["created_at"],
            "updated_at": solved or row["created_at"],
            "status": row["status"],
            "priority": "normal",
            "requester_id": _requester(row.get("customer_key")),
            "assignee_id": self._people.get(row.get("employee_key", "")),
            "group_id": None,
            "satisfaction_rating": {"score": "unoffered" if csat is None else "good" if csat >= _GOOD else "bad"},
            "custom_fields": [{"id": _HANDLE, "value": row.get("handle_seconds")}],
            "metric_set": {
                "reopens": int(row.get("reopened_at") is not None),
                "replies": row.get("replies", 0),
                "solved_at": solved,
                "reply_time_in_minutes": _spans(None if first is None else first // 60),
                "reply_time_in_seconds": _spans(first),
                "full_resolution_time_in_minutes": _spans(None if solved is None else _minutes(row)),
            },
        }

    def _complaint(self, row: Fields) -> dict[str, Any]:
        """Told in the morning, and settled on the same day."""
        day = row["occurred_on"]
        ticket = self._ticket(
            {**row, "created_at": f"{day}T01:00:00Z", "solved_at": f"{day}T08:00:00Z", "first_solved_at": None}
        )
        told = {_REASON: row["category"], _ORDER: row["order_key"], _PARCEL: row["tracking_no"]}
        told |= {_WHOSE: row["responsibility"]}
        return {**ticket, "custom_fields": [{"id": number, "value": value} for number, value in told.items()]}


def _place(row: Fields) -> str:
    return f"{row['updated_at']}|{row['id']:018}"


def _text(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _spans(number: int | None) -> dict[str, int | None]:
    """By the clock, and within business hours: whoever asks in the night is not waited for."""
    return {"calendar": number, "business": number}


def _minutes(row: Fields) -> int:
    opened, solved = (datetime.fromisoformat(row[name]) for name in ("created_at", "solved_at"))
    return int((solved - opened).total_seconds()) // 60


def _number(key: str) -> int:
    return int("".join(letter for letter in key if letter.isdigit()))


def _requester(customer: str | None) -> int | None:
    return None if customer is None else _REQUESTERS + int(customer.removeprefix("C"))

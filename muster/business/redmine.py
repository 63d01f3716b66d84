"""The design department's tasks in the shape of Redmine: issues by the time of their last change."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from muster.business.visits import SITE
from muster.business.works import Work

PAGE = 100


class Redmine:
    """One project."""

    def __init__(self, key: str, works: Sequence[Work]) -> None:
        self._key = key
        self._issues = [_issue(work) for work in works]

    async def answer(self, request: Request) -> Response:
        """A page of issues."""
        if request.headers.get("X-Redmine-API-Key") != self._key:
            return Response(status_code=401)
        since = request.query_params.get("updated_on", ">=").removeprefix(">=")
        found = [issue for issue in self._issues if str(issue["updated_on"]) >= since]
        offset = int(request.query_params.get("offset", 0))
        page = found[offset : offset + int(request.query_params.get("limit", PAGE))]
        return JSONResponse({"issues": page, "total_count": len(found), "offset": offset, "limit": PAGE})


def _issue(work: Work) -> dict[str, Any]:
    def moment(at: datetime | None) -> str | None:
        return None if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    fields = {
        "Brief accepted": moment(work.brief),
        "Submitted": moment(work.reviewed),
        "First review": moment(work.reviewed),
        "Passed at first review": None if work.reviewed is None else "1" if work.passed else "0",
        "Rounds": "1" if work.passed else "2",
        "Size": work.size,
        "Standard days": work.standard_days,
        "Page": f"{SITE}{work.page}",
        "Page type": "product",
        "Live from": moment(work.decided),
    }
    return {
        "id": work.number,
        "status": {"id": 1, "name": "In Progress" if work.decided is None else "Closed"},
        "created_on": moment(work.created),
        "updated_on": moment(work.decided or work.created),
        "closed_on": moment(work.decided),
        "assigned_to": {"id": work.designer, "name": work.designer},
        "custom_fields": [{"id": n, "name": name, "value": value} for n, (name, value) in enumerate(fields.items())],
    }

"""The days of the company's channels in the shape of Google Analytics 4: reports of its Data API."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from muster.business.visits import ChannelDay

_DIMENSIONS: Mapping[str, Callable[[ChannelDay], str]] = {
    "date": lambda one: f"{one.day:%Y%m%d}",
    "sessionDefaultChannelGroup": lambda one: one.channel,
}
_METRICS: Mapping[str, Callable[[ChannelDay], int]] = {
    "sessions": lambda one: one.visits,
    "totalUsers": lambda one: one.visitors,
    "newUsers": lambda one: one.new_users,
    "active28DayUsers": lambda one: one.active,
    "screenPageViews": lambda one: one.views,
    "userEngagementDuration": lambda one: one.visits * 95,
    "addToCarts": lambda one: one.orders * 2,
    "transactions": lambda one: one.orders,
}


class Analytics:
    """One property."""

    def __init__(self, key: str, days: Sequence[ChannelDay]) -> None:
        self._key, self._days = key, sorted(days, key=lambda one: (one.day, one.channel))

    async def token(self, request: Request) -> Response:
        """A token for who was let in once."""
        if f"refresh_token={self._key}" not in (await request.body()).decode():
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        return JSONResponse({"access_token": self._key, "expires_in": 3_599, "token_type": "Bearer"})

    async def answer(self, request: Request) -> Response:
        """A report: values by the order in which they were asked for, all of them texts."""
        if request.headers.get("Authorization") != f"Bearer {self._key}":
            return JSONResponse({"error": {"code": 401, "status": "UNAUTHENTICATED"}}, status_code=401)
        asked = await request.json()
        [span] = asked["dateRanges"]
        first, last = date.fromisoformat(span["startDate"]), date.fromisoformat(span["endDate"])
        dimensions = [_DIMENSIONS[one["name"]] for one in asked["dimensions"]]
        metrics = [_METRICS[one["name"]] for one in asked["metrics"]]
        found = [one for one in self._days if first <= one.day <= last]
        start = int(asked.get("offset", 0))
        rows = [
            {"dimensionValues": _values(dimensions, one), "metricValues": _values(metrics, one)}
            for one in found[start : start + int(asked.get("limit", 10_000))]
        ]
        told: dict[str, Any] = {"rowCount": len(found), "kind": "analyticsData#runReport"}
        return JSONResponse({**told, "rows": rows} if rows else told)


def _values(told: Sequence[Callable[[ChannelDay], object]], one: ChannelDay) -> list[dict[str, str]]:
    return [{"value": str(tell(one))} for tell in told]

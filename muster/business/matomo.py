"""The company's visits in the shape of Matomo: the summary of days and the log of visits, by its Reporting API."""

import urllib.parse
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from muster.business.rows import Rows
from muster.business.visits import Visit

_PRODUCT_S = 70
"""So long a page of a product is looked at."""


class Matomo:
    """One site."""

    def __init__(self, key: str, visits: Sequence[Visit]) -> None:
        self._key = key
        self._days: dict[date, list[Visit]] = {}
        for visit in sorted(visits, key=lambda visit: visit.came):
            self._days.setdefault(visit.came.date(), []).append(visit)

    async def answer(self, request: Request) -> Response:
        """What a method of the API says; like Matomo with HTTP 200, also where it refuses."""
        form = {name: values[0] for name, values in urllib.parse.parse_qs((await request.body()).decode()).items()}
        if self._key not in (form.get("token_auth"), request.query_params.get("token_auth")):
            return JSONResponse({"result": "error", "message": "token_auth is wrong"})
        days = _between(form["date"])
        match form["method"]:
            case "VisitsSummary.get":
                return JSONResponse({str(day): self._summary(day) for day in days})
            case "Live.getLastVisitsDetails":
                found = [visit for day in days for visit in self._days.get(day, ())]
                if "segment" in form:  # the one that it is asked for: visits with an order
                    found = [visit for visit in found if visit.order is not None]
                start = int(form.get("filter_offset", 0))
                page = found[start : start + int(form.get("filter_limit", 100))]
                return JSONResponse([_details(visit) for visit in page])
        return JSONResponse({"result": "error", "message": f"The method '{form['method']}' does not exist"})

    def _summary(self, day: date) -> Any:
        visits = self._days.get(day, [])
        if not visits:
            return []
        return {
            "nb_uniq_visitors": len(visits),
            "nb_visits": len(visits),
            "nb_actions": sum(1 + (visit.product_at is not None) for visit in visits),
            "sum_visit_length": sum(visit.seconds for visit in visits),
        }


def _between(text: str) -> list[date]:
    first, _, last = text.partition(",")
    start, end = date.fromisoformat(first), date.fromisoformat(last or first)
    return [start + timedelta(days=number) for number in range((end - start).days + 1)]


def _details(visit: Visit) -> dict[str, Any]:
    return {
        "idSite": "1",
        "idVisit": str(visit.number),
        "visitorId": f"{visit.number * 0x9E3779B97F4A7C15 % 2**64:016x}",
        "visitorType": "new",
        "referrerType": visit.referrer,
        "visitEcommerceStatus": "none" if visit.order is None else "ordered",
        "serverTimestamp": int(visit.came.timestamp()),
        "actionDetails": _actions(visit),
    }


def _actions(visit: Visit) -> Rows:
    """All steps in order of time; a page has a number of its own."""
    first = {"type": "action", "url": visit.page, "pageId": visit.number * 2, "timeSpent": visit.seconds}
    made: Rows = [{**first, "timestamp": int(visit.came.timestamp())}]
    if visit.product_at is not None:
        page = {"url": visit.page, "pageId": visit.number * 2 + 1, "timeSpent": _PRODUCT_S}
        product = {"productViewSku": f"SKU-{visit.number % 90:03}", "productViewName": "Product"}
        made.append({"type": "action", **page, **product, "timestamp": int(visit.product_at.timestamp())})
    if visit.cart_at is not None:
        made.append({"type": "ecommerceAbandonedCart", "items": "1", "timestamp": int(visit.cart_at.timestamp())})
    if visit.order is not None:
        order = {"orderId": visit.order.number, "revenue": visit.order.net_minor / 100}
        made.append({"type": "ecommerceOrder", **order, "timestamp": int(visit.order.paid.timestamp())})
    return made

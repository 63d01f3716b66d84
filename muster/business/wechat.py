"""The company's official account in the shape of WeChat: followers, articles with their totals since sending."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from muster.business.media import Article

_LONGEST = {"getusersummary": 7, "getusercumulate": 7, "getarticletotal": 1}
"""Days that may be asked for at once."""
_LEFT = 37
"""People who go on each day, whoever comes."""


class WeChat:
    """One account."""

    def __init__(self, key: str, followers: Mapping[date, int], articles: Iterable[Article]) -> None:
        self._key, self._followers = key, followers
        self._articles: dict[date, list[Article]] = {}
        for article in articles:
            self._articles.setdefault(article.sent, []).append(article)

    async def token(self, _request: Request) -> Response:
        """The stable token, the same for all who ask for it."""
        return JSONResponse({"access_token": self._key, "expires_in": 7_200})

    async def answer(self, request: Request) -> Response:
        """What an interface says of some days; like WeChat with HTTP 200, also where it refuses."""
        if request.query_params.get("access_token") != self._key:
            return JSONResponse({"errcode": 40001, "errmsg": "invalid credential"})
        asked, what = await request.json(), request.path_params["what"]
        first, last = date.fromisoformat(asked["begin_date"]), date.fromisoformat(asked["end_date"])
        days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
        if len(days) > _LONGEST[what]:
            return JSONResponse({"errcode": 61501, "errmsg": "date range error"})
        tell = {"getusersummary": self._came, "getusercumulate": self._all, "getarticletotal": self._sent}[what]
        return JSONResponse({"list": [row for day in days for row in tell(day)]})

    def _all(self, day: date) -> Iterable[dict[str, Any]]:
        if day in self._followers:
            yield {"ref_date": str(day), "user_source": 0, "cumulate_user": self._followers[day]}

    def _came(self, day: date) -> Iterable[dict[str, Any]]:
        before = day - timedelta(days=1)
        if day in self._followers and before in self._followers:
            more = self._followers[day] - self._followers[before]
            lost = max(_LEFT, -more)
            yield {"ref_date": str(day), "user_source": 0, "new_user": more + lost, "cancel_user": lost}

    def _sent(self, day: date) -> Iterable[dict[str, Any]]:
        for article in self._articles.get(day, ()):
            yield {
                "ref_date": str(day),
                "msgid": article.key,
                "title": article.title,
                "user_source": 0,
                "details": [
                    {
                        "stat_date": str(total.day),
                        "target_user": self._followers[day],
                        "int_page_read_user": round(total.reads * 0.9),
                        "int_page_read_count": total.reads,
                        "share_user": total.shares,
                        "share_count": total.shares,
                        "add_to_fav_user": total.favourites,
                        "add_to_fav_count": total.favourites,
                    }
                    for total in article.totals
                ],
            }

"""Live frames and health."""

from typing import Literal

from pydantic import Field

from server.api.views.attendance import PunchView
from server.api.views.base import View


class HealthView(View):
    """For monitors: no personal data."""

    status: Literal["ok", "degraded"]
    frame_age_ms: int | None
    ingest_age_ms: int | None


class Frame(View):
    """A live frame: says that a topic has a newer version, with the present values of what changes most.

    The first frames of a stream tell each topic's present version; drop a frame older than what the page has.
    """

    topic: str
    version: int
    at_ms: int
    counts: dict[str, int] = Field(default={})
    """Topic day:<date>: counts by status."""
    punches: list[PunchView] = Field(default=[])
    """Topic day:<date>: the newest in scope, at most 20: merge by id; knowing none of them, fetch the day again."""

"""What the ingest API takes and answers."""

from typing import Any

from pydantic import Field

from server.api.views.base import View


class BatchBody(View):
    """Rows of one fact, at most 1,000 and 5 MB."""

    batch_id: str = Field(min_length=1, max_length=200)
    """Stands in for a missing ``Idempotency-Key``."""
    rows: list[dict[str, Any]] = Field(max_length=1_000)


class QuarantinedView(View):
    """A row that waits for a person."""

    row: int
    """Its place in the batch, from 1."""
    codes: list[str]


class AcceptedView(View):
    """What became of the rows of a batch."""

    accepted: int
    """New or changed."""
    unchanged: int
    quarantined: list[QuarantinedView]
    run_id: int

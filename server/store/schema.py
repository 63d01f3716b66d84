"""Every table: whoever compares or creates a whole schema imports this. Queries import the modules they need."""

from server.store import (  # noqa: F401
    calendar_tables,
    closing_tables,
    contract_tables,
    fact_tables,
    key_tables,
    notice_tables,
    people_tables,
    period_tables,
    request_tables,
    roster_tables,
    scheme_tables,
    shadow_tables,
    source_tables,
    tables,
)
from server.store.metadata import metadata

__all__ = ["metadata"]

"""Types of fact fields. Money is integer minor units, instants are UTC with whole seconds, days are the company's."""

import datetime as dt
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field


def _whole_utc(at: dt.datetime) -> dt.datetime:
    if at.tzinfo is None:
        raise ValueError("a time without offset")
    if at.tzinfo is dt.UTC and not at.microsecond:
        return at
    return at.astimezone(dt.UTC).replace(microsecond=0)


def _plain_day(value: Any) -> Any:
    """A moment is no day: which day it falls on depends on a zone, which only the source file knows."""
    if isinstance(value, dt.datetime):
        raise ValueError("a moment where a day is expected")  # noqa: TRY004  (pydantic reports ValueError)
    return value


Key: TypeAlias = Annotated[str, Field(min_length=1, max_length=200)]
Text: TypeAlias = Annotated[str, Field(max_length=2_000)]
Minor: TypeAlias = Annotated[int, Field(ge=-(10**15), le=10**15)]
"""Minor units of a currency, such as fen."""
Currency: TypeAlias = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
Count: TypeAlias = Annotated[int, Field(ge=0, le=10**12)]
Day: TypeAlias = Annotated[dt.date, BeforeValidator(_plain_day)]
Instant: TypeAlias = Annotated[dt.datetime, AfterValidator(_whole_utc)]
Month: TypeAlias = Annotated[str, Field(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$")]
Rating: TypeAlias = Annotated[float, Field(ge=1, le=5)]


class Fact(BaseModel):
    """What every row has beside the fields of its fact."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    source_key: Key
    """Unique in its source and fact."""
    occurred_at: Instant | None = None
    """When it happened; taken from the fact's own time where the source gives none."""
    source_updated_at: Instant | None = None
    """When the source changed it last: an older row never replaces a newer one."""
    employee_key: Key | None = None
    """The source's own id of the person the row is about."""
    org_key: Key | None = None
    """The source's own id of the department or shop."""

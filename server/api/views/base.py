"""What all answers share: codes and parameters, never sentences.

Instants are UTC milliseconds (``*_ms``), dates local ``YYYY-MM-DD`` of the site, points exact decimal strings
(``"97.50"``).
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Id = Annotated[str, Field(min_length=1, max_length=200)]


class View(BaseModel):
    """Base of all answers: immutable, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", from_attributes=True, use_attribute_docstrings=True)


class ErrorView(View):
    """Body of every error answer."""

    code: str
    request_id: str
    fields: dict[str, str] = {}
    parameters: dict[str, str] = {}
    """What the code is about, such as the month that is closed."""


class NameView(View):
    """A bilingual name with its id."""

    id: str
    name_zh: str
    name_en: str

"""Files that people bring."""

from typing import Literal

from server.api.views.base import View


class ImportFieldView(View):
    """Something a row can say."""

    name: str
    headings: list[str]
    required: bool


class ImportRowView(View):
    """A file in the list."""

    id: int
    kind: str
    name: str
    state: Literal["uploaded", "applied", "undone"]
    rows: int
    result: dict[str, int]
    """Counts of an applied file: added, changed, same, skipped, and the kind's own."""
    actor: str
    uploaded_ms: int
    applied_ms: int | None
    undone_ms: int | None


class ImportListView(View):
    """A page of files of a kind, newest first."""

    total: int
    rows: list[ImportRowView]


class ImportView(View):
    """A file with its first rows, and what its columns seem to mean."""

    file: ImportRowView
    header: list[str]
    sample: list[list[str]]
    fields: list[ImportFieldView]
    mapping: dict[str, str]
    """Column heading of each field."""
    options: dict[str, bool | str]
    same_as: int | None
    """An applied file with the very same content."""


class MappingBody(View):
    """What the columns mean, and how to go about it."""

    mapping: dict[str, str]
    options: dict[str, bool | str]


class RowProblemView(View):
    """What is wrong where; ``row`` as a spreadsheet counts, none for the file as a whole."""

    row: int | None
    field: str
    code: str
    parameters: dict[str, str]


class FieldChangeView(View):
    """A value before and after, as text."""

    field: str
    before: str
    after: str


class RowChangeView(View):
    """What a row would do."""

    row: int | None
    kind: Literal["added", "changed", "removed"]
    object: str
    name: str
    fields: list[FieldChangeView]


class CheckedView(View):
    """What the file would do; long lists are cut, the counts are not."""

    added: int
    changed: int
    same: int
    bad: int
    """Rows with problems."""
    problems: list[RowProblemView]
    more_problems: int
    changes: list[RowChangeView]
    more_changes: int

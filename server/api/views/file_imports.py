"""Files of old systems on their way to facts."""

from pydantic import Field, model_validator

from server.api.views.base import Id, NameView, View
from server.api.views.sources import MapProblemView
from server.connectors.profile import ColumnKind
from server.facts.field_kinds import FieldKind
from server.services.file_imports import State, Work


class FactFieldView(View):
    """A field that a column may say."""

    name: str
    kind: FieldKind
    required: bool
    choices: list[str]
    """What a choice may be; empty for other kinds."""


class FactKindView(NameView):
    """A fact and its fields."""

    key: str
    """What its key is made of, in English."""
    fields: list[FactFieldView]


class FactKindsView(View):
    """Every fact."""

    rows: list[FactKindView]
    reasons: list[NameView]
    """Words for the codes by which rows wait."""


class FileColumnView(View):
    """A column of a file."""

    name: str
    kind: ColumnKind
    filled: int
    empty: int
    distinct: int
    many: bool
    samples: list[str]


class WaitReasonView(View):
    """Rows that would wait, and why."""

    code: str
    field: str
    rows: int
    line: int
    value: str


class ReadAsView(View):
    """Values that were read from another form."""

    field: str
    rows: int
    was: str
    became: str


class DryRunView(View):
    """What a file would do."""

    rows: int
    clean: int
    changed: int
    unchanged: int
    duplicates: int
    waiting: int
    reasons: list[WaitReasonView]
    changes: list[ReadAsView]
    months: dict[str, int]


class BothView(View):
    """A figure of the file, and of what is stored."""

    source: int
    stored: int


class ComparedGroupView(View):
    """A month, department and currency: what the file has, and what is stored."""

    month: str
    department: str
    currency: str
    rows: BothView
    amounts: dict[str, BothView]
    """Sums in minor units by field."""


class ReconciledView(View):
    """The file against what is stored."""

    rows: int
    not_fitting: int
    again: int
    waiting_open: int
    decided: int
    rows_source: int
    rows_stored: int
    groups: int
    differing: int
    by_group: list[ComparedGroupView]


class FileImportRowView(View):
    """A file in the list."""

    id: int
    name: str
    fact: str
    source: str | None
    state: State
    rows: int
    done_rows: int
    error: str | None
    """Why the work broke off; as the commands print it."""
    actor: str
    imported_by: str | None
    signed_by: str | None
    note: str
    created_ms: int
    changed_ms: int


class FileImportsView(View):
    """A page of files, newest first."""

    total: int
    rows: list[FileImportRowView]


class FileImportView(View):
    """A file with all that is known of it."""

    file: FileImportRowView
    columns: list[FileColumnView]
    suggested: dict[str, str]
    """Column by field, a first guess by the headings."""
    map: str | None
    """The source file that it is mapped by."""
    report: DryRunView | None
    reconciled: ReconciledView | None
    second_person: bool
    """Whether whoever imports it may not sign it."""
    problems: list[MapProblemView]
    """What is wrong with a map that was just given; then it is not taken."""


class ColumnMapBody(View):
    """Which columns say what."""

    source: str = Field(pattern=r"^[a-z0-9_]{1,60}$")
    timezone: Id
    key: list[Id] = Field(min_length=1, max_length=10)
    columns: dict[Id, Id] = Field(max_length=200)
    constants: dict[Id, Id] = Field({}, max_length=50)
    values: dict[Id, dict[Id, Id]] = Field({}, max_length=50)


class MapBody(View):
    """Exactly one: which columns say what, a preset, or a source file."""

    columns: ColumnMapBody | None = None
    preset: Id | None = None
    text: str | None = Field(None, max_length=50_000)
    stream: Id | None = None
    """Of a preset or source file with several streams of the fact."""

    @model_validator(mode="after")
    def _one(self) -> "MapBody":
        if sum(one is not None for one in (self.columns, self.preset, self.text)) != 1:
            raise ValueError("exactly one of columns, preset, text")
        return self


class WorkBody(View):
    """What is to be done."""

    work: Work


class SignBody(View):
    """Why open ends are right."""

    note: str = Field("", max_length=2_000)

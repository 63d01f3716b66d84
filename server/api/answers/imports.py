"""Files that people bring, as answers."""

from typing import Final

from server.access.viewer import Viewer
from server.api.context import Context
from server.api.paging import Page
from server.api.views.imports import (
    CheckedView,
    FieldChangeView,
    ImportFieldView,
    ImportListView,
    ImportRowView,
    ImportView,
    RowChangeView,
    RowProblemView,
)
from server.services import imports
from server.services.import_kind import Checked, RowChange
from server.services.imports import Opened
from server.store import import_queries
from server.store.import_queries import ImportRow

MOST_PROBLEMS: Final = 5_000
MOST_CHANGES: Final = 1_000
CELL: Final = 200
"""Characters of a cell that are shown."""


def opened_view(opened: Opened) -> ImportView:
    """A file before anything is decided."""
    return ImportView(
        file=row_view(opened.row),
        header=list(opened.header),
        sample=[[cell[:CELL] for cell in cells] for cells in opened.sample],
        fields=[ImportFieldView.model_validate(field) for field in opened.kind.fields],
        mapping=dict(opened.row.mapping),
        options={imports.SKIP: False, **opened.kind.options, **opened.row.options},
        same_as=opened.same_as,
    )


def row_view(row: ImportRow) -> ImportRowView:
    """A file in the list."""
    return ImportRowView.model_validate(row)


def checked_view(checked: Checked) -> CheckedView:
    """What a file would do."""
    return CheckedView(
        added=checked.added,
        changed=checked.changed,
        same=checked.same,
        bad=len({problem.row for problem in checked.problems}),
        problems=[RowProblemView.model_validate(problem) for problem in checked.problems[:MOST_PROBLEMS]],
        more_problems=max(0, len(checked.problems) - MOST_PROBLEMS),
        changes=[_change(change) for change in checked.changes[:MOST_CHANGES]],
        more_changes=max(0, len(checked.changes) - MOST_CHANGES),
    )


async def listed(context: Context, viewer: Viewer, kind: str, page: Page) -> ImportListView:
    """Files of a kind: everybody's for those who see everyone, else one's own."""
    imports.kind_for(viewer, kind)
    actor = None if viewer.scope.everyone else viewer.login
    async with context.db.reading() as connection:
        total, rows = await import_queries.import_rows(connection, kind, actor, limit=page.limit, offset=page.offset)
    return ImportListView(total=total, rows=[row_view(row) for row in rows])


def _change(change: RowChange) -> RowChangeView:
    fields = [FieldChangeView(field=name, before=b, after=a) for name, (b, a) in change.fields.items()]
    return RowChangeView(row=change.row, kind=change.kind, object=change.object, name=change.name, fields=fields)

/** Types and plain arithmetic of the grid: where the keyboard goes, what is in view. */

export interface GridColumn<C> {
  id: string;
  /** Heading in words: shown, unless the grid has a `head` snippet, and read aloud. */
  label: string;
  /** In pixels: rows line up without measuring. */
  width: number;
  /** Stays in view at this side when the rest scrolls. Columns that stick stand first, or last. */
  stick?: "start" | "end";
  /** The cells name their row. */
  header?: boolean;
  /** Enter and click on the heading call `onhead`; the value is shown to screen readers. */
  sort?: "ascending" | "descending" | "none";
  /** What the cell snippet needs to know of its column. */
  data: C;
}

/** Counted from 0; row -1 is the row of headings. */
export interface GridAt {
  row: number;
  column: number;
}

/** A rectangle of cells, ends included. */
export interface GridRange {
  fromRow: number;
  toRow: number;
  fromColumn: number;
  toColumn: number;
}

/** Rows and columns there are, rows of a page, and whether the headings take the focus. */
export interface GridSize {
  rows: number;
  columns: number;
  page: number;
  headings: boolean;
}

/** Where a key leads from a cell; undefined for other keys. */
export function moved(at: GridAt, key: string, ctrl: boolean, size: GridSize): GridAt | undefined {
  const top = size.headings ? -1 : 0;
  const last = size.rows - 1;
  const end = size.columns - 1;
  const row = (to: number) => ({ row: Math.max(top, Math.min(last, to)), column: at.column });
  const column = (to: number) => ({ row: at.row, column: Math.max(0, Math.min(end, to)) });
  switch (key) {
    case "ArrowUp":
      return ctrl ? row(0) : row(at.row - 1);
    case "ArrowDown":
      return ctrl ? row(last) : row(at.row + 1);
    case "ArrowLeft":
      return ctrl ? column(0) : column(at.column - 1);
    case "ArrowRight":
      return ctrl ? column(end) : column(at.column + 1);
    case "PageUp":
      return row(Math.max(0, at.row - size.page));
    case "PageDown":
      return row(at.row + size.page);
    case "Home":
      return ctrl ? { row: 0, column: 0 } : column(0);
    case "End":
      return ctrl ? { row: last, column: end } : column(end);
    default:
      return undefined;
  }
}

/** The rectangle between two cells; the row of headings is never in it. */
export function between(a: GridAt, b: GridAt): GridRange {
  return {
    fromRow: Math.max(0, Math.min(a.row, b.row)),
    toRow: Math.max(0, a.row, b.row),
    fromColumn: Math.min(a.column, b.column),
    toColumn: Math.max(a.column, b.column),
  };
}

export function inside(range: GridRange | undefined, row: number, column: number): boolean {
  return range !== undefined && row >= range.fromRow && row <= range.toRow && column >= range.fromColumn && column <= range.toColumn;
}

/** How far to scroll so that `from..to` is in a view of `length` at `scroll` that is covered at both ends. */
export function scrolled(scroll: number, length: number, from: number, to: number, before: number, after: number): number {
  if (from - before < scroll) return Math.max(0, from - before);
  if (to + after > scroll + length) return to + after - length;
  return scroll;
}

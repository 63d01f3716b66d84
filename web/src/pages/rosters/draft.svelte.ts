/** Changes of the board that are not saved yet, and what the server says about them. */
import { api, ask, Failure, type Schemas } from "../../app/client";

export type Edit = Schemas["CheckBody"]["edits"][number];
export type Finding = Schemas["FindingView"];
type Cells = ReadonlyMap<string, readonly string[]>;

const REST_MS = 350;

export const keyOf = (employee: string, date: string) => `${employee}|${date}`;

/** Cells to set, few edits for many cells: people with the same shifts on the same dates together. */
export function editsOf(cells: Cells): Edit[] {
  const byDay = new Map<string, { date: string; shifts: readonly string[]; people: string[] }>();
  for (const [key, shifts] of cells) {
    const place = key.lastIndexOf("|");
    const [employee, date] = [key.slice(0, place), key.slice(place + 1)];
    const found = byDay.get(`${date}|${shifts.join("+")}`) ?? { date, shifts, people: [] };
    byDay.set(`${date}|${shifts.join("+")}`, { ...found, people: [...found.people, employee] });
  }
  const edits = new Map<string, Edit & { kind: "set" }>();
  for (const { date, shifts, people } of byDay.values()) {
    const key = `${shifts.join("+")}|${[...people].sort().join(" ")}`;
    const same = edits.get(key);
    if (same) same.dates.push(date);
    else edits.set(key, { kind: "set", people, dates: [date], shifts: [...shifts] });
  }
  return [...edits.values()];
}

export class Draft {
  cells = $state.raw<Cells>(new Map());
  check = $state.raw<Schemas["RosterCheckView"]>();
  failure = $state.raw<Failure>();
  checking = $state(false);
  #before: Cells[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asked = 0;

  get size(): number {
    return this.cells.size;
  }

  get undoable(): boolean {
    return this.cells.size > 0;
  }

  /** Findings by cell, the heaviest first. */
  readonly findings = $derived.by(() => {
    const found = new Map<string, Finding[]>();
    for (const one of this.check?.findings ?? []) {
      const key = keyOf(one.employee, one.date);
      found.set(key, [...(found.get(key) ?? []), one]);
    }
    return found;
  });

  /** Plan other shifts; `saved` says what the server has, so that a change back is none. */
  set(changes: Iterable<[string, readonly string[]]>, saved: (key: string) => readonly string[]): void {
    const next = new Map(this.cells);
    for (const [key, shifts] of changes) {
      if ([...shifts].sort().join() === [...saved(key)].sort().join()) next.delete(key);
      else next.set(key, shifts);
    }
    this.#before.push(this.cells);
    this.#take(next);
  }

  undo(): void {
    this.#take(this.#before.pop() ?? new Map());
  }

  discard(): void {
    this.#before = [];
    this.#take(new Map());
  }

  /** Ask anew what speaks against the changes, such as after others have planned something. */
  recheck(): void {
    this.#take(this.cells);
  }

  #take(cells: Cells): void {
    this.cells = cells;
    clearTimeout(this.#timer);
    this.#asked += 1;
    this.failure = undefined;
    if (cells.size === 0) {
      this.check = undefined;
      this.checking = false;
      return;
    }
    this.checking = true;
    this.#timer = setTimeout(() => void this.#ask(this.#asked), REST_MS);
  }

  async #ask(number: number): Promise<void> {
    try {
      const found = await ask(api.POST("/api/rosters/check", { body: { edits: editsOf(this.cells) } }));
      if (number === this.#asked) this.check = found;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      if (number === this.#asked) this.failure = error;
    } finally {
      if (number === this.#asked) this.checking = false;
    }
  }
}

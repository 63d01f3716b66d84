/** A cell in words, and its look. */
import type { Schemas } from "../../app/client";
import * as format from "../../app/format";
import { i18n } from "../../app/i18n/index.svelte";
import { groupOf } from "../status";
import { words } from "./words";

export type Cell = Schemas["GridCellView"];
export type Person = Schemas["GridPersonView"];
export type Sums = Schemas["GridSumsView"];
export type GridData = Schemas["GridView"];

/** A person with the cells by day of the month, or the heading of a department. */
export type Row = { kind: "person"; person: Person; days: (Cell | undefined)[] } | { kind: "band"; department: string; people: number };

export type SumKey = "worked" | "late" | "early" | "missing" | "absent" | "leave" | "overtime" | "pending";
export const sumKeys: readonly SumKey[] = ["worked", "overtime", "late", "early", "missing", "absent", "leave", "pending"];

export function rowsOf(people: readonly Person[], banded: boolean): Row[] {
  const rows: Row[] = [];
  let before: string | undefined;
  for (const person of people) {
    if (banded && person.department !== before) {
      before = person.department;
      rows.push({ kind: "band", department: before, people: people.filter((other) => other.department === before).length });
    }
    const days: (Cell | undefined)[] = [];
    for (const cell of person.cells) days[cell.d] = cell;
    rows.push({ kind: "person", person, days });
  }
  return rows;
}

export type Look = "ok" | "warn" | "bad" | "leave" | "extra" | "calm";

export function lookOf(cell: Cell): Look {
  if (cell.s === "rest_ot" || cell.s === "holiday_ot") return "extra";
  switch (groupOf(cell.s)) {
    case "normal":
      return "ok";
    case "late":
    case "early":
    case "missing":
      return "warn";
    case "absent":
      return "bad";
    case "leave":
      return "leave";
    default:
      return "calm";
  }
}

const hoursText = (minutes: number) => new Intl.NumberFormat(i18n.locale, { maximumFractionDigits: 1 }).format(minutes / 60);

/** Minutes as hours with one decimal, without unit; a dash for none. */
export function hours(minutes: number): string {
  return minutes ? hoursText(minutes) : "–";
}

/** What a cell shows: its mark, with minutes where they say how much. */
export function markOf(cell: Cell, shiftCode: string): string {
  const w = words();
  if (cell.s === "not_yet") return shiftCode;
  const mark = w.marks[cell.s];
  if (cell.s === "late" && cell.l) return `${mark}${cell.l}`;
  if (cell.s === "early" && cell.e) return `${mark}${cell.e}`;
  if (cell.s === "rest_ot" || cell.s === "holiday_ot") return cell.o ? `${mark}${hoursText(cell.o)}` : mark;
  return mark;
}

/** Everything a cell says, for readers and the card: status first. */
export function tellsOf(cell: Cell, shift: string): string[] {
  const w = words();
  const t = i18n.t;
  const told: string[] = [t.status[cell.s]];
  if (cell.s === "not_yet" && shift) told.push(w.planned(shift));
  if (cell.n && cell.n > 1) told.push(w.parts(cell.n));
  if (cell.l) told.push(t.today.lateBy(t.minutes(cell.l)));
  if (cell.e) told.push(t.today.earlyBy(t.minutes(cell.e)));
  if (cell.a && cell.s !== "absent") told.push(w.absentFor(t.minutes(cell.a)));
  if (cell.v && cell.s !== "leave") told.push(w.leaveFor(t.minutes(cell.v)));
  if (cell.o) told.push(w.overtimeFor(t.minutes(cell.o)));
  if (cell.p) told.push(cell.q ? w.decided : w.pendingFor(t.minutes(cell.p)));
  if (cell.j) told.push(w.adjusted);
  for (const flag of cell.f ?? []) told.push(t.flag[flag] ?? flag);
  return told;
}

/** A sum in short, for its column. */
export function sumShort(sums: Sums, key: SumKey): string {
  switch (key) {
    case "worked":
      return hours(sums.worked);
    case "overtime":
      return hours(overtime(sums));
    case "late":
      return sums.late_times ? String(sums.late_times) : "–";
    case "early":
      return sums.early_times ? String(sums.early_times) : "–";
    case "missing":
      return sums.missing ? String(sums.missing) : "–";
    default:
      return hours(sums[key]);
  }
}

/** A sum in words. */
export function sumLong(sums: Sums, key: SumKey): string {
  const w = words();
  const t = i18n.t;
  switch (key) {
    case "worked":
      return `${t.minutes(sums.worked)} / ${w.sums.required} ${t.minutes(sums.required)}`;
    case "overtime":
      return t.minutes(overtime(sums));
    case "late":
      return w.timesAndMinutes(sums.late_times, t.minutes(sums.late));
    case "early":
      return w.timesAndMinutes(sums.early_times, t.minutes(sums.early));
    case "missing":
      return w.times(sums.missing);
    default:
      return t.minutes(sums[key]);
  }
}

export function overtime(sums: Sums): number {
  return sums.ot_15 + sums.ot_20 + sums.ot_30 + sums.comp;
}

/** The grid as lines of a file: a person a line, status words in the days. */
export function fileRows(data: GridData, people: readonly Person[]): string[][] {
  const w = words();
  const t = i18n.t;
  const departments = new Map(data.departments.map((item) => [item.id, i18n.name(item)]));
  const c = w.columns;
  const heads = [c.id, w.person, c.department, ...data.dates.map((date) => date.date)];
  const sums: [string, (s: Sums) => number][] = [
    [c.scheduled, (s) => s.scheduled],
    [c.requiredMin, (s) => s.required],
    [c.workedMin, (s) => s.worked],
    [c.lateTimes, (s) => s.late_times],
    [c.lateMin, (s) => s.late],
    [c.earlyTimes, (s) => s.early_times],
    [c.earlyMin, (s) => s.early],
    [c.missing, (s) => s.missing],
    [c.absentMin, (s) => s.absent],
    [c.leaveMin, (s) => s.leave],
    [c.pendingMin, (s) => s.pending],
    [c.ot15, (s) => s.ot_15],
    [c.ot20, (s) => s.ot_20],
    [c.ot30, (s) => s.ot_30],
    [c.comp, (s) => s.comp],
  ];
  const lines = people.map((person) => {
    const days = new Map(person.cells.map((cell) => [cell.d, cell]));
    const told = data.dates.map((date) => {
      const cell = days.get(Number(date.date.slice(8)));
      return cell === undefined || cell.s === "not_yet" ? "" : t.status[cell.s];
    });
    return [person.id, person.name, departments.get(person.department) ?? person.department, ...told, ...sums.map(([, of]) => String(of(person.sums)))];
  });
  return [[...heads, ...sums.map(([head]) => head)], ...lines];
}

/** Monday of the week of a date. */
export function mondayOf(date: string): string {
  const weekday = (new Date(`${date}T00:00:00Z`).getUTCDay() + 6) % 7;
  return format.addDays(date, -weekday);
}

export function addMonths(month: string, by: number): string {
  const [year = 0, number = 1] = month.split("-").map(Number);
  const at = year * 12 + number - 1 + by;
  return `${String(Math.floor(at / 12)).padStart(4, "0")}-${String((at % 12) + 1).padStart(2, "0")}`;
}

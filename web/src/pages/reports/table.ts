/** How a report's cells read, and which columns are shown before anybody chooses. */
import type { Schemas } from "../../app/client";
import * as format from "../../app/format";
import { i18n } from "../../app/i18n/index.svelte";
import { words } from "./words";

export type Report = Schemas["ReportView"];
export type Column = Schemas["ColumnView"];
export type Cell = string | number | string[] | null;

export const names = ["month", "daily", "exceptions", "overtime", "leave", "adjustments"] as const;
export type Name = (typeof names)[number];

const NUMBERS: readonly Column["kind"][] = ["days", "hours", "minutes", "count"];
const FIRST = ["name", "employee", "department"];
const MONTH = [
  ...FIRST, "required_days", "worked_days", "required_min", "worked_min", "late_times", "late_min", "early_times", "early_min", "missing_punches",
  "absent_min", "pending_min", "leave_min", "trip_days", "ot_15_min", "ot_20_min", "ot_30_min", "comp_left_min", "adjustments", "confirmation",
];
const HIDDEN = ["site", "position", "position_name", "rules", "exempt_min", "extra_min", "holiday_work_min"];

export const isNumber = (column: Column): boolean => NUMBERS.includes(column.kind);
export const heading = (column: Column): string => (i18n.locale === "zh-CN" ? column.zh : column.en);
export const about = (column: Column): string => {
  const text = i18n.locale === "zh-CN" ? column.about_zh : column.about_en;
  return [text, column.rules.join(" ")].filter(Boolean).join(" · ");
};

/** Ids of the columns that are shown first. */
export function usual(report: Report): string[] {
  if (report.report === "month") return MONTH;
  return report.columns.map((column) => column.id).filter((id) => !HIDDEN.includes(id));
}

/** Columns to show with their places in a row; the name comes first, because it stays when the table is scrolled. */
export function shown(report: Report, picked: string): { column: Column; at: number }[] {
  const wanted = picked ? picked.split(",") : usual(report);
  const found = report.columns.map((column, at) => ({ column, at })).filter(({ column }) => column.id === "name" || wanted.includes(column.id));
  return [...found.filter(({ column }) => column.id === "name"), ...found.filter(({ column }) => column.id !== "name")];
}

export function hours(minutes: number): string {
  return new Intl.NumberFormat(i18n.locale, { maximumFractionDigits: 1 }).format(minutes / 60);
}

export function text(cell: Cell | undefined, column: Column, report: Report): string {
  if (cell === null || cell === undefined) return "";
  const code = words().code;
  if (Array.isArray(cell)) return cell.map((one) => code[one] ?? one).join(i18n.locale === "zh-CN" ? "、" : ", ");
  switch (column.kind) {
    case "hours":
      return cell === 0 ? "0" : hours(Number(cell));
    case "days":
      return format.decimal(String(cell));
    case "minutes":
    case "count":
      return format.integer(Number(cell));
    case "date":
      return format.day(String(cell));
    case "code":
      return code[String(cell)] ?? String(cell);
    case "name": {
      const named = report.names[column.id]?.find((each) => each.id === cell);
      return named ? i18n.name(named) : String(cell);
    }
    default:
      return String(cell);
  }
}

/** Sum of a column over everybody; 0 where there is none. */
export function sum(report: Report, ids: string[], row: Cell[] = report.sums): number {
  return ids.reduce((total, id) => total + Number(row[report.columns.findIndex((column) => column.id === id)] ?? 0), 0);
}

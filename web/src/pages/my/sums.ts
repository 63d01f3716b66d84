/** The numbers that an employee confirms, by name as the server has them, in words. */
import { i18n } from "../../app/i18n/index.svelte";
import { leaveTypes } from "../requests/types.svelte";
import { words } from "./words";

/** In the order of the month report; others follow. */
const ORDER = [
  "scheduled_days", "required_days", "worked_days", "worked_min", "holiday_work_min", "late_times", "late_min", "early_times", "early_min",
  "missing_punches", "absent_days", "absent_min", "pending_min", "gap_min", "leave_days", "leave_min", "trip_days", "trip_min",
  "ot_15_min", "ot_20_min", "ot_30_min", "extra_min", "comp_earned_min", "comp_used_min", "comp_left_min", "corrections",
];
/** Said better by others, or of use to HR only. */
const ASIDE = new Set(["required_min", "leave_min", "absent_days", "pending_records", "decisions", "adjustments", "exempt_min", "scheduled_days"]);
const SIGNS = new Set(["absent_min", "pending_min", "late_times", "early_times", "missing_punches"]);

export function nameOf(key: string): string {
  const w = words();
  if (key.startsWith("leave.")) {
    const type = leaveTypes.byId.get(key.slice(6));
    return type ? i18n.name(type) : key.slice(6);
  }
  if (key.startsWith("adjusted.")) return w.adjusted(w.sumNames[`${key.slice(9)}_min`] ?? key.slice(9));
  return w.sumNames[key] ?? key;
}

export function valueOf(key: string, value: number): string {
  const w = words();
  if (key.endsWith("_days")) return w.dayCount(new Intl.NumberFormat(i18n.locale, { maximumFractionDigits: 2 }).format(key === "scheduled_days" ? value : value / 1000));
  if (key.endsWith("_times") || key === "missing_punches" || key === "corrections") return w.times(String(value));
  return `${value < 0 ? "−" : ""}${i18n.t.minutes(Math.abs(value))}`;
}

const place = (key: string) => (ORDER.indexOf(key) + 1 || ORDER.length + 1);

export function shownKeys(sums: Record<string, number>): string[] {
  return Object.keys(sums)
    .filter((key) => !ASIDE.has(key))
    .sort((a, b) => place(a) - place(b) || a.localeCompare(b));
}

export const isSign = (key: string) => SIGNS.has(key);

/** Names that differ between two sets of sums. */
export function changedKeys(before: Record<string, number>, after: Record<string, number>): string[] {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((key) => (before[key] ?? 0) !== (after[key] ?? 0)).sort((a, b) => place(a) - place(b));
}

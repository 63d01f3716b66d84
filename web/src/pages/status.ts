/** How a day's status looks, and under which tile of the day it is counted. */
import type { Schemas } from "../app/client";
import type { IconName } from "../ui/icons";

export type Status = Schemas["TodayRowView"]["status"];
export type Group = "normal" | "late" | "early" | "missing" | "absent" | "leave" | "not_yet" | "rest";
type Tone = "ok" | "warn" | "bad" | "calm" | "accent";

export const groups: Record<Group, { statuses: readonly Status[]; tone: "ok" | "warn" | "bad" | "calm"; icon: IconName }> = {
  normal: { statuses: ["normal", "untimed"], tone: "ok", icon: "check" },
  late: { statuses: ["late", "late_early"], tone: "warn", icon: "clock" },
  early: { statuses: ["early"], tone: "warn", icon: "left" },
  missing: { statuses: ["missing_in", "missing_out"], tone: "warn", icon: "half" },
  absent: { statuses: ["absent"], tone: "bad", icon: "cross" },
  leave: { statuses: ["leave"], tone: "calm", icon: "sun" },
  not_yet: { statuses: ["not_yet"], tone: "calm", icon: "dash" },
  rest: { statuses: ["off", "rest_ot", "holiday_ot"], tone: "calm", icon: "moon" },
};

export const groupNames = Object.keys(groups) as Group[];

export function groupOf(status: Status): Group {
  return groupNames.find((name) => groups[name].statuses.includes(status)) ?? "rest";
}

export function look(status: Status): { tone: Tone; icon: IconName } {
  return groups[groupOf(status)];
}

/** People by tile, from counts by status. */
export function byGroup(counts: Record<string, number>): Record<Group, number> {
  const sums = Object.fromEntries(groupNames.map((name) => [name, 0])) as Record<Group, number>;
  for (const name of groupNames) {
    for (const status of groups[name].statuses) sums[name] += counts[status] ?? 0;
  }
  return sums;
}

const MINUTE_MS = 60_000;

/** Minutes of an instant since midnight of `date` in `zone`; over 1440 on the day after. */
export function minuteOfDay(ms: number, date: string, zone: string): number {
  const local = new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short", timeStyle: "medium" }).format(ms);
  return Math.floor((Date.parse(`${local.replace(" ", "T")}Z`) - Date.parse(`${date}T00:00:00Z`)) / MINUTE_MS);
}

/** Minutes since midnight of "HH:MM". */
export function minuteOf(clock: string): number {
  return Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3, 5));
}

/** "HH:MM" of minutes since midnight, whatever the day. */
export function clockOf(minute: number): string {
  const inDay = ((minute % 1440) + 1440) % 1440;
  return `${String(Math.floor(inDay / 60)).padStart(2, "0")}:${String(inDay % 60).padStart(2, "0")}`;
}

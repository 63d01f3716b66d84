/** Names of steps, and what is said of two indicators. */
import type { Schemas } from "../../app/client";
import * as format from "../../app/format";
import { i18n } from "../../app/i18n/index.svelte";
import { words } from "./words";

export type Grain = Schemas["TrendsView"]["grain"];

/** Steps that may be chosen, by grain; the middle one is the usual. */
export const RANGES: Record<Grain, number[]> = { day: [28, 56, 91], week: [13, 26, 52], month: [6, 12, 24] };
export const USUAL: Record<Grain, number> = { day: 91, week: 26, month: 12 };

/** The server takes no earlier last day; a year that is being typed is none yet. */
export const EARLIEST = "2000-01-01";

/** 2026年3月, or the first day of a week or the day. */
export function stepName(first: string, grain: Grain): string {
  return grain === "month" ? format.month(first.slice(0, 7)) : format.fullDate(first);
}

/** Under the axis: as short as can be. */
export function shortStep(first: string, grain: Grain): string {
  return grain === "month" ? first.slice(2, 7) : `${Number(first.slice(5, 7))}/${Number(first.slice(8))}`;
}

export function number(value: number, places = 2): string {
  return new Intl.NumberFormat(i18n.locale, { maximumFractionDigits: places }).format(value);
}

/** “B” moves with “A” two weeks later: never that one makes the other. */
export function said(best: Schemas["LaggedView"], one: string, other: string, least: number, grain: Grain): string {
  const w = words();
  if (best.state === "few") return w.few(one, other, format.integer(best.n), format.integer(least));
  if (best.state === "constant") return w.constant(one, other);
  if (best.state === "weak") return w.weak(one, other);
  const [first, then] = best.lag < 0 ? [other, one] : [one, other];
  const text = best.lag === 0 ? w.together(first, then) : w.later(first, then, format.integer(Math.abs(best.lag)), grain);
  return text + (Number(best.r) < 0 ? w.turned : "");
}

/** As p is read: what is next to nothing is not 0. */
export function chance(p: string | null): string {
  return p === null ? "–" : Number(p) < 0.001 ? "< 0.001" : number(Number(p), 3);
}

/** r, n and p, where there are any. */
export function figures(best: Schemas["LaggedView"]): string {
  const p = chance(best.p);
  return words().figures(best.r ?? "–", format.integer(best.n), p.startsWith("<") ? p : `= ${p}`);
}

/** Weights of a set while they are edited: whole per cent that always add up to 100. */
import type { Schemas } from "../../app/client";

export type Change = Schemas["SchemeDraftBody"]["changes"][number];
export type SetItem = Schemas["SchemeSetView"];
export type Overview = Schemas["SchemesView"];

export const FULL = 100;

/** Parts of a whole in proportion to shares; what is left over goes to the largest remainders, the first of equal ones. */
function portions(total: number, shares: readonly number[]): number[] {
  const sum = shares.reduce((a, b) => a + b, 0);
  const even = sum === 0;
  const whole = even ? shares.length : sum;
  const exact = shares.map((share) => total * (even ? 1 : share));
  const parts = exact.map((value) => Math.floor(value / whole));
  const order = exact.map((value, at) => ({ at, rest: value % whole })).sort((a, b) => b.rest - a.rest || a.at - b.at);
  let left = total - parts.reduce((a, b) => a + b, 0);
  for (const { at } of order) {
    if (left <= 0) break;
    parts[at] = (parts[at] ?? 0) + 1;
    left -= 1;
  }
  return parts;
}

/** The weights after one was set: unlocked others share the rest, locked ones stay, the sum is 100. */
export function moved(weights: Record<string, number>, locked: ReadonlySet<string>, name: string, wanted: number): Record<string, number> {
  const others = Object.keys(weights).filter((one) => one !== name);
  const free = others.filter((one) => !locked.has(one));
  const held = others.filter((one) => locked.has(one)).reduce((sum, one) => sum + (weights[one] ?? 0), 0);
  const most = FULL - held;
  const value = free.length === 0 ? most : Math.max(0, Math.min(most, Math.round(wanted)));
  const parts = portions(most - value, free.map((one) => weights[one] ?? 0));
  const next: Record<string, number> = { ...weights, [name]: value };
  for (const [at, one] of free.entries()) next[one] = parts[at] ?? 0;
  return next;
}

export const sum = (weights: Record<string, number>) => Object.values(weights).reduce((a, b) => a + b, 0);

export const same = (a: Record<string, number>, b: Record<string, number>) =>
  [...new Set([...Object.keys(a), ...Object.keys(b)])].every((name) => (a[name] ?? 0) === (b[name] ?? 0));

/** The set of a place in force on a day: its own newest, else that of the department, else everybody's. */
export function setOn(overview: Overview, department: string, position: string, day: string): SetItem | undefined {
  const sets = overview.sets.flatMap(({ item }) => (item.kind === "set" && item.starts <= day && (!item.ends || day <= item.ends) ? [item] : []));
  for (const [own, post] of [
    [department, position],
    [department, null],
    [null, position],
    [null, null],
  ] as const) {
    if (own === department && post === position && !position) continue;
    const here = sets.filter((one) => one.department === own && one.position === (post || null));
    const newest = here.reduce<SetItem | undefined>((best, one) => (best && best.starts >= one.starts ? best : one), undefined);
    if (newest) return newest;
  }
  return undefined;
}

/** Lines of a stored draft as they are sent back. */
export function lines(changes: readonly Schemas["SchemeDiffView"][]): Change[] {
  return changes.map((one): Change => one.after ?? { kind: "taken_back", of: one.kind, key: one.key });
}

function about(one: Change): string {
  switch (one.kind) {
    case "set":
      return `set ${one.department ?? ""}|${one.position ?? ""}|${one.starts}`;
    case "season":
      return `season ${one.id || one.name_en}|${one.first}`;
    case "own":
      return `own ${one.employee}|${one.id || one.name_en}|${one.first}`;
    case "indicator":
      return `indicator ${String(one.definition["id"])}|${String(one.definition["starts"])}`;
    case "taken_back":
      return `${one.of} ${one.key}`;
  }
}

/** Lines of a draft with newer ones in place of those about the same. */
export function merged(before: readonly Change[], newer: readonly Change[]): Change[] {
  const found = new Map([...before, ...newer].map((one) => [about(one), one]));
  return [...found.values()];
}

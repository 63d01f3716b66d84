/** How a request looks in a list: its state, and its time and length in words. */
import type { Schemas } from "../../app/client";
import * as format from "../../app/format";
import { i18n } from "../../app/i18n/index.svelte";
import type { IconName } from "../../ui/icons";
import { amount, words } from "./words";

export type Asked = Schemas["RequestView"];
export type Kind = Asked["kind"];
export type State = Asked["state"];

export const KINDS: readonly Kind[] = ["leave", "correction", "overtime", "trip", "field", "swap", "leave_end"];
export const STATES: readonly State[] = ["pending", "approved", "refused", "withdrawn", "cancelled"];

export const stateLooks: Record<State, { tone: "ok" | "warn" | "bad" | "calm" | "accent"; icon: IconName }> = {
  pending: { tone: "warn", icon: "clock" },
  approved: { tone: "ok", icon: "check" },
  refused: { tone: "bad", icon: "cross" },
  withdrawn: { tone: "calm", icon: "undo" },
  cancelled: { tone: "calm", icon: "dash" },
};

/** From instant to instant, the date said once where it is the same. */
export function spanText(from: number, to: number, zone: string): string {
  const first = format.dateOf(from, zone);
  const last = format.dateOf(to, zone);
  const start = `${format.day(first)} ${format.time(from, zone)}`;
  if (from === to) return start;
  return first === last ? `${start}–${format.time(to, zone)}` : `${start} – ${format.day(last)} ${format.time(to, zone)}`;
}

export function whenText(request: Asked): string {
  const w = words();
  if (request.kind === "swap" && request.date) {
    const swapped = w.swapOn(format.day(request.date), request.other_name ?? request.other ?? "");
    return request.other_date ? `${swapped}${i18n.t.listComma}${w.swapBack(format.day(request.other_date))}` : swapped;
  }
  if (request.kind === "leave_end") {
    const about = w.about(String(request.about ?? ""));
    return request.end_ms > request.start_ms ? `${about}${i18n.t.listComma}${spanText(request.start_ms, request.end_ms, request.zone)}` : about;
  }
  return spanText(request.start_ms, request.end_ms, request.zone);
}

/** Leave in days, other things in hours; nothing for what has no length. */
export function lengthText(request: Asked): string {
  if (request.kind === "correction" || request.kind === "swap") return "";
  return request.kind === "overtime" ? i18n.t.minutes(request.minutes) : amount(request.minutes);
}

export type Names = ReadonlyMap<string, { name_zh: string; name_en: string }>;

/** "请假 · 年假", "补卡 · 下班卡" */
export function titleText(request: Asked, types: Names): string {
  const w = words();
  const type = request.leave_type ? types.get(request.leave_type) : undefined;
  const more = type ? i18n.name(type) : request.direction ? w.direction[request.direction] : request.kind === "overtime" && request.to_comp ? w.toComp : "";
  return more ? `${w.kinds[request.kind]} · ${more}` : (w.kinds[request.kind] ?? request.kind);
}

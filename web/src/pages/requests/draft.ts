/** What is being filled in: local text of the employee's site, as the browser's inputs give it. */
import type { Schemas } from "../../app/client";
import type { Kind } from "./looks";

export type AskBody = Schemas["AskForBody"]["request"];

export interface Draft {
  kind: Kind;
  leaveType: string;
  start: string;
  end: string;
  at: string;
  direction: "" | "in" | "out";
  toComp: boolean;
  place: string;
  reason: string;
  date: string;
  other: string;
  otherDate: string;
  about: string;
  whole: boolean;
}

export type FieldName = "leaveType" | "start" | "end" | "at" | "reason" | "date" | "other" | "otherDate" | "about";

/** Which field a code of the server is about; others are about the whole. */
export const fieldOf: Record<string, Partial<Record<Kind, FieldName>> | FieldName> = {
  leave_no_balance: "leaveType",
  no_leave_type: "leaveType",
  bad_time: { correction: "at", leave_end: "end" },
  no_such_time: { correction: "at", leave_end: "end" },
  bad_span: "end",
  too_long: "end",
  in_future: "at",
  correction_quota: "at",
  correction_too_late: "at",
  reason_missing: "reason",
  bad_swap: "other",
  same_shifts: "other",
  no_account: "other",
  no_leave: "about",
};

export function fieldFor(code: string, kind: Kind): FieldName | undefined {
  const found = fieldOf[code];
  if (typeof found === "string") return found;
  return found?.[kind];
}

const SPANNED: readonly Kind[] = ["leave", "overtime", "trip", "field"];
export const isSpanned = (kind: Kind) => SPANNED.includes(kind);

/** Fields that are still empty and must not be. */
export function missing(draft: Draft): FieldName[] {
  const wanted: FieldName[] = [];
  if (draft.kind === "leave") wanted.push("leaveType");
  if (isSpanned(draft.kind)) wanted.push("start", "end");
  if (draft.kind === "correction") wanted.push("at", "reason");
  if (draft.kind === "swap") wanted.push("date", "other");
  if (draft.kind === "leave_end") wanted.push("about", ...(draft.whole ? [] : (["end"] as const)));
  return wanted.filter((name) => !draft[name].trim());
}

export function bodyOf(draft: Draft): AskBody {
  const { start, end, reason } = draft;
  switch (draft.kind) {
    case "leave":
      return { kind: "leave", leave_type: draft.leaveType, start, end, reason };
    case "correction":
      return { kind: "correction", at: draft.at, direction: draft.direction || null, reason };
    case "overtime":
      return { kind: "overtime", start, end, to_comp: draft.toComp, reason };
    case "trip":
    case "field":
      return { kind: draft.kind, start, end, place: draft.place, reason };
    case "swap":
      return { kind: "swap", other: draft.other, date: draft.date, other_date: draft.otherDate || null, reason };
    case "leave_end":
      return { kind: "leave_end", about: Number(draft.about), end: draft.whole ? null : end, reason };
  }
}

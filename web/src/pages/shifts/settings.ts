/** Settings of an attendance policy: where each stands in the form and what it takes. */

export type Kind = "min" | "s" | "bool" | "choice" | "pairs" | "late_leave";

export interface Setting {
  name: string;
  kind: Kind;
  choices?: string[];
}

export const sections: { id: string; settings: Setting[] }[] = [
  {
    id: "punch",
    settings: [
      { name: "window_before_min", kind: "min" },
      { name: "window_after_min", kind: "min" },
      { name: "dedup_s", kind: "s" },
      { name: "pairing", kind: "choice", choices: ["first_last", "alternating", "directional"] },
      { name: "min_pair_gap_min", kind: "min" },
      { name: "contiguous_gap_min", kind: "min" },
      { name: "unverified_punches", kind: "choice", choices: ["wait", "accept", "refuse"] },
    ],
  },
  {
    id: "late",
    settings: [
      { name: "late_grace_min", kind: "min" },
      { name: "early_grace_min", kind: "min" },
      { name: "late_leave", kind: "late_leave" },
      { name: "in_round_min", kind: "min" },
      { name: "out_round_min", kind: "min" },
    ],
  },
  {
    id: "overtime",
    settings: [
      { name: "ot_mode", kind: "choice", choices: ["intersect", "punch", "approval"] },
      { name: "ot_before", kind: "bool" },
      { name: "ot_gap_min", kind: "min" },
      { name: "ot_min_min", kind: "min" },
      { name: "ot_round_min", kind: "min" },
      { name: "day_ot_limit_min", kind: "min" },
      { name: "month_ot_limit_min", kind: "min" },
      { name: "restday_breaks", kind: "pairs" },
    ],
  },
  {
    id: "system",
    settings: [
      { name: "system", kind: "choice", choices: ["standard", "comprehensive", "untimed"] },
      { name: "untimed_statutory_ot", kind: "bool" },
    ],
  },
];

/** What a form field shows of a stored value; empty for none. */
export function shown(kind: Kind, value: unknown): string {
  if (value === undefined || value === null) return "";
  if (kind === "pairs") return (value as string[][]).map((pair) => pair.join("-")).join(", ");
  if (kind === "late_leave") {
    const rule = value as { after: string; shift_min: number };
    return `${rule.after} +${rule.shift_min}`;
  }
  return String(value);
}

/** The value that a form field stands for; undefined for an empty one. What makes no sense is sent as it is, for the server to name. */
export function told(kind: Kind, text: string): unknown {
  const plain = text.trim();
  if (!plain) return undefined;
  if (kind === "min" || kind === "s") return /^-?\d+$/.test(plain) ? Number(plain) : plain;
  if (kind === "bool") return plain === "true";
  if (kind === "pairs") return plain.split(/[,，、;；]/).map((pair) => pair.trim().split(/\s*[-–~]\s*/));
  if (kind === "late_leave") {
    const [after = "", minutes = ""] = plain.split(/\s*\+\s*/);
    return { after, shift_min: /^\d+$/.test(minutes) ? Number(minutes) : minutes };
  }
  return plain;
}

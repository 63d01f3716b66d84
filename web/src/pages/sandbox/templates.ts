/** Cases to begin with; times without offset are local. */
const D = { start: "09:00", end: "18:00", breaks: [["12:00", "13:00"]] };
const N = { start: "22:00", end: "06:00" };

export const templates = {
  day: { id: "T1", shifts: [{ date: "2026-03-02", ...D }], punches: ["2026-03-02T09:10:00", "2026-03-02T18:00:00"], policy: { late_grace_min: 5 } },
  missing: { id: "T2", shifts: [{ date: "2026-03-02", ...D }], punches: ["2026-03-02T08:55:00"] },
  night: { id: "T3", shifts: [{ date: "2026-03-02", ...N }], punches: ["2026-03-02T21:50:00", "2026-03-03T06:05:00"] },
  flex: {
    id: "T4",
    shifts: [{ date: "2026-03-02", ...D, flex: { earliest: "08:00", latest: "10:00", span_min: 540 } }],
    punches: ["2026-03-02T09:40:00", "2026-03-02T18:40:00"],
  },
  rest: {
    id: "T5",
    shifts: [],
    punches: ["2026-03-07T09:00:00", "2026-03-07T15:10:00"],
    ot: [{ from: "2026-03-07T09:00:00", to: "2026-03-07T18:00:00", to_comp: true }],
  },
  holiday: {
    id: "T6",
    shifts: [{ date: "2026-09-30", ...N }],
    calendar: { "2026-10-01": "statutory" },
    punches: ["2026-09-30T21:55:00", "2026-10-01T06:00:00"],
    expect: {
      days: [{ date: "2026-09-30", status: "normal", required_min: 480, worked_min: 120, holiday_work_min: 360, ot_30_min: 360 }],
    },
  },
  leave: {
    id: "T7",
    shifts: [{ date: "2026-03-02", ...D }],
    punches: ["2026-03-02T12:50:00", "2026-03-02T18:00:00"],
    leaves: [{ type: "annual", from: "2026-03-02T09:00:00", to: "2026-03-02T12:00:00" }],
  },
  closed: {
    id: "T8",
    shifts: [{ date: "2026-02-27", ...D }],
    punches: [
      { t: "2026-02-27T08:55:00", recv: "2026-02-27T08:55:02" },
      { t: "2026-02-27T18:02:00", recv: "2026-03-09T11:00:00" },
    ],
    closed: [{ month: "2026-02", at: "2026-03-05T09:00:00" }],
  },
} as const;

export type TemplateName = keyof typeof templates;
export const templateNames = Object.keys(templates) as TemplateName[];

/** One array element a line, but pairs such as breaks on one: a case stays readable in a narrow field. */
export const written = (value: unknown) => JSON.stringify(value, null, 2).replace(/\[\s+("\d\d:\d\d"),\s+("\d\d:\d\d")\s+\]/g, "[$1, $2]");

export interface Simple {
  date: string;
  start: string;
  end: string;
  breakFrom: string;
  breakTo: string;
  punches: string;
  grace: string;
  pairing: string;
}

/** The case of the simple form. Punches: "08:55 18:10 02:10+1". */
export function fromForm(form: Simple): unknown {
  const nextDay = new Date(Date.parse(`${form.date}T00:00:00Z`) + 86_400_000).toISOString().slice(0, 10);
  const punches = form.punches
    .split(/[\s,，、]+/)
    .filter(Boolean)
    .map((text) => {
      const next = text.endsWith("+1");
      const time = text.replace("+1", "");
      return `${next ? nextDay : form.date}T${time.length === 5 ? `${time}:00` : time}`;
    });
  const policy = {
    ...(Number(form.grace) > 0 && { late_grace_min: Number(form.grace) }),
    ...(form.pairing !== "first_last" && { pairing: form.pairing }),
  };
  const breaks = form.breakFrom && form.breakTo ? [[form.breakFrom, form.breakTo]] : [];
  return {
    id: "1",
    shifts: [{ date: form.date, start: form.start, end: form.end, breaks }],
    punches,
    ...(Object.keys(policy).length > 0 && { policy }),
  };
}

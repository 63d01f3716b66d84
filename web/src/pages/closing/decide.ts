/** Records to decide about, and what the server says of it: shared by month closing and exceptions. */
import { api, ask, type Schemas } from "../../app/client";

export interface RecordKey {
  employee: string;
  date: string;
  part: number;
}

export type Outcome = Schemas["OutcomeView"];

/** Those named, or all of a month (of a department) that are undecided. */
export interface Which {
  records: RecordKey[];
  month?: string | undefined;
  department?: string | undefined;
}

export const keyOf = (row: { employee: string; date: string; part: number | null }) => `${row.employee}|${row.date}|${row.part ?? 0}`;

const body = (which: Which) => ({
  records: which.records.map(({ employee, date, part }) => ({ employee, date, part })),
  month: which.month ?? null,
  department: which.department ?? null,
});

export function preview(which: Which): Promise<Outcome> {
  return ask(api.POST("/api/decisions/preview", { body: { ...body(which), note: "", expected: null } }));
}

export function decideDefault(which: Which, note: string, expected: number): Promise<Outcome> {
  return ask(api.POST("/api/decisions/default", { body: { ...body(which), note, expected } }));
}

/** `absent`: minutes of each record, or null for all that is pending. */
export function decideManually(records: (RecordKey & { absent: number | null })[], note: string): Promise<Outcome> {
  const splits = records.map(({ employee, date, part, absent }) => ({ employee, date, part, absent_min: absent }));
  return ask(api.POST("/api/decisions/manual", { body: { records: splits, note } }));
}

export function withdraw(records: RecordKey[]): Promise<{ count: number }> {
  return ask(api.POST("/api/decisions/withdraw", { body: { records: body({ records }).records } }));
}
